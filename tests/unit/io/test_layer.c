// SPDX-License-Identifier: Apache-2.0
#include "io/layer.h"
#include "io/pump.h"
#include "unit/io/io_fixture.h"

/*
 * A layer that can be checked by eye: each byte is inverted on the wire and sent twice, GREETING
 * opens and FAREWELL ends each direction.
 */
#define GREETING '+'
#define FAREWELL '.'
#define PAYLOAD  '='

struct toy {
	struct io_layer layer;
	bool is_open, has_ended, is_silent;
	char kind; /* of the record under way */
	unsigned have;
	int starts, closes, wire_ends;
};

static struct toy *toy_of(struct io_layer *layer)
{
	return container_of(layer, struct toy, layer);
}

static void toy_say(struct toy *toy, char kind)
{
	assert_int_equal(io_layer_write(&toy->layer, &kind, 1), 0);
	io_layer_flush(&toy->layer);
}

static void toy_on_start(struct io_layer *layer)
{
	toy_of(layer)->starts++;
	toy_say(toy_of(layer), GREETING);
}

static void toy_take(struct toy *toy, char byte, struct io_buf *out)
{
	if (toy->have == 0 && byte == GREETING) {
		toy->is_open = true;
		io_layer_ready(&toy->layer);
		io_loop_stop(toy->layer.stream->loop);
	} else if (toy->have == 0 && byte == FAREWELL) {
		toy->has_ended = true;
	} else if (toy->have == 0) {
		assert_int_equal(byte, PAYLOAD);
		toy->have++;
	} else if (toy->have++ == 2) {
		out->base[out->end++] = (char)~byte;
		toy->have = 0;
	}
}

static void toy_on_wire(struct io_layer *layer, struct io_buf *buf)
{
	struct toy *toy = toy_of(layer);
	struct io_buf *out = io_buf_take_like(layer->stream->loop, buf);

	assert_non_null(out);
	for (uint32_t i = buf->start; i < buf->end && !toy->has_ended; i++)
		toy_take(toy, buf->base[i], out);
	io_buf_release(layer->stream->loop, buf);
	if (out->end)
		io_layer_deliver(layer, out);
	else
		io_buf_release(layer->stream->loop, out);
	if (toy->has_ended)
		io_layer_end(layer, 0);
}

static void toy_on_wire_end(struct io_layer *layer, int status)
{
	toy_of(layer)->wire_ends++;
	io_layer_end(layer, status ? status : -ECONNABORTED);
}

static void toy_on_send(struct io_layer *layer, struct io_buf *buf)
{
	for (uint32_t i = buf->start; i < buf->end; i++) {
		char inverted = (char)~buf->base[i];
		const char record[] = {PAYLOAD, inverted, inverted};

		assert_int_equal(io_layer_write(layer, record, sizeof(record)), 0);
	}
	io_buf_release(layer->stream->loop, buf);
	io_layer_flush(layer);
}

static void toy_on_shutdown(struct io_layer *layer)
{
	if (!toy_of(layer)->is_silent)
		toy_say(toy_of(layer), FAREWELL);
}

static void toy_on_close(struct io_layer *layer)
{
	toy_of(layer)->closes++;
}

static const struct io_layer_ops toy_ops = {
	.on_start = toy_on_start,
	.on_wire = toy_on_wire,
	.on_wire_end = toy_on_wire_end,
	.on_send = toy_on_send,
	.on_shutdown = toy_on_shutdown,
	.on_close = toy_on_close,
};

static void toy_attach(struct toy *toy, struct io_stream *stream)
{
	*toy = (struct toy){.layer.ops = &toy_ops};
	io_layer_attach(stream, &toy->layer);
}

/* Two streams with a layer each, over TCP, both ready. */
struct ends {
	struct recorder a, b;
	struct toy at, bt;
};

static void ends_open(struct ends *ends, struct fixture *fixture)
{
	int fds[2];

	tcp_pair(fds);
	recorder_init(&ends->a, fixture, fds[0]);
	recorder_init(&ends->b, fixture, fds[1]);
	toy_attach(&ends->at, &ends->a.stream);
	toy_attach(&ends->bt, &ends->b.stream);
	assert_int_equal(ends->at.starts, 0);
	run_until(fixture, ends->at.is_open && ends->bt.is_open);
}

