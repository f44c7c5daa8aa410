// SPDX-License-Identifier: Apache-2.0
#include "core/rng.h"
#include "io/io_internal.h"
#include "unit/io/io_fixture.h"

#include <signal.h>
#include <sys/ioctl.h>

#define MEGABYTE ((size_t)1 << 20)
#define LIMIT    262144

/*
 *   left (recorder) ── a ══ pumps ══ b ── right (recorder)
 */
struct relay {
	struct recorder left, right;
	struct io_stream a, b;
	struct io_pump forth, back;
	struct fixture *fixture;
	int forth_ends, back_ends;
	enum io_pump_end forth_end, back_end;
	int forth_error, back_error;
};

static int closed_streams;

static void count_closed(struct io_stream *stream)
{
	closed_streams++;
	io_loop_stop(stream->loop);
}

/* What comes while no pump runs. */
static void drop(struct io_stream *stream, struct io_buf *buf, int status)
{
	(void)status;
	io_buf_release(stream->loop, buf);
}

static const struct io_stream_ops relay_ops = {.on_recv = drop, .on_closed = count_closed};

static void on_forth_end(struct io_pump *pump, enum io_pump_end end, int error)
{
	struct relay *relay = container_of(pump, struct relay, forth);

	relay->forth_ends++;
	relay->forth_end = end;
	relay->forth_error = error;
	if (end == IO_PUMP_EOF)
		io_stream_shutdown(pump->to);
	io_loop_stop(relay->fixture->loop);
}

static void on_back_end(struct io_pump *pump, enum io_pump_end end, int error)
{
	struct relay *relay = container_of(pump, struct relay, back);

	relay->back_ends++;
	relay->back_end = end;
	relay->back_error = error;
	if (end == IO_PUMP_EOF)
		io_stream_shutdown(pump->to);
	io_loop_stop(relay->fixture->loop);
}

static void relay_open(struct relay *relay, struct fixture *fixture, bool is_small)
{
	int l[2], r[2];

	*relay = (struct relay){.fixture = fixture};
	if (is_small) {
		small_pair(l);
		small_pair(r);
	} else {
		tcp_pair(l);
		tcp_pair(r);
	}
	recorder_init(&relay->left, fixture, l[0]);
	recorder_init(&relay->right, fixture, r[1]);
	io_stream_init(&relay->a, fixture->loop, l[1], &relay_ops);
	io_stream_init(&relay->b, fixture->loop, r[0], &relay_ops);
	relay->forth = (struct io_pump){
		.from = &relay->a, .to = &relay->b, .limit = LIMIT, .on_end = on_forth_end};
	relay->back = (struct io_pump){
		.from = &relay->b, .to = &relay->a, .limit = LIMIT, .on_end = on_back_end};
	io_pump_start(&relay->forth);
	io_pump_start(&relay->back);
}

static void relay_close(struct relay *relay)
{
	io_pump_cancel(&relay->forth);
	io_pump_cancel(&relay->back);
	io_pump_cancel(&relay->back);
	closed_streams = 0;
	io_stream_close(&relay->a, IO_CLOSE_FIN);
	io_stream_close(&relay->b, IO_CLOSE_FIN);
	run_until(relay->fixture, closed_streams == 2);
	recorder_done(&relay->left, relay->fixture);
	recorder_done(&relay->right, relay->fixture);
}

static void send_pattern(struct recorder *recorder, size_t *sent, size_t total, struct rng *rng)
{
	while (*sent < total && recorder->stream.queued < 100000) {
		char bytes[1 << 15];
		size_t len = 1 + rng_below(rng, 1u << rng_below(rng, 15));

		len = len < total - *sent ? len : total - *sent;
		for (size_t i = 0; i < len; i++)
			bytes[i] = (char)pattern_at(*sent + i);
		recorder_send(recorder, bytes, len);
		*sent += len;
		if (*sent == total)
			io_stream_shutdown(&recorder->stream);
	}
}

