// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_BPF_DISPATCH_COOKIE_CASES_H
#define TESTS_BPF_DISPATCH_COOKIE_CASES_H

/* SYN cookies of a service with NAT, from the SYN to segments of the flow that one began. Cookies
 * are computed here from what abi/dispatch.h says is in them. */
#include "abi/guard.h"
#include "core/siphash.h"
#include "dispatch_cases.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/socket.h>
#include <time.h>

#define CLIENT_SEQ   1000u
#define ENDPOINT_SEQ 0xfffffff0u
#define FULL_CODE    (3u << 3 | 5) /* 1460 or 8940 bytes; a scale of 7 */

#define OPTIONS_OF_LINUX(size)                                                                  \
	{                                                                                       \
		2, 4, (size) >> 8, (size)&0xff, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7 \
	}

static void set_guard(enum guard_mode mode)
{
	const struct guard_settings settings = {
		.mode = mode, .flags = GUARD_HAS_SERVICES, .seed = 1};
	const struct guard_port port = {.tcp_place = 1};
	const struct guard_place place = {.flags = GUARD_PLACE_ANY4 | GUARD_PLACE_ANY6};
	/* Nothing keeps this rate. */
	const struct guard_service service = {.cookies = {.cost = 2, .burst = 1},
					      .flags = GUARD_SERVICE_DISPATCHED};

	put("guard_ports", 80, &port);
	put("guard_places", 1, &place);
	put("guard_services", 0, &service);
	put("guard_settings", 0, &settings);
}

/* Of the service as it is. */
static void want_cookies(void)
{
	const struct dispatch_cookie_use none = {};

	for (uint64_t i = 0; i < 2 * DISPATCH_COOKIE_KEYS; i++)
		fixture.settings.cookie_keys[i / 2].word[i % 2] = 0x0123456789abcdefULL * (i + 1);
	put("dispatch_settings", 0, &fixture.settings);
	put("dispatch_cookies", SERVICE, &none);
	put("dispatch_asked", fixture.run.base, &(uint64_t){0});
	set_guard(GUARD_ENFORCE);
}

