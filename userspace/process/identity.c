// SPDX-License-Identifier: Apache-2.0
/* Who the daemon is: the user that the configuration names, with what it may still do then. */
#include "process/identity.h"
#include "core/log.h"
#include "core/privileges.h"
#include "core/strbuf.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a reload may need after root is given up. BPF programs on sockets take both of the last two;
 * CAP_NET_ADMIN alone is enough for foreign source addresses. */
static const uint64_t kept_capabilities = UINT64_C(1) << CAP_NET_BIND_SERVICE |
					  UINT64_C(1) << CAP_NET_ADMIN | UINT64_C(1) << CAP_BPF;
/* Programs that read packets, and resets and ICMP errors in another's name: for those alone who ask
 * for splice, the guard or dispatch. */
static const uint64_t packet_capabilities = UINT64_C(1) << CAP_PERFMON | UINT64_C(1) << CAP_NET_RAW;

/* A program that reads what sockets have counted. */
static const uint64_t sockmap_capabilities = UINT64_C(1) << CAP_PERFMON;

static uint64_t wanted_capabilities(const struct config *config)
{
	uint64_t wanted = kept_capabilities;

	if (config->acceleration.mode == CONFIG_SPLICE || config->guard.mode != CONFIG_GUARD_OFF ||
	    config_has_dispatch(config))
		wanted |= packet_capabilities;
	if (config->acceleration.mode == CONFIG_SOCKMAP)
		wanted |= sockmap_capabilities;
	return wanted;
}

void identity_raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warn("cannot raise the limit of open files: %s", strerror(errno));
}

/* The control socket's directory, for the user that we shall be. */
static void make_socket_directory(const char *socket, const struct privileges *privileges)
{
	const char *slash = socket ? strrchr(socket, '/') : NULL;
	char path[PATH_MAX];

	if (!slash || slash == socket || slash - socket >= (ptrdiff_t)sizeof(path))
		return;
	snprintf(path, sizeof(path), "%.*s", (int)(slash - socket), socket);
	if (mkdir(path, 0755) < 0) {
		if (errno != EEXIST)
			log_warn("cannot make the directory %s: %s", path, strerror(errno));
		return;
	}
	if (privileges->has_user && chown(path, privileges->uid, privileges->gid) < 0)
		log_warn("cannot give the directory %s to the user: %s", path, strerror(errno));
}

static void say_what_is_missing(void)
{
	bool is_admin = privileges_has(CAP_NET_ADMIN);
	const struct {
		bool is_available;
		const char *what;
	} needs[] = {
		{privileges_has(CAP_NET_BIND_SERVICE), "ports below 1024"},
		{is_admin || privileges_has(CAP_NET_RAW), "transparent: true"},
		{is_admin && privileges_has(CAP_BPF),
		 "balancing new connections between workers in the kernel"},
	};
	struct strbuf missing = {};

	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		if (!needs[i].is_available)
			strbuf_printf(&missing, "%s%s", missing.len ? ", " : "", needs[i].what);
	if (missing.len)
		log_info("not available without privileges: %s", missing.text);
	strbuf_done(&missing);
}

void identity_check(const struct config *config, const char *what, struct strbuf *ret_problems)
{
	struct privileges ignored;

	if (privileges_lookup(config->user, NULL, &ignored) < 0)
		strbuf_printf(ret_problems, "%s: %suser: there is no user %s on this machine\n",
			      config->path, what, config->user);
	if (privileges_lookup(NULL, config->group, &ignored) < 0)
		strbuf_printf(ret_problems, "%s: %sgroup: there is no group %s on this machine\n",
			      config->path, what, config->group);
}

int identity_assume(const struct config *config)
{
	struct privileges privileges;
	int err = privileges_lookup(config->user, config->group, &privileges);

	if (err) {
		struct strbuf problems = {};

		identity_check(config, "", &problems);
		log_lines(LOG_ERROR, "", problems.text);
		strbuf_done(&problems);
		return err;
	}
	make_socket_directory(config->admin.socket, &privileges);
	if (geteuid() != 0) {
		if (privileges.has_user && privileges.uid != geteuid())
			log_warn("user: %s is ignored: only root can change its user",
				 config->user);
		say_what_is_missing();
		return 0;
	}
	if (!privileges.has_user && !privileges.has_group) {
		say_what_is_missing(); /* root of a container may be short of them */
		return 0;
	}
	err = privileges_drop(&privileges, wanted_capabilities(config));
	if (err)
		log_error("cannot become user %s: %s", config->user ? config->user : "-",
			  strerror(-err));
	return err;
}