static void relay_transfer(struct fixture *fixture, size_t total, bool is_small)
{
	size_t sent_left = 0, sent_right = 0;
	struct relay relay;
	struct rng rng;

	rng_seed(&rng, total);
	relay_open(&relay, fixture, is_small);
	io_stream_recv_start(&relay.left.stream);
	io_stream_recv_start(&relay.right.stream);
	run_until(fixture, (send_pattern(&relay.left, &sent_left, total, &rng),
			    send_pattern(&relay.right, &sent_right, total, &rng),
			    relay.left.ends && relay.right.ends));
	assert_int_equal(relay.left.len, total);
	assert_int_equal(relay.right.len, total);
	assert_pattern(relay.left.bytes, 0, total);
	assert_pattern(relay.right.bytes, 0, total);
	assert_int_equal(relay.forth_ends, 1);
	assert_int_equal(relay.back_ends, 1);
	assert_int_equal(relay.forth_end, IO_PUMP_EOF);
	assert_int_equal(relay.forth.bytes, total);
	assert_int_equal(relay.back.bytes, total);
	assert_true(relay.forth.first_byte_us > 0);
	relay_close(&relay);
}

static void pump_moves_every_byte_both_ways(void **state)
{
	static const size_t sizes[] = {1, 100, 16384, 300000, 6 * MEGABYTE};
	struct fixture *fixture = fixture_of(state);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		relay_transfer(fixture, sizes[i], false);
		relay_transfer(fixture, sizes[i] < MEGABYTE ? sizes[i] : MEGABYTE, true);
	}
}

static void long_transfer_changes_to_large_buffers_and_back(void **state)
{
	struct fixture *fixture = fixture_of(state);
	char *bytes = calloc(1, 16 * MEGABYTE);
	bool was_large = false;
	struct relay relay;

	assert_non_null(bytes);
	relay_open(&relay, fixture, false);
	io_stream_recv_start(&relay.right.stream);
	recorder_send(&relay.left, bytes, 16 * MEGABYTE);
	run_until(fixture, (was_large |= (relay.a.flags & STREAM_LARGE) != 0,
			    relay.right.len == 16 * MEGABYTE));
	assert_true(was_large);
	for (size_t i = 1; relay.a.flags & STREAM_LARGE; i++) {
		assert_true(i < 1000);
		recorder_send(&relay.left, "x", 1);
		run_until(fixture, relay.right.len == 16 * MEGABYTE + i);
	}
	relay_close(&relay);
	free(bytes);
}

static void pump_works_with_two_small_buffers(void **state)
{
	relay_transfer(fixture_of(state), 100000, true);
}

static void half_close_passes_on_while_the_other_way_goes_on(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct relay relay;

	relay_open(&relay, fixture, false);
	io_stream_recv_start(&relay.left.stream);
	io_stream_recv_start(&relay.right.stream);
	recorder_send(&relay.left, "request", 7);
	io_stream_shutdown(&relay.left.stream);
	run_until(fixture, relay.right.ends);
	assert_int_equal(relay.right.len, 7);
	assert_int_equal(relay.back_ends, 0);
	recorder_send(&relay.right, "response", 8);
	run_until(fixture, relay.left.len == 8);
	io_stream_shutdown(&relay.right.stream);
	run_until(fixture, relay.left.ends && relay.back_ends);
	assert_int_equal(relay.back_end, IO_PUMP_EOF);
	relay_close(&relay);
}

/* What a reader that does not read costs: the limit, one burst of reads, and the heap's rounding.
 */
static void slow_reader_bounds_what_waits(void **state)
{
	struct fixture *fixture = fixture_of(state);
	char *bytes = calloc(1, 3 * MEGABYTE);
	uint64_t arrived;
	struct relay relay;

	assert_non_null(bytes);
	relay_open(&relay, fixture, true);
	recorder_send(&relay.left, bytes, 3 * MEGABYTE);
	run_for(fixture, 100);
	assert_true(relay.b.queued > 0);
	assert_true(relay.b.queued <= LIMIT + MEGABYTE);
	arrived = relay.a.bytes_in;
	run_for(fixture, 50);
	assert_int_equal(relay.a.bytes_in, arrived);
	io_stream_recv_start(&relay.right.stream);
	run_until(fixture, relay.right.len == 3 * MEGABYTE);
	relay_close(&relay);
	free(bytes);
}

static void reset_of_the_source_is_a_receive_error(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct relay relay;

	relay_open(&relay, fixture, false);
	run_for(fixture, 2);
	io_stream_close(&relay.left.stream, IO_CLOSE_RESET);
	run_until(fixture, relay.forth_ends);
	assert_int_equal(relay.forth_end, IO_PUMP_RECV_ERROR);
	assert_int_equal(relay.forth_error, -ECONNRESET);
	assert_int_equal(relay.back_ends, 0);
	relay_close(&relay);
}