static void reset_cookies(bool is_ipv6)
{
	reset(DISPATCH_NAT, IPPROTO_TCP, is_ipv6);
	want_cookies();
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint32_t epoch_now(void)
{
	return dispatch_cookie_epoch(now_ns());
}

/* @port: the client's. */
static uint32_t cookie_of_port(uint32_t epoch, uint32_t code, unsigned port)
{
	const struct dispatch_cookie_key *secret =
		&fixture.settings.cookie_keys[epoch % DISPATCH_COOKIE_KEYS];
	const struct siphash_key key = {.words = {secret->word[0], secret->word[1]}};
	uint8_t input[48] = {};
	uint32_t hash;

	address_of(2, fixture.is_ipv6, input);
	address_of(1, fixture.is_ipv6, input + 16);
	put16(input + 32, 80);
	put16(input + 34, port);
	for (int i = 0; i < 4; i++) {
		input[36 + i] = (uint8_t)(CLIENT_SEQ >> 8 * i);
		input[40 + i] = (uint8_t)(epoch >> 8 * i);
	}
	hash = (uint32_t)siphash(slice_of((const char *)input, sizeof(input)), &key);
	return epoch << 31 | ((hash & 0x7fffffff) ^ code << DISPATCH_COOKIE_HASH_BITS);
}

static uint32_t cookie_of(uint32_t epoch, uint32_t code)
{
	return cookie_of_port(epoch, code, 40000);
}

static struct frame segment_frame(const struct segment *segment)
{
	const struct shape shape = {.is_ipv6 = fixture.is_ipv6};

	return build_frame(segment, &shape);
}

/* At XDP what wants a second packet, or a longer one, is left to TC. */
static void assert_becomes_at_tc(const char *what, struct frame frame, struct frame *expected)
{
	if (fixture.hook->is_xdp)
		assert_becomes(what, frame, fixture.hook->pass, &frame);
	else
		assert_becomes(what, frame, fixture.hook->redirect, expected);
}

/* --- The SYN ---------------------------------------------------------------------------------- */

struct offer {
	const char *what;
	uint32_t code;
	size_t len;
	uint8_t offered[20], answered[20];
};

static void assert_answered(const struct offer *offer)
{
	struct segment segment = {.leg = UP_IN,
				  .flags = SYN | ECE | CWR,
				  .seq = CLIENT_SEQ,
				  .window = 500,
				  .ttl = 50,
				  .options_len = offer->len};
	struct segment answer = {.leg = DOWN_OUT,
				 .flags = SYN | ACK,
				 .ttl = 64,
				 .ack = 1001,
				 .options_len = offer->len};
	uint64_t before = service_count().cookies;
	struct frame frame, expected;

	memcpy(segment.options, offer->offered, offer->len);
	memcpy(answer.options, offer->answered, offer->len);
	frame = segment_frame(&segment);
	answer.seq = cookie_of(epoch_now(), offer->code);
	expected = segment_frame(&answer);
	set_macs(&expected, "\x02\x00\x00\x00\x00\x02", "\x02\x00\x00\x00\x00\x01");
	assert_becomes(offer->what, frame, fixture.hook->reply, &expected);
	assert_int_equal(service_count().cookies - before, 1);
}

static void syn_is_answered_with_a_cookie_and_nothing_is_kept(void **state)
{
	static const struct offer offers[] = {
		{"as Linux offers", FULL_CODE, 20, OPTIONS_OF_LINUX(9000), {2, 4, 5, 0xb4, 4, 2, 1,
									    3, 3, 7, 1,    1, 1, 1,
									    1, 1, 1, 1,    1, 1}},
		{"a smaller size, a scale between two",
		 2u << 3 | 6,
		 12,
		 {2, 4, 5, 0xac, 1, 3, 3, 9, 1, 1, 4, 2},
		 {2, 4, 5, 0xa0, 4, 2, 1, 3, 3, 7, 1, 1}},
		{"SACK alone", 1, 8, {2, 4, 2, 0x18, 1, 1, 4, 2}, {2, 4, 2, 0x18, 1, 1, 1, 1}},
		{"a scale alone",
		 1u << 3,
		 8,
		 {2, 4, 5, 0x14, 1, 3, 3, 7},
		 {2, 4, 5, 0x14, 1, 1, 1, 1}},
		{"nothing", 0, 0, {}, {}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(offers); i++) {
		reset_cookies(false);
		assert_answered(&offers[i]);
		assert_int_equal(count_entries(), 0);
		assert_int_equal(nat_of_flow().claim.word, 0);
	}
}

static void syn_of_ipv6_is_answered_with_a_cookie(void **state)
{
	static const struct offer offer = {
		"as Linux offers",
		FULL_CODE,
		20,
		OPTIONS_OF_LINUX(9000),
		{2, 4, 0x22, 0xec, 4, 2, 1, 3, 3, 7, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}};

	(void)state;
	reset_cookies(true);
	assert_answered(&offer);
	assert_int_equal(count_entries(), 0);
}

static void syns_are_forwarded_unless_the_guard_wants_cookies(void **state)
{
	(void)state;
	reset_cookies(false);
	set_guard(GUARD_MONITOR);
	assert_tcp_goes_up("monitored", SYN, 0);
	set_guard(GUARD_ENFORCE);
	assert_tcp_goes_up("again, of a known flow", SYN, 0);
	reset_cookies(false);
	set_guard(GUARD_OFF);
	assert_tcp_goes_up("off", SYN, 0);
}

static void cookies_go_on_for_a_while_until_there_is_a_guard_again(void **state)
{
	struct dispatch_cookie_use use = {.wanted_s = dispatch_seconds(now_ns())};
	struct guard_settings settings = {.mode = GUARD_OFF};

	(void)state;
	reset_cookies(false);
	put("guard_settings", 0, &settings);
	put("dispatch_cookies", SERVICE, &use);
	assert_action("nobody there yet", tcp_frame(UP_IN, SYN, 0), fixture.hook->reply);
	use.wanted_s += 2;
	put("dispatch_cookies", SERVICE, &use);
	assert_action("another CPU is ahead", tcp_frame(UP_IN, SYN, 0), fixture.hook->reply);
	use.wanted_s -= 2 + DISPATCH_COOKIE_HOLD_S + 1;
	put("dispatch_cookies", SERVICE, &use);
	assert_action("for too long", tcp_frame(UP_IN, SYN, 0), fixture.hook->redirect);
	forget_flows();
	use.wanted_s = dispatch_seconds(now_ns());
	put("dispatch_cookies", SERVICE, &use);
	settings.seed = 1;
	put("guard_settings", 0, &settings);
	assert_action("one that is off", tcp_frame(UP_IN, SYN, 0), fixture.hook->redirect);
}

static void syn_with_data_or_bad_options_is_dropped(void **state)
{
	struct segment segment = {
		.leg = UP_IN, .flags = SYN, .options_len = 4, .options = {2, 9, 1, 1}};

	(void)state;
	reset_cookies(false);
	assert_dropped("data", tcp_frame(UP_IN, SYN, 5), DISPATCH_DROP_NO_COOKIE);
	assert_dropped("an option runs over", segment_frame(&segment), DISPATCH_DROP_MALFORMED);
	assert_int_equal(count_entries(), 0);
}

/* --- The ACK ---------------------------------------------------------------------------------- */

static void note_sent(void)
{
	const struct dispatch_cookie_use use = {.sent_s = dispatch_seconds(now_ns())};

	put("dispatch_cookies", SERVICE, &use);
}

static struct frame ack_frame(uint32_t cookie, uint32_t seq, size_t payload)
{
	const struct segment segment = {.leg = UP_IN,
					.flags = ACK,
					.seq = seq,
					.ack = cookie + 1,
					.window = 502,
					.payload = payload};

	return segment_frame(&segment);
}

/* What the endpoint gets for an ACK of a full cookie. */
static struct frame syn_frame(void)
{
	struct segment segment = {
		.leg = UP_OUT,
		.flags = SYN,
		.seq = CLIENT_SEQ,
		.window = 502u << 7,
		.options_len = 12,
		.options = {2, 4, 5, 0xb4, 4, 2, 1, 3, 3, 7, 1, 1},
	};

	if (fixture.is_ipv6)
		put16(segment.options + 2, 8940);
	return segment_frame(&segment);
}

/* What the daemon finds of the flow, to send the SYN again. */
static void assert_asked(uint32_t seq)
{
	uint64_t word = 0;

	assert_int_equal(bpf_map_lookup_elem(map_fd("dispatch_asked"), &fixture.run.base, &word),
			 0);
	assert_true(word == (seq ? dispatch_asked_word(fixture.run.base, seq) : 0));
}

static void ack_with_a_cookie_becomes_the_clients_syn(void **state)
{
	struct frame expected;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		uint64_t before = service_count().cookie_flows;

		reset_cookies(is_ipv6);
		note_sent();
		expected = syn_frame();
		assert_becomes_at_tc("ACK", ack_frame(cookie_of(epoch_now(), FULL_CODE), 1001, 0),
				     &expected);
		assert_asked(fixture.hook->is_xdp ? 0 : CLIENT_SEQ);
		assert_int_equal(service_count().cookie_flows - before, !fixture.hook->is_xdp);
		assert_int_equal(nat_of_flow().cookie, fixture.hook->is_xdp
							       ? DISPATCH_COOKIE_NONE
							       : DISPATCH_COOKIE_ASKED);
		assert_becomes_at_tc("again", ack_frame(cookie_of(epoch_now(), FULL_CODE), 1001, 0),
				     &expected);
		assert_becomes_at_tc("asking for a window",
				     ack_frame(cookie_of(epoch_now(), FULL_CODE), 1000, 0),
				     &expected);
		assert_int_equal(service_count().cookie_flows - before, !fixture.hook->is_xdp);
	}
}

static void cookie_of_the_epoch_before_is_good(void **state)
{
	struct frame expected;

	(void)state;
	reset_cookies(false);
	note_sent();
	expected = syn_frame();
	assert_becomes_at_tc("it asks for a window, a minute later",
			     ack_frame(cookie_of(epoch_now() - 1, FULL_CODE), 1000, 0), &expected);
}

/* They stay where they are, and so does the header's length. */
static void ack_that_brings_data_becomes_a_syn_with_them(void **state)
{
	const struct segment segment = {
		.leg = UP_OUT, .flags = SYN, .seq = 1000, .window = 502u << 7, .payload = 1};
	struct frame expected;

	(void)state;
	reset_cookies(false);
	note_sent();
	expected = segment_frame(&segment);
	assert_becomes_at_tc("a byte", ack_frame(cookie_of(epoch_now(), FULL_CODE), 1001, 1),
			     &expected);
}

static void ack_without_a_good_cookie_is_dropped(void **state)
{
	uint32_t cookie, epoch;

	(void)state;
	reset_cookies(false);
	note_sent();
	epoch = epoch_now();
	cookie = cookie_of(epoch, FULL_CODE);
	for (unsigned bit = 0; bit < DISPATCH_COOKIE_HASH_BITS; bit++)
		assert_dropped("a bit is wrong", ack_frame(cookie ^ 1u << bit, 1001, 0),
			       DISPATCH_DROP_NO_COOKIE);
	assert_dropped("of another epoch", ack_frame(cookie ^ 1u << 31, 1001, 0),
		       DISPATCH_DROP_NO_COOKIE);
	assert_dropped("another number", ack_frame(cookie, 1002, 0), DISPATCH_DROP_NO_COOKIE);
	assert_dropped("of two epochs before", ack_frame(cookie_of(epoch - 2, FULL_CODE), 1001, 0),
		       DISPATCH_DROP_NO_COOKIE);
	assert_dropped("of four epochs before: with the same key",
		       ack_frame(cookie_of(epoch - 4, FULL_CODE), 1001, 0),
		       DISPATCH_DROP_NO_COOKIE);
	fixture.settings.cookie_keys[epoch % DISPATCH_COOKIE_KEYS].word[0]++;
	put("dispatch_settings", 0, &fixture.settings);
	assert_dropped("another key", ack_frame(cookie, 1001, 0), DISPATCH_DROP_NO_COOKIE);
	assert_int_equal(count_entries(), 0);
}

static void cookies_count_while_they_are_sent(void **state)
{
	struct dispatch_cookie_use use = {};

	(void)state;
	reset_cookies(false);
	assert_dropped("none was sent", ack_frame(cookie_of(epoch_now(), 0), 1001, 0),
		       DISPATCH_DROP_NO_FLOW);
	use.sent_s = dispatch_seconds(now_ns()) + 2;
	put("dispatch_cookies", SERVICE, &use);
	assert_dropped("another CPU is ahead", ack_frame(0, 1001, 0), DISPATCH_DROP_NO_COOKIE);
	use.sent_s = dispatch_seconds(now_ns()) - DISPATCH_COOKIE_LIFE_S - 1;
	put("dispatch_cookies", SERVICE, &use);
	assert_dropped("it is long ago", ack_frame(cookie_of(epoch_now(), 0), 1001, 0),
		       DISPATCH_DROP_NO_FLOW);
}

/* --- The flow --------------------------------------------------------------------------------- */

/* As an ordinary flow would be, if its client had been answered by us with @cookie. */
static void begin_by_cookie(enum dispatch_cookie_state state, uint8_t options, uint32_t number)
{
	struct dispatch_nat nat;

	set_guard(GUARD_OFF);
	assert_tcp_goes_up("SYN", SYN, 0);
	nat = nat_of_flow();
	nat.cookie = (uint8_t)state;
	nat.cookie_options = options;
	nat.cookie_number = number;
	nat.cookie_seq = CLIENT_SEQ;
	nat.cookie_window = htons(502);
	put("dispatch_nats", fixture.run.base, &nat);
	set_guard(GUARD_ENFORCE);
}

/* The device at the other end of ours. */
static int listen_behind(void)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = htons(ETH_P_ALL),
				      .sll_ifindex = (int)if_nametoindex("d1")};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL));

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Return: what has come of TCP; others send there too. */
static struct frame heard(int fd)
{
	struct frame frame = {};
	size_t protocol_at = fixture.is_ipv6 ? 14 + 6 : 14 + 9;