static void ends_close(struct ends *ends, struct fixture *fixture)
{
	recorder_done(&ends->a, fixture);
	recorder_done(&ends->b, fixture);
	assert_int_equal(ends->at.closes, 1);
	assert_int_equal(ends->bt.closes, 1);
}

static void owner_sees_bytes_and_end_as_without_a_layer(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct ends ends;

	ends_open(&ends, fixture);
	assert_int_equal(ends.a.sents, 0); /* the greeting was not its own */
	io_stream_recv_start(&ends.b.stream);
	recorder_send(&ends.a, "hello", 5);
	io_stream_shutdown(&ends.a.stream);
	run_until(fixture, ends.b.ends && ends.a.sents);
	assert_int_equal(ends.b.end_status, 0);
	assert_int_equal(ends.b.len, 5);
	assert_memory_equal(ends.b.bytes, "hello", 5);
	assert_int_equal(ends.b.stream.bytes_in, 5);
	assert_int_equal(ends.a.stream.bytes_out, 5 * 3 + 2);
	assert_int_equal(ends.a.stream.bytes_out - ends.a.stream.overhead, 5);
	/* The other direction still works. */
	io_stream_recv_start(&ends.a.stream);
	recorder_send(&ends.b, "bye", 3);
	run_until(fixture, ends.a.len == 3);
	run_for(fixture, 5);
	assert_int_equal(ends.b.ends, 1);
	ends_close(&ends, fixture);
}

static void fin_without_farewell_is_truncation(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct ends ends;

	ends_open(&ends, fixture);
	ends.at.is_silent = true;
	io_stream_recv_start(&ends.b.stream);
	recorder_send(&ends.a, "hel", 3);
	io_stream_shutdown(&ends.a.stream);
	run_until(fixture, ends.b.ends);
	assert_int_equal(ends.b.len, 3);
	assert_int_equal(ends.b.end_status, -ECONNABORTED);
	ends_close(&ends, fixture);
}

static void close_says_farewell(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct ends ends;

	ends_open(&ends, fixture);
	io_stream_recv_start(&ends.b.stream);
	io_stream_close(&ends.a.stream, IO_CLOSE_FIN);
	run_until(fixture, ends.b.ends);
	assert_int_equal(ends.b.end_status, 0);
	ends_close(&ends, fixture);
}

static void reset_is_an_error_with_a_layer_too(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct ends ends;

	ends_open(&ends, fixture);
	io_stream_recv_start(&ends.b.stream);
	run_for(fixture, 2);
	io_stream_close(&ends.a.stream, IO_CLOSE_RESET);
	run_until(fixture, ends.b.ends);
	assert_int_equal(ends.b.end_status, -ECONNRESET);
	ends_close(&ends, fixture);
}

static void bytes_and_end_wait_until_somebody_asks(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct ends ends;

	ends_open(&ends, fixture);
	recorder_send(&ends.a, "early", 5);
	io_stream_shutdown(&ends.a.stream);
	run_for(fixture, 10);
	assert_int_equal(ends.b.len, 0);
	assert_int_equal(ends.b.ends, 0);
	io_stream_recv_start(&ends.b.stream);
	assert_int_equal(ends.b.len, 0);
	run_until(fixture, ends.b.ends);
	assert_memory_equal(ends.b.bytes, "early", 5);
	assert_int_equal(ends.b.end_status, 0);
	ends_close(&ends, fixture);
}

static void what_was_read_before_goes_to_the_layer_and_later_ones_to_the_owner(void **state)
{
	struct fixture *fixture = fixture_of(state);
	static const char wire[] = {GREETING, PAYLOAD, ~'x', ~'x'};
	struct io_buf *raw, *plain;
	struct recorder b;
	struct toy toy;
	int fds[2];

	tcp_pair(fds);
	recorder_init(&b, fixture, fds[1]);
	raw = io_buf_new(fixture->loop, sizeof(wire));
	memcpy(raw->base, wire, sizeof(wire));
	raw->end = sizeof(wire);
	io_stream_unread(&b.stream, raw);
	toy_attach(&toy, &b.stream);
	run_until(fixture, toy.is_open);
	plain = io_buf_new(fixture->loop, 1);
	plain->base[0] = 'y';
	plain->end = 1;
	io_stream_unread(&b.stream, plain);
	io_stream_recv_start(&b.stream);
	run_until(fixture, b.len == 2);
	assert_memory_equal(b.bytes, "xy", 2);
	close(fds[0]);
	recorder_done(&b, fixture);
}

