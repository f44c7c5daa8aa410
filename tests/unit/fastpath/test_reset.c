// SPDX-License-Identifier: Apache-2.0
/* The bytes of a reset, with checksums computed another way: all words add up to 0xffff. */
#include "fastpath/fastpath_internal.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static uint32_t ones_complement(const uint8_t *bytes, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static struct flow_key ipv4_key(void)
{
	return (struct flow_key){
		.source = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1},
		.destination = {[10] = 0xff, [11] = 0xff, 198, 51, 100, 7},
		.source_port = htons(443),
		.destination_port = htons(50000),
	};
}

static const uint8_t tcp_header[16] = {
	0x01, 0xbb, 0xc3, 0x50, /* ports */
	0xff, 0xff, 0xff, 0xfe, /* seq */
	0x01, 0x02, 0x03, 0x04, /* ack */
	0x50, 0x14, 0x00, 0x00  /* 20 bytes, RST and ACK, no window */
};

static void reset_over_ipv4_is_40_good_bytes(void **state)
{
	const struct flow_key key = ipv4_key();
	uint8_t packet[RESET_PACKET_SIZE];

	(void)state;
	assert_int_equal(reset_build(&key, 0xfffffffe, 0x01020304, packet), 40);
	assert_memory_equal(packet, "\x45\0\0\x28", 4);
	assert_int_equal(packet[9], 6);
	assert_memory_equal(packet + 12, "\xc0\0\2\1\xc6\x33\x64\7", 8);
	assert_memory_equal(packet + 20, tcp_header, sizeof(tcp_header));
	assert_int_equal(ones_complement(packet, 20, 0), 0xffff);
	assert_int_equal(ones_complement(packet + 12, 28, 6 + 20), 0xffff);
}

static void reset_over_ipv6_is_60_good_bytes(void **state)
{
	struct flow_key key = ipv4_key();
	uint8_t packet[RESET_PACKET_SIZE];

	(void)state;
	memcpy(key.source, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	memcpy(key.destination, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\2", 16);
	assert_int_equal(reset_build(&key, 0xfffffffe, 0x01020304, packet), 60);
	assert_memory_equal(packet, "\x60\0\0\0\0\x14\x06", 7);
	assert_memory_equal(packet + 8, key.source, 16);
	assert_memory_equal(packet + 24, key.destination, 16);
	assert_memory_equal(packet + 40, tcp_header, sizeof(tcp_header));
	assert_int_equal(ones_complement(packet + 8, 52, 6 + 20), 0xffff);
}

static void keepalive_has_an_old_number_and_the_clocks(void **state)
{
	static const uint8_t expected[] = {
		0x01, 0xbb, 0xc3, 0x50, 0xff, 0xff, 0xff, 0xff,
		0x01, 0x02, 0x03, 0x04, 0x80, 0x10, 0x00, 0x00, /* 32 bytes, ACK, no window */
	};
	struct keepalive keepalive = {.key = ipv4_key(),
				      .next_seq = 0,
				      .ack = 0x01020304,
				      .has_timestamps = true,
				      .tsval = 0x0a0b0c0d,
				      .tsecr = 0x11121314};
	uint8_t packet[KEEPALIVE_PACKET_SIZE];

	(void)state;
	assert_int_equal(keepalive_build(&keepalive, packet), 52);
	assert_memory_equal(packet, "\x45\0\0\x34", 4);
	assert_memory_equal(packet + 20, expected, sizeof(expected));
	assert_memory_equal(packet + 40, "\1\1\x08\x0a\x0a\x0b\x0c\x0d\x11\x12\x13\x14", 12);
	assert_int_equal(ones_complement(packet, 20, 0), 0xffff);
	assert_int_equal(ones_complement(packet + 12, 40, 6 + 32), 0xffff);
	keepalive.has_timestamps = false;
	assert_int_equal(keepalive_build(&keepalive, packet), 40);
	assert_int_equal(ones_complement(packet + 12, 28, 6 + 20), 0xffff);
}

static struct too_big too_big_of(struct flow_key key)
{
	return (struct too_big){.key = key, .seq = 0xfffffffe, .mtu = 1280};
}

/* The packet went from .1 to .7; the answer comes from .7. */
static void too_big_over_ipv4_quotes_the_packet(void **state)
{
	const struct too_big too_big = too_big_of(ipv4_key());
	uint8_t packet[TOO_BIG_PACKET_SIZE];

	(void)state;
	assert_int_equal(too_big_build(&too_big, packet), 56);
	assert_memory_equal(packet, "\x45\0\0\x38", 4);
	assert_int_equal(packet[9], 1);
	assert_memory_equal(packet + 12, "\xc6\x33\x64\7\xc0\0\2\1", 8);
	assert_memory_equal(packet + 20, "\3\4", 2);
	assert_memory_equal(packet + 24, "\0\0\5\0", 4);
	assert_memory_equal(packet + 28, "\x45\0\5\1", 4);
	assert_int_equal(packet[37], 6);
	assert_memory_equal(packet + 40, "\xc0\0\2\1\xc6\x33\x64\7", 8);
	assert_memory_equal(packet + 48, tcp_header, 8);
	assert_int_equal(ones_complement(packet, 20, 0), 0xffff);
	assert_int_equal(ones_complement(packet + 20, 36, 0), 0xffff);
	assert_int_equal(ones_complement(packet + 28, 20, 0), 0xffff);
}

static void too_big_quotes_udp_as_udp(void **state)
{
	struct too_big too_big = too_big_of(ipv4_key());
	uint8_t packet[TOO_BIG_PACKET_SIZE];

	(void)state;
	too_big.protocol = IPPROTO_UDP;
	assert_int_equal(too_big_build(&too_big, packet), 56);
	assert_int_equal(packet[37], IPPROTO_UDP);
	assert_int_equal(ones_complement(packet + 28, 20, 0), 0xffff);
}

static void too_big_over_ipv6_quotes_the_packet(void **state)
{
	struct too_big too_big = too_big_of(ipv4_key());
	uint8_t packet[TOO_BIG_PACKET_SIZE];

	(void)state;
	memcpy(too_big.key.source, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	memcpy(too_big.key.destination, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\2", 16);
	assert_int_equal(too_big_build(&too_big, packet), 96);
	assert_memory_equal(packet, "\x60\0\0\0\0\x38\x3a", 7);
	assert_memory_equal(packet + 8, too_big.key.destination, 16);
	assert_memory_equal(packet + 24, too_big.key.source, 16);
	assert_memory_equal(packet + 40, "\2\0", 2);
	assert_memory_equal(packet + 44, "\0\0\5\0", 4);
	assert_memory_equal(packet + 48, "\x60\0\0\0\4\xd9\x06", 7);
	assert_memory_equal(packet + 56, too_big.key.source, 16);
	assert_memory_equal(packet + 88, tcp_header, 8);
	assert_int_equal(ones_complement(packet + 8, 88, 58 + 56), 0xffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_over_ipv4_is_40_good_bytes),
		cmocka_unit_test(reset_over_ipv6_is_60_good_bytes),
		cmocka_unit_test(keepalive_has_an_old_number_and_the_clocks),
		cmocka_unit_test(too_big_over_ipv4_quotes_the_packet),
		cmocka_unit_test(too_big_quotes_udp_as_udp),
		cmocka_unit_test(too_big_over_ipv6_quotes_the_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