	for (int i = 0; i < 200; i++) {
		ssize_t len = recv(fd, frame.bytes, sizeof(frame.bytes), 0);

		frame.len = len > 0 ? (size_t)len : 0;
		if (frame.len > protocol_at && frame.bytes[protocol_at] == 6)
			return frame;
		usleep(len > 0 ? 0 : 5000);
	}
	frame.len = 0;
	return frame;
}

static void assert_joins(uint8_t code, const struct segment *answer, uint16_t window_down,
			 uint16_t window_up, uint8_t scales)
{
	const uint32_t cookie = 0xfffffff8u;
	struct segment to_client = {.leg = DOWN_OUT,
				    .flags = ACK,
				    .seq = cookie + 1,
				    .ack = 1001,
				    .window = window_down,
				    .options_len = answer->options_len};
	struct segment to_endpoint = {.leg = UP_OUT,
				      .flags = ACK,
				      .seq = 1001,
				      .ack = answer->seq + 1,
				      .ttl = 62,
				      .window = window_up,
				      .options_len = answer->options_len};
	struct frame expected, copy;
	int fd = listen_behind();

	memset(to_client.options, 1, sizeof(to_client.options));
	memset(to_endpoint.options, 1, sizeof(to_endpoint.options));
	begin_by_cookie(DISPATCH_COOKIE_ASKED, code, cookie);
	expected = segment_frame(&to_endpoint);
	if (!fixture.hook->is_xdp) /* the copy's addresses; the kernel writes others behind us */
		set_macs(&expected, "\x02\x00\x00\x00\x00\x02", "\x02\x00\x00\x00\x00\x01");
	assert_becomes_at_tc("SYN, ACK", segment_frame(answer), &expected);
	if (!fixture.hook->is_xdp) {
		copy = heard(fd);
		expected = segment_frame(&to_client);
		set_macs(&expected, "\x02\x00\x00\x00\x00\x02", "\x02\x00\x00\x00\x00\x01");
		assert_frames_equal("to the client", &copy, &expected);
		assert_int_equal(nat_of_flow().cookie, DISPATCH_COOKIE_JOINED);
		assert_int_equal(nat_of_flow().cookie_number, answer->seq - cookie);
		assert_int_equal(nat_of_flow().cookie_options, scales);
	}
	close(fd);
}

