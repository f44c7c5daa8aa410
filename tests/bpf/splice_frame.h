// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_BPF_SPLICE_FRAME_H
#define TESTS_BPF_SPLICE_FRAME_H

/*
 * Frames as they should be: built from fields, with checksums summed up from scratch over bytes, so
 * that nothing of the way in which the programs change them is shared.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define FRAME_MAX 3400

/* Who sends to whom. What arrives on IN leaves, translated, on the OUT of the same direction; with
 * form DNAT, UP_IN on UP_KEPT_OUT, and DOWN_KEPT_IN on DOWN_OUT. */
enum leg {
	UP_IN,        /* client to proxy */
	DOWN_IN,      /* backend to proxy */
	DOWN_KEPT_IN, /* backend to client */
	UP_OUT,       /* proxy to backend */
	UP_KEPT_OUT,  /* client to backend */
	DOWN_OUT,     /* proxy to client */
};

enum tcp_flag {
	FIN = 0x01,
	SYN = 0x02,
	RST = 0x04,
	PSH = 0x08,
	ACK = 0x10,
	ECE = 0x40,
	CWR = 0x80,
};

struct segment {
	enum leg leg;
	uint8_t flags, tos, ttl; /* ttl 0: 64, or 63 where it leaves */
	uint16_t window;
	uint32_t seq, ack;
	size_t payload, options_len;
	uint8_t options[40];
};

struct frame {
	uint8_t bytes[FRAME_MAX];
	size_t len;
};

/* Which shape the frame of a segment takes. */
struct shape {
	bool is_ipv6, is_tagged;
};

/* The last byte of the addresses and the port, of sender and receiver. */
static const struct {
	uint8_t source, destination;
	uint16_t source_port, destination_port;
} leg_ends[] = {
	[UP_IN] = {2, 1, 40000, 80},          [UP_OUT] = {3, 4, 50000, 8080},
	[UP_KEPT_OUT] = {2, 4, 40000, 8080},  [DOWN_IN] = {4, 3, 8080, 50000},
	[DOWN_KEPT_IN] = {4, 2, 8080, 40000}, [DOWN_OUT] = {1, 2, 80, 40000},
};

static void address_of(uint8_t last, bool is_ipv6, uint8_t ret[16])
{
	static const uint8_t ipv4[12] = {[10] = 0xff, [11] = 0xff};

	memset(ret, 0, 16);
	if (is_ipv6) {
		ret[0] = 0xfd;
		ret[7] = (uint8_t)(0x90 + last); /* each word differs */
	} else {
		memcpy(ret, ipv4, sizeof(ipv4));
		ret[12] = 10;
		ret[13] = last;
	}
	ret[15] = last;
}

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

static uint32_t sum_bytes(uint32_t sum, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	return sum;
}

static uint16_t checksum_of(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static size_t ip_len(bool is_ipv6)
{
	return is_ipv6 ? 40 : 20;
}

static size_t put_ethernet(uint8_t *at, const struct shape *shape)
{
	size_t len = 12;

	memcpy(at, "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02", 12);
	if (shape->is_tagged) {
		put16(at + len, 0x8100);
		put16(at + len + 2, 7);
		len += 4;
	}
	put16(at + len, shape->is_ipv6 ? 0x86dd : 0x0800);
	return len + 2;
}

static void put_ipv4(uint8_t *at, enum leg leg, uint8_t protocol, uint8_t tos, uint8_t ttl,
		     size_t len)
{
	uint8_t address[16];

	memset(at, 0, 20);
	at[0] = 0x45;
	at[1] = tos;
	put16(at + 2, (unsigned)(20 + len));
	put16(at + 4, 0x1234);
	put16(at + 6, 0x4000);
	at[8] = ttl;
	at[9] = protocol;
	address_of(leg_ends[leg].source, false, address);
	memcpy(at + 12, address + 12, 4);
	address_of(leg_ends[leg].destination, false, address);
	memcpy(at + 16, address + 12, 4);
	put16(at + 10, checksum_of(sum_bytes(0, at, 20)));
}

static void put_ipv6(uint8_t *at, enum leg leg, uint8_t protocol, uint8_t tos, uint8_t ttl,
		     size_t len)
{
	put32(at, 0x60000000u | (uint32_t)tos << 20 | 0x54321);
	put16(at + 4, (unsigned)len);
	at[6] = protocol;
	at[7] = ttl;
	address_of(leg_ends[leg].source, true, at + 8);
	address_of(leg_ends[leg].destination, true, at + 24);
}

/* Return: the sum of the pseudo-header. */
static uint32_t put_ip(uint8_t *at, bool is_ipv6, enum leg leg, uint8_t protocol, uint8_t tos,
		       uint8_t ttl, size_t len)
{
	if (is_ipv6)
		put_ipv6(at, leg, protocol, tos, ttl, len);
	else
		put_ipv4(at, leg, protocol, tos, ttl, len);
	return sum_bytes((uint32_t)(protocol + len), at + (is_ipv6 ? 8 : 12), is_ipv6 ? 32 : 8);
}

/* Return: the length of the header. */
static size_t put_tcp(uint8_t *at, const struct segment *segment)
{
	size_t len = 20 + segment->options_len;

	memset(at, 0, 20);
	put16(at, leg_ends[segment->leg].source_port);
	put16(at + 2, leg_ends[segment->leg].destination_port);
	put32(at + 4, segment->seq);
	put32(at + 8, segment->ack);
	at[12] = (uint8_t)(len / 4 << 4);
	at[13] = segment->flags;
	put16(at + 14, segment->window);
	memcpy(at + 20, segment->options, segment->options_len);
	return len;
}

static struct frame build_frame(const struct segment *segment, const struct shape *shape)
{
	uint8_t ttl = segment->ttl ? segment->ttl : segment->leg >= UP_OUT ? 63 : 64;
	size_t len = 20 + segment->options_len + segment->payload;
	struct frame frame = {};
	uint8_t *ip = frame.bytes + put_ethernet(frame.bytes, shape);
	uint8_t *tcp = ip + ip_len(shape->is_ipv6);
	uint32_t sum = put_ip(ip, shape->is_ipv6, segment->leg, 6, segment->tos, ttl, len);
	size_t header = put_tcp(tcp, segment);

	for (size_t i = 0; i < segment->payload; i++)
		tcp[header + i] = (uint8_t)(i * 7 + 1);
	put16(tcp + 16, checksum_of(sum_bytes(sum, tcp, len)));
	frame.len = (size_t)(tcp + len - frame.bytes);
	return frame;
}

static void assert_frames_equal(const char *what, const struct frame *frame,
				const struct frame *expected)
{
	if (frame->len != expected->len)
		fail_msg("%s: %zu bytes, not %zu", what, frame->len, expected->len);
	for (size_t i = 0; i < frame->len; i++)
		if (frame->bytes[i] != expected->bytes[i])
			fail_msg("%s: byte %zu is %02x, not %02x", what, i, frame->bytes[i],
				 expected->bytes[i]);
}

#endif
