// SPDX-License-Identifier: Apache-2.0
#include "unit/io/io_fixture.h"

#include "core/rng.h"

#include <time.h>

#define MEGABYTE ((size_t)1 << 20)

static void bytes_arrive_and_fin_ends_receiving(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct recorder a, b;
	int fds[2];

	tcp_pair(fds);
	recorder_init(&a, fixture, fds[0]);
	recorder_init(&b, fixture, fds[1]);
	io_stream_recv_start(&b.stream);
	recorder_send(&a, "hello", 5);
	assert_int_equal(a.sents, 0);
	run_until(fixture, a.sents && b.len == 5);
	assert_memory_equal(b.bytes, "hello", 5);
	assert_int_equal(a.stream.bytes_out, 5);
	assert_int_equal(b.stream.bytes_in, 5);
	io_stream_shutdown(&a.stream);
	run_until(fixture, b.ends);
	assert_int_equal(b.end_status, 0);
	/* The other direction still works. */
	io_stream_recv_start(&a.stream);
	recorder_send(&b, "bye", 3);
	run_until(fixture, a.len == 3);
	recorder_done(&a, fixture);
	recorder_done(&b, fixture);
}

static void a_stream_is_receiving_between_start_and_stop(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct recorder a;
	int fds[2];

	unix_pair(fds);
	recorder_init(&a, fixture, fds[0]);
	assert_false(io_stream_is_receiving(&a.stream));
	io_stream_recv_start(&a.stream);
	assert_true(io_stream_is_receiving(&a.stream));
	io_stream_recv_stop(&a.stream);
	assert_false(io_stream_is_receiving(&a.stream));
	io_stream_recv_start(&a.stream);
	close(fds[1]);
	run_until(fixture, a.ends);
	assert_false(io_stream_is_receiving(&a.stream));
	recorder_done(&a, fixture);
}

static void end_is_told_again_to_who_asks_again(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct recorder a;
	int fds[2];

	unix_pair(fds);
	recorder_init(&a, fixture, fds[0]);
	close(fds[1]);
	io_stream_recv_start(&a.stream);
	run_until(fixture, a.ends == 1);
	io_stream_recv_start(&a.stream);
	assert_int_equal(a.ends, 1);
	run_until(fixture, a.ends == 2);
	run_for(fixture, 5);
	assert_int_equal(a.ends, 2);
	recorder_done(&a, fixture);
}

static void reset_is_an_error(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct recorder a, b;
	int fds[2];

	tcp_pair(fds);
	recorder_init(&a, fixture, fds[0]);
	recorder_init(&b, fixture, fds[1]);
	io_stream_recv_start(&a.stream);
	io_stream_recv_start(&b.stream);
	run_for(fixture, 2);
	io_stream_close(&a.stream, IO_CLOSE_RESET);
	run_until(fixture, b.ends);
	assert_int_equal(b.end_status, -ECONNRESET);
	recorder_done(&a, fixture);
	recorder_done(&b, fixture);
}

static void sending_to_a_vanished_peer_fails_once(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct recorder a;
	int fds[2];

	unix_pair(fds);
	recorder_init(&a, fixture, fds[0]);
	close(fds[1]);
	recorder_send(&a, "x", 1);
	run_until(fixture, a.sents);
	assert_int_equal(a.sent_status, -EPIPE);
	recorder_send(&a, "y", 1);
	run_for(fixture, 5);
	assert_int_equal(a.sents, 1);
	assert_int_equal(a.stream.queued, 0);
	recorder_done(&a, fixture);
}

/* --- Connecting -------------------------------------------------- */