static void endpoints_answer_joins_it_to_the_client(void **state)
{
	struct segment answer = {
		.leg = DOWN_IN,
		.flags = SYN | ACK,
		.seq = ENDPOINT_SEQ,
		.ack = 1001,
		.window = 65160,
		.options_len = 12,
		.options = {2, 4, 5, 0xb4, 1, 1, 4, 2, 1, 3, 3, 9},
	};

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		reset_cookies(is_ipv6);
		assert_joins(FULL_CODE, &answer, 65160 >> 7, 502, 9 << 4 | 7);
	}
	answer.options_len = 4;
	reset_cookies(false);
	assert_joins(FULL_CODE, &answer, 65160 >> 7, 502u << 7, DISPATCH_NO_SCALE << 4 | 7);
	reset_cookies(false);
	assert_joins(3u << 3, &answer, 65160, 502, DISPATCH_NO_SCALE << 4 | DISPATCH_NO_SCALE);
}

static void endpoint_that_answers_again_is_acknowledged_again(void **state)
{
	const struct segment answer = {.leg = DOWN_IN,
				       .flags = SYN | ACK,
				       .seq = ENDPOINT_SEQ,
				       .ack = 1001,
				       .window = 500};
	const struct segment expected = {
		.leg = UP_OUT, .flags = ACK, .seq = 1001, .ack = ENDPOINT_SEQ + 1, .window = 502};
	struct frame out;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		reset_cookies(is_ipv6);
		begin_by_cookie(DISPATCH_COOKIE_JOINED, 7 << 4 | 7, 12345);
		out = segment_frame(&expected);
		set_way_up(&out);
		assert_becomes("again", segment_frame(&answer), fixture.hook->redirect, &out);
	}
}

