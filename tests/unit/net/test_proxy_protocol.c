// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "net/proxy_protocol.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define LITERAL(s)               \
	{                        \
		s, sizeof(s) - 1 \
	}
#define TCP4_BLOCK "\xc0\x00\x02\x01\xc6\x33\x64\x02\x30\x39\x01\xbb"

/* On the heap, so that AddressSanitizer sees a read beyond the end. */
static int parse(struct slice bytes, struct proxy_header *ret, size_t *ret_len, const char **reason)
{
	char *copy = malloc(bytes.len ? bytes.len : 1);
	int err;

	assert_non_null(copy);
	if (bytes.len)
		memcpy(copy, bytes.ptr, bytes.len);
	err = proxy_header_parse(slice_of(copy, bytes.len), ret, ret_len, reason);
	if (!err && ret->tlvs.len)
		ret->tlvs.ptr = bytes.ptr + (ret->tlvs.ptr - copy);
	free(copy);
	return err;
}

static struct address address_of(const char *text)
{
	struct address address = {};

	if (*text)
		assert_int_equal(address_parse(slice_from_str(text), &address), 0);
	return address;
}

struct good {
	struct slice bytes;
	const char *source, *destination; /* "": none */
	size_t ntlv_bytes;
	bool is_local;
};

static const struct good goods[] = {
	/* The specification's own example, section 2.1. */
	{LITERAL("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"), "192.168.0.1:56324",
	 "192.168.0.11:443", 0, false},
	{LITERAL("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
	 "255.255.255.255:65535", "255.255.255.255:65535", 0, false},
	{LITERAL("PROXY TCP4 0.0.0.0 1.2.3.4 0 1\r\n"), "0.0.0.0:0", "1.2.3.4:1", 0, false},
	{LITERAL("PROXY TCP6 2001:db8::1 2001:DB8::2 1 65535\r\n"), "[2001:db8::1]:1",
	 "[2001:db8::2]:65535", 0, false},
	{LITERAL("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	 "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	 "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", 0, false},
	{LITERAL("PROXY TCP6 :: ::ffff:192.0.2.1 7 8\r\n"), "[::]:7", "[::ffff:192.0.2.1]:8", 0,
	 false},
	{LITERAL("PROXY UNKNOWN\r\n"), "", "", 0, false},
	{LITERAL("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	 "", "", 0, false},
	{LITERAL("PROXY UNKNOWN \0 any thing\r\n"), "", "", 0, false},
	{LITERAL(SIGNATURE "\x21\x11\0\x0c" TCP4_BLOCK), "192.0.2.1:12345", "198.51.100.2:443", 0,
	 false},
	{LITERAL(SIGNATURE "\x21\x11\0\x16" TCP4_BLOCK "\x04\0\0\x02\0\x04host"), "192.0.2.1:12345",
	 "198.51.100.2:443", 10, false},
	{LITERAL(SIGNATURE
		 "\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0"
		 "\0\0\0\0\0\0\0\x02\x00\x50\xff\xff"),
	 "[2001:db8::1]:80", "[2001:db8::2]:65535", 0, false},
	{LITERAL(SIGNATURE "\x21\x11\0\x17" TCP4_BLOCK "\x20\0\x08\x01\0\0\0\0\x21\0\0"),
	 "192.0.2.1:12345", "198.51.100.2:443", 11, false},
	{LITERAL(SIGNATURE "\x20\0\0\0"), "", "", 0, true},
	/* LOCAL's family is ignored, and its block discarded. */
	{LITERAL(SIGNATURE "\x20\x11\0\x0c" TCP4_BLOCK), "", "", 0, true},
	{LITERAL(SIGNATURE "\x20\xff\0\x03xyz"), "", "", 0, true},
	{LITERAL(SIGNATURE "\x20\0\0\x02xy"), "", "", 0, true},
	{LITERAL(SIGNATURE "\x20\0\0\x04\x04\0\x01z"), "", "", 4, true},
	{LITERAL(SIGNATURE "\x21\0\0\0"), "", "", 0, false},
	{LITERAL(SIGNATURE "\x21\0\0\x03\xe0\0\0"), "", "", 3, false},
};

static void good_headers_are_read_however_they_are_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(goods); i++) {
		struct address source = address_of(goods[i].source);
		struct address destination = address_of(goods[i].destination);
		struct proxy_header header = {};
		const char *reason = NULL;
		size_t len = 0;

		for (size_t n = 0; n < goods[i].bytes.len; n++)
			assert_int_equal(
				parse(slice_of(goods[i].bytes.ptr, n), &header, &len, &reason),
				-EAGAIN);
		assert_int_equal(header.version + len, 0);
		assert_int_equal(parse(goods[i].bytes, &header, &len, &reason), 0);
		assert_null(reason);
		assert_int_equal(len, goods[i].bytes.len);
		assert_int_equal(header.version, goods[i].bytes.ptr[0] == 'P' ? 1 : 2);
		assert_int_equal(header.is_local, goods[i].is_local);
		assert_true(address_equal(&header.source, &source));
		assert_true(address_equal(&header.destination, &destination));
		assert_int_equal(header.tlvs.len, goods[i].ntlv_bytes);
		if (header.tlvs.len)
			assert_ptr_equal(header.tlvs.ptr + header.tlvs.len,
					 goods[i].bytes.ptr + len);
	}
}

static void payload_behind_the_header_is_left_alone(void **state)
{
	static const char payload[] = "\r\n\r\nGET / HTTP/1.1\r\n";
	char bytes[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(goods); i++) {
		struct proxy_header header;
		const char *reason;
		size_t len;

		memcpy(bytes, goods[i].bytes.ptr, goods[i].bytes.len);
		memcpy(bytes + goods[i].bytes.len, payload, sizeof(payload));
		assert_int_equal(parse(slice_of(bytes, goods[i].bytes.len + sizeof(payload)),
				       &header, &len, &reason),
				 0);
		assert_int_equal(len, goods[i].bytes.len);
	}
}

/* The last byte of each is the first that shows that this is no header. */
static const struct slice bads[] = {
	LITERAL("G"),
	LITERAL("\n"),
	LITERAL("\x16"),
	LITERAL("PROXYx"),
	LITERAL("PRI"),
	LITERAL("Pr"),
	LITERAL("PROXY  "),
	LITERAL("PROXY TCP5"),
	LITERAL("PROXY TCP4\r"),
	LITERAL("PROXY TCP4\t"),
	LITERAL("PROXY UD"),
	LITERAL("PROXY t"),
	LITERAL("PROXY UNKNOWNx"),
	LITERAL("PROXY UNKNOWN\n"),
	LITERAL("PROXY UNKNOWN\rx"),
	LITERAL("PROXY UNKNOWN a\n"),
	LITERAL("PROXY UNKNOWN a\r\r"),
	LITERAL("PROXY TCP4  "),
	LITERAL("PROXY TCP4 1.2.3.04 "),
	LITERAL("PROXY TCP4 01.2.3.4 "),
	LITERAL("PROXY TCP4 1.2.3 "),
	LITERAL("PROXY TCP4 1.2.3.256 "),
	LITERAL("PROXY TCP4 1.2.3.4.5 "),
	LITERAL("PROXY TCP4 a"),
	LITERAL("PROXY TCP4 :"),
	LITERAL("PROXY TCP4 1.2.3.4\t"),
	LITERAL("PROXY TCP4 1111111111111111"),
	LITERAL("PROXY TCP4 1.2.3.4  "),
	LITERAL("PROXY TCP4 1.2.3.4 1.2.3.5 01 "),
	LITERAL("PROXY TCP4 1.2.3.4 1.2.3.5 00 "),
	LITERAL("PROXY TCP4 1.2.3.4 1.2.3.5 -"),
	LITERAL("PROXY TCP4 1.2.3.4 1.2.3.5 +"),
	LITERAL("PROXY TCP4 1.2.3.4 1.2.3.5 65536 "),
	LITERAL("PROXY TCP4 1.2.3.4 1.2.3.5 100000"),
	LITERAL("PROXY TCP4 1.2.3.4 1.2.3.5 1  "),
	LITERAL("PROXY TCP4 1.2.3.4 1.2.3.5 1\r"),
	LITERAL("PROXY TCP4 1.2.3.4 1.2.3.5 1 2\n"),
	LITERAL("PROXY TCP4 1.2.3.4 1.2.3.5 1 2 "),
	LITERAL("PROXY TCP4 1.2.3.4 1.2.3.5 1 02\r"),
	LITERAL("PROXY TCP4 1.2.3.4 1.2.3.5 1 2\r\r"),
	LITERAL("PROXY TCP4 1.2.3.4 1.2.3.5 1 2\rx"),
	LITERAL("PROXY TCP6 1.2.3.4 "),
	LITERAL("PROXY TCP6 ::1%"),
	LITERAL("PROXY TCP6 ["),
	LITERAL("PROXY TCP6 1::2::3 "),
	LITERAL("PROXY TCP6 1:2:3:4:5:6:7 "),
	LITERAL("PROXY TCP6 1:2:3:4:5:6:7:8:9 "),
	LITERAL("PROXY TCP6 12345:: "),
	LITERAL("PROXY TCP6 0000:0000:0000:0000:0000:0000:0000:0000:"),
	LITERAL("PROXY TCP6 beef "),
	LITERAL("\r\r"),
	LITERAL("\r\n\r\n\r"),
	LITERAL("\r\n\r\n\0\r\nQUIT\r"),
	LITERAL(SIGNATURE "\x11"),
	LITERAL(SIGNATURE "\x31"),
	LITERAL(SIGNATURE "\x22"),
	LITERAL(SIGNATURE "\x2f"),
	LITERAL(SIGNATURE "\x21\x12"),
	LITERAL(SIGNATURE "\x21\x22"),
	LITERAL(SIGNATURE "\x21\x32"),
	LITERAL(SIGNATURE "\x21\x10"),
	LITERAL(SIGNATURE "\x21\x01"),
	LITERAL(SIGNATURE "\x21\x13"),
	LITERAL(SIGNATURE "\x21\x41"),
	LITERAL(SIGNATURE "\x21\x11\0\x0b"),
	LITERAL(SIGNATURE "\x21\x21\0\x23"),
	LITERAL(SIGNATURE "\x21\x31\0\xd7"),
	LITERAL(SIGNATURE "\x21\x11\x0f\xf1"), /* 4,097 bytes in all */
	LITERAL(SIGNATURE "\x20\0\xff\xff"),
	LITERAL(SIGNATURE "\x21\x11\0\x0d" TCP4_BLOCK "\x04"),
	LITERAL(SIGNATURE "\x21\x11\0\x0e" TCP4_BLOCK "\x04\0"),
	LITERAL(SIGNATURE "\x21\x11\0\x0f" TCP4_BLOCK "\x04\0\x01"),
	LITERAL(SIGNATURE "\x21\x11\0\x13" TCP4_BLOCK "\x03\0\x04\1\2\3\4"),
	LITERAL(SIGNATURE "\x21\x11\0\x12" TCP4_BLOCK "\x03\0\x03\1\2\3"),
	LITERAL(SIGNATURE "\x21\x11\0\x13" TCP4_BLOCK "\x20\0\x04\x01\0\0\0"),
	LITERAL(SIGNATURE "\x21\x11\0\x16" TCP4_BLOCK "\x20\0\x07\x01\0\0\0\0\x21\0"),
	LITERAL(SIGNATURE "\x20\0\0\x07\x03\0\x04\1\2\3\4"),
};

static void what_is_no_header_is_refused_at_the_first_wrong_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bads); i++) {
		struct proxy_header header = {};
		const char *reason = NULL;
		size_t len = 0;

		for (size_t n = 0; n < bads[i].len; n++)
			assert_int_equal(parse(slice_of(bads[i].ptr, n), &header, &len, &reason),
					 -EAGAIN);
		assert_int_equal(parse(bads[i], &header, &len, &reason), -EPROTO);
		assert_non_null(reason);
		assert_int_equal(header.version + len, 0);
	}
}

