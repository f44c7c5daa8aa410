// SPDX-License-Identifier: Apache-2.0
/*
 * Pairs in a sockmap as the proxy drives them, with real connections on loopback:
 *
 *   client ──► near ══ pair ══ far ──► backend
 */
#include "fastpath/sockmap.h"
#include "unit/io/io_fixture.h"

#include <linux/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>

#define MEBIBYTE ((size_t)1 << 20)
#define WAIT_MS  5000

struct pair {
	struct sockmap *sockmap;
	struct sockmap_pair *joined;
	int client, near, far, backend;
	uint64_t relayed[FLOW_DIRECTIONS]; /* by us, since the join */
};

/* A socket that seems to have an upper protocol. */
static int upper_fd = -1;
/* A pair whose client says "two " in the moment in which its near socket is asked for TCP_INFO. */
static struct pair *interrupted;

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *len);

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	if (fd == upper_fd && level == IPPROTO_TCP && name == TCP_ULP) {
		memcpy(value, "tls", *len = 4);
		return 0;
	}
	if (interrupted && fd == interrupted->near && level == IPPROTO_TCP && name == TCP_INFO) {
		say(interrupted->client, "two ");
		interrupted = NULL;
	}
	return __real_getsockopt(fd, level, name, value, len);
}

/* Kernels that would lose or double bytes are refused at start: tests/expected-skips says where. */
static struct sockmap *open_sockmap(uint32_t max_pairs)
{
	struct sockmap *sockmap;
	const char *why;
	int err = sockmap_new(max_pairs, &sockmap, &why);

	if (err) {
		print_message("%s: %s\n", why, strerror(-err));
		skip();
	}
	return sockmap;
}

static void open_sockets(struct pair *pair)
{
	int left[2], right[2];

	tcp_pair(left);
	tcp_pair(right);
	pair->client = left[0];
	pair->near = left[1];
	pair->far = right[0];
	pair->backend = right[1];
}

static void close_sockets(struct pair *pair)
{
	int fds[] = {pair->client, pair->near, pair->far, pair->backend};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void join(struct pair *pair)
{
	enum splice_reason reason;

	assert_int_equal(sockmap_join(pair->sockmap, pair->near, pair->far, &pair->joined, &reason),
			 0);
	assert_int_equal(reason, SPLICE_REASON_NONE);
}

static void open_pair(struct pair *pair)
{
	*pair = (struct pair){.sockmap = open_sockmap(16)};
	open_sockets(pair);
	join(pair);
}

static void close_pair(struct pair *pair)
{
	sockmap_pair_close(pair->joined);
	close_sockets(pair);
	sockmap_free(pair->sockmap);
}

static bool is_readable(int fd, int timeout_ms)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	return poll(&ready, 1, timeout_ms) == 1;
}

static void expect(int fd, const char *text)
{
	size_t len = strlen(text), have = 0;
	char bytes[64];

	while (have < len && is_readable(fd, WAIT_MS)) {
		ssize_t got = recv(fd, bytes + have, len - have, MSG_DONTWAIT);

		assert_true(got > 0);
		have += (size_t)got;
	}
	assert_int_equal(have, len);
	assert_memory_equal(bytes, text, len);
}

/* As the proxy's pump. */
static void relay(struct pair *pair, enum flow_direction way, const char *text)
{
	expect(way == FLOW_UP ? pair->near : pair->far, text);
	say(way == FLOW_UP ? pair->far : pair->near, text);
	pair->relayed[way] += strlen(text);
}

static bool open_way(struct pair *pair, enum flow_direction way)
{
	return sockmap_open(pair->joined, way, pair->relayed[way]);
}

static void wait_drained(struct pair *pair, enum flow_direction way)
{
	for (int i = 0; i < WAIT_MS; i++) {
		if (sockmap_is_drained(pair->joined, way, pair->relayed[way]))
			return;
		(void)poll(NULL, 0, 1);
	}
	fail_msg("what was redirected does not run empty");
}

static uint64_t redirected(const struct pair *pair, enum flow_direction way)
{
	struct sockmap_traffic traffic;

	sockmap_traffic(pair->joined, way, &traffic);
	assert_false(traffic.is_broken);
	return traffic.bytes;
}

