// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static struct address address_of(const char *text)
{
	struct address address;

	assert_int_equal(address_parse(slice_from_str(text), &address), 0);
	return address;
}

static int option_of(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static int listen_on(const char *text, const struct socket_listen_options *options)
{
	struct address address = address_of(text);

	return socket_listen(&address, options);
}

/* A path in a new directory, so that runs do not meet. */
struct place {
	char dir[32], path[64];
	struct address address;
};

static void place_make(struct place *place)
{
	char text[ADDRESS_TEXT_SIZE];

	strcpy(place->dir, "/tmp/sluice-test-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	snprintf(place->path, sizeof(place->path), "%s/socket", place->dir);
	snprintf(text, sizeof(text), "unix:%s", place->path);
	place->address = address_of(text);
}

static void place_remove(const struct place *place)
{
	unlink(place->path);
	assert_int_equal(rmdir(place->dir), 0);
}

static void descriptors_are_cloexec_and_nonblocking(void **state)
{
	struct socket_listen_options options = {.backlog = 1};
	struct socket_connect_options connect_options = {};
	struct address target = address_of("127.0.0.1:1");
	int fds[2] = {
		listen_on("127.0.0.1:0", &options),
		socket_for_connect(&target, &connect_options),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		assert_true(fds[i] >= 0);
		assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
		assert_true(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
		close(fds[i]);
	}
}

static void two_listeners_share_a_port_by_reuseport_only(void **state)
{
	struct socket_listen_options shared = {.backlog = 8, .is_reuseport = true};
	struct socket_listen_options alone = {.backlog = 8};
	struct address address;
	int first, second;

	(void)state;
	first = listen_on("127.0.0.1:0", &shared);
	assert_true(first >= 0);
	assert_int_equal(socket_local(first, &address), 0);
	assert_int_not_equal(address_port(&address), 0);
	second = socket_listen(&address, &shared);
	assert_true(second >= 0);
	assert_int_equal(socket_listen(&address, &alone), -EADDRINUSE);
	close(first);
	close(second);
}

static void refusals_to_listen_have_a_remedy(void **state)
{
	static const struct {
		const char *place;
		int error;
		const char *remedy;
	} cases[] = {
		{"127.0.0.1:80", -EACCES, "CAP_NET_BIND_SERVICE"},
		{"[::1]:8080", -EADDRINUSE, "ss -ltnp"},
		{"192.0.2.1:80", -EADDRNOTAVAIL, "ip address"},
		{"unix:/x/y", -ENOENT, "directory is missing"},
		{"unix:/x/y", -EACCES, "must be writable"},
		{"unix:/x/y", -EADDRINUSE, "no socket"},
		{"127.0.0.1:8080", -EACCES, NULL},
		{"127.0.0.1:80", -EMFILE, NULL},
		{"unix:/x/y", -EMFILE, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct address address;
		const char *remedy;

		assert_int_equal(address_parse(slice_from_str(cases[i].place), &address), 0);
		remedy = socket_listen_remedy(&address, cases[i].error);
		if (cases[i].remedy)
			assert_non_null(strstr(remedy, cases[i].remedy));
		else
			assert_string_equal(remedy, "");
	}
}

static void v6only_is_said_either_way(void **state)
{
	struct socket_listen_options options = {.backlog = 8};
	int fd = listen_on("[::]:0", &options);

	(void)state;
	if (fd == -EAFNOSUPPORT)
		skip();
	assert_true(fd >= 0);
	assert_int_equal(option_of(fd, SOL_IPV6, IPV6_V6ONLY), 0);
	close(fd);
	options.is_v6only = true;
	fd = listen_on("[::]:0", &options);
	assert_true(fd >= 0);
	assert_int_equal(option_of(fd, SOL_IPV6, IPV6_V6ONLY), 1);
	close(fd);
}

static void transparent_listener_works_without_the_privilege(void **state)
{
	struct socket_listen_options options = {.backlog = 8, .is_transparent = true};
	int fd = listen_on("127.0.0.1:0", &options);

	(void)state;
	assert_true(fd >= 0);
	if (geteuid() == 0)
		assert_int_equal(option_of(fd, SOL_IP, IP_TRANSPARENT), 1);
	close(fd);
}

static void connection_binds_its_source_without_taking_a_port(void **state)
{
	static const char *const pairs[][2] = {
		{"127.0.0.9:0", "127.0.0.1:1"},
		{"[::1]:0", "[::1]:1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct address source = address_of(pairs[i][0]), target = address_of(pairs[i][1]);
		struct socket_connect_options options = {.source = &source};
		struct address local;
		int fd = socket_for_connect(&target, &options);

		/* A machine may be without IPv6. */
		if (i == 1 && (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL))
			skip();
		assert_true(fd >= 0);
		assert_int_equal(socket_local(fd, &local), 0);
		assert_true(address_equal(&local, &source));
		assert_int_equal(address_port(&local), 0);
		close(fd);
	}
}

static void two_connections_share_a_source_port(void **state)
{
	struct socket_listen_options listen_options = {.backlog = 8};
	struct address source, targets[2];
	struct socket_connect_options options = {.source = &source};
	int listeners[2], fds[2];
	/* A port that is free on an address that nobody else uses. */
	int probe = listen_on("127.0.0.77:0", &listen_options);

	(void)state;
	assert_int_equal(socket_local(probe, &source), 0);
	close(probe);
	for (size_t i = 0; i < 2; i++) {
		listeners[i] = listen_on("127.0.0.1:0", &listen_options);
		assert_true(listeners[i] >= 0);
		assert_int_equal(socket_local(listeners[i], &targets[i]), 0);
		fds[i] = socket_for_connect(&targets[i], &options);
		assert_true(fds[i] >= 0);
		assert_true(connect(fds[i], &targets[i].sa, targets[i].len) == 0 ||
			    errno == EINPROGRESS);
	}
	for (size_t i = 0; i < 2; i++) {
		close(listeners[i]);
		close(fds[i]);
	}
}

static void backlog_is_cut_where_the_kernel_cuts_it(void **state)
{
	struct socket_listen_options options = {.backlog = 1U << 24};
	struct tcp_info info;
	socklen_t len = sizeof(info);
	int fd = listen_on("127.0.0.1:0", &options);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	/* Of a listening socket this is its backlog. */
	assert_int_equal(socket_backlog_limit(), info.tcpi_sacked);
	close(fd);
}

static void foreign_source_needs_transparency(void **state)
{
	struct address source = address_of("192.0.2.7:4321"), target = address_of("127.0.0.1:1");
	struct socket_connect_options options = {.source = &source};
	struct address local;
	int fd;

	(void)state;
	assert_int_equal(socket_for_connect(&target, &options), -EADDRNOTAVAIL);
	options.is_transparent = true;
	fd = socket_for_connect(&target, &options);
	if (fd == -EPERM)
		skip();
	assert_true(fd >= 0);
	assert_int_equal(socket_local(fd, &local), 0);
	assert_true(address_equal(&local, &source));
	close(fd);
}

static void source_of_another_family_is_refused(void **state)
{
	struct address source = address_of("[::1]:0"), target = address_of("127.0.0.1:1");
	struct socket_connect_options options = {.source = &source};
	int fd;

	(void)state;
	assert_int_equal(socket_for_connect(&target, &options), -EAFNOSUPPORT);
	source = address_of("[::ffff:127.0.0.1]:0");
	fd = socket_for_connect(&target, &options);
	assert_true(fd >= 0);
	close(fd);
}

static void no_address_is_refused(void **state)
{
	struct socket_listen_options listen_options = {};
	struct socket_connect_options connect_options = {};
	struct address none = {};

	(void)state;
	assert_int_equal(socket_listen(&none, &listen_options), -EAFNOSUPPORT);
	assert_int_equal(socket_for_connect(&none, &connect_options), -EAFNOSUPPORT);
}

static void both_ends_are_tuned(void **state)
{
	struct socket_listen_options options = {.backlog = 8};
	struct socket_connect_options connect_options = {};
	struct address address, peer, local;
	int listener = listen_on("127.0.0.1:0", &options), client, server;

	(void)state;
	assert_true(listener >= 0);
	assert_int_equal(socket_local(listener, &address), 0);
	client = socket_for_connect(&address, &connect_options);
	assert_true(client >= 0);
	assert_int_equal(option_of(client, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option_of(client, SOL_SOCKET, SO_KEEPALIVE), 0);
	socket_tune(client, AF_INET, 60500);
	assert_int_equal(option_of(client, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(option_of(client, IPPROTO_TCP, TCP_KEEPIDLE), 61);
	assert_int_equal(option_of(client, IPPROTO_TCP, TCP_KEEPINTVL), 21);
	assert_int_equal(option_of(client, IPPROTO_TCP, TCP_KEEPCNT), 3);

	/* On loopback the handshake is over when connect(2) is back. */
	assert_true(connect(client, &address.sa, address.len) == 0 || errno == EINPROGRESS);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(server >= 0);
	socket_tune(server, AF_INET, 0);
	assert_int_equal(option_of(server, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option_of(server, SOL_SOCKET, SO_KEEPALIVE), 0);
	socket_tune(server, AF_INET, 1);
	assert_int_equal(option_of(server, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(option_of(server, IPPROTO_TCP, TCP_KEEPIDLE), 1);

	assert_int_equal(socket_peer(server, &peer), 0);
	assert_int_equal(socket_local(client, &local), 0);
	assert_true(address_equal(&peer, &local));
	close(server);
	close(client);
	assert_int_equal(socket_peer(listener, &peer), -ENOTCONN);
	close(listener);
}

static void keepalive_beyond_the_kernel_s_limit_is_cut(void **state)
{
	struct socket_connect_options options = {};
	struct address target = address_of("127.0.0.1:1");
	int fd = socket_for_connect(&target, &options);

	(void)state;
	assert_true(fd >= 0);
	socket_tune(fd, AF_INET, UINT32_MAX);
	assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 32767);
	close(fd);
}

static void unix_socket_has_its_mode(void **state)
{
	struct socket_listen_options options = {.backlog = 8, .unix_mode = 0640};
	struct place place;
	struct stat st;
	int fd;

	(void)state;
	place_make(&place);
	fd = socket_listen(&place.address, &options);
	assert_true(fd >= 0);
	assert_int_equal(stat(place.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	close(fd);
	place_remove(&place);
}

static void unix_socket_in_use_is_kept(void **state)
{
	struct socket_listen_options options = {.backlog = 8, .unix_mode = 0600};
	struct socket_connect_options connect_options = {};
	struct place place;
	int fd, client;

	(void)state;
	place_make(&place);
	fd = socket_listen(&place.address, &options);
	assert_true(fd >= 0);
	assert_int_equal(socket_listen(&place.address, &options), -EADDRINUSE);
	client = socket_for_connect(&place.address, &connect_options);
	assert_int_equal(connect(client, &place.address.sa, place.address.len), 0);
	socket_tune(client, AF_UNIX, 1000);
	close(client);
	close(fd);
	place_remove(&place);
}

static void full_backlog_counts_as_in_use(void **state)
{
	struct socket_listen_options options = {.backlog = 0, .unix_mode = 0600};
	struct socket_connect_options connect_options = {};
	struct place place;
	int fd, client;

	(void)state;
	place_make(&place);
	fd = socket_listen(&place.address, &options);
	client = socket_for_connect(&place.address, &connect_options);
	assert_int_equal(connect(client, &place.address.sa, place.address.len), 0);
	assert_int_equal(socket_listen(&place.address, &options), -EADDRINUSE);
	close(client);
	close(fd);
	place_remove(&place);
}

static void stale_unix_socket_is_replaced(void **state)
{
	struct socket_listen_options options = {.backlog = 8, .unix_mode = 0600};
	struct socket_connect_options connect_options = {};
	struct place place;
	int fd, client;

	(void)state;
	place_make(&place);
	fd = socket_listen(&place.address, &options);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(access(place.path, F_OK), 0);
	fd = socket_listen(&place.address, &options);
	assert_true(fd >= 0);
	client = socket_for_connect(&place.address, &connect_options);
	assert_int_equal(connect(client, &place.address.sa, place.address.len), 0);
	close(client);
	close(fd);
	place_remove(&place);
}

static void other_files_are_never_replaced(void **state)
{
	struct socket_listen_options options = {.backlog = 8, .unix_mode = 0600};
	struct place place;
	struct stat st;
	int fd;

	(void)state;
	place_make(&place);
	fd = open(place.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(socket_listen(&place.address, &options), -EADDRINUSE);
	assert_int_equal(stat(place.path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	place_remove(&place);
}

static void abstract_name_needs_no_file(void **state)
{
	struct socket_listen_options options = {.backlog = 8};
	char text[ADDRESS_TEXT_SIZE];
	struct address address;
	int fd;

	(void)state;
	snprintf(text, sizeof(text), "unix:@sluice-test-%d", (int)getpid());
	address = address_of(text);
	fd = socket_listen(&address, &options);
	assert_true(fd >= 0);
	assert_int_equal(socket_listen(&address, &options), -EADDRINUSE);
	close(fd);
}

/* Said "hello", and ended by FIN or by RST: once its error has been told, both read alike. */
static bool peer_ends_by_fin(bool is_reset)
{
	struct linger linger = {.l_onoff = is_reset};
	const struct socket_listen_options options = {.backlog = 1};
	int listener = listen_on("127.0.0.1:0", &options), ends[2], error;
	socklen_t len = sizeof(error);
	struct address address;
	char bytes[8];
	bool heard;

	assert_int_equal(socket_local(listener, &address), 0);
	ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(ends[0], &address.sa, address.len), 0);
	assert_int_equal(poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, 5000), 1);
	ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_int_equal(send(ends[1], "hello", 5, 0), 5);
	assert_int_equal(recv(ends[0], bytes, 5, MSG_WAITALL), 5);
	setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(ends[1]);
	assert_int_equal(poll(&(struct pollfd){.fd = ends[0], .events = POLLIN}, 1, 5000), 1);
	getsockopt(ends[0], SOL_SOCKET, SO_ERROR, &error, &len);
	assert_int_equal(error, is_reset ? ECONNRESET : 0);
	assert_int_equal(recv(ends[0], bytes, sizeof(bytes), 0), 0);
	heard = socket_heard_fin(ends[0], 5);
	close(ends[0]);
	close(listener);
	return heard;
}

static void a_fin_is_told_from_a_reset_afterwards(void **state)
{
	(void)state;
	assert_true(peer_ends_by_fin(false));
	assert_false(peer_ends_by_fin(true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_are_cloexec_and_nonblocking),
		cmocka_unit_test(two_listeners_share_a_port_by_reuseport_only),
		cmocka_unit_test(refusals_to_listen_have_a_remedy),
		cmocka_unit_test(v6only_is_said_either_way),
		cmocka_unit_test(transparent_listener_works_without_the_privilege),
		cmocka_unit_test(connection_binds_its_source_without_taking_a_port),
		cmocka_unit_test(two_connections_share_a_source_port),
		cmocka_unit_test(backlog_is_cut_where_the_kernel_cuts_it),
		cmocka_unit_test(foreign_source_needs_transparency),
		cmocka_unit_test(source_of_another_family_is_refused),
		cmocka_unit_test(no_address_is_refused),
		cmocka_unit_test(both_ends_are_tuned),
		cmocka_unit_test(keepalive_beyond_the_kernel_s_limit_is_cut),
		cmocka_unit_test(a_fin_is_told_from_a_reset_afterwards),
		cmocka_unit_test(unix_socket_has_its_mode),
		cmocka_unit_test(unix_socket_in_use_is_kept),
		cmocka_unit_test(full_backlog_counts_as_in_use),
		cmocka_unit_test(stale_unix_socket_is_replaced),
		cmocka_unit_test(other_files_are_never_replaced),
		cmocka_unit_test(abstract_name_needs_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
