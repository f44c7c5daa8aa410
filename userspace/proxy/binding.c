// SPDX-License-Identifier: Apache-2.0
/* Listening sockets by address, kept over reloads. */
#include "proxy/binding.h"
#include "core/log.h"
#include "core/scarcity.h"
#include "net/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_unix(const struct address *address)
{
	return address->sa.sa_family == AF_UNIX;
}

static int open_socket(const struct config_listener *listener, const struct address *address)
{
	const struct socket_listen_options options = {
		.backlog = listener->backlog,
		.is_v6only = listener->is_v6only,
		.is_reuseport = !is_unix(address),
		.unix_mode = listener->socket_mode,
	};

	return socket_listen(address, &options);
}

/* Later sockets bind to what the first one got, should the configuration say port 0. */
static int open_sockets(struct binding *binding, const struct config_listener *listener)
{
	for (uint32_t i = 0; i < binding->nsockets; i++) {
		int fd = open_socket(listener, &binding->address);
		int err;

		if (fd < 0)
			return fd;
		binding->sockets[i] = fd;
		err = i == 0 ? socket_local(fd, &binding->address) : 0;
		if (err)
			return err;
	}
	return 0;
}

static int add_to_group(struct reuseport_group *group, const struct binding *binding)
{
	for (uint32_t i = 0; i < binding->nsockets; i++) {
		int err = reuseport_group_add(group, i, binding->sockets[i]);

		if (err)
			return err;
	}
	return reuseport_group_attach(group, binding->sockets[0]);
}

static int make_group(struct binding *binding, const struct reuseport_loads *loads)
{
	int err = reuseport_group_new(loads, &binding->group);

	if (!err)
		err = add_to_group(binding->group, binding);
	if (!err)
		return 0;
	reuseport_group_free(binding->group);
	binding->group = NULL;
	return err;
}

/* Without a group the kernel spreads connections by hash: less even, but right. What is lacking for
 * the moment is no reason to do without for as long as the address is bound. */
static int balance_accepts(struct binding *binding, const struct reuseport_loads *loads)
{
	char text[ADDRESS_TEXT_SIZE];
	int err;

	if (!loads || binding->nsockets < 2)
		return 0;
	err = make_group(binding, loads);
	if (is_scarcity(err))
		return err;
	if (err)
		log_warn("%s: connections are spread over workers by hash: %s",
			 address_format(&binding->address, text), strerror(-err));
	return 0;
}

static bool has_file(const struct binding *binding)
{
	return is_unix(&binding->address) && binding->address.un.sun_path[0] != '\0';
}

static void note_file(struct binding *binding)
{
	struct stat status;

	if (!has_file(binding) || stat(binding->address.un.sun_path, &status) < 0)
		return;
	binding->device = status.st_dev;
	binding->inode = status.st_ino;
}

int binding_open(const struct config_listener *listener, const struct address *address,
		 uint32_t workers, const struct reuseport_loads *loads, struct binding **ret)
{
	uint32_t nsockets = is_unix(address) ? 1 : workers;
	struct binding *binding = calloc(1, sizeof(*binding) + nsockets * sizeof(int));
	int err;

	if (!binding)
		return -ENOMEM;
	binding->acceptors = calloc(workers, sizeof(struct worker_acceptor *));
	if (!binding->acceptors) {
		free(binding);
		return -ENOMEM;
	}
	binding->requested = binding->address = *address;
	binding->is_v6only = listener->is_v6only;
	binding->refs = 1;
	binding->nworkers = workers;
	binding->nsockets = nsockets;
	for (uint32_t i = 0; i < nsockets; i++)
		binding->sockets[i] = -1;
	err = open_sockets(binding, listener);
	if (!err)
		err = balance_accepts(binding, loads);
	if (err) {
		binding_unref(binding);
		return err;
	}
	note_file(binding);
	binding_apply(binding, listener);
	*ret = binding;
	return 0;
}

struct binding *binding_ref(struct binding *binding)
{
	atomic_fetch_add(&binding->refs, 1);
	return binding;
}

static void remove_socket_file(const struct binding *binding)
{
	const char *path = binding->address.un.sun_path;
	struct stat status;

	if (has_file(binding) && stat(path, &status) == 0 && status.st_dev == binding->device &&
	    status.st_ino == binding->inode)
		unlink(path);
}

/* The file first: what could be connected to must also be accepted from. */
static void close_socket(struct binding *binding, uint32_t index)
{
	if (binding->sockets[index] < 0)
		return;
	remove_socket_file(binding);
	close(binding->sockets[index]);
	binding->sockets[index] = -1;
}

void binding_unref(struct binding *binding)
{
	if (!binding || atomic_fetch_sub(&binding->refs, 1) != 1)
		return;
	for (uint32_t i = 0; i < binding->nsockets; i++)
		close_socket(binding, i);
	reuseport_group_free(binding->group);
	free(binding->acceptors);
	free(binding);
}

bool binding_fits(const struct binding *binding, const struct config_listener *listener,
		  const struct address *address)
{
	if (!address_equal(&binding->requested, address))
		return false;
	return address->sa.sa_family != AF_INET6 || binding->is_v6only == listener->is_v6only;
}

void binding_apply(struct binding *binding, const struct config_listener *listener)
{
	for (uint32_t i = 0; i < binding->nsockets; i++) {
		listen(binding->sockets[i], (int)listener->backlog);
		/* Accepted sockets inherit these: no system calls for each connection. */
		socket_tune(binding->sockets[i], binding->address.sa.sa_family,
			    listener->keepalive_ms);
	}
	if (has_file(binding))
		chmod(binding->address.un.sun_path, listener->socket_mode);
}

int binding_socket(const struct binding *binding, uint32_t worker)
{
	return binding->sockets[binding->nsockets == 1 ? 0 : worker];
}

void binding_close_socket(struct binding *binding, uint32_t worker)
{
	if (!is_unix(&binding->address))
		close_socket(binding, worker);
	else if (atomic_fetch_sub(&binding->nworkers, 1) == 1)
		close_socket(binding, 0);
}