static void v1_line_of_107_bytes_is_the_longest(void **state)
{
	char line[120] = "PROXY UNKNOWN ";
	struct proxy_header header;
	const char *reason;
	size_t len;

	(void)state;
	memset(line + 14, 'x', sizeof(line) - 14);
	assert_int_equal(parse(slice_of(line, 106), &header, &len, &reason), -EAGAIN);
	assert_int_equal(parse(slice_of(line, 107), &header, &len, &reason), -EPROTO);
	memcpy(line + 106, "\r\n", 2);
	assert_int_equal(parse(slice_of(line, 108), &header, &len, &reason), -EPROTO);
	memcpy(line + 105, "\r\n", 2);
	assert_int_equal(parse(slice_of(line, 107), &header, &len, &reason), 0);
}

static void v2_header_of_the_limit_is_taken(void **state)
{
	static char bytes[PROXY_HEADER_MAX] = SIGNATURE "\x21\0\x0f\xf0\x04\x0f\xed";
	struct proxy_header header;
	const char *reason;
	size_t len;

	(void)state;
	assert_int_equal(parse(slice_of(bytes, sizeof(bytes) - 1), &header, &len, &reason),
			 -EAGAIN);
	assert_int_equal(parse(slice_of(bytes, sizeof(bytes)), &header, &len, &reason), 0);
	assert_int_equal(len, PROXY_HEADER_MAX);
}