/* The sink resets while bytes for it wait: receiving from it and sending to it both fail. */
static void reset_of_a_full_sink_ends_both_pumps(void **state)
{
	struct fixture *fixture = fixture_of(state);
	char *bytes = calloc(1, 32 * MEGABYTE);
	struct relay relay;

	assert_non_null(bytes);
	relay_open(&relay, fixture, false);
	recorder_send(&relay.left, bytes, 32 * MEGABYTE);
	run_for(fixture, 100);
	assert_true(relay.b.queued > 0 || (relay.forth.pipe && relay.forth.pipe->held));
	io_stream_close(&relay.right.stream, IO_CLOSE_RESET);
	run_until(fixture, relay.forth_ends && relay.back_ends);
	assert_int_equal(relay.forth_end, IO_PUMP_SEND_ERROR);
	assert_int_equal(relay.back_end, IO_PUMP_RECV_ERROR);
	assert_int_equal(relay.b.queued, 0);
	relay_close(&relay);
	free(bytes);
}

static void pump_onto_a_failed_sink_ends_with_its_error(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct relay relay;

	relay_open(&relay, fixture, false);
	io_pump_cancel(&relay.forth);
	relay.b.send_error = -EPIPE;
	io_pump_start(&relay.forth);
	assert_int_equal(relay.forth_ends, 0);
	run_until(fixture, relay.forth_ends);
	assert_int_equal(relay.forth_end, IO_PUMP_SEND_ERROR);
	assert_int_equal(relay.forth_error, -EPIPE);
	relay_close(&relay);
}

static void pump_does_not_count_what_its_owner_queued_before(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct relay relay;
	struct io_buf *header;

	relay_open(&relay, fixture, false);
	io_pump_cancel(&relay.forth);
	header = io_buf_new(fixture->loop, 6);
	assert_non_null(header);
	memcpy(header->base, "PROXY ", header->end = 6);
	io_stream_send(&relay.b, header);
	relay.forth.flags = 0;
	io_pump_start(&relay.forth);
	io_stream_recv_start(&relay.right.stream);
	recorder_send(&relay.left, "hello", 5);
	run_until(fixture, relay.right.len == 11);
	assert_memory_equal(relay.right.bytes, "PROXY hello", 11);
	run_until(fixture, relay.forth.bytes == 5);
	relay_close(&relay);
}

static void pump_started_after_the_end_ends(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct relay relay;

	relay_open(&relay, fixture, false);
	io_pump_cancel(&relay.forth);
	io_stream_shutdown(&relay.left.stream);
	/* The end is seen while nobody pumps: a receive that was under way, or one without a pump.
	 */
	run_for(fixture, 5);
	io_pump_start(&relay.forth);
	run_until(fixture, relay.forth_ends);
	assert_int_equal(relay.forth_end, IO_PUMP_EOF);
	io_pump_cancel(&relay.forth);
	relay_close(&relay);
}

static unsigned rests;

static void on_rest(struct io_pump *pump)
{
	rests++;
	io_loop_stop(pump->from->loop);
}

static void rest_both(struct relay *relay)
{
	rests = 0;
	relay->forth.on_rest = relay->back.on_rest = on_rest;
	io_pump_rest(&relay->forth);
	io_pump_rest(&relay->back);
	assert_int_equal(rests, 0);
	/* The end may still come, and is the last that is heard of a pump. */
	run_until(relay->fixture, rests + (unsigned)relay->forth_ends >= 2);
}

static void resume_both(struct relay *relay)
{
	io_pump_resume(&relay->forth);
	io_pump_resume(&relay->back);
}

static void pump_at_rest_leaves_bytes_in_the_socket(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct relay relay;
	int unread = 0;

	relay_open(&relay, fixture, false);
	io_stream_recv_start(&relay.right.stream);
	recorder_send(&relay.left, "before", 6);
	run_until(fixture, relay.right.len == 6);
	rest_both(&relay);
	assert_true(io_pump_is_empty(&relay.forth));
	assert_true(io_pump_is_empty(&relay.back));
	recorder_send(&relay.left, "after", 5);
	run_for(fixture, 20);
	assert_int_equal(ioctl(relay.a.fd, FIONREAD, &unread), 0);
	assert_int_equal(unread, 5);
	assert_int_equal(relay.right.len, 6);
	resume_both(&relay);
	run_until(fixture, relay.right.len == 11);
	assert_memory_equal(relay.right.bytes, "beforeafter", 11);
	relay_close(&relay);
}

