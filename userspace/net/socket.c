// SPDX-License-Identifier: Apache-2.0
/*
 * Opens sockets with the options that a proxy wants, and asks them for their ends. Nothing here
 * accepts, connects or waits: that is the engine's.
 */
#include "net/socket.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* After the idle time a dead peer is given up within about as long again. */
#define KEEPALIVE_PROBES     3
#define KEEPALIVE_IDLE_MAX_S 32767 /* the kernel's own limit */
/* Since Linux 5.4. */
#define SOMAXCONN_DEFAULT 4096

static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

static int open_stream(const struct address *address)
{
	int fd;

	if (!address->len)
		return -EAFNOSUPPORT;
	fd = socket(address->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd < 0 ? -errno : fd;
}

static int set_transparent(int fd, sa_family_t family)
{
	return family == AF_INET6 ? set_option(fd, SOL_IPV6, IPV6_TRANSPARENT, 1)
				  : set_option(fd, SOL_IP, IP_TRANSPARENT, 1);
}

static int bind_to(int fd, const struct address *address)
{
	return bind(fd, &address->sa, address->len) ? -errno : 0;
}

/*
 * TCP_DEFER_ACCEPT stays off: protocols in which the server speaks first would wait for its
 * timeout, and the client's address is wanted even of those who never send.
 */
static int bind_ip(int fd, const struct address *address,
		   const struct socket_listen_options *options)
{
	int err = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);

	if (!err && options->is_reuseport)
		err = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	/* Said either way, so that the system's default does not decide. */
	if (!err && address->sa.sa_family == AF_INET6)
		err = set_option(fd, SOL_IPV6, IPV6_V6ONLY, options->is_v6only);
	if (!err && options->is_transparent) {
		err = set_transparent(fd, address->sa.sa_family);
		if (err == -EPERM)
			err = 0;
	}
	return err ? err : bind_to(fd, address);
}

/* Room for a path that fills sun_path and therefore has no NUL of its own. */
struct unix_path {
	char text[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
};

/* Return: false for an abstract name, which has no file. */
static bool path_of(const struct address *address, struct unix_path *ret)
{
	*ret = (struct unix_path){};
	memcpy(ret->text, address->un.sun_path,
	       address->len - offsetof(struct sockaddr_un, sun_path));
	return ret->text[0] != '\0';
}

/* Whether nobody listens behind the file: then, and only then, connecting is refused. */
static bool is_refused(const struct address *address)
{
	int fd = open_stream(address);
	bool refused;

	if (fd < 0)
		return false;
	refused = connect(fd, &address->sa, address->len) && errno == ECONNREFUSED;
	close(fd);
	return refused;
}

/*
 * Removes a socket's file that its owner left behind. Looked at twice, so that a file that another
 * process put there meanwhile stays; other kinds of files, which refuse connections too, stay as
 * well.
 */
static int remove_stale(const struct address *address, const char *path)
{
	struct stat before, after;

	if (lstat(path, &before))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(before.st_mode) || !is_refused(address))
		return -EADDRINUSE;
	if (lstat(path, &after))
		return errno == ENOENT ? 0 : -errno;
	if (before.st_dev != after.st_dev || before.st_ino != after.st_ino)
		return -EADDRINUSE;
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

static int bind_unix(int fd, const struct address *address,
		     const struct socket_listen_options *options)
{
	struct unix_path path;
	bool has_file = path_of(address, &path);
	int err = bind_to(fd, address);

	if (!has_file)
		return err;
	if (err == -EADDRINUSE) {
		err = remove_stale(address, path.text);
		if (!err)
			err = bind_to(fd, address);
	}
	if (err)
		return err;
	/* Nobody gets in before listen(2), so the umask's permissions never count. */
	if (chmod(path.text, (mode_t)options->unix_mode & 0777)) {
		err = -errno;
		unlink(path.text);
	}
	return err;
}

int socket_listen(const struct address *address, const struct socket_listen_options *options)
{
	int backlog = options->backlog > INT32_MAX ? INT32_MAX : (int)options->backlog;
	int fd = open_stream(address);
	int err;

	if (fd < 0)
		return fd;
	err = address_is_ip(address) ? bind_ip(fd, address, options)
				     : bind_unix(fd, address, options);
	if (!err && listen(fd, backlog))
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

uint32_t socket_backlog_limit(void)
{
	FILE *file = fopen("/proc/sys/net/core/somaxconn", "re");
	uint32_t limit;
	bool is_read;

	if (!file)
		return SOMAXCONN_DEFAULT;
	is_read = fscanf(file, "%" SCNu32, &limit) == 1;
	fclose(file);
	return is_read ? limit : SOMAXCONN_DEFAULT;
}

static int bind_source(int fd, const struct address *address,
		       const struct socket_connect_options *options)
{
	struct address source = *options->source;
	int err = 0;

	address_unmap(&source);
	if (!source.len || source.sa.sa_family != address->sa.sa_family)
		return -EAFNOSUPPORT;
	if (options->is_transparent)
		err = set_transparent(fd, source.sa.sa_family);
	/*
	 * Without a port, the port is chosen when connecting: per destination, so that the range
	 * holds for each of them. With one, the same port may serve several destinations.
	 */
	if (!err && address_port(&source) == 0)
		err = set_option(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	else if (!err)
		err = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	return err ? err : bind_to(fd, &source);
}

/* Failures are let pass: the connection works without, and a reset one fails anyway. */
static void tune_tcp(int fd, uint32_t keepalive_ms)
{
	uint32_t idle_s = keepalive_ms / 1000 + (keepalive_ms % 1000 != 0);
	uint32_t interval_s;

	(void)set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (!keepalive_ms)
		return;
	if (idle_s > KEEPALIVE_IDLE_MAX_S)
		idle_s = KEEPALIVE_IDLE_MAX_S;
	interval_s = idle_s / KEEPALIVE_PROBES + (idle_s % KEEPALIVE_PROBES != 0);
	(void)set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)idle_s);
	(void)set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, (int)interval_s);
	(void)set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
	(void)set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

int socket_for_connect(const struct address *address, const struct socket_connect_options *options)
{
	int fd = open_stream(address);
	int err = 0;

	if (fd < 0 || !address_is_ip(address))
		return fd;
	if (options->source)
		err = bind_source(fd, address, options);
	if (err) {
		close(fd);
		return err;
	}
	tune_tcp(fd, 0);
	return fd;
}

void socket_tune(int fd, sa_family_t family, uint32_t keepalive_ms)
{
	if (family == AF_INET || family == AF_INET6)
		tune_tcp(fd, keepalive_ms);
}

static void set_quick_ack(int fd, int is_quick)
{
	(void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &is_quick, sizeof(is_quick));
}

void socket_hold_ack(int fd)
{
	set_quick_ack(fd, 0);
}

void socket_release_ack(int fd)
{
	set_quick_ack(fd, 1);
}

typedef int name_function(int fd, struct sockaddr *sa, socklen_t *len);

static int ask_name(int fd, name_function *ask, struct address *ret)
{
	struct sockaddr_storage storage = {};
	socklen_t len = sizeof(storage);

	if (ask(fd, (struct sockaddr *)&storage, &len))
		return -errno;
	address_from_sockaddr((struct sockaddr *)&storage, len, ret);
	return 0;
}

int socket_peer(int fd, struct address *ret)
{
	return ask_name(fd, getpeername, ret);
}

int socket_local(int fd, struct address *ret)
{
	return ask_name(fd, getsockname, ret);
}
