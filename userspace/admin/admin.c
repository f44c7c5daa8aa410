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

static int fail_to_listen(struct strbuf *errors, const char *option, const char *object,
			  const struct address *address, int error)
{
	strbuf_printf(errors, "%s: %s: %s%s\n", option, object, strerror(-error),
		      socket_listen_remedy(address, error));
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
		return fail_to_listen(errors, "admin.socket", config->socket, &address, fd);
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
		return fail_to_listen(errors, "admin.listen", address_format(&config->listen, text),
				      &config->listen, fd);
	return fd;
}

/* Another daemon may have put its own there since ours was taken away. */
static void remember_file(struct admin *admin)
{
	struct stat status;

	if (stat(admin->socket_path, &status) < 0)
		return;
	admin->socket_device = status.st_dev;
	admin->socket_inode = status.st_ino;
}

/* May be forbidden by now; the next start replaces it. */
static void remove_file(const struct admin *admin)
{
	struct stat status;

	if (admin->socket_path && lstat(admin->socket_path, &status) == 0 &&
	    status.st_dev == admin->socket_device && status.st_ino == admin->socket_inode)
		unlink(admin->socket_path);
}

static int open_ports(struct admin *admin, const struct config_admin *config, struct strbuf *errors)
{
	if (config->socket) {
		admin->socket_path = strdup(config->socket);
		if (!admin->socket_path)
			return -ENOMEM;
		admin->control.fd = open_control(config, errors);
		if (admin->control.fd < 0)
			return admin->control.fd;
		remember_file(admin);
	}
	if (config->listen.len)
		admin->http.fd = open_http(config, errors);
	return config->listen.len && admin->http.fd < 0 ? admin->http.fd : 0;
}

int admin_open(const struct config *config, struct admin **ret, struct strbuf *ret_errors)
{
	struct admin *admin = calloc(1, sizeof(*admin));
	int r;

	if (!admin)
		return -ENOMEM;
	admin->control.fd = admin->http.fd = -1;
	r = open_ports(admin, &config->admin, ret_errors);
	if (r < 0)
		admin_free(admin);
	else
		*ret = admin;
	return r;
}

void admin_start(struct admin *admin, struct io_loop *loop, struct server *server,
		 const struct admin_actions *actions)
{
	admin->loop = loop;
	admin->server = server;
	admin->actions = *actions;
	admin->is_started = true;
	if (admin->control.fd >= 0)
		admin_port_open(&admin->control, admin, loop, &control_protocol);
	if (admin->http.fd >= 0)
		admin_port_open(&admin->http, admin, loop, &http_protocol);
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
	remove_file(admin);
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
	if (!admin->is_started) {
		if (admin->control.fd >= 0)
			close(admin->control.fd);
		if (admin->http.fd >= 0)
			close(admin->http.fd);
		remove_file(admin);
	}
	free(admin->socket_path);
	free(admin);
}