static void rests_in_a_transfer_lose_no_byte(void **state)
{
	struct fixture *fixture = fixture_of(state);
	const size_t total = 1 << 20;
	size_t sent = 0;
	struct relay relay;
	struct rng rng;

	rng_seed(&rng, total);
	relay_open(&relay, fixture, false);
	io_stream_recv_start(&relay.right.stream);
	while (!relay.right.ends) {
		send_pattern(&relay.left, &sent, total, &rng);
		rest_both(&relay);
		resume_both(&relay);
		run_for(fixture, 1);
	}
	assert_int_equal(relay.right.len, total);
	assert_pattern(relay.right.bytes, 0, total);
	relay_close(&relay);
}

static void end_comes_while_a_pump_rests(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct relay relay;

	relay_open(&relay, fixture, false);
	io_stream_recv_start(&relay.right.stream);
	rest_both(&relay);
	recorder_send(&relay.left, "x", 1);
	io_stream_shutdown(&relay.left.stream);
	run_for(fixture, 20);
	resume_both(&relay);
	run_until(fixture, relay.forth_ends == 1);
	assert_int_equal(relay.forth_end, IO_PUMP_EOF);
	resume_both(&relay);
	run_for(fixture, 20);
	assert_int_equal(relay.forth_ends, 1);
	assert_int_equal(relay.right.len, 1);
	relay_close(&relay);
}

/* --- Splicing ---------------------------------------------------- */

/*
 * What plays the outside is plain sockets with a checksum of their own: recorders would keep all
 * bytes. One step feeds and drinks as much as the sockets take at once.
 */
struct outside {
	size_t sent, received;
	uint64_t wrong;
};

static void feed(int fd, struct outside *outside, size_t total, size_t chunk)
{
	static unsigned char bytes[1 << 18];

	while (outside->sent < total) {
		size_t len = total - outside->sent < chunk ? total - outside->sent : chunk;
		ssize_t sent;

		for (size_t i = 0; i < len; i++)
			bytes[i] = pattern_at(outside->sent + i);
		sent = send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		outside->sent += (size_t)sent;
	}
}

static void drink(int fd, struct outside *outside, size_t most)
{
	static unsigned char bytes[1 << 18];
	ssize_t len;

	while (most && (len = recv(fd, bytes, most < sizeof(bytes) ? most : sizeof(bytes),
				   MSG_DONTWAIT)) > 0) {
		for (ssize_t i = 0; i < len; i++)
			outside->wrong += bytes[i] != pattern_at(outside->received + (size_t)i);
		outside->received += (size_t)len;
		most -= (size_t)len;
	}
}