static void fin_before_the_layer_is_the_layers(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct recorder b;
	struct toy toy;
	int fds[2];

	tcp_pair(fds);
	recorder_init(&b, fixture, fds[1]);
	close(fds[0]);
	io_stream_recv_start(&b.stream);
	run_until(fixture, b.ends == 1);
	toy_attach(&toy, &b.stream);
	run_for(fixture, 5);
	assert_int_equal(toy.wire_ends, 1);
	assert_int_equal(b.ends, 1);
	recorder_done(&b, fixture);
}

static void owner_may_close_before_the_layer_starts(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct recorder b;
	struct toy toy;
	int fds[2];

	tcp_pair(fds);
	recorder_init(&b, fixture, fds[1]);
	toy_attach(&toy, &b.stream);
	recorder_done(&b, fixture);
	assert_int_equal(toy.starts, 0);
	assert_int_equal(toy.closes, 1);
	close(fds[0]);
}

static void fail_behind(void **state, size_t len)
{
	struct fixture *fixture = fixture_of(state);
	char *bytes = calloc(1, len);
	struct ends ends;

	assert_non_null(bytes);
	ends_open(&ends, fixture);
	recorder_send(&ends.a, bytes, len);
	io_layer_fail(&ends.at.layer, -EPROTO);
	assert_int_equal(ends.a.sents, 0);
	run_until(fixture, ends.a.sents);
	assert_int_equal(ends.a.sent_status, -EPROTO);
	recorder_send(&ends.a, "more", 4);
	io_stream_recv_start(&ends.b.stream);
	run_for(fixture, 5);
	assert_int_equal(ends.a.sents, 1);
	assert_int_equal(ends.a.stream.queued, 0);
	ends_close(&ends, fixture);
	free(bytes);
}

/* The kernel has the bytes still, and tells of them later. */
static void a_layer_may_fail_while_bytes_are_in_flight(void **state)
{
	fail_behind(state, 5);
}

static void a_layer_may_fail_while_bytes_wait_for_room(void **state)
{
	fail_behind(state, (size_t)4 << 20);
}

/* --- Pumps ------------------------------------------------------- */

/*
 *   left (layer) ── a (layer) ══ pump ══ b (layer) ── right (layer), or the like
 */
struct line {
	struct recorder left, right;
	struct io_stream a, b;
	struct toy toys[4];
	struct io_pump pump;
	int ends, error, closes;
	enum io_pump_end end;
};

static struct line *open_line;

static void on_line_closed(struct io_stream *stream)
{
	open_line->closes++;
	io_loop_stop(stream->loop);
}

static void drop(struct io_stream *stream, struct io_buf *buf, int status)
{
	(void)status;
	io_buf_release(stream->loop, buf);
}

static void ignore_sent(struct io_stream *stream, int status)
{
	(void)stream;
	(void)status;
}

static const struct io_stream_ops line_ops = {
	.on_recv = drop, .on_sent = ignore_sent, .on_closed = on_line_closed};

static void on_line_end(struct io_pump *pump, enum io_pump_end end, int error)
{
	struct line *line = container_of(pump, struct line, pump);

	line->ends++;
	line->end = end;
	line->error = error;
	if (end == IO_PUMP_EOF)
		io_stream_shutdown(pump->to);
	io_loop_stop(pump->from->loop);
}