/* --- Ways ------------------------------------------------------------------------------------- */

static void an_open_way_moves_bytes_and_counts_them(void **state)
{
	struct pair pair;

	(void)state;
	open_pair(&pair);
	assert_true(open_way(&pair, FLOW_UP));
	assert_true(open_way(&pair, FLOW_DOWN));
	say(pair.client, "question");
	expect(pair.backend, "question");
	say(pair.backend, "answer");
	expect(pair.client, "answer");
	assert_int_equal(redirected(&pair, FLOW_UP), 8);
	assert_int_equal(redirected(&pair, FLOW_DOWN), 6);
	assert_false(is_readable(pair.near, 0));
	close_pair(&pair);
}

static void a_way_passes_until_it_is_opened(void **state)
{
	struct pair pair;

	(void)state;
	open_pair(&pair);
	say(pair.client, "passed");
	assert_true(is_readable(pair.near, WAIT_MS));
	assert_int_equal(sockmap_passed(pair.joined, FLOW_UP), 6);
	assert_false(open_way(&pair, FLOW_UP));
	relay(&pair, FLOW_UP, "passed");
	assert_true(open_way(&pair, FLOW_UP));
	say(pair.client, " moved");
	expect(pair.backend, "passed moved");
	assert_int_equal(redirected(&pair, FLOW_UP), 6);
	close_pair(&pair);
}

static void what_was_queued_before_the_join_is_passed_at_once(void **state)
{
	struct pair pair = {};
	char byte;

	(void)state;
	pair.sockmap = open_sockmap(16);
	open_sockets(&pair);
	say(pair.client, "queued");
	assert_true(is_readable(pair.near, WAIT_MS));
	/* Read in part, so that the socket's first skb begins before the stream goes on. */
	assert_int_equal(recv(pair.near, &byte, 1, 0), 1);
	join(&pair);
	assert_int_equal(sockmap_passed(pair.joined, FLOW_UP), 5);
	assert_false(open_way(&pair, FLOW_UP));
	relay(&pair, FLOW_UP, "ueued");
	assert_true(open_way(&pair, FLOW_UP));
	say(pair.client, " later");
	expect(pair.backend, "ueued later");
	close_pair(&pair);
}

static void nothing_is_redirected_after_pass(void **state)
{
	struct pair pair;

	(void)state;
	open_pair(&pair);
	assert_true(open_way(&pair, FLOW_UP));
	say(pair.client, "one ");
	sockmap_pass(pair.joined, FLOW_UP);
	say(pair.client, "two ");
	wait_drained(&pair, FLOW_UP);
	relay(&pair, FLOW_UP, "two ");
	expect(pair.backend, "one two ");
	assert_int_equal(redirected(&pair, FLOW_UP), 4);
	close_pair(&pair);
}

/*
 * Asking for TCP_INFO takes the source's lock, and so waits for what the program had begun under
 * the open gate. What comes in that moment must find the gate closed, or it would not be waited
 * for.
 */
static void the_sources_lock_is_taken_once_the_gate_is_closed(void **state)
{
	struct pair pair;
	bool was_asked;

	(void)state;
	open_pair(&pair);
	assert_true(open_way(&pair, FLOW_UP));
	say(pair.client, "one ");
	interrupted = &pair;
	sockmap_pass(pair.joined, FLOW_UP);
	was_asked = !interrupted;
	interrupted = NULL;
	assert_true(was_asked);
	wait_drained(&pair, FLOW_UP);
	relay(&pair, FLOW_UP, "two ");
	expect(pair.backend, "one two ");
	assert_int_equal(redirected(&pair, FLOW_UP), 4);
	close_pair(&pair);
}