static void refusal_reaches_the_client_under_its_number(void **state)
{
	const struct segment refusal = {.leg = DOWN_IN, .flags = RST | ACK, .ack = 1001};
	const struct segment expected = {
		.leg = DOWN_OUT, .flags = RST | ACK, .seq = 0x80000001u, .ack = 1001};
	struct frame out;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		reset_cookies(is_ipv6);
		begin_by_cookie(DISPATCH_COOKIE_ASKED, FULL_CODE, 0x80000000u);
		out = segment_frame(&expected);
		set_macs(&out, "\x02\x00\x00\x00\x00\x02", "\x02\x00\x00\x00\x00\x01");
		assert_becomes("RST", segment_frame(&refusal), fixture.hook->reply, &out);
		assert_true(nat_of_flow().claim.flags & DISPATCH_NAT_RST_DOWN);
	}
}

static void endpoint_with_an_older_connection_is_reset(void **state)
{
	const struct segment challenge = {
		.leg = DOWN_IN, .flags = ACK, .seq = 99, .ack = 777777, .window = 500};
	const struct segment expected = {.leg = UP_OUT, .flags = RST, .seq = 777777};
	struct frame out;

	(void)state;
	reset_cookies(false);
	begin_by_cookie(DISPATCH_COOKIE_ASKED, FULL_CODE, 5);
	out = segment_frame(&expected);
	set_way_up(&out);
	assert_becomes("ACK", segment_frame(&challenge), fixture.hook->redirect, &out);
	assert_int_equal(nat_of_flow().cookie, DISPATCH_COOKIE_ASKED);
	assert_dropped(
		"an RST of another number",
		segment_frame(&(struct segment){.leg = DOWN_IN, .flags = RST | ACK, .ack = 9}),
		DISPATCH_DROP_NO_FLOW);
}

