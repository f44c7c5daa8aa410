// SPDX-License-Identifier: Apache-2.0
/* A pump that is held: its bytes may be moved by others, and what still comes waits. */
#include "io/pump.h"
#include "unit/io/io_fixture.h"

/*
 *   left (recorder) ── from ══ pump ══ to ── right (recorder)
 */
struct way {
	struct io_pump pump;
	struct io_stream from, to;
	struct recorder left, right;
	int closes, helds, ends, rests;
	enum io_pump_end end;
	bool resumes_at_once;
};

static void on_from_closed(struct io_stream *stream)
{
	container_of(stream, struct way, from)->closes++;
	io_loop_stop(stream->loop);
}

static void on_to_closed(struct io_stream *stream)
{
	container_of(stream, struct way, to)->closes++;
	io_loop_stop(stream->loop);
}

static void on_sent(struct io_stream *stream, int status)
{
	(void)stream;
	(void)status;
}

static const struct io_stream_ops from_ops = {.on_sent = on_sent, .on_closed = on_from_closed};
static const struct io_stream_ops to_ops = {.on_sent = on_sent, .on_closed = on_to_closed};

static void on_held(struct io_pump *pump)
{
	struct way *way = container_of(pump, struct way, pump);

	way->helds++;
	if (way->resumes_at_once)
		io_pump_resume(pump);
	io_loop_stop(pump->from->loop);
}

static void on_rest(struct io_pump *pump)
{
	container_of(pump, struct way, pump)->rests++;
	io_loop_stop(pump->from->loop);
}

static void on_end(struct io_pump *pump, enum io_pump_end end, int error)
{
	struct way *way = container_of(pump, struct way, pump);

	(void)error;
	way->ends++;
	way->end = end;
	io_loop_stop(pump->from->loop);
}

static void open_way(struct way *way, struct fixture *fixture)
{
	int left[2], right[2];

	*way = (struct way){};
	tcp_pair(left);
	tcp_pair(right);
	recorder_init(&way->left, fixture, left[0]);
	recorder_init(&way->right, fixture, right[1]);
	io_stream_init(&way->from, fixture->loop, left[1], &from_ops);
	io_stream_init(&way->to, fixture->loop, right[0], &to_ops);
	io_stream_recv_start(&way->right.stream);
	way->pump = (struct io_pump){
		.from = &way->from,
		.to = &way->to,
		.limit = 262144,
		.on_end = on_end,
		.on_rest = on_rest,
		.on_held = on_held,
	};
	io_pump_start(&way->pump);
}

static void close_way(struct way *way, struct fixture *fixture)
{
	io_pump_cancel(&way->pump);
	io_stream_close(&way->from, IO_CLOSE_FIN);
	io_stream_close(&way->to, IO_CLOSE_FIN);
	run_until(fixture, way->closes == 2);
	recorder_done(&way->left, fixture);
	recorder_done(&way->right, fixture);
}

static bool has(const struct recorder *recorder, const char *text)
{
	return recorder->len == strlen(text) && !memcmp(recorder->bytes, text, strlen(text));
}

static void bytes_wait_for_resume_and_keep_their_order(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct way way;

	open_way(&way, fixture);
	io_pump_hold(&way.pump, IO_PUMP_HOLD_ALL);
	recorder_send(&way.left, "one ", 4);
	run_until(fixture, way.helds == 1);
	recorder_send(&way.left, "two", 3);
	run_for(fixture, 10);
	assert_int_equal(way.helds, 1);
	assert_int_equal(way.right.len, 0);
	io_pump_resume(&way.pump);
	run_until(fixture, has(&way.right, "one two"));
	close_way(&way, fixture);
}

static void the_end_waits_too_behind_the_bytes(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct way way;

	open_way(&way, fixture);
	io_pump_hold(&way.pump, IO_PUMP_HOLD_ALL);
	recorder_send(&way.left, "last", 4);
	io_stream_shutdown(&way.left.stream);
	run_until(fixture, way.helds);
	run_for(fixture, 10);
	assert_int_equal(way.ends, 0);
	io_pump_resume(&way.pump);
	run_until(fixture, way.ends);
	assert_int_equal(way.end, IO_PUMP_EOF);
	run_until(fixture, has(&way.right, "last"));
	close_way(&way, fixture);
}