static void a_sink_that_is_gone_gets_nothing_and_its_source_is_told(void **state)
{
	struct linger reset = {.l_onoff = 1};
	struct pair pair;

	(void)state;
	open_pair(&pair);
	assert_true(open_way(&pair, FLOW_UP));
	setsockopt(pair.backend, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(pair.backend);
	pair.backend = -1;
	assert_true(is_readable(pair.far, WAIT_MS));
	say(pair.client, "lost?");
	expect(pair.near, "lost?");
	assert_int_equal(redirected(&pair, FLOW_UP), 0);
	assert_true(sockmap_is_drained(pair.joined, FLOW_UP, 0));
	close_pair(&pair);
}

static void a_pair_that_is_forgotten_passes(void **state)
{
	struct pair pair;

	(void)state;
	open_pair(&pair);
	assert_true(open_way(&pair, FLOW_UP));
	sockmap_pair_close(pair.joined);
	pair.joined = NULL;
	say(pair.client, "still here");
	expect(pair.near, "still here");
	close_pair(&pair);
}

/* --- The kernel's own time ----------------------------------------------------------------------
 */

/*
 * Bytes are redirected by a kernel thread of the processor that they arrived on: one that we keep
 * busy at a higher priority does not come to it.
 */
static bool hold_workers(void)
{
	const struct sched_param highest = {.sched_priority = 1};
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET((size_t)sched_getcpu(), &here);
	return sched_setaffinity(0, sizeof(here), &here) == 0 &&
	       sched_setscheduler(0, SCHED_FIFO, &highest) == 0;
}

static void let_workers_go(void)
{
	const struct sched_param usual = {};

	assert_int_equal(sched_setscheduler(0, SCHED_OTHER, &usual), 0);
}

static void what_the_sink_has_not_taken_yet_is_not_drained(void **state)
{
	bool is_drained;
	struct pair pair;

	(void)state;
	open_pair(&pair);
	assert_true(open_way(&pair, FLOW_UP));
	if (!hold_workers()) {
		print_message("no privilege to run at a higher priority\n");
		skip();
	}
	say(pair.client, "redirected");
	sockmap_pass(pair.joined, FLOW_UP);
	is_drained = sockmap_is_drained(pair.joined, FLOW_UP, 0);
	let_workers_go();
	assert_false(is_drained);
	wait_drained(&pair, FLOW_UP);
	expect(pair.backend, "redirected");
	close_pair(&pair);
}

/* Why a FIN is to be believed only when all that was passed has been read. */
static void a_fin_can_be_told_before_what_was_passed(void **state)
{
	struct pair pair;
	uint64_t passed;
	ssize_t early;
	char byte;

	(void)state;
	open_pair(&pair);
	assert_true(open_way(&pair, FLOW_DOWN));
	if (!hold_workers()) {
		print_message("no privilege to run at a higher priority\n");
		skip();
	}
	say(pair.backend, "on its way");
	say(pair.client, "passed");
	shutdown(pair.client, SHUT_WR);
	early = recv(pair.near, &byte, 1, MSG_DONTWAIT);
	passed = sockmap_passed(pair.joined, FLOW_UP);
	let_workers_go();
	assert_int_equal(early, 0);
	assert_int_equal(passed, 6);
	wait_drained(&pair, FLOW_DOWN);
	expect(pair.near, "passed");
	assert_int_equal(recv(pair.near, &byte, 1, 0), 0);
	close_pair(&pair);
}

/* --- A sink that does not read ---------------------------------------------------------------- */

static size_t pour(int fd, size_t limit)
{
	static const char zeros[65536];
	size_t sent = 0;
	int idle = 0;

	while (sent < limit && idle < 200) {
		ssize_t count = send(fd, zeros, sizeof(zeros), MSG_DONTWAIT | MSG_NOSIGNAL);

		if (count > 0) {
			sent += (size_t)count;
			idle = 0;
		} else {
			(void)poll(NULL, 0, 1);
			idle++;
		}
	}
	return sent;
}

static void small_buffers(struct pair *pair)
{
	int fds[] = {pair->client, pair->near, pair->far, pair->backend}, size = 65536;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	}
}

/* What is redirected and not taken is bounded by the far socket's buffer, the rest by windows. */
static void a_sink_that_does_not_read_holds_its_source(void **state)
{
	struct pair pair;
	size_t sent;

	(void)state;
	open_pair(&pair);
	small_buffers(&pair);
	assert_true(open_way(&pair, FLOW_UP));
	sent = pour(pair.client, 64 * MEBIBYTE);
	assert_in_range(sent, 65536, 4 * MEBIBYTE);
	assert_true(is_readable(pair.near, 0));
	wait_drained(&pair, FLOW_UP);
	close_pair(&pair);
}