static size_t read_away(int fd)
{
	char bytes[65536];
	size_t total = 0;
	ssize_t len;

	while ((len = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		total += (size_t)len;
	return total;
}

/* The kernel tells of a reset once, and a send that had waited for room must not lose it. */
static void reset_amid_a_long_send_is_no_fin(void **state)
{
	const size_t size = 32u << 20, part = 8u << 20;
	struct linger reset = {.l_onoff = 1};
	struct fixture *fixture = fixture_of(state);
	struct recorder sender;
	char *bytes = calloc(1, size);
	size_t taken = 0;
	int pair[2];

	tcp_pair(pair);
	recorder_init(&sender, fixture, pair[0]);
	assert_non_null(bytes);
	recorder_send(&sender, bytes, size);
	for (; taken < part; taken += read_away(pair[1]))
		run_for(fixture, 1);
	setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(pair[1]);
	run_until(fixture, sender.sents);
	assert_int_equal(sender.sent_status, -ECONNRESET);
	recorder_done(&sender, fixture);
	free(bytes);
}

static void connect_reaches_a_listener_and_what_was_queued_follows(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct address address;
	struct recorder a;
	char bytes[5] = "";
	int peer, listener = listen_anywhere(&address);

	recorder_init(&a, fixture, tcp_socket());
	io_stream_connect(&a.stream, &address);
	recorder_send(&a, "early", 5);
	io_stream_shutdown(&a.stream);
	run_until(fixture, a.connects && a.sents);
	assert_int_equal(a.connect_status, 0);
	peer = accept(listener, NULL, NULL);
	assert_int_equal(recv(peer, bytes, sizeof(bytes), MSG_WAITALL), 5);
	assert_memory_equal(bytes, "early", 5);
	assert_int_equal(recv(peer, bytes, sizeof(bytes), 0), 0);
	close(peer);
	close(listener);
	recorder_done(&a, fixture);
}

static void refused_connect_is_told(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct address address;
	struct recorder a;

	close(listen_anywhere(&address));
	recorder_init(&a, fixture, tcp_socket());
	io_stream_connect(&a.stream, &address);
	assert_int_equal(a.connects, 0);
	run_until(fixture, a.connects);
	assert_int_equal(a.connect_status, -ECONNREFUSED);
	recorder_done(&a, fixture);
}

static void absent_unix_path_is_told(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct address address;
	struct recorder a;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(address_parse(slice_from_str("unix:/nonexistent/x"), &address), 0);
	recorder_init(&a, fixture, fd);
	io_stream_connect(&a.stream, &address);
	run_until(fixture, a.connects);
	assert_int_equal(a.connect_status, -ENOENT);
	recorder_done(&a, fixture);
}

/* Nobody answers a SYN to a listener whose backlog is full. */
static void closing_while_connecting_is_silent(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct address address;
	struct recorder fill[4], a;
	int listener = listen_anywhere(&address);

	assert_int_equal(listen(listener, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(fill); i++) {
		recorder_init(&fill[i], fixture, tcp_socket());
		io_stream_connect(&fill[i].stream, &address);
	}
	run_for(fixture, 20);
	recorder_init(&a, fixture, tcp_socket());
	io_stream_connect(&a.stream, &address);
	run_for(fixture, 20);
	assert_int_equal(a.connects, 0);
	recorder_done(&a, fixture);
	assert_int_equal(a.connects, 0);
	for (size_t i = 0; i < ARRAY_SIZE(fill); i++)
		recorder_done(&fill[i], fixture);
	close(listener);
}

static void closing_right_after_connect_is_silent(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct address address;
	struct recorder a;
	int listener = listen_anywhere(&address);

	recorder_init(&a, fixture, tcp_socket());
	io_stream_connect(&a.stream, &address);
	recorder_send(&a, "lost", 4);
	recorder_done(&a, fixture);
	assert_int_equal(a.connects, 0);
	close(listener);
}

/* --- Closing ----------------------------------------------------- */

static void close_is_told_once_and_last(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct recorder a;
	int fds[2];
	int fd;

	unix_pair(fds);
	fd = fds[0];
	recorder_init(&a, fixture, fd);
	io_stream_recv_start(&a.stream);
	run_for(fixture, 2);
	io_stream_close(&a.stream, IO_CLOSE_FIN);
	io_stream_close(&a.stream, IO_CLOSE_RESET);
	assert_true(io_stream_is_closing(&a.stream));
	assert_int_equal(a.closes, 0);
	assert_int_equal(write(fds[1], "late", 4), 4);
	run_until(fixture, a.closes);
	assert_int_equal(a.len, 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	run_for(fixture, 5);
	assert_int_equal(a.closes, 1);
	close(fds[1]);
}

static void stream_may_close_itself_while_bytes_come(void **state)
{
	struct fixture *fixture = fixture_of(state);
	static const char bytes[200000];
	struct recorder a;
	int fds[2];

	unix_pair(fds);
	recorder_init(&a, fixture, fds[0]);
	a.closes_on_recv = true;
	assert_true(write(fds[1], bytes, sizeof(bytes)) > 0);
	io_stream_recv_start(&a.stream);
	run_until(fixture, a.closes);
	assert_true(a.len > 0 && a.len <= 16384);
	free(a.bytes);
	close(fds[1]);
}

static void close_drops_what_is_queued(void **state)
{
	struct fixture *fixture = fixture_of(state);
	char *bytes = calloc(1, 4 * MEGABYTE);
	struct recorder a;
	int fds[2];

	assert_non_null(bytes);
	unix_pair(fds);
	recorder_init(&a, fixture, fds[0]);
	recorder_send(&a, bytes, 4 * MEGABYTE);
	run_for(fixture, 5);
	assert_true(a.stream.queued > 0);
	recorder_done(&a, fixture);
	close(fds[1]);
	free(bytes);
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void blocked_sender_sleeps(void **state)
{
	struct fixture *fixture = fixture_of(state);
	char *bytes = calloc(1, 16 * MEGABYTE);
	void (*const pairs[])(int[2]) = {small_pair, tcp_pair};
	struct recorder a;
	uint64_t before;
	int fds[2];

	assert_non_null(bytes);
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		pairs[i](fds);
		recorder_init(&a, fixture, fds[0]);
		recorder_send(&a, bytes, 16 * MEGABYTE);
		run_for(fixture, 50);
		assert_true(a.stream.queued > 0);
		before = cpu_ns();
		run_for(fixture, 200);
		assert_true(cpu_ns() - before < 50000000);
		recorder_done(&a, fixture);
		close(fds[1]);
	}
	free(bytes);
}

static void shutdown_waits_for_the_queue(void **state)
{
	struct fixture *fixture = fixture_of(state);
	char *bytes = malloc(4 * MEGABYTE);
	struct recorder a, b;
	int fds[2];

	assert_non_null(bytes);
	for (size_t i = 0; i < 4 * MEGABYTE; i++)
		bytes[i] = (char)pattern_at(i);
	unix_pair(fds);
	recorder_init(&a, fixture, fds[0]);
	recorder_init(&b, fixture, fds[1]);
	recorder_send(&a, bytes, 4 * MEGABYTE);
	io_stream_shutdown(&a.stream);
	io_stream_recv_start(&b.stream);
	run_until(fixture, b.ends);
	assert_int_equal(b.len, 4 * MEGABYTE);
	assert_pattern(b.bytes, 0, b.len);
	recorder_done(&a, fixture);
	recorder_done(&b, fixture);
	free(bytes);
}

/* --- Backpressure ------------------------------------------------ */

static void stopped_stream_gets_nothing_until_started(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct recorder a;
	int fds[2];

	unix_pair(fds);
	recorder_init(&a, fixture, fds[0]);
	io_stream_recv_start(&a.stream);
	run_for(fixture, 2);
	io_stream_recv_stop(&a.stream);
	run_for(fixture, 2);
	assert_int_equal(write(fds[1], "one", 3), 3);
	run_for(fixture, 5);
	assert_int_equal(a.len, 0);
	io_stream_recv_start(&a.stream);
	run_until(fixture, a.len == 3);
	/* Stop and start in one breath. */
	io_stream_recv_stop(&a.stream);
	io_stream_recv_start(&a.stream);
	assert_int_equal(write(fds[1], "two", 3), 3);
	run_until(fixture, a.len == 6);
	assert_memory_equal(a.bytes, "onetwo", 6);
	close(fds[1]);
	run_until(fixture, a.ends);
	recorder_done(&a, fixture);
}

static void unread_bytes_come_first(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct io_buf *first, *second;
	struct recorder a;
	int fds[2];

	unix_pair(fds);
	recorder_init(&a, fixture, fds[0]);
	first = io_buf_new(fixture->loop, 8);
	second = io_buf_new(fixture->loop, 8);
	assert_true(first && second);
	memcpy(first->base, "ab", first->end = 2);
	memcpy(second->base, "cd", second->end = 2);
	io_stream_unread(&a.stream, first);
	io_stream_unread(&a.stream, second);
	run_for(fixture, 2);
	assert_int_equal(a.len, 0);
	assert_int_equal(write(fds[1], "ef", 2), 2);
	close(fds[1]);
	io_stream_recv_start(&a.stream);
	assert_int_equal(a.len, 0);
	run_until(fixture, a.ends);
	assert_int_equal(a.len, 6);
	assert_memory_equal(a.bytes, "abcdef", 6);
	assert_int_equal(a.stream.bytes_in, 6);
	recorder_done(&a, fixture);
}

static void starved_streams_go_on_when_buffers_come_back(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct recorder streams[6];
	int peers[6];
	int fds[2];

	for (int i = 0; i < 6; i++) {
		unix_pair(fds);
		peers[i] = fds[1];
		recorder_init(&streams[i], fixture, fds[0]);
		streams[i].holds_buffers = i < 2;
		io_stream_recv_start(&streams[i].stream);
	}
	/* Two buffers, and two streams that keep one each. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(write(peers[i], "x", 1), 1);
		run_until(fixture, streams[i].len == 1);
	}
	for (int i = 2; i < 6; i++)
		assert_int_equal(write(peers[i], "hungry", 6), 6);
	run_for(fixture, 10);
	for (int i = 2; i < 6; i++) {
		assert_int_equal(streams[i].len, 0);
		assert_false(io_stream_is_receiving(&streams[i].stream));
	}
	recorder_release_held(&streams[0]);
	for (int i = 2; i < 6; i++)
		run_until(fixture, streams[i].len == 6);
	for (int i = 0; i < 6; i++) {
		recorder_done(&streams[i], fixture);
		close(peers[i]);
	}
}

static void starved_stream_may_be_closed(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct recorder holder, hungry;
	int a[2], b[2];

	unix_pair(a);
	unix_pair(b);
	recorder_init(&holder, fixture, a[0]);
	recorder_init(&hungry, fixture, b[0]);
	holder.holds_buffers = true;
	io_stream_recv_start(&holder.stream);
	assert_int_equal(write(a[1], (char[128]){0}, 128), 128);
	run_until(fixture, holder.len == 128);
	assert_int_equal(write(b[1], "x", 1), 1);
	io_stream_recv_start(&hungry.stream);
	run_for(fixture, 5);
	recorder_done(&hungry, fixture);
	recorder_done(&holder, fixture);
	close(a[1]);
	close(b[1]);
}

/* --- Transfers --------------------------------------------------- */

struct transfer {
	struct recorder ends[2];
	size_t sent[2];
};

static void feed(struct transfer *transfer, int from, size_t total, struct rng *rng)
{
	struct recorder *recorder = &transfer->ends[from];

	while (transfer->sent[from] < total && recorder->stream.queued < 100000) {
		size_t left = total - transfer->sent[from];
		size_t len = 1 + rng_below(rng, 1u << rng_below(rng, 16));
		char bytes[1 << 16];

		len = len < left ? len : left;
		for (size_t i = 0; i < len; i++)
			bytes[i] = (char)pattern_at(transfer->sent[from] + i);
		recorder_send(recorder, bytes, len);
		transfer->sent[from] += len;
		if (transfer->sent[from] == total)
			io_stream_shutdown(&recorder->stream);
	}
}

static void transfer_both_ways(struct fixture *fixture, size_t total)
{
	struct transfer transfer = {};
	struct rng rng;
	int fds[2];

	rng_seed(&rng, total);
	small_pair(fds);
	for (int i = 0; i < 2; i++) {
		recorder_init(&transfer.ends[i], fixture, fds[i]);
		io_stream_recv_start(&transfer.ends[i].stream);
	}
	run_until(fixture, (feed(&transfer, 0, total, &rng), feed(&transfer, 1, total, &rng),
			    transfer.ends[0].ends && transfer.ends[1].ends));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(transfer.ends[i].end_status, 0);
		assert_int_equal(transfer.ends[i].len, total);
		assert_pattern(transfer.ends[i].bytes, 0, total);
		recorder_done(&transfer.ends[i], fixture);
	}
}

static void transfers_of_all_sizes_arrive_whole_both_ways(void **state)
{
	static const size_t sizes[] = {1, 2, 63, 64, 65, 4096, 16384, 16385, 300000, 3 * MEGABYTE};
	struct fixture *fixture = fixture_of(state);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		transfer_both_ways(fixture, sizes[i]);
}

static void transfers_arrive_whole_with_two_small_buffers(void **state)
{
	struct fixture *fixture = fixture_of(state);

	transfer_both_ways(fixture, 1);
	transfer_both_ways(fixture, 200000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(bytes_arrive_and_fin_ends_receiving),
		ON_BOTH(a_stream_is_receiving_between_start_and_stop),
		ON_BOTH(end_is_told_again_to_who_asks_again),
		ON_BOTH(reset_is_an_error),
		ON_BOTH(sending_to_a_vanished_peer_fails_once),
		ON_BOTH(reset_amid_a_long_send_is_no_fin),
		ON_BOTH(connect_reaches_a_listener_and_what_was_queued_follows),
		ON_BOTH(refused_connect_is_told),
		ON_BOTH(absent_unix_path_is_told),
		ON_BOTH(closing_while_connecting_is_silent),
		ON_BOTH(closing_right_after_connect_is_silent),
		ON_BOTH(close_is_told_once_and_last),
		ON_BOTH(stream_may_close_itself_while_bytes_come),
		ON_BOTH(close_drops_what_is_queued),
		ON_BOTH(blocked_sender_sleeps),
		ON_BOTH(shutdown_waits_for_the_queue),
		ON_BOTH(stopped_stream_gets_nothing_until_started),
		ON_BOTH(unread_bytes_come_first),
		ON_BOTH_FEW_BUFFERS(starved_streams_go_on_when_buffers_come_back),
		ON_BOTH_FEW_BUFFERS(starved_stream_may_be_closed),
		ON_BOTH(transfers_of_all_sizes_arrive_whole_both_ways),
		ON_BOTH_FEW_BUFFERS(transfers_arrive_whole_with_two_small_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
