// SPDX-License-Identifier: Apache-2.0
/* Opens and closes the two ports: the control socket (control.c) and HTTP with /metrics (http.c).
 */
#include "admin/admin_internal.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 64

static int fail(struct strbuf *errors, const char *option, const char *object, int error)
{
	strbuf_printf(errors, "%s: %s: %s\n", option, object, strerror(-error));
	return error;
}

/* /run is empty after boot; a directory that is there already is left as it is. */
static void make_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory;

	if (!slash || slash == path)
		return;
	directory = strndup(path, (size_t)(slash - path));
	if (!directory)
		return;
	mkdir(directory, 0755); /* if this fails, so does binding the socket, which says why */
	free(directory);
}

static int set_group(const char *path, const char *group)
{
	const struct group *entry;

	errno = 0;
	entry = getgrnam(group);
	if (!entry)
		return errno ? -errno : -ESRCH;
	return chown(path, (uid_t)-1, entry->gr_gid) < 0 ? -errno : 0;
}

/* Return: a descriptor; -errno with a line in @errors. */
static int open_control(const struct config_admin *config, struct strbuf *errors)
{
	struct socket_listen_options options = {.backlog = BACKLOG,
						.unix_mode = config->socket_mode};
	struct strbuf text = {0};
	struct address address;
	int fd, r;

	strbuf_printf(&text, "unix:%s", config->socket);
	r = text.is_failed ? -ENOMEM : address_parse(slice_of(text.text, text.len), &address);
	strbuf_done(&text);
	if (r < 0)
		return fail(errors, "admin.socket", config->socket, r);
	make_directory(config->socket);
	fd = socket_listen(&address, &options);
	if (fd < 0)
		return fail(errors, "admin.socket", config->socket, fd);
	r = config->socket_group ? set_group(config->socket, config->socket_group) : 0;
	if (r < 0) {
		close(fd);
		unlink(config->socket);
		return fail(errors, "admin.socket_group", config->socket_group, r);
	}
	return fd;
}

static int open_http(const struct config_admin *config, struct strbuf *errors)
{
	struct socket_listen_options options = {.backlog = BACKLOG};
	char text[ADDRESS_TEXT_SIZE];
	int fd = socket_listen(&config->listen, &options);

	if (fd < 0)
		return fail(errors, "admin.listen", address_format(&config->listen, text), fd);
	return fd;
}

int admin_start(const struct config *config, struct io_loop *loop, struct server *server,
		const struct admin_actions *actions, struct admin **ret, struct strbuf *ret_errors)
{
	struct admin *admin = calloc(1, sizeof(*admin));
	int control_fd = -1, http_fd = -1, r = -ENOMEM;

	if (!admin)
		return -ENOMEM;
	*admin = (struct admin){.loop = loop, .server = server, .actions = *actions};
	if (config->admin.socket) {
		admin->socket_path = strdup(config->admin.socket);
		if (!admin->socket_path)
			goto fail;
		r = control_fd = open_control(&config->admin, ret_errors);
		if (r < 0)
			goto fail;
	}
	if (config->admin.listen.len) {
		r = http_fd = open_http(&config->admin, ret_errors);
		if (r < 0)
			goto fail;
	}
	if (control_fd >= 0)
		admin_port_open(&admin->control, admin, loop, control_fd, &control_protocol);
	if (http_fd >= 0)
		admin_port_open(&admin->http, admin, loop, http_fd, &http_protocol);
	*ret = admin;
	return 0;
fail:
	if (control_fd >= 0) {
		close(control_fd);
		unlink(admin->socket_path);
	}
	admin_free(admin);
	return r;
}

static void on_stopped(struct io_task *task)
{
	struct admin *admin = container_of(task, struct admin, stopped);

	admin->on_stopped(admin->stop_context);
}

static void on_http_stopped(struct admin_port *port)
{
	/* Not from inside admin_stop(), and not while the port still looks at itself. */
	io_loop_defer(port->admin->loop, &port->admin->stopped);
}

static void on_control_stopped(struct admin_port *port)
{
	admin_port_close(&port->admin->http, on_http_stopped);
}

void admin_stop(struct admin *admin, void (*on_done)(void *context), void *context)
{
	if (admin->socket_path)
		unlink(admin->socket_path); /* may be forbidden by now; the next start replaces it
					     */
	admin->on_stopped = on_done;
	admin->stop_context = context;
	admin->stopped.on_run = on_stopped;
	admin->control.admin = admin->http.admin = admin;
	admin_port_close(&admin->control, on_control_stopped);
}

void admin_free(struct admin *admin)
{
	if (!admin)
		return;
	free(admin->socket_path);
	free(admin);
}