/* Numbers of the endpoint go round between what it says and what the client hears. */
static void segments_are_shifted_both_ways(void **state)
{
	static const struct {
		const char *what;
		uint32_t difference;
	} cases[] = {{"it goes round", 0xfffffff0u - 0x10u},
		     {"it goes round the other way", 0x20u},
		     {"half of all", 0x80000000u}};
	struct segment up = {.leg = UP_IN,
			     .flags = PSH | ACK,
			     .seq = 0xffffffffu,
			     .ack = 0xfffffff8u,
			     .window = 1000,
			     .payload = 333,
			     .options_len = 20,
			     .options = {1, 1, 5, 18, 0xff, 0xff, 0xff, 0xfe, 0, 0,
					 0, 9, 0, 0,  1,    0,    0,    0,    2, 0}};
	struct segment down = {.leg = DOWN_IN,
			       .flags = ACK,
			       .seq = 7,
			       .ack = 0xfffffffeu,
			       .window = 300,
			       .payload = 1001,
			       .options_len = 12,
			       .options = {1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2}};
	struct frame in, out;

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		uint32_t difference = cases[i / 2].difference;
		struct segment up_out = up, down_out = down;

		reset_cookies(i & 1);
		begin_by_cookie(DISPATCH_COOKIE_JOINED, 9 << 4 | 7, difference);
		up_out.leg = UP_OUT;
		up_out.ack += difference;
		put32(up_out.options + 4, 0xfffffffeu + difference);
		put32(up_out.options + 8, 9 + difference);
		put32(up_out.options + 12, 256 + difference);
		put32(up_out.options + 16, 512 + difference);
		in = segment_frame(&up);
		out = segment_frame(&up_out);
		set_way_up(&out);
		assert_becomes(cases[i / 2].what, in, fixture.hook->redirect, &out);
		down_out.leg = DOWN_OUT;
		down_out.seq -= difference;
		down_out.window = 300 << (9 - 7);
		in = segment_frame(&down);
		out = segment_frame(&down_out);
		set_macs(&out, "\x02\x00\x00\x00\x00\x02", "\x02\x00\x00\x00\x00\x01");
		assert_becomes(cases[i / 2].what, in, fixture.hook->reply, &out);
	}
}

