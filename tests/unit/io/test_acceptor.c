// SPDX-License-Identifier: Apache-2.0
#include "io/acceptor.h"
#include "unit/io/io_fixture.h"

#include <sys/resource.h>

#define MAX_ACCEPTED 256

struct door {
	struct io_acceptor acceptor;
	struct address address;
	int listener;
	int fds[MAX_ACCEPTED];
	int accepted, exhausted, error, closes;
	bool pauses; /* after each connection */
};

static void on_accept(struct io_acceptor *acceptor, int fd)
{
	struct door *door = container_of(acceptor, struct door, acceptor);

	assert_int_equal(door->closes, 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	door->fds[door->accepted++] = fd;
	if (door->pauses)
		io_acceptor_pause(acceptor);
	io_loop_stop(acceptor->loop);
}

static void on_exhausted(struct io_acceptor *acceptor, int error)
{
	struct door *door = container_of(acceptor, struct door, acceptor);

	door->exhausted++;
	door->error = error;
	io_loop_stop(acceptor->loop);
}

static void on_closed(struct io_acceptor *acceptor)
{
	container_of(acceptor, struct door, acceptor)->closes++;
	io_loop_stop(acceptor->loop);
}

static const struct io_acceptor_ops door_ops = {
	.on_accept = on_accept,
	.on_exhausted = on_exhausted,
	.on_closed = on_closed,
};

static void open_door(struct door *door, struct fixture *fixture)
{
	*door = (struct door){};
	door->listener = listen_anywhere(&door->address);
	io_acceptor_start(&door->acceptor, fixture->loop, door->listener, &door_ops);
}

static void close_door(struct door *door, struct fixture *fixture)
{
	io_acceptor_close(&door->acceptor);
	run_until(fixture, door->closes);
	run_for(fixture, 2);
	assert_int_equal(door->closes, 1);
	for (int i = 0; i < door->accepted; i++)
		close(door->fds[i]);
	close(door->listener);
}

static int knock(const struct door *door)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &door->address.sa, door->address.len), 0);
	return fd;
}

static void all_connections_are_accepted(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct door door;
	int clients[100];

	open_door(&door, fixture);
	for (int i = 0; i < 100; i++)
		clients[i] = knock(&door);
	run_until(fixture, door.accepted == 100);
	for (int i = 0; i < 100; i++)
		close(clients[i]);
	close_door(&door, fixture);
}

static void paused_acceptor_leaves_connections_in_the_backlog(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct door door;
	int first, second;

	open_door(&door, fixture);
	io_acceptor_pause(&door.acceptor);
	run_for(fixture, 2);
	first = knock(&door);
	run_for(fixture, 10);
	assert_int_equal(door.accepted, 0);
	io_acceptor_resume(&door.acceptor);
	run_until(fixture, door.accepted == 1);
	door.pauses = true;
	second = knock(&door);
	run_until(fixture, door.accepted == 2);
	close(first);
	close(second);
	close_door(&door, fixture);
}

static void acceptor_waits_out_a_want_of_descriptors(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct rlimit old, tight;
	struct door door;
	int client;

	open_door(&door, fixture);
	client = knock(&door);
	/* The next descriptor would be the limit's. */
	tight.rlim_cur = (rlim_t)dup(client);
	close((int)tight.rlim_cur);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	run_until(fixture, door.exhausted);
	assert_int_equal(door.error, -EMFILE);
	assert_int_equal(door.accepted, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	run_until(fixture, door.accepted == 1);
	close(client);
	close_door(&door, fixture);
}

static void exhausted_acceptor_may_be_closed(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct rlimit old, tight;
	struct door door;
	int client;

	open_door(&door, fixture);
	client = knock(&door);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = (struct rlimit){.rlim_cur = 3, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	run_until(fixture, door.exhausted);
	close_door(&door, fixture);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	close(client);
}

static void closing_in_the_first_round_is_told_once(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct door door;

	open_door(&door, fixture);
	io_acceptor_close(&door.acceptor);
	io_acceptor_close(&door.acceptor);
	assert_int_equal(door.closes, 0);
	close_door(&door, fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(all_connections_are_accepted),
		ON_BOTH(paused_acceptor_leaves_connections_in_the_backlog),
		ON_BOTH(acceptor_waits_out_a_want_of_descriptors),
		ON_BOTH(exhausted_acceptor_may_be_closed),
		ON_BOTH(closing_in_the_first_round_is_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