static void pump_carries(struct fixture *fixture, bool is_left_layered, bool is_right_layered,
			 size_t total, bool is_slow)
{
	struct line line = {};
	size_t sent = 0;
	int l[2], r[2];

	open_line = &line;
	tcp_pair(l);
	tcp_pair(r);
	recorder_init(&line.left, fixture, l[0]);
	recorder_init(&line.right, fixture, r[1]);
	io_stream_init(&line.a, fixture->loop, l[1], &line_ops);
	io_stream_init(&line.b, fixture->loop, r[0], &line_ops);
	if (is_left_layered) {
		toy_attach(&line.toys[0], &line.left.stream);
		toy_attach(&line.toys[1], &line.a);
		run_until(fixture, line.toys[0].is_open && line.toys[1].is_open);
	}
	if (is_right_layered) {
		toy_attach(&line.toys[2], &line.b);
		toy_attach(&line.toys[3], &line.right.stream);
		run_until(fixture, line.toys[2].is_open && line.toys[3].is_open);
	}
	line.pump = (struct io_pump){
		.from = &line.a, .to = &line.b, .limit = 262144, .on_end = on_line_end};
	io_pump_start(&line.pump);
	if (!is_slow)
		io_stream_recv_start(&line.right.stream);
	while (sent < total) {
		char bytes[30000];
		size_t len = total - sent < sizeof(bytes) ? total - sent : sizeof(bytes);

		for (size_t i = 0; i < len; i++)
			bytes[i] = (char)pattern_at(sent + i);
		recorder_send(&line.left, bytes, len);
		sent += len;
	}
	io_stream_shutdown(&line.left.stream);
	if (is_slow) {
		run_for(fixture, 50);
		/* What the kernel had handed over when it was stopped, tripled, may be on top. */
		assert_true(line.b.queued < total);
		assert_int_equal(line.ends, 0);
		io_stream_recv_start(&line.right.stream);
	}
	run_until(fixture, line.right.ends);
	assert_int_equal(line.right.end_status, 0);
	assert_int_equal(line.right.len, total);
	assert_pattern(line.right.bytes, 0, total);
	run_until(fixture, line.ends);
	assert_int_equal(line.end, IO_PUMP_EOF);
	assert_int_equal(line.pump.bytes, total);
	io_stream_close(&line.a, IO_CLOSE_FIN);
	io_stream_close(&line.b, IO_CLOSE_FIN);
	run_until(fixture, line.closes == 2);
	recorder_done(&line.left, fixture);
	recorder_done(&line.right, fixture);
}

static void pumps_carry_every_byte_through_layers(void **state)
{
	struct fixture *fixture = fixture_of(state);
	static const size_t totals[] = {0, 1, 5461, 5462, 16384, 1000003};

	for (size_t i = 0; i < ARRAY_SIZE(totals); i++) {
		pump_carries(fixture, true, false, totals[i], false);
		pump_carries(fixture, false, true, totals[i], false);
		pump_carries(fixture, true, true, totals[i], false);
	}
}

/* Long enough for splice(2), were there no layer. */
static void long_transfers_stay_with_the_layer(void **state)
{
	struct fixture *fixture = fixture_of(state);

	pump_carries(fixture, true, false, (size_t)12 << 20, false);
	pump_carries(fixture, false, true, (size_t)12 << 20, false);
}

static void slow_sink_stops_the_source(void **state)
{
	struct fixture *fixture = fixture_of(state);

	pump_carries(fixture, true, false, (size_t)16 << 20, true);
	pump_carries(fixture, false, true, (size_t)16 << 20, true);
	pump_carries(fixture, true, true, (size_t)16 << 20, true);
}

static void few_buffers_suffice(void **state)
{
	struct fixture *fixture = fixture_of(state);

	pump_carries(fixture, true, true, 100003, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(owner_sees_bytes_and_end_as_without_a_layer),
		ON_BOTH(fin_without_farewell_is_truncation),
		ON_BOTH(close_says_farewell),
		ON_BOTH(reset_is_an_error_with_a_layer_too),
		ON_BOTH(bytes_and_end_wait_until_somebody_asks),
		ON_BOTH(what_was_read_before_goes_to_the_layer_and_later_ones_to_the_owner),
		ON_BOTH(fin_before_the_layer_is_the_layers),
		ON_BOTH(owner_may_close_before_the_layer_starts),
		ON_BOTH(a_layer_may_fail_while_bytes_are_in_flight),
		ON_BOTH(a_layer_may_fail_while_bytes_wait_for_room),
		ON_BOTH(pumps_carry_every_byte_through_layers),
		ON_BOTH(long_transfers_stay_with_the_layer),
		ON_BOTH(slow_sink_stops_the_source),
		ON_BOTH_FEW_BUFFERS(few_buffers_suffice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