static void an_end_alone_is_held_once(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct way way;

	open_way(&way, fixture);
	io_pump_hold(&way.pump, IO_PUMP_HOLD_ALL);
	io_stream_shutdown(&way.left.stream);
	run_until(fixture, way.helds);
	run_for(fixture, 10);
	assert_int_equal(way.helds, 1);
	assert_int_equal(way.ends, 0);
	io_pump_resume(&way.pump);
	run_until(fixture, way.ends);
	assert_int_equal(way.end, IO_PUMP_EOF);
	close_way(&way, fixture);
}

static void bytes_pass_a_hold_of_the_end(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct way way;

	open_way(&way, fixture);
	io_pump_hold(&way.pump, IO_PUMP_HOLD_END);
	recorder_send(&way.left, "through", 7);
	run_until(fixture, has(&way.right, "through"));
	assert_int_equal(way.helds, 0);
	io_stream_shutdown(&way.left.stream);
	run_until(fixture, way.helds);
	io_pump_hold(&way.pump, IO_PUMP_HOLD_END);
	run_until(fixture, way.helds == 2);
	assert_int_equal(way.ends, 0);
	io_pump_resume(&way.pump);
	run_until(fixture, way.ends);
	assert_int_equal(way.end, IO_PUMP_EOF);
	close_way(&way, fixture);
}

static void a_reset_passes_a_hold_of_the_end(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct way way;

	open_way(&way, fixture);
	io_pump_hold(&way.pump, IO_PUMP_HOLD_END);
	io_stream_close(&way.left.stream, IO_CLOSE_RESET);
	run_until(fixture, way.ends);
	assert_int_equal(way.end, IO_PUMP_RECV_ERROR);
	assert_int_equal(way.helds, 0);
	close_way(&way, fixture);
}

static void a_reset_waits_and_then_ends_the_pump(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct way way;

	open_way(&way, fixture);
	io_pump_hold(&way.pump, IO_PUMP_HOLD_ALL);
	io_stream_close(&way.left.stream, IO_CLOSE_RESET);
	run_until(fixture, way.helds);
	io_pump_resume(&way.pump);
	run_until(fixture, way.ends);
	assert_int_equal(way.end, IO_PUMP_RECV_ERROR);
	close_way(&way, fixture);
}

static void resumed_in_the_callback_it_goes_on_at_once(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct way way;

	open_way(&way, fixture);
	way.resumes_at_once = true;
	io_pump_hold(&way.pump, IO_PUMP_HOLD_ALL);
	recorder_send(&way.left, "now", 3);
	run_until(fixture, has(&way.right, "now"));
	io_pump_hold(&way.pump, IO_PUMP_HOLD_ALL);
	recorder_send(&way.left, " again", 6);
	run_until(fixture, has(&way.right, "now again"));
	assert_int_equal(way.helds, 2);
	close_way(&way, fixture);
}

static void from_rest_it_reads_again(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct way way;

	open_way(&way, fixture);
	io_pump_rest(&way.pump);
	run_until(fixture, way.rests);
	recorder_send(&way.left, "quiet", 5);
	run_for(fixture, 10);
	assert_int_equal(way.helds, 0);
	io_pump_hold(&way.pump, IO_PUMP_HOLD_ALL);
	run_until(fixture, way.helds);
	assert_int_equal(way.right.len, 0);
	io_pump_resume(&way.pump);
	run_until(fixture, has(&way.right, "quiet"));
	close_way(&way, fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(bytes_wait_for_resume_and_keep_their_order),
		ON_BOTH(the_end_waits_too_behind_the_bytes),
		ON_BOTH(an_end_alone_is_held_once),
		ON_BOTH(bytes_pass_a_hold_of_the_end),
		ON_BOTH(a_reset_passes_a_hold_of_the_end),
		ON_BOTH(a_reset_waits_and_then_ends_the_pump),
		ON_BOTH(resumed_in_the_callback_it_goes_on_at_once),
		ON_BOTH(from_rest_it_reads_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
