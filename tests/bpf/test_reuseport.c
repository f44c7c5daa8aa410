// SPDX-License-Identifier: Apache-2.0
// Real sockets on loopback: the kernel cannot test-run SK_REUSEPORT programs.
#include "fastpath/reuseport.h"
#include "core/compiler.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define WORKERS 4

/* A group on a loopback port of the kernel's choice, with a socket a worker. */
struct fixture {
	struct reuseport_loads *loads;
	struct reuseport_group *group;
	unsigned workers;
	int listeners[WORKERS];
	struct sockaddr_in address;
};

static int listen_on(struct sockaddr_in *address)
{
	socklen_t len = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof(*address)), 0);
	assert_int_equal(listen(fd, 512), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)address, &len), 0);
	return fd;
}

/* Skips the test where the kernel refuses the program; @added: a bit for each worker to be added.
 */
static void fixture_init(struct fixture *f, unsigned workers, unsigned added)
{
	int r;

	*f = (struct fixture){.workers = workers};
	f->address.sin_family = AF_INET;
	f->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	r = reuseport_loads_new(workers, &f->loads);
	if (r == -EPERM || r == -ENOSYS) {
		print_message("no privilege to load BPF programs: %s\n", strerror(-r));
		skip();
	}
	assert_int_equal(r, 0);
	assert_int_equal(reuseport_group_new(f->loads, &f->group), 0);
	for (unsigned i = 0; i < workers; i++) {
		f->listeners[i] = listen_on(&f->address);
		if (added & 1u << i)
			assert_int_equal(reuseport_group_add(f->group, i, f->listeners[i]), 0);
	}
	assert_int_equal(reuseport_group_attach(f->group, f->listeners[0]), 0);
}

static void fixture_done(struct fixture *f)
{
	for (unsigned i = 0; i < f->workers; i++)
		close(f->listeners[i]);
	reuseport_group_free(f->group);
	reuseport_loads_free(f->loads);
}

static void publish(struct fixture *f, unsigned worker, uint32_t connections)
{
	atomic_store_explicit(reuseport_load(f->loads, worker), connections, memory_order_relaxed);
}

static int connect_to(const struct fixture *f)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&f->address, sizeof(f->address)), 0);
	return fd;
}

/* Resets, so that the test leaves no TIME_WAIT behind. */
static void reset(int fd)
{
	struct linger at_once = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

/* The last packet of the handshake may still be on its way when connect() returns. */
static unsigned worker_with_connection(const struct fixture *f)
{
	struct pollfd ready[WORKERS] = {};

	for (unsigned i = 0; i < f->workers; i++)
		ready[i] = (struct pollfd){.fd = f->listeners[i], .events = POLLIN};
	assert_int_equal(poll(ready, f->workers, 10000), 1);
	for (unsigned i = 0; i < f->workers; i++)
		if (ready[i].revents)
			return i;
	fail_msg("no worker has the connection");
	return 0;
}

/* Opens one connection; returns the worker in whose backlog it stands. */
static unsigned worker_of_new_connection(const struct fixture *f)
{
	int client = connect_to(f);
	unsigned worker = worker_with_connection(f);
	int fd = accept(f->listeners[worker], NULL, NULL);

	assert_true(fd >= 0);
	reset(client);
	close(fd);
	return worker;
}

static void equal_workers_share_evenly(void **state)
{
	unsigned count[WORKERS] = {};
	struct fixture f;

	(void)state;
	fixture_init(&f, WORKERS, ~0u);
	for (unsigned i = 0; i < 400; i++)
		count[worker_of_new_connection(&f)]++;
	for (unsigned i = 0; i < WORKERS; i++) /* 100 expected; 50 is 5.8 standard deviations off */
		assert_in_range(count[i], 50, 150);
	fixture_done(&f);
}

static void busiest_worker_gets_nothing(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, WORKERS, ~0u);
	publish(&f, 2, 1000);
	for (unsigned i = 0; i < 100; i++)
		assert_int_not_equal(worker_of_new_connection(&f), 2);
	fixture_done(&f);
}

static void published_loads_stay_close_together(void **state)
{
	unsigned count[WORKERS] = {}, least = ~0u, most = 0, worker;
	struct fixture f;

	(void)state;
	fixture_init(&f, WORKERS, ~0u);
	for (unsigned i = 0; i < 400; i++) {
		worker = worker_of_new_connection(&f);
		publish(&f, worker, ++count[worker]);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		least = count[i] < least ? count[i] : least;
		most = count[i] > most ? count[i] : most;
	}
	assert_in_range(most - least, 0, 8); /* by hash alone about 20 */
	fixture_done(&f);
}

static void single_worker_takes_all(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 1, ~0u);
	assert_int_equal(worker_of_new_connection(&f), 0);
	fixture_done(&f);
}

static void worker_without_socket_is_passed_over(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 2, 1u << 1);
	publish(&f, 1, 1000);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(worker_of_new_connection(&f), 1);
	fixture_done(&f);
}

static void socket_that_does_not_listen_is_refused(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct fixture f;

	(void)state;
	fixture_init(&f, 2, ~0u);
	assert_int_equal(reuseport_group_add(f.group, 0, fd), -EINVAL);
	close(fd);
	fixture_done(&f);
}

static void assert_echo(int server, int client, char byte)
{
	char got = 0;

	assert_int_equal(read(server, &got, 1), 1);
	assert_int_equal(got, byte);
	assert_int_equal(write(server, &got, 1), 1);
	got = 0;
	assert_int_equal(read(client, &got, 1), 1);
	assert_int_equal(got, byte);
}

static void backlog_of_a_closed_socket_moves_to_another_worker(void **state)
{
	char bytes[64] = {};
	int clients[ARRAY_SIZE(bytes)];
	struct fixture f;
	int server;

	(void)state;
	fixture_init(&f, 2, ~0u);
	publish(&f, 1, 1000);
	for (unsigned i = 0; i < ARRAY_SIZE(bytes); i++) {
		bytes[i] = (char)i;
		clients[i] = connect_to(&f);
		assert_int_equal(write(clients[i], &bytes[i], 1), 1);
	}
	assert_int_equal(accept(f.listeners[1], NULL, NULL), -1);
	close(f.listeners[0]);
	for (unsigned i = 0; i < ARRAY_SIZE(bytes); i++) {
		server = accept(f.listeners[1], NULL, NULL);
		assert_true(server >= 0);
		assert_echo(server, clients[i], bytes[i]);
		reset(clients[i]);
		close(server);
	}
	f.listeners[0] = listen_on(&f.address);
	fixture_done(&f);
}

static void group_works_on_after_its_owner_freed_it(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 2, ~0u);
	publish(&f, 0, 1000);
	reuseport_group_free(f.group);
	f.group = NULL;
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(worker_of_new_connection(&f), 1);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_workers_share_evenly),
		cmocka_unit_test(busiest_worker_gets_nothing),
		cmocka_unit_test(published_loads_stay_close_together),
		cmocka_unit_test(single_worker_takes_all),
		cmocka_unit_test(worker_without_socket_is_passed_over),
		cmocka_unit_test(socket_that_does_not_listen_is_refused),
		cmocka_unit_test(backlog_of_a_closed_socket_moves_to_another_worker),
		cmocka_unit_test(group_works_on_after_its_owner_freed_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
