// SPDX-License-Identifier: Apache-2.0
/* Which SYNs are sent to endpoints again, when, and their bytes. Packets go to a list instead of a
 * socket. */
#include "core/compiler.h"
#include "fastpath/dispatch_internal.h"
#include "fastpath/raw_packet.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NATS     (2 * DISPATCH_ASKED_PLACES)
#define SERVICE  4u
#define REAL     3u
#define RUN      6u
#define BEGAN_S  1000u
#define SEQ      0xdeadbeefu
#define FULL     (3u << 3 | 5) /* 1460 or 8940 bytes; SACK; a scale of 7 */
#define SENT_MAX 4096

static struct {
	uint64_t asked[DISPATCH_ASKED_PLACES];
	struct dispatch_nat nats[NATS];
	struct dispatch_real reals[DISPATCH_ENDPOINTS_MAX + 1];
	struct dispatch_run runs[DISPATCH_RUN_PLACES];
	int fds[2];
	struct dispatch_asks asks;
} fixture;

static struct {
	uint32_t count;
	int fd;
	uint32_t len;
	uint8_t packet[128];            /* the last one */
	uint16_t source_port[SENT_MAX]; /* of each */
} sent;

int __wrap_raw_send(int fd, const struct flow_key *key, const uint8_t *packet, uint32_t len);

int __wrap_raw_send(int fd, const struct flow_key *key, const uint8_t *packet, uint32_t len)
{
	assert_true(len <= sizeof(sent.packet) && sent.count < SENT_MAX);
	sent.fd = fd;
	sent.len = len;
	memcpy(sent.packet, packet, len);
	sent.source_port[sent.count++] = ntohs(key->source_port);
	return 0;
}

static void put_ends(const char *source, const char *endpoint)
{
	struct dispatch_run *run = &fixture.runs[RUN];
	struct dispatch_real *real = &fixture.reals[REAL];

	memcpy(run->source, source, 16);
	memcpy(run->endpoint, endpoint, 16);
	*real = (struct dispatch_real){.service = SERVICE, .state = DISPATCH_REAL_UP};
	memcpy(real->address, endpoint, 16);
}

static const char ipv4_source[17] = "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1";
static const char ipv4_endpoint[17] = "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\7";

static int reset(void **state)
{
	(void)state;
	memset(&fixture, 0, sizeof(fixture));
	memset(&sent, 0, sizeof(sent));
	fixture.fds[0] = 10;
	fixture.fds[1] = 11;
	fixture.asks.tables = (struct dispatch_ask_tables){
		.asked = fixture.asked,
		.nats = fixture.nats,
		.reals = fixture.reals,
		.runs = fixture.runs,
		.nnats = NATS,
		.fds = fixture.fds,
	};
	put_ends(ipv4_source, ipv4_endpoint);
	return 0;
}

static struct dispatch_nat *ask(uint32_t index)
{
	struct dispatch_nat *nat = &fixture.nats[index];

	*nat = (struct dispatch_nat){
		.claim = {.seen_s = BEGAN_S, .timeout_s = DISPATCH_NAT_BRIEF_S},
		.endpoint_port = htons(8080),
		.source_port = htons((uint16_t)(10000 + index)),
		.service = SERVICE,
		.real = REAL,
		.run = RUN,
		.cookie = DISPATCH_COOKIE_ASKED,
		.cookie_options = FULL,
		.cookie_seq = (uint16_t)SEQ,
		.cookie_window = htons(502),
	};
	fixture.asked[index % DISPATCH_ASKED_PLACES] = dispatch_asked_word(index, SEQ);
	return nat;
}

static void step(uint32_t age_s)
{
	dispatch_asks_step(&fixture.asks, BEGAN_S + age_s);
}

/* --- When ------------------------------------------------------------------------------------- */

static void syn_is_sent_as_often_as_a_client_would_try(void **state)
{
	static const uint32_t ages[] = {2, 4, 8, 16, 32};
	uint32_t expected = 0;

	(void)state;
	ask(77);
	for (uint32_t age = 0; age <= DISPATCH_NAT_BRIEF_S; age++) {
		expected += expected < ARRAY_SIZE(ages) && age == ages[expected];
		step(age);
		assert_int_equal(sent.count, expected);
		step(age); /* nothing twice */
		assert_int_equal(sent.count, expected);
	}
	assert_int_equal(expected, ARRAY_SIZE(ages));
	assert_true(fixture.asked[77]);
	step(DISPATCH_NAT_BRIEF_S + 1);
	assert_int_equal(sent.count, expected);
	assert_int_equal(fixture.asked[77], 0);
}

