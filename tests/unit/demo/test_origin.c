// SPDX-License-Identifier: Apache-2.0
// Origins on a real loop: it runs on a thread, the test is a blocking client.
#include "demo/origin.h"
#include "net/socket.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
	struct io_loop *loop;
	struct demo_origin *origin;
	pthread_t thread;
	struct io_message stop;
	struct address addresses[2];
};

static struct fixture fixture;

static void on_stopped(void *context)
{
	(void)context;
	io_loop_stop(fixture.loop);
}

static void on_stop_message(struct io_message *message)
{
	(void)message;
	demo_origin_stop(fixture.origin, on_stopped, NULL);
}

static void *run_loop(void *loop)
{
	return (void *)(intptr_t)io_loop_run(loop);
}

/* Loopback addresses whose ports are free at this moment. */
static void find_free_ports(struct address *addresses, size_t count)
{
	static const struct socket_listen_options options = {.backlog = 1};
	int fds[2];

	for (size_t i = 0; i < count; i++) {
		assert_int_equal(address_parse(slice_from_str("127.0.0.1:0"), &addresses[i]), 0);
		fds[i] = socket_listen(&addresses[i], &options);
		assert_true(fds[i] >= 0);
		assert_int_equal(socket_local(fds[i], &addresses[i]), 0);
	}
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

static int start(void **state)
{
	static const struct io_options options = {};

	(void)state;
	fixture = (struct fixture){.stop.on_message = on_stop_message};
	find_free_ports(fixture.addresses, 2);
	assert_int_equal(io_loop_new(&options, &fixture.loop), 0);
	assert_int_equal(demo_origin_start(fixture.loop, fixture.addresses, 2, &fixture.origin), 0);
	return pthread_create(&fixture.thread, NULL, run_loop, fixture.loop);
}

static int stop(void **state)
{
	void *result;

	(void)state;
	io_loop_post(fixture.loop, &fixture.stop);
	pthread_join(fixture.thread, &result);
	demo_origin_free(fixture.origin);
	io_loop_free(fixture.loop);
	return (int)(intptr_t)result;
}

static int connect_to(const struct address *address)
{
	int fd = socket(address->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &address->sa, address->len), 0);
	return fd;
}

/* Sends @request and reads until @until stands in what came; the connection may end before. */
static void converse(int fd, const char *request, const char *until, char *ret, size_t size)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	size_t len = 0;
	ssize_t n;

	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	do {
		assert_int_equal(poll(&readable, 1, 10000), 1);
		n = read(fd, ret + len, size - 1 - len);
		assert_true(n >= 0);
		len += (size_t)n;
		ret[len] = '\0';
	} while (n > 0 && !strstr(ret, until));
	assert_non_null(strstr(ret, until));
}

static void each_address_has_a_name_of_its_own(void **state)
{
	char text[1024];
	int fd;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		fd = connect_to(&fixture.addresses[i]);
		converse(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
			 "reached me from 127.0.0.1:", text, sizeof(text));
		assert_non_null(strstr(text, demo_origin_name(i)));
		close(fd);
	}
}

static void connection_is_kept_for_further_requests(void **state)
{
	int fd = connect_to(&fixture.addresses[0]);
	char text[1024];

	(void)state;
	for (int i = 0; i < 3; i++)
		converse(fd, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\nok\n", text,
			 sizeof(text));
	close(fd);
}

static void requests_sent_at_once_are_all_answered(void **state)
{
	int fd = connect_to(&fixture.addresses[0]);
	char text[2048];

	(void)state;
	converse(fd,
		 "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
		 "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
		 "GET / HTTP/1.0\r\n\r\n",
		 "hello from", text, sizeof(text));
	assert_non_null(strstr(text, "\r\n\r\nok\n"));
	close(fd);
}

static void last_answer_is_followed_by_the_end(void **state)
{
	int fd = connect_to(&fixture.addresses[0]);
	char text[1024], byte;

	(void)state;
	converse(fd, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", "405 Method", text,
		 sizeof(text));
	assert_int_equal(read(fd, &byte, 1), 0);
	close(fd);
}

static void open_connections_end_with_the_origin(void **state)
{
	int fd = connect_to(&fixture.addresses[0]);
	char text[1024];

	converse(fd, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "ok\n", text, sizeof(text));
	assert_int_equal(stop(state), 0);
	assert_int_equal(read(fd, text, sizeof(text)), 0);
	close(fd);
}

static void address_in_use_is_left_to_its_owner(void **state)
{
	static const struct io_options io = {};
	static const struct socket_listen_options options = {.backlog = 1};
	int fd;

	(void)state;
	fixture = (struct fixture){.stop.on_message = on_stop_message};
	find_free_ports(fixture.addresses, 1);
	fd = socket_listen(&fixture.addresses[0], &options);
	assert_true(fd >= 0);
	assert_int_equal(io_loop_new(&io, &fixture.loop), 0);
	assert_int_equal(demo_origin_start(fixture.loop, fixture.addresses, 1, &fixture.origin), 0);
	/* Nothing is open, and stopping is told all the same. */
	demo_origin_stop(fixture.origin, on_stopped, NULL);
	assert_int_equal(io_loop_run(fixture.loop), 0);
	demo_origin_free(fixture.origin);
	io_loop_free(fixture.loop);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_address_has_a_name_of_its_own, start, stop),
		cmocka_unit_test_setup_teardown(connection_is_kept_for_further_requests, start,
						stop),
		cmocka_unit_test_setup_teardown(requests_sent_at_once_are_all_answered, start,
						stop),
		cmocka_unit_test_setup_teardown(last_answer_is_followed_by_the_end, start, stop),
		cmocka_unit_test_setup(open_connections_end_with_the_origin, start),
		cmocka_unit_test(address_in_use_is_left_to_its_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
