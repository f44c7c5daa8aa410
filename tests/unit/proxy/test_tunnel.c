// SPDX-License-Identifier: Apache-2.0
/* Tunnels as their owners use them: what was read or queued before, both ends, the counts. */
#include "proxy/tunnel.h"

#include "tunnel_fixture.h"

static void what_was_read_before_goes_first_and_counts(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct io_buf *early;
	struct owner owner;

	open_owner(&owner, fixture);
	early = buf_of(fixture->loop, "one ");
	early->next = buf_of(fixture->loop, "two ");
	recorder_send(&owner.client, "three", 5);
	recorder_send(&owner.backend, "later", 5);
	tunnel_start(&owner.tunnel, early, buf_of(fixture->loop, "sooner "));
	run_until(fixture,
		  has(&owner.backend, "one two three") && has(&owner.client, "sooner later"));
	assert_int_equal(tunnel_bytes_in(&owner.tunnel), 13);
	assert_int_equal(tunnel_bytes_out(&owner.tunnel), 12);
	io_stream_shutdown(&owner.client.stream);
	io_stream_shutdown(&owner.backend.stream);
	close_owner(&owner, fixture);
	assert_int_equal(owner.ends, 1);
	assert_int_equal(owner.end, CONNECTION_END_DONE);
}

static void what_the_owner_queued_goes_before_everything_and_does_not_count(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct owner owner;

	open_owner(&owner, fixture);
	io_stream_send(&owner.near, buf_of(fixture->loop, "101 "));
	recorder_send(&owner.backend, "frame", 5);
	tunnel_start(&owner.tunnel, NULL, buf_of(fixture->loop, "first "));
	run_until(fixture, has(&owner.client, "101 first frame"));
	assert_int_equal(tunnel_bytes_out(&owner.tunnel), 11);
	io_stream_shutdown(&owner.client.stream);
	io_stream_shutdown(&owner.backend.stream);
	close_owner(&owner, fixture);
}

static void a_reset_reaches_the_owner_with_how_to_close(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct owner owner;

	open_owner(&owner, fixture);
	tunnel_start(&owner.tunnel, NULL, NULL);
	recorder_send(&owner.client, "x", 1);
	run_until(fixture, has(&owner.backend, "x"));
	io_stream_close(&owner.client.stream, IO_CLOSE_RESET);
	run_until(fixture, owner.backend.ends);
	close_owner(&owner, fixture);
	assert_int_equal(owner.ends, 1);
	assert_int_equal(owner.end, CONNECTION_END_CLIENT_RESET);
	assert_int_equal(owner.backend_how, IO_CLOSE_RESET);
	assert_int_equal(owner.backend.end_status, -ECONNRESET);
	assert_int_equal(tunnel_bytes_in(&owner.tunnel), 1);
}

/* As splice(2) leaves it that has moved a part: sending fails with EPIPE, receiving ends with 0. */
static void a_reset_whose_error_is_lost_is_no_fin(void **state)
{
	struct fixture *fixture = fixture_of(state);
	socklen_t len = sizeof(int);
	struct owner owner;
	int error = 0;

	open_owner(&owner, fixture);
	tunnel_start(&owner.tunnel, NULL, NULL);
	recorder_send(&owner.client, "x", 1);
	run_until(fixture, has(&owner.backend, "x"));
	io_stream_recv_stop(&owner.far);
	run_for(fixture, 5);
	io_stream_close(&owner.backend.stream, IO_CLOSE_RESET);
	run_until(fixture, owner.backend.closes);
	while (!error)
		getsockopt(owner.far.fd, SOL_SOCKET, SO_ERROR, &error, &len);
	io_stream_send(&owner.far, buf_of(fixture->loop, "y"));
	while (!owner.tunnel.send_error)
		run_for(fixture, 1);
	io_stream_recv_start(&owner.far);
	run_until(fixture, owner.ends);
	assert_int_equal(owner.end, CONNECTION_END_BACKEND_RESET);
	assert_int_equal(owner.client_how, IO_CLOSE_RESET);
	run_until(fixture, owner.closes == 2);
	free(owner.backend.bytes);
	recorder_done(&owner.client, fixture);
}

static void bytes_before_a_reset_are_still_handed_on(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct owner owner;

	open_owner(&owner, fixture);
	tunnel_start(&owner.tunnel, buf_of(fixture->loop, "last words"), NULL);
	io_stream_close(&owner.client.stream, IO_CLOSE_RESET);
	run_until(fixture, owner.backend.ends);
	assert_true(has(&owner.backend, "last words"));
	close_owner(&owner, fixture);
	assert_int_equal(owner.end, CONNECTION_END_CLIENT_RESET);
}

static void silence_ends_it(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct owner owner;

	open_owner(&owner, fixture);
	owner.tunnel.idle_timeout_ms = 20;
	tunnel_start(&owner.tunnel, NULL, NULL);
	close_owner(&owner, fixture);
	assert_int_equal(owner.end, CONNECTION_END_IDLE_TIMEOUT);
	assert_int_equal(owner.client_how, IO_CLOSE_RESET);
}

static void an_owner_that_stops_it_hears_nothing_more(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct owner owner;

	open_owner(&owner, fixture);
	owner.tunnel.idle_timeout_ms = 20;
	tunnel_start(&owner.tunnel, buf_of(fixture->loop, "unsent"), NULL);
	tunnel_stop(&owner.tunnel, false);
	tunnel_stop(&owner.tunnel, false);
	run_for(fixture, 40);
	io_stream_close(&owner.near, IO_CLOSE_FIN);
	io_stream_close(&owner.far, IO_CLOSE_FIN);
	close_owner(&owner, fixture);
	assert_int_equal(owner.ends, 0);
}

static void one_that_never_began_can_be_asked_and_stopped(void **state)
{
	struct tunnel tunnel = {};

	(void)state;
	assert_int_equal(tunnel_last_activity_ms(&tunnel), 0);
	assert_int_equal(tunnel_bytes_in(&tunnel), 0);
	tunnel_stop(&tunnel, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(what_was_read_before_goes_first_and_counts),
		ON_BOTH(what_the_owner_queued_goes_before_everything_and_does_not_count),
		ON_BOTH(a_reset_reaches_the_owner_with_how_to_close),
		ON_BOTH(a_reset_whose_error_is_lost_is_no_fin),
		ON_BOTH(bytes_before_a_reset_are_still_handed_on),
		ON_BOTH(silence_ends_it),
		ON_BOTH(an_owner_that_stops_it_hears_nothing_more),
		cmocka_unit_test(one_that_never_began_can_be_asked_and_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