static void look_that_comes_late_sends_one(void **state)
{
	(void)state;
	ask(77);
	step(1);
	step(21);
	assert_int_equal(sent.count, 1);
	step(31);
	assert_int_equal(sent.count, 1);
	step(33);
	assert_int_equal(sent.count, 2);
}

/* The programs ask again themselves whenever the client says something. */
static void flow_that_was_heard_of_waits_anew(void **state)
{
	struct dispatch_nat *nat = ask(77);

	(void)state;
	step(1);
	nat->claim.seen_s = BEGAN_S + 1;
	step(2);
	assert_int_equal(sent.count, 0);
	step(3);
	assert_int_equal(sent.count, 1);
}

/* --- What is over ----------------------------------------------------------------------------- */

static void nothing_is_sent_where_nothing_was_asked(void **state)
{
	(void)state;
	for (uint32_t age = 0; age < 100; age++)
		step(age);
	assert_int_equal(sent.count, 0);
}

static void assert_forgotten(uint32_t place)
{
	step(2);
	assert_int_equal(sent.count, 0);
	assert_int_equal(fixture.asked[place], 0);
}

static void flow_that_was_joined_is_forgotten(void **state)
{
	(void)state;
	ask(77)->cookie = DISPATCH_COOKIE_JOINED;
	assert_forgotten(77);
}

static void flow_of_another_client_is_forgotten(void **state)
{
	(void)state;
	ask(77)->cookie_seq++;
	assert_forgotten(77);
	ask(77)->cookie = DISPATCH_COOKIE_NONE;
	assert_forgotten(77);
}

static void what_no_table_has_is_forgotten(void **state)
{
	(void)state;
	ask(77)->run = DISPATCH_RUN_PLACES;
	assert_forgotten(77);
	ask(77)->real = DISPATCH_ENDPOINTS_MAX + 1;
	assert_forgotten(77);
	fixture.asked[78] = dispatch_asked_word(NATS, SEQ);
	assert_forgotten(78);
}

static void endpoint_that_is_gone_is_not_asked(void **state)
{
	struct dispatch_real *real = &fixture.reals[REAL];

	(void)state;
	ask(77);
	real->state = DISPATCH_REAL_GONE;
	step(2);
	real->state = DISPATCH_REAL_UP;
	real->service++;
	step(4);
	real->service = SERVICE;
	real->address[15]++;
	step(8);
	assert_int_equal(sent.count, 0);
	real->address[15]--;
	real->state = DISPATCH_REAL_DRAINING;
	step(16);
	assert_int_equal(sent.count, 1);
}

static void without_a_socket_nothing_is_sent(void **state)
{
	(void)state;
	ask(77);
	fixture.fds[0] = -1;
	step(2);
	assert_int_equal(sent.count, 0);
}

/* --- How many --------------------------------------------------------------------------------- */

/* Each but for those of the time before. */
static void flood_gets_a_thousand_at_a_time_by_turns(void **state)
{
	static bool was_sent[UINT16_MAX + 1];

	(void)state;
	for (uint32_t i = 0; i < DISPATCH_ASKED_PLACES; i++)
		ask(i);
	step(2);
	assert_int_equal(sent.count, 1000);
	step(3);
	assert_int_equal(sent.count, 2000);
	for (uint32_t i = 0; i < sent.count; i++) {
		assert_false(was_sent[sent.source_port[i]]);
		was_sent[sent.source_port[i]] = true;
	}
}

static void later_flow_takes_the_place_of_an_earlier_one(void **state)
{
	(void)state;
	ask(77);
	ask(77 + DISPATCH_ASKED_PLACES);
	step(2);
	assert_int_equal(sent.count, 1);
	assert_int_equal(sent.source_port[0], 10077 + DISPATCH_ASKED_PLACES);
}