/* The drain does not wait for the sink's peer: the other way may depend on this one. */
static void a_stuck_way_leaves_the_other_one_alone(void **state)
{
	struct pair pair;

	(void)state;
	open_pair(&pair);
	small_buffers(&pair);
	assert_true(open_way(&pair, FLOW_UP));
	assert_true(open_way(&pair, FLOW_DOWN));
	pour(pair.client, 64 * MEBIBYTE);
	say(pair.backend, "moved ");
	expect(pair.client, "moved ");
	sockmap_pass(pair.joined, FLOW_DOWN);
	say(pair.backend, "passed");
	expect(pair.far, "passed");
	close_pair(&pair);
}

/* --- Who is taken ----------------------------------------------------------------------------- */

static void expect_refusal(struct sockmap *sockmap, int near, int far, enum splice_reason expected)
{
	enum splice_reason reason = SPLICE_REASON_NONE;
	struct sockmap_pair *joined;

	assert_int_equal(sockmap_join(sockmap, near, far, &joined, &reason), -ENOTSUP);
	assert_int_equal(reason, expected);
}

static void sockets_that_are_not_plain_tcp_are_refused(void **state)
{
	struct pair pair = {.sockmap = open_sockmap(16)};
	int local[2];

	(void)state;
	open_sockets(&pair);
	unix_pair(local);
	expect_refusal(pair.sockmap, pair.near, local[0], SPLICE_REASON_NOT_TCP_SOCKETS);
	expect_refusal(pair.sockmap, local[0], pair.far, SPLICE_REASON_NOT_TCP_SOCKETS);
	upper_fd = pair.far;
	expect_refusal(pair.sockmap, pair.near, pair.far, SPLICE_REASON_TLS);
	upper_fd = -1;
	join(&pair);
	close(local[0]);
	close(local[1]);
	close_pair(&pair);
}

static void a_socket_that_is_ending_is_left_alone(void **state)
{
	struct pair pair = {.sockmap = open_sockmap(16)};
	struct sockmap_pair *joined;
	enum splice_reason reason;

	(void)state;
	open_sockets(&pair);
	shutdown(pair.client, SHUT_WR);
	assert_true(is_readable(pair.near, WAIT_MS));
	assert_int_equal(sockmap_join(pair.sockmap, pair.near, pair.far, &joined, &reason),
			 -EAGAIN);
	say(pair.backend, "untouched");
	expect(pair.far, "untouched");
	close_pair(&pair);
}

static void a_full_table_refuses(void **state)
{
	struct sockmap *sockmap = open_sockmap(1);
	struct pair first = {.sockmap = sockmap}, second = {};

	(void)state;
	open_sockets(&first);
	open_sockets(&second);
	join(&first);
	expect_refusal(sockmap, second.near, second.far, SPLICE_REASON_TABLE_FULL);
	close_sockets(&second);
	close_pair(&first);
}

/* --- All at once ------------------------------------------------------------------------------ */

#define STREAM_SIZE (24 * MEBIBYTE)
#define STREAMS_MAX 5

static void *write_pattern(void *context)
{
	const struct pair *pair = context;
	unsigned char chunk[20000];
	size_t sent = 0, turn = 0;

	while (sent < STREAM_SIZE) {
		size_t len = 1 + turn++ * 7919 % sizeof(chunk);

		if (len > STREAM_SIZE - sent)
			len = STREAM_SIZE - sent;
		for (size_t i = 0; i < len; i++)
			chunk[i] = pattern_at(sent + i);
		for (size_t done = 0; done < len;) {
			ssize_t count = send(pair->client, chunk + done, len - done, MSG_NOSIGNAL);
			struct pollfd room = {.fd = pair->client, .events = POLLOUT};

			if (count < 0)
				(void)poll(&room, 1, WAIT_MS);
			else
				done += (size_t)count;
		}
		sent += len;
		/* So that the relay catches up, and the way can be opened. */
		if (turn % 16 == 0)
			(void)poll(NULL, 0, 1);
	}
	shutdown(pair->client, SHUT_WR);
	return NULL;
}