static bool is_at_end(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

static int left_of(const struct relay *relay)
{
	return relay->left.stream.fd;
}

static int right_of(const struct relay *relay)
{
	return relay->right.stream.fd;
}

/* Feeds the left and drinks on the right until the direction splices. */
static void bulk_until_spliced(struct relay *relay, struct outside *outside)
{
	for (int i = 0; !relay->forth.pipe; i++) {
		assert_true(i < 5000);
		feed(left_of(relay), outside, SIZE_MAX, 1 << 18);
		run_for(relay->fixture, 1);
		if (!relay->forth.pipe)
			drink(right_of(relay), outside, SIZE_MAX);
	}
}

/* ... and until the sink is full and bytes wait in the pipe. */
static void fill_pipe(struct relay *relay, struct outside *outside)
{
	bulk_until_spliced(relay, outside);
	for (int i = 0; !relay->forth.pipe->held; i++) {
		assert_true(i < 5000);
		feed(left_of(relay), outside, SIZE_MAX, 1 << 18);
		run_for(relay->fixture, 1);
		/* What was received before goes out first. */
		if (relay->b.queued)
			drink(right_of(relay), outside, SIZE_MAX);
	}
}

static void pattern_transfer(struct fixture *fixture, bool is_small, size_t total, size_t slow)
{
	struct outside outside = {};
	bool was_spliced = false;
	struct relay relay;
	struct rng rng;

	rng_seed(&rng, total);
	relay_open(&relay, fixture, is_small);
	for (int i = 0; outside.received < total; i++) {
		assert_true(i < 20000);
		feed(left_of(&relay), &outside, total, 1 + rng_below(&rng, 1 << 18));
		run_for(fixture, 1);
		was_spliced |= relay.forth.pipe != NULL;
		drink(right_of(&relay), &outside, slow ? slow : SIZE_MAX);
	}
	assert_int_equal(was_spliced, !is_small);
	assert_int_equal(outside.wrong, 0);
	shutdown(left_of(&relay), SHUT_WR);
	run_until(fixture, relay.forth_ends);
	assert_int_equal(relay.forth_end, IO_PUMP_EOF);
	assert_int_equal(relay.forth.bytes, total);
	assert_int_equal(relay.a.bytes_in, total);
	assert_int_equal(relay.b.bytes_out, total);
	assert_null(relay.forth.pipe);
	relay_close(&relay);
}

static void long_transfer_is_spliced_byte_for_byte(void **state)
{
	pattern_transfer(fixture_of(state), false, 48 * MEGABYTE, 0);
}

static void slow_reader_gets_every_spliced_byte(void **state)
{
	pattern_transfer(fixture_of(state), false, 24 * MEGABYTE, 100000);
}

static void transfer_in_small_reads_is_not_spliced(void **state)
{
	pattern_transfer(fixture_of(state), true, 6 * MEGABYTE, 0);
}

static void both_directions_are_spliced_at_once(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct outside forth = {}, back = {};
	bool were_spliced = false;
	struct relay relay;

	relay_open(&relay, fixture, false);
	for (int i = 0; forth.received < 32 * MEGABYTE || back.received < 32 * MEGABYTE; i++) {
		assert_true(i < 20000);
		feed(left_of(&relay), &forth, 32 * MEGABYTE, 1 << 18);
		feed(right_of(&relay), &back, 32 * MEGABYTE, 1 << 18);
		run_for(fixture, 1);
		were_spliced |= relay.forth.pipe && relay.back.pipe;
		drink(right_of(&relay), &forth, SIZE_MAX);
		drink(left_of(&relay), &back, SIZE_MAX);
	}
	assert_true(were_spliced);
	assert_int_equal(forth.wrong + back.wrong, 0);
	assert_int_equal(relay.forth.bytes, forth.received);
	assert_int_equal(relay.back.bytes, back.received);
	relay_close(&relay);
}

static void full_sink_stops_a_spliced_source(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct outside outside = {};
	struct relay relay;
	uint64_t arrived = 0;

	relay_open(&relay, fixture, false);
	fill_pipe(&relay, &outside);
	/* The kernel's buffers may still grow for a while. */
	for (int i = 0; relay.a.bytes_in != arrived; i++) {
		assert_true(i < 100);
		arrived = relay.a.bytes_in;
		feed(left_of(&relay), &outside, SIZE_MAX, 1 << 18);
		run_for(fixture, 20);
	}
	assert_int_equal(relay.a.bytes_in - relay.b.bytes_out, relay.forth.pipe->held);
	assert_true(relay.forth.pipe->held <= relay.forth.pipe->size);
	relay_close(&relay);
}

static void end_of_a_spliced_source_comes_after_what_the_pipe_holds(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct outside outside = {};
	struct relay relay;

	relay_open(&relay, fixture, false);
	fill_pipe(&relay, &outside);
	shutdown(left_of(&relay), SHUT_WR);
	run_for(fixture, 5);
	assert_int_equal(relay.forth_ends, 0);
	for (int i = 0; !is_at_end(right_of(&relay)); i++) {
		assert_true(i < 5000);
		drink(right_of(&relay), &outside, SIZE_MAX);
		run_for(fixture, 1);
	}
	assert_int_equal(relay.forth_end, IO_PUMP_EOF);
	assert_int_equal(outside.received, outside.sent);
	assert_int_equal(outside.wrong, 0);
	assert_int_equal(relay.forth.bytes, outside.sent);
	relay_close(&relay);
}

static void reset_of_a_spliced_source_is_a_receive_error(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct outside outside = {};
	struct relay relay;

	relay_open(&relay, fixture, false);
	bulk_until_spliced(&relay, &outside);
	for (int i = 0; outside.received < outside.sent; i++) {
		assert_true(i < 5000);
		run_for(fixture, 1);
		drink(right_of(&relay), &outside, SIZE_MAX);
	}
	io_stream_close(&relay.left.stream, IO_CLOSE_RESET);
	run_until(fixture, relay.forth_ends);
	assert_int_equal(relay.forth_end, IO_PUMP_RECV_ERROR);
	assert_int_equal(relay.forth_error, -ECONNRESET);
	assert_int_equal(relay.back_ends, 0);
	relay_close(&relay);
}

static void reset_of_a_spliced_sink_ends_both_pumps(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct outside outside = {};
	struct relay relay;

	relay_open(&relay, fixture, false);
	fill_pipe(&relay, &outside);
	io_stream_close(&relay.right.stream, IO_CLOSE_RESET);
	run_until(fixture, relay.forth_ends && relay.back_ends);
	assert_int_equal(relay.forth_end, IO_PUMP_SEND_ERROR);
	assert_int_equal(relay.back_end, IO_PUMP_RECV_ERROR);
	assert_null(relay.forth.pipe);
	relay_close(&relay);
}

static void cancelled_pump_gives_its_streams_back_to_receiving(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct outside outside = {};
	struct relay relay;
	uint64_t taken;

	relay_open(&relay, fixture, false);
	fill_pipe(&relay, &outside);
	io_pump_cancel(&relay.forth);
	assert_null(relay.forth.pipe);
	assert_int_equal(fixture->loop->pipes.count, 0);
	relay.forth.flags = 0;
	io_pump_start(&relay.forth);
	taken = relay.b.bytes_out;
	for (int i = 0; relay.b.bytes_out == taken; i++) {
		assert_true(i < 5000);
		feed(left_of(&relay), &outside, SIZE_MAX, 1 << 18);
		drink(right_of(&relay), &outside, SIZE_MAX);
		run_for(fixture, 1);
	}
	relay_close(&relay);
}

static void closing_either_stream_lets_the_pipe_go(void **state)
{
	struct fixture *fixture = fixture_of(state);

	for (int is_sink = 0; is_sink < 2; is_sink++) {
		struct outside outside = {};
		struct relay relay;

		relay_open(&relay, fixture, false);
		fill_pipe(&relay, &outside);
		io_stream_close(is_sink ? &relay.b : &relay.a, IO_CLOSE_RESET);
		assert_null(relay.forth.pipe);
		run_for(fixture, 2);
		assert_int_equal(relay.forth_ends, 0);
		closed_streams = 0;
		io_stream_close(is_sink ? &relay.a : &relay.b, IO_CLOSE_FIN);
		run_for(fixture, 2);
		recorder_done(&relay.left, fixture);
		recorder_done(&relay.right, fixture);
	}
	assert_int_equal(fixture->loop->pipes.count, 0);
}

static void small_traffic_ends_splicing(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct outside outside = {};
	struct relay relay;

	relay_open(&relay, fixture, false);
	bulk_until_spliced(&relay, &outside);
	for (int i = 0; relay.forth.pipe; i++) {
		assert_true(i < 5000);
		run_for(fixture, 1);
		drink(right_of(&relay), &outside, SIZE_MAX);
		if (outside.received == outside.sent)
			feed(left_of(&relay), &outside, outside.sent + 1, 1);
	}
	assert_false(relay.a.flags & STREAM_LARGE);
	assert_false(list_is_empty(&fixture->loop->pipes.spare));
	feed(left_of(&relay), &outside, outside.sent + 1000, 1000);
	for (int i = 0; outside.received < outside.sent; i++) {
		assert_true(i < 5000);
		run_for(fixture, 1);
		drink(right_of(&relay), &outside, SIZE_MAX);
	}
	assert_int_equal(relay.forth.bytes, outside.sent);
	assert_int_equal(outside.wrong, 0);
	relay_close(&relay);
}

static int open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void pipes_are_bounded_and_used_again(void **state)
{
	struct fixture *fixture = fixture_of(state);
	int before = open_descriptors();
	struct io_stream stream = {.loop = fixture->loop};
	struct io_pump pump = {.from = &stream};
	struct io_pipe *pipes[64];
	unsigned count = 0;

	while (count < ARRAY_SIZE(pipes) && (pipes[count] = io_pipe_take(&pump)))
		count++;
	assert_in_range(count, 1, 32);
	io_pipe_release(fixture->loop, pipes[0]);
	assert_ptr_equal(io_pipe_take(&pump), pipes[0]);
	pipes[0]->held = 1;
	for (unsigned i = 0; i < count; i++)
		io_pipe_release(fixture->loop, pipes[i]);
	assert_int_equal(fixture->loop->pipes.count, count - 1);
	fixture->loop->pipes.timer.on_expire(&fixture->loop->pipes.timer);
	assert_int_equal(open_descriptors(), before);
}

static void idle_pump_gives_its_pipe_back(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct io_pipe_pool *pool = &fixture->loop->pipes;
	struct outside outside = {};
	struct relay relay;

	relay_open(&relay, fixture, false);
	bulk_until_spliced(&relay, &outside);
	for (int i = 0; outside.received < outside.sent; i++) {
		assert_true(i < 5000);
		run_for(fixture, 1);
		drink(right_of(&relay), &outside, SIZE_MAX);
	}
	pool->timer.on_expire(&pool->timer);
	assert_non_null(relay.forth.pipe);
	relay.forth.last_activity_ms = 0;
	pool->timer.on_expire(&pool->timer);
	assert_null(relay.forth.pipe);
	assert_int_equal(pool->count, 1);
	pool->timer.on_expire(&pool->timer);
	assert_int_equal(pool->count, 0);
	relay_close(&relay);
}

static void without_a_pipe_the_pump_goes_on_copying(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct outside outside = {};
	struct relay relay;

	relay_open(&relay, fixture, false);
	fixture->loop->pipes.count = 1000;
	for (int i = 0; outside.received < 24 * MEGABYTE; i++) {
		assert_true(i < 5000);
		feed(left_of(&relay), &outside, 24 * MEGABYTE, 1 << 18);
		run_for(fixture, 1);
		assert_null(relay.forth.pipe);
		drink(right_of(&relay), &outside, SIZE_MAX);
	}
	assert_int_equal(outside.wrong, 0);
	relay_close(&relay);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(pump_moves_every_byte_both_ways),
		ON_BOTH(long_transfer_changes_to_large_buffers_and_back),
		ON_BOTH_FEW_BUFFERS(pump_works_with_two_small_buffers),
		ON_BOTH(half_close_passes_on_while_the_other_way_goes_on),
		ON_BOTH(slow_reader_bounds_what_waits),
		ON_BOTH(reset_of_the_source_is_a_receive_error),
		ON_BOTH(reset_of_a_full_sink_ends_both_pumps),
		ON_BOTH(pump_onto_a_failed_sink_ends_with_its_error),
		ON_BOTH(pump_does_not_count_what_its_owner_queued_before),
		ON_BOTH(pump_started_after_the_end_ends),
		ON_BOTH(pump_at_rest_leaves_bytes_in_the_socket),
		ON_BOTH(rests_in_a_transfer_lose_no_byte),
		ON_BOTH(end_comes_while_a_pump_rests),
		ON_BOTH(long_transfer_is_spliced_byte_for_byte),
		ON_BOTH(slow_reader_gets_every_spliced_byte),
		ON_BOTH(transfer_in_small_reads_is_not_spliced),
		ON_BOTH(both_directions_are_spliced_at_once),
		ON_BOTH(full_sink_stops_a_spliced_source),
		ON_BOTH(end_of_a_spliced_source_comes_after_what_the_pipe_holds),
		ON_BOTH(reset_of_a_spliced_source_is_a_receive_error),
		ON_BOTH(reset_of_a_spliced_sink_ends_both_pumps),
		ON_BOTH(cancelled_pump_gives_its_streams_back_to_receiving),
		ON_BOTH(closing_either_stream_lets_the_pipe_go),
		ON_BOTH(small_traffic_ends_splicing),
		ON_BOTH(pipes_are_bounded_and_used_again),
		ON_BOTH(idle_pump_gives_its_pipe_back),
		ON_BOTH(without_a_pipe_the_pump_goes_on_copying),
	};

	/* As sluiced does: splice(2) has no flag against it. */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