/* --- Bytes ------------------------------------------------------------------------------------ */

static uint32_t ones_complement(const uint8_t *bytes, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static const uint8_t tcp_header[16] = {
	0x27, 0x5d, 0x1f, 0x90, /* ports 10077 and 8080 */
	0xde, 0xad, 0xbe, 0xef, /* seq */
	0x00, 0x00, 0x00, 0x00, /* ack */
	0x80, 0x02, 0xfb, 0x00  /* 32 bytes, SYN, 502 << 7 */
};

static void syn_over_ipv4_is_as_the_programs_make_it(void **state)
{
	(void)state;
	ask(77);
	step(2);
	assert_int_equal(sent.fd, 10);
	assert_int_equal(sent.len, 52);
	assert_memory_equal(sent.packet, "\x45\0\0\x34", 4);
	assert_memory_equal(sent.packet + 12, "\xc0\0\2\1\xc6\x33\x64\7", 8);
	assert_memory_equal(sent.packet + 20, tcp_header, sizeof(tcp_header));
	assert_memory_equal(sent.packet + 40, "\2\4\x05\xb4\4\2\1\3\3\7\1\1", 12);
	assert_int_equal(ones_complement(sent.packet, 20, 0), 0xffff);
	assert_int_equal(ones_complement(sent.packet + 12, 40, 6 + 32), 0xffff);
}

static void syn_over_ipv6_is_as_the_programs_make_it(void **state)
{
	static const char source[] = "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1";
	static const char endpoint[] = "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\2";

	(void)state;
	put_ends(source, endpoint);
	ask(77);
	step(2);
	assert_int_equal(sent.fd, 11);
	assert_int_equal(sent.len, 72);
	assert_memory_equal(sent.packet, "\x60\0\0\0\0\x20\x06", 7);
	assert_memory_equal(sent.packet + 8, source, 16);
	assert_memory_equal(sent.packet + 24, endpoint, 16);
	assert_memory_equal(sent.packet + 40, tcp_header, sizeof(tcp_header));
	assert_memory_equal(sent.packet + 60, "\2\4\x22\xec\4\2\1\3\3\7\1\1", 12);
	assert_int_equal(ones_complement(sent.packet + 8, 64, 6 + 32), 0xffff);
}

static void options_are_those_of_the_cookie(void **state)
{
	static const struct {
		uint8_t code;
		uint8_t window[2], options[13];
	} cases[] = {
		{0, {0x01, 0xf6}, "\2\4\x02\x18\1\1\1\1\1\1\1\1"},
		{1, {0x01, 0xf6}, "\2\4\x02\x18\4\2\1\1\1\1\1\1"},
		{1 << 3, {0x01, 0xf6}, "\2\4\x05\x14\1\1\1\1\1\1\1\1"},
		{2 << 3 | 3, {0x1f, 0x60}, "\2\4\x05\xa0\4\2\1\3\3\4\1\1"},
		{3 << 3 | 7, {0xff, 0xff}, "\2\4\x05\xb4\4\2\1\3\3\x0a\1\1"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		reset(state);
		ask(77)->cookie_options = cases[i].code;
		step(2);
		assert_int_equal(sent.count, 1);
		assert_memory_equal(sent.packet + 20 + 14, cases[i].window, 2);
		assert_memory_equal(sent.packet + 40, cases[i].options, 12);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(syn_is_sent_as_often_as_a_client_would_try),
		TEST(look_that_comes_late_sends_one),
		TEST(flow_that_was_heard_of_waits_anew),
		TEST(nothing_is_sent_where_nothing_was_asked),
		TEST(flow_that_was_joined_is_forgotten),
		TEST(flow_of_another_client_is_forgotten),
		TEST(what_no_table_has_is_forgotten),
		TEST(endpoint_that_is_gone_is_not_asked),
		TEST(without_a_socket_nothing_is_sent),
		TEST(flood_gets_a_thousand_at_a_time_by_turns),
		TEST(later_flow_takes_the_place_of_an_earlier_one),
		TEST(syn_over_ipv4_is_as_the_programs_make_it),
		TEST(syn_over_ipv6_is_as_the_programs_make_it),
		TEST(options_are_those_of_the_cookie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