static void unix_addresses_are_read(void **state)
{
	char bytes[16 + 216] = SIGNATURE "\x21\x31\0\xd8";
	struct address path = address_of("unix:/run/a"), abstract = address_of("unix:@b");
	struct proxy_header header;
	char text[ADDRESS_TEXT_SIZE];
	const char *reason;
	size_t len;

	(void)state;
	memcpy(bytes + 16, "/run/a", 6);
	memcpy(bytes + 16 + 108, "\0b", 2);
	assert_int_equal(parse(slice_of(bytes, sizeof(bytes)), &header, &len, &reason), 0);
	assert_true(address_equal(&header.source, &path));
	assert_true(address_equal(&header.destination, &abstract));

	/* A path may fill the field, and both may be unnamed. */
	memset(bytes + 16, 'x', 108);
	memset(bytes + 16 + 108, 0, 108);
	assert_int_equal(parse(slice_of(bytes, sizeof(bytes)), &header, &len, &reason), 0);
	assert_int_equal(strlen(address_format(&header.source, text)), 5 + 108);
	assert_int_equal(header.source.len, sizeof(struct sockaddr_un));
	assert_int_equal(header.destination.len, offsetof(struct sockaddr_un, sun_path));
}

/* Known answer of CRC32c, kept apart from the parser's own arithmetic. */
static uint32_t crc32c_bit_by_bit(struct slice bytes)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < bytes.len; i++) {
		crc ^= (uint8_t)bytes.ptr[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static void checksum_is_verified(void **state)
{
	char bytes[] = SIGNATURE "\x21\x11\0\x13" TCP4_BLOCK "\x03\0\x04\0\0\0\0";
	struct slice all = slice_of(bytes, sizeof(bytes) - 1);
	struct proxy_header header;
	const char *reason;
	uint32_t crc;
	size_t len;

	(void)state;
	assert_int_equal(crc32c_bit_by_bit(slice_from_str("123456789")), 0xe3069283);
	crc = htonl(crc32c_bit_by_bit(all));
	memcpy(bytes + all.len - 4, &crc, 4);
	assert_int_equal(parse(all, &header, &len, &reason), 0);
	assert_int_equal(header.tlvs.len, 7);
	for (size_t i = 16; i < 28; i++) {
		bytes[i] ^= 1;
		assert_int_equal(parse(all, &header, &len, &reason), -EPROTO);
		assert_string_equal(reason, "v2: wrong CRC32C");
		bytes[i] ^= 1;
	}
}

static void a_second_checksum_is_refused(void **state)
{
	char bytes[] = SIGNATURE "\x21\0\0\x0e\x03\0\x04\0\0\0\0\x03\0\x04\0\0\0\0";
	struct proxy_header header;
	const char *reason;
	uint32_t crc;
	size_t len;

	(void)state;
	crc = htonl(crc32c_bit_by_bit(slice_of(bytes, sizeof(bytes) - 1)));
	memcpy(bytes + 19, &crc, 4);
	assert_int_equal(parse(slice_of(bytes, sizeof(bytes) - 1), &header, &len, &reason),
			 -EPROTO);
	assert_string_equal(reason, "v2: more than one CRC32C");
}

static void unique_id_of_129_bytes_is_refused(void **state)
{
	char bytes[16 + 3 + 129] = SIGNATURE "\x21\0\0\x84\x05\0\x81";
	struct proxy_header header;
	const char *reason;
	size_t len;

	(void)state;
	assert_int_equal(parse(slice_of(bytes, sizeof(bytes)), &header, &len, &reason), -EPROTO);
	bytes[15] = (char)0x83;
	bytes[18] = (char)0x80;
	assert_int_equal(parse(slice_of(bytes, sizeof(bytes) - 1), &header, &len, &reason), 0);
}

static void writes(const struct proxy_header *header, const void *expected, size_t len)
{
	char buf[PROXY_HEADER_MAX];

	assert_int_equal(proxy_header_write(header, buf, sizeof(buf)), len);
	assert_memory_equal(buf, expected, len);
	assert_int_equal(proxy_header_write(header, buf, len), len);
	assert_int_equal(proxy_header_write(header, buf, len - 1), -ENOSPC);
}

static void v1_is_written(void **state)
{
	struct proxy_header header = {
		.version = 1,
		.source = address_of("192.168.0.1:56324"),
		.destination = address_of("192.168.0.11:443"),
		.tlvs = LITERAL("\x04\0\0"),
	};

	(void)state;
	writes(&header, "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", 47);
	header.source = address_of("[::ffff:192.168.0.1]:56324");
	writes(&header, "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", 47);
	header.source = address_of("[2001:db8::1]:1");
	writes(&header, "PROXY UNKNOWN\r\n", 15);
	header.destination = address_of("[2001:db8::2]:2");
	writes(&header, "PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n", 40);
	header.source = header.destination = address_of("unix:/run/x");
	writes(&header, "PROXY UNKNOWN\r\n", 15);
	header.source = header.destination = (struct address){};
	writes(&header, "PROXY UNKNOWN\r\n", 15);
}

static void v1_leaves_scopes_out(void **state)
{
	struct proxy_header header = {
		.version = 1,
		.source = address_of("[fe80::1]:1"),
		.destination = address_of("[fe80::2]:2"),
	};

	(void)state;
	header.source.v6.sin6_scope_id = header.destination.v6.sin6_scope_id = 1; /* lo */
	writes(&header, "PROXY TCP6 fe80::1 fe80::2 1 2\r\n", 32);
}

static void v2_is_written(void **state)
{
	struct proxy_header header = {
		.version = 2,
		.source = address_of("192.0.2.1:12345"),
		.destination = address_of("198.51.100.2:443"),
		.tlvs = LITERAL("\x04\0\x01z"),
	};

	(void)state;
	writes(&header, SIGNATURE "\x21\x11\0\x10" TCP4_BLOCK "\x04\0\x01z", 32);
	header.is_local = true;
	writes(&header, SIGNATURE "\x20\0\0\x04\x04\0\x01z", 20);
	header.is_local = false;
	header.source = address_of("[2001:db8::1]:1");
	writes(&header, SIGNATURE "\x21\0\0\x04\x04\0\x01z", 20);
	header.tlvs = (struct slice){};
	header.source = header.destination = (struct address){};
	writes(&header, SIGNATURE "\x21\0\0\0", 16);
}

static void passed_on_checksum_becomes_the_new_header_s(void **state)
{
	struct proxy_header header = {
		.version = 2,
		.source = address_of("192.0.2.1:12345"),
		.destination = address_of("198.51.100.2:443"),
		.tlvs = LITERAL("\x04\0\0\x03\0\x04\1\2\3\4"),
	};
	struct proxy_header back;
	char buf[PROXY_HEADER_MAX];
	const char *reason;
	size_t len;
	ssize_t written;

	(void)state;
	written = proxy_header_write(&header, buf, sizeof(buf));
	assert_true(written > 0);
	assert_int_equal(parse(slice_of(buf, (size_t)written), &back, &len, &reason), 0);
	assert_int_equal(back.tlvs.len, 10);
}

static void header_beyond_the_limit_is_not_written(void **state)
{
	static char tlvs[PROXY_HEADER_MAX], buf[2 * PROXY_HEADER_MAX];
	struct proxy_header header = {.version = 2, .tlvs = slice_of(tlvs, sizeof(tlvs) - 16)};

	(void)state;
	assert_int_equal(proxy_header_write(&header, buf, sizeof(buf)), PROXY_HEADER_MAX);
	header.tlvs.len++;
	assert_int_equal(proxy_header_write(&header, buf, sizeof(buf)), -ENOSPC);
}

static void what_is_written_is_read_back(void **state)
{
	static const char *const pairs[][2] = {
		{"192.0.2.1:1", "192.0.2.2:65535"},
		{"[2001:db8::1]:0", "[::1]:443"},
		{"unix:/a", "unix:@b"},
		{"", ""},
		{"192.0.2.1:1", "[2001:db8::1]:2"},
		{"[::ffff:192.0.2.1]:1", "[2001:db8::1]:2"},
	};
	static const struct slice tlvs[] = {{NULL, 0}, LITERAL("\x02\0\x01h\xee\0\0")};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs) * ARRAY_SIZE(tlvs) * 2; i++) {
		const char *const *pair = pairs[i / 2 % ARRAY_SIZE(pairs)];
		struct proxy_header header = {
			.version = (uint8_t)(1 + i % 2),
			.source = address_of(pair[0]),
			.destination = address_of(pair[1]),
			.tlvs = tlvs[i / 2 / ARRAY_SIZE(pairs)],
		};
		bool is_told = header.source.len == header.destination.len;
		struct address none = {};
		struct proxy_header back = {};
		char buf[PROXY_HEADER_MAX];
		const char *reason;
		ssize_t written;
		size_t len = 0;

		if (header.version == 1 && !address_is_ip(&header.source))
			is_told = false;
		if (header.version == 2 && header.source.len &&
		    header.source.sa.sa_family == AF_UNIX)
			is_told = true;
		written = proxy_header_write(&header, buf, sizeof(buf));
		assert_true(written > 0);
		assert_int_equal(parse(slice_of(buf, (size_t)written), &back, &len, &reason), 0);
		assert_int_equal(len, written);
		assert_int_equal(back.version, header.version);
		assert_true(address_equal(&back.source, is_told ? &header.source : &none));
		assert_true(
			address_equal(&back.destination, is_told ? &header.destination : &none));
		assert_int_equal(back.tlvs.len, header.version == 2 ? header.tlvs.len : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_headers_are_read_however_they_are_split),
		cmocka_unit_test(payload_behind_the_header_is_left_alone),
		cmocka_unit_test(what_is_no_header_is_refused_at_the_first_wrong_byte),
		cmocka_unit_test(v1_line_of_107_bytes_is_the_longest),
		cmocka_unit_test(v2_header_of_the_limit_is_taken),
		cmocka_unit_test(unix_addresses_are_read),
		cmocka_unit_test(checksum_is_verified),
		cmocka_unit_test(a_second_checksum_is_refused),
		cmocka_unit_test(unique_id_of_129_bytes_is_refused),
		cmocka_unit_test(v1_is_written),
		cmocka_unit_test(v1_leaves_scopes_out),
		cmocka_unit_test(v2_is_written),
		cmocka_unit_test(passed_on_checksum_becomes_the_new_header_s),
		cmocka_unit_test(header_beyond_the_limit_is_not_written),
		cmocka_unit_test(what_is_written_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
