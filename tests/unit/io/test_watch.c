// SPDX-License-Identifier: Apache-2.0
#include "io/watch.h"
#include "unit/io/io_fixture.h"

struct lookout {
	struct io_watch watch;
	struct lookout *stops; /* another one, stopped from the callback */
	int calls;
	uint32_t ready;
};

static void on_ready(struct io_watch *watch, uint32_t ready)
{
	struct lookout *lookout = container_of(watch, struct lookout, watch);

	lookout->calls++;
	lookout->ready = ready;
	if (lookout->stops)
		io_watch_stop(&lookout->stops->watch);
	io_loop_stop(watch->loop);
}

static void watch_tells_again_while_the_descriptor_stays_ready(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct lookout lookout = {.watch.on_ready = on_ready};
	char byte;
	int fds[2];

	unix_pair(fds);
	assert_int_equal(io_watch_start(&lookout.watch, fixture->loop, fds[0], IO_READABLE), 0);
	run_for(fixture, 5);
	assert_int_equal(lookout.calls, 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	run_until(fixture, lookout.calls >= 3);
	assert_int_equal(lookout.ready, IO_READABLE);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	run_for(fixture, 5);
	lookout.calls = 0;
	run_for(fixture, 5);
	assert_int_equal(lookout.calls, 0);
	io_watch_stop(&lookout.watch);
	io_watch_stop(&lookout.watch);
	close(fds[0]);
	close(fds[1]);
}

static void starting_a_running_watch_changes_its_events(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct lookout lookout = {.watch.on_ready = on_ready};
	int fds[2];

	unix_pair(fds);
	assert_int_equal(io_watch_start(&lookout.watch, fixture->loop, fds[0], IO_READABLE), 0);
	run_for(fixture, 2);
	assert_int_equal(
		io_watch_start(&lookout.watch, fixture->loop, fds[0], IO_READABLE | IO_WRITABLE),
		0);
	run_until(fixture, lookout.calls);
	assert_int_equal(lookout.ready, IO_WRITABLE);
	assert_int_equal(io_watch_start(&lookout.watch, fixture->loop, fds[0], IO_READABLE), 0);
	lookout.calls = 0;
	run_for(fixture, 5);
	assert_int_equal(lookout.calls, 0);
	io_watch_stop(&lookout.watch);
	close(fds[0]);
	close(fds[1]);
}

static void hang_up_sets_all_that_was_asked_for(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct lookout lookout = {.watch.on_ready = on_ready};
	int fds[2];

	unix_pair(fds);
	close(fds[1]);
	assert_int_equal(
		io_watch_start(&lookout.watch, fixture->loop, fds[0], IO_READABLE | IO_WRITABLE),
		0);
	run_until(fixture, lookout.calls);
	assert_int_equal(lookout.ready, IO_READABLE | IO_WRITABLE);
	io_watch_stop(&lookout.watch);
	close(fds[0]);
}

static void stopped_watch_is_silent_at_once(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct lookout a = {.watch.on_ready = on_ready}, b = {.watch.on_ready = on_ready};
	int fds[2];

	unix_pair(fds);
	a.stops = &b;
	b.stops = &a;
	assert_int_equal(io_watch_start(&a.watch, fixture->loop, fds[0], IO_WRITABLE), 0);
	assert_int_equal(io_watch_start(&b.watch, fixture->loop, fds[1], IO_WRITABLE), 0);
	run_until(fixture, a.calls + b.calls);
	assert_true(a.calls == 0 || b.calls == 0);
	io_watch_stop(&a.watch);
	io_watch_stop(&b.watch);
	a.calls = b.calls = 0;
	close(fds[0]);
	close(fds[1]);
	run_for(fixture, 5);
	assert_int_equal(a.calls + b.calls, 0);
}

static void regular_file_cannot_be_watched(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct lookout lookout = {.watch.on_ready = on_ready};
	FILE *file = tmpfile();

	assert_non_null(file);
	assert_int_equal(io_watch_start(&lookout.watch, fixture->loop, fileno(file), IO_READABLE),
			 -EPERM);
	io_watch_stop(&lookout.watch);
	fclose(file);
}

static void loop_may_end_while_a_watch_is_being_stopped(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct lookout lookout = {.watch.on_ready = on_ready};
	int fds[2];

	unix_pair(fds);
	assert_int_equal(io_watch_start(&lookout.watch, fixture->loop, fds[0], IO_READABLE), 0);
	run_for(fixture, 2);
	io_watch_stop(&lookout.watch);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(watch_tells_again_while_the_descriptor_stays_ready),
		ON_BOTH(starting_a_running_watch_changes_its_events),
		ON_BOTH(hang_up_sets_all_that_was_asked_for),
		ON_BOTH(stopped_watch_is_silent_at_once),
		ON_BOTH(regular_file_cannot_be_watched),
		ON_BOTH(loop_may_end_while_a_watch_is_being_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