static size_t read_pattern(const struct pair *pair, size_t offset)
{
	char bytes[65536];
	ssize_t got = recv(pair->backend, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (got <= 0)
		return 0;
	assert_pattern(bytes, offset, (size_t)got);
	return (size_t)got;
}

/* Return: bytes that were passed and have been relayed now. */
static size_t relay_some(struct pair *pair)
{
	char bytes[16384];
	ssize_t got = recv(pair->near, bytes, sizeof(bytes), MSG_DONTWAIT);
	size_t done = 0;

	while (got > 0 && done < (size_t)got) {
		ssize_t count = send(pair->far, bytes + done, (size_t)got - done, MSG_NOSIGNAL);

		if (count > 0)
			done += (size_t)count;
		else
			return done; /* the test reads in between, so there is always room */
	}
	pair->relayed[FLOW_UP] += done;
	return done;
}

/* Ways that open and close by chance and by need, in the middle of a transfer. */
/* Adds to the bytes that went either way. */
static void carry_a_stream(size_t *redirected_bytes, size_t *relayed_bytes)
{
	size_t have = 0, turn = 0, relayed = 0, passed;
	bool is_open = false;
	pthread_t writer;
	struct pair pair;

	open_pair(&pair);
	assert_int_equal(pthread_create(&writer, NULL, write_pattern, &pair), 0);
	while (have < STREAM_SIZE) {
		bool has_passed = is_readable(pair.near, 0);

		turn++;
		if (is_open && (has_passed || turn % 97 == 0)) {
			sockmap_pass(pair.joined, FLOW_UP);
			is_open = false;
		}
		if (!is_open && sockmap_is_drained(pair.joined, FLOW_UP, pair.relayed[FLOW_UP]))
			relayed += relay_some(&pair);
		if (!is_open && turn % 3 == 0)
			is_open = open_way(&pair, FLOW_UP);
		have += read_pattern(&pair, have);
	}
	pthread_join(writer, NULL);
	assert_int_equal(have, STREAM_SIZE);
	passed = redirected(&pair, FLOW_UP);
	assert_int_equal(passed + relayed, STREAM_SIZE);
	*redirected_bytes += passed;
	*relayed_bytes += relayed;
	close_pair(&pair);
}

/* By chance one stream may go one way alone, on a slow machine. */
static void a_stream_keeps_its_order_through_all_changes(void **state)
{
	size_t redirected_bytes = 0, relayed_bytes = 0;

	(void)state;
	for (int i = 0; i < STREAMS_MAX && !(redirected_bytes && relayed_bytes); i++)
		carry_a_stream(&redirected_bytes, &relayed_bytes);
	assert_true(redirected_bytes > 0);
	assert_true(relayed_bytes > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_open_way_moves_bytes_and_counts_them),
		cmocka_unit_test(a_way_passes_until_it_is_opened),
		cmocka_unit_test(what_was_queued_before_the_join_is_passed_at_once),
		cmocka_unit_test(nothing_is_redirected_after_pass),
		cmocka_unit_test(the_sources_lock_is_taken_once_the_gate_is_closed),
		cmocka_unit_test(a_sink_that_is_gone_gets_nothing_and_its_source_is_told),
		cmocka_unit_test(a_pair_that_is_forgotten_passes),
		cmocka_unit_test(what_the_sink_has_not_taken_yet_is_not_drained),
		cmocka_unit_test(a_fin_can_be_told_before_what_was_passed),
		cmocka_unit_test(a_sink_that_does_not_read_holds_its_source),
		cmocka_unit_test(a_stuck_way_leaves_the_other_one_alone),
		cmocka_unit_test(sockets_that_are_not_plain_tcp_are_refused),
		cmocka_unit_test(a_socket_that_is_ending_is_left_alone),
		cmocka_unit_test(a_full_table_refuses),
		cmocka_unit_test(a_stream_keeps_its_order_through_all_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