static void ends_of_such_a_flow_are_shifted_and_noted(void **state)
{
	struct segment segment = {.leg = DOWN_IN, .flags = RST, .seq = 5000};
	struct frame in, out;

	(void)state;
	reset_cookies(false);
	begin_by_cookie(DISPATCH_COOKIE_JOINED, DISPATCH_NO_SCALE << 4 | DISPATCH_NO_SCALE, 1000);
	in = segment_frame(&segment);
	segment.leg = DOWN_OUT;
	segment.seq = 4000;
	out = segment_frame(&segment);
	set_macs(&out, "\x02\x00\x00\x00\x00\x02", "\x02\x00\x00\x00\x00\x01");
	assert_becomes("RST", in, fixture.hook->reply, &out);
	assert_true(nat_of_flow().claim.flags & DISPATCH_NAT_RST_DOWN);
	/* Another connection of this client is answered with a cookie, and the flow is no more. */
	assert_action("SYN", tcp_frame(UP_IN, SYN, 0), fixture.hook->reply);
	assert_int_equal(nat_of_flow().claim.word, 0);
	/* Without the guard it is an ordinary one. */
	begin_by_cookie(DISPATCH_COOKIE_ASKED, FULL_CODE, 1000);
	set_guard(GUARD_OFF);
	segment = (struct segment){.leg = UP_IN,
				   .flags = SYN,
				   .seq = 99,
				   .options_len = 4,
				   .options = {2, 4, 5, 0xb4}};
	in = segment_frame(&segment);
	segment.leg = UP_OUT;
	out = segment_frame(&segment);
	set_way_up(&out);
	assert_becomes("another SYN", in, fixture.hook->redirect, &out);
	assert_int_equal(nat_of_flow().cookie, DISPATCH_COOKIE_NONE);
}

static int guard_off(void **state)
{
	const struct guard_settings settings = {.mode = GUARD_OFF};

	(void)state;
	put("guard_settings", 0, &settings);
	return 0;
}

#define COOKIE_TEST(name) cmocka_unit_test_teardown(name, guard_off)

#define DISPATCH_COOKIE_TESTS                                                        \
	COOKIE_TEST(syn_is_answered_with_a_cookie_and_nothing_is_kept),              \
		COOKIE_TEST(syn_of_ipv6_is_answered_with_a_cookie),                  \
		COOKIE_TEST(syns_are_forwarded_unless_the_guard_wants_cookies),      \
		COOKIE_TEST(cookies_go_on_for_a_while_until_there_is_a_guard_again), \
		COOKIE_TEST(syn_with_data_or_bad_options_is_dropped),                \
		COOKIE_TEST(ack_with_a_cookie_becomes_the_clients_syn),              \
		COOKIE_TEST(cookie_of_the_epoch_before_is_good),                     \
		COOKIE_TEST(ack_that_brings_data_becomes_a_syn_with_them),           \
		COOKIE_TEST(ack_without_a_good_cookie_is_dropped),                   \
		COOKIE_TEST(cookies_count_while_they_are_sent),                      \
		COOKIE_TEST(endpoints_answer_joins_it_to_the_client),                \
		COOKIE_TEST(endpoint_that_answers_again_is_acknowledged_again),      \
		COOKIE_TEST(refusal_reaches_the_client_under_its_number),            \
		COOKIE_TEST(endpoint_with_an_older_connection_is_reset),             \
		COOKIE_TEST(segments_are_shifted_both_ways),                         \
		COOKIE_TEST(ends_of_such_a_flow_are_shifted_and_noted)

#endif
