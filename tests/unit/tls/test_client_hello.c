// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "tls/client_hello.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define BYTES(s) slice_of(s, sizeof(s) - 1)

/* A message that grows; vectors are begun and ended around what they hold. */
struct message {
	unsigned char bytes[3 * CLIENT_HELLO_MAX];
	size_t len;
};

static struct message message, wire;
static struct client_hello hello;

static void put(struct message *to, struct slice bytes)
{
	assert_true(to->len + bytes.len <= sizeof(to->bytes));
	memcpy(to->bytes + to->len, bytes.ptr, bytes.len);
	to->len += bytes.len;
}

static void put_number(struct message *to, size_t number, size_t nbytes)
{
	while (nbytes--)
		to->bytes[to->len++] = (unsigned char)(number >> 8 * nbytes);
}

static size_t begin(struct message *to, size_t nbytes)
{
	to->len += nbytes;
	return to->len;
}

static void end(struct message *to, size_t start, size_t nbytes)
{
	size_t after = to->len;

	to->len = start - nbytes;
	put_number(to, after - start, nbytes);
	to->len = after;
}

static void put_extension(struct message *to, size_t type, struct slice body)
{
	put_number(to, type, 2);
	put_number(to, body.len, 2);
	put(to, body);
}

static void put_name(struct message *to, struct slice name)
{
	size_t extension, list;

	put_number(to, 0, 2);
	extension = begin(to, 2);
	list = begin(to, 2);
	put_number(to, 0, 1);
	put_number(to, name.len, 2);
	put(to, name);
	end(to, list, 2);
	end(to, extension, 2);
}

/* The message with its head, whose fields before the extensions are plain. */
static void make_message(size_t version, struct slice extensions)
{
	size_t body;

	message.len = 0;
	put_number(&message, 1, 1);
	body = begin(&message, 3);
	put_number(&message, version, 2);
	put(&message, slice_of("0123456789abcdef0123456789abcdef", 32));
	put(&message, BYTES("\x04sess"));
	put(&message, BYTES("\0\x04\x1a\x1a\x13\x01"));
	put(&message, BYTES("\x01\0"));
	put_number(&message, extensions.len, 2);
	put(&message, extensions);
	end(&message, body, 3);
}

/* Lays the message into records of at most @size bytes. */
static void make_records(size_t size)
{
	wire.len = 0;
	for (size_t at = 0; at < message.len; at += size) {
		size_t len = message.len - at < size ? message.len - at : size;

		put(&wire, BYTES("\x16\x03\x01"));
		put_number(&wire, len, 2);
		put(&wire, slice_of(message.bytes + at, len));
	}
}

/* On the heap, so that AddressSanitizer sees a read beyond the end. */
static int parse(struct slice bytes)
{
	char *copy = malloc(bytes.len ? bytes.len : 1);
	int err;

	assert_non_null(copy);
	if (bytes.len)
		memcpy(copy, bytes.ptr, bytes.len);
	err = client_hello_parse(slice_of(copy, bytes.len), &hello);
	free(copy);
	return err;
}

static int parse_wire(void)
{
	return parse(slice_of(wire.bytes, wire.len));
}

static int parse_extensions(struct slice extensions)
{
	make_message(0x0303, extensions);
	make_records(16384);
	return parse_wire();
}

static int parse_name(struct slice name)
{
	struct message extensions = {};

	put_name(&extensions, name);
	return parse_extensions(slice_of(extensions.bytes, extensions.len));
}

/* GREASE extension, name, ALPN with GREASE, versions with GREASE, GREASE extension. */
static void make_full_message(void)
{
	static struct message extensions;

	extensions.len = 0;
	put_extension(&extensions, 0x2a2a, BYTES(""));
	put_name(&extensions, BYTES("Www.Example.COM"));
	put_extension(&extensions, 16, BYTES("\0\x0f\x02\x8a\x8a\x02h2\x08http/1.1"));
	put_extension(&extensions, 43, BYTES("\x06\xfa\xfa\x03\x04\x03\x03"));
	put_extension(&extensions, 0xdada, BYTES("\0"));
	make_message(0x0303, slice_of(extensions.bytes, extensions.len));
}

static void assert_full_hello(void)
{
	assert_string_equal(hello.sni, "www.example.com");
	assert_int_equal(hello.nalpn, 2);
	assert_true(slice_equal_str(hello.alpn[0], "h2"));
	assert_true(slice_equal_str(hello.alpn[1], "http/1.1"));
	assert_int_equal(hello.version, 0x0304);
}

static void fields_are_read_and_grease_is_left_out(void **state)
{
	(void)state;
	make_full_message();
	make_records(16384);
	assert_int_equal(parse_wire(), 0);
	assert_full_hello();
	put(&wire, BYTES("\x14\x03\x03\0\x01\x01"));
	assert_int_equal(parse_wire(), 0);
}

static void every_truncation_waits_for_more(void **state)
{
	static const size_t sizes[] = {1, 2, 3, 4, 5, 7, 50, 16384};

	(void)state;
	make_full_message();
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		make_records(sizes[i]);
		hello.sni[0] = '\0';
		for (size_t n = 0; n < wire.len; n++)
			assert_int_equal(parse(slice_of(wire.bytes, n)), -EAGAIN);
		assert_string_equal(hello.sni, "");
		assert_int_equal(parse_wire(), 0);
		assert_full_hello();
	}
}

/* The message says that it ends early: no length inside may reach beyond. */
static void every_shortened_message_is_refused(void **state)
{
	size_t whole, without_extensions = 4 + 2 + 32 + 5 + 6 + 2;

	(void)state;
	make_full_message();
	whole = message.len;
	for (size_t n = 4; n < whole; n++) {
		message.len = n;
		end(&message, 4, 3);
		make_records(16384);
		assert_int_equal(parse_wire(), n == without_extensions ? 0 : -EPROTO);
	}
}

/* What each byte is changed to must give some answer, and never one that waits or reads astray. */
static void no_changed_byte_makes_it_wait(void **state)
{
	(void)state;
	make_full_message();
	make_records(16384);
	for (size_t i = 9; i < wire.len; i++) {
		for (int flip = 1; flip < 256; flip++) {
			int err;

			wire.bytes[i] ^= (unsigned char)flip;
			err = parse_wire();
			assert_true(err == 0 || err == -EPROTO);
			wire.bytes[i] ^= (unsigned char)flip;
		}
	}
}

static void what_is_not_tls_is_refused_at_once(void **state)
{
	static const struct slice bads[] = {
		{"G", 1},
		{"\x80", 1}, /* SSLv2 */
		{"\0", 1},
		{"\x15", 1},
		{"\x17", 1},
		{"\x16\x02", 2},
		{"\x16\xfe", 2}, /* DTLS */
		{"\x16\x03\x00", 3},
		{"\x16\x03\x04", 3},
		{"\x16\x03\x01\0\0", 5},
		{"\x16\x03\x01\x40\x01", 5},
		{"\x16\x03\x01\0\x40\x02", 6}, /* ServerHello */
		{"\x16\x03\x01\0\x01\x01\x15", 7},
		{"\x16\x03\x01\0\x01\x01\x16\x03\x01\0\0", 11},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bads); i++) {
		for (size_t n = 0; n < bads[i].len; n++)
			assert_int_equal(parse(slice_of(bads[i].ptr, n)), -EAGAIN);
		assert_int_equal(parse(bads[i]), -EPROTO);
	}
}

static void bytes_behind_the_message_in_its_record_are_refused(void **state)
{
	(void)state;
	make_full_message();
	put(&message, BYTES("\0"));
	make_records(16384);
	assert_int_equal(parse(slice_of(wire.bytes, 9)), -EPROTO);
	assert_int_equal(parse_wire(), -EPROTO);
}

static void message_of_the_limit_is_the_longest(void **state)
{
	static char filler[CLIENT_HELLO_MAX];
	static struct message extensions;
	size_t fixed = 5 + 4 + 2 + 32 + 5 + 6 + 2 + 2 + 4;

	(void)state;
	for (size_t over = 0; over < 2; over++) {
		extensions.len = 0;
		put_extension(&extensions, 21, slice_of(filler, CLIENT_HELLO_MAX - fixed + over));
		make_message(0x0303, slice_of(extensions.bytes, extensions.len));
		make_records(16384);
		assert_int_equal(wire.len, CLIENT_HELLO_MAX + over);
		assert_int_equal(parse_wire(), over ? -EMSGSIZE : 0);
		assert_int_equal(parse(slice_of(wire.bytes, 9)), over ? -EMSGSIZE : -EAGAIN);
	}
}

static void records_heads_count_for_the_limit(void **state)
{
	static char filler[8000];
	static struct message extensions;

	(void)state;
	extensions.len = 0;
	put_extension(&extensions, 21, slice_of(filler, sizeof(filler)));
	make_message(0x0303, slice_of(extensions.bytes, extensions.len));
	make_records(1);
	assert_int_equal(parse(slice_of(wire.bytes, CLIENT_HELLO_MAX - 1)), -EAGAIN);
	assert_int_equal(parse(slice_of(wire.bytes, CLIENT_HELLO_MAX)), -EMSGSIZE);
	assert_int_equal(parse_wire(), -EMSGSIZE);
}

static void malformed_extensions_are_refused(void **state)
{
	static const struct slice bads[] = {
		{"\0", 1},
		{"\0\x15\0\x01", 4},
		{"\0\x15\0\0\0\x15\0\0", 8},                /* twice */
		{"\x0a\x0a\0\0\x0a\x0a\0\0", 8},            /* GREASE twice */
		{"\0\0\0\0", 4},                            /* no list of names */
		{"\0\0\0\x02\0\0", 6},                      /* no name */
		{"\0\0\0\x05\0\x03\0\0\0", 9},              /* empty name */
		{"\0\0\0\x06\0\x04\x01\0\x01z", 10},        /* name of another type */
		{"\0\0\0\x0a\0\x08\0\0\x01z\0\0\x01y", 14}, /* two names */
		{"\0\0\0\x07\0\x04\0\0\x01zz", 11},         /* byte behind the list */
		{"\0\0\0\x06\0\x05\0\0\x01z", 10},          /* list beyond the end */
		{"\0\0\0\x06\0\x04\0\0\x02z", 10},          /* name beyond the end */
		{"\0\x10\0\0", 4},                          /* no list of protocols */
		{"\0\x10\0\x02\0\0", 6},                    /* no protocol */
		{"\0\x10\0\x03\0\x01\0", 7},                /* empty protocol */
		{"\0\x10\0\x06\0\x03\x02h2\0", 10},         /* byte behind the list */
		{"\0\x10\0\x05\0\x03\x03h2", 9},            /* protocol beyond the end */
		{"\0\x2b\0\x01\0", 5},                      /* no version */
		{"\0\x2b\0\x04\x03\x03\x04\x03", 8},        /* half a version */
		{"\0\x2b\0\x04\x02\x03\x04\x03", 8},        /* byte behind the list */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bads); i++)
		assert_int_equal(parse_extensions(bads[i]), -EPROTO);
}

static void plain_fields_are_checked(void **state)
{
	static const struct {
		size_t at;
		unsigned char value;
	} bads[] = {
		{4, 2},   /* version 2.3 */
		{5, 0},   /* SSLv3 */
		{38, 33}, /* session id */
		{44, 3},  /* odd length of cipher suites */
		{44, 0},  /* none */
		{49, 0},  /* no compression method */
		{50, 1},  /* "null" is not among them */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bads); i++) {
		make_full_message();
		message.bytes[bads[i].at] = bads[i].value;
		make_records(16384);
		assert_int_equal(parse_wire(), -EPROTO);
	}
}

static void version_is_the_highest_offered(void **state)
{
	static const struct {
		size_t legacy;
		struct slice extensions;
		unsigned expected;
	} cases[] = {
		{0x0301, {"", 0}, 0x0301},
		{0x0303, {"", 0}, 0x0303},
		{0x0304, {"", 0}, 0x0303},
		{0x0303, {"\0\x2b\0\x03\x02\x03\x04", 7}, 0x0304},
		{0x0303, {"\0\x2b\0\x05\x04\x03\x02\x03\x03", 9}, 0x0303},
		{0x0303, {"\0\x2b\0\x05\x04\x7f\x1c\x3a\x3a", 9}, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		make_message(cases[i].legacy, cases[i].extensions);
		make_records(16384);
		assert_int_equal(parse_wire(), 0);
		assert_int_equal(hello.version, cases[i].expected);
	}
}

static void host_names_are_checked_and_made_plain(void **state)
{
	static const struct {
		struct slice name;
		const char *expected; /* NULL: refused */
	} cases[] = {
		{{"a", 1}, "a"},
		{{"A.B-c.D_e.9", 11}, "a.b-c.d_e.9"},
		{{"example.com.", 12}, "example.com"},
		{{"xn--bcher-kva.example", 21}, "xn--bcher-kva.example"},
		{{"192.0.2.1", 9}, ""},
		{{"2001:db8::1", 11}, ""},
		{{"192.0.2.1.nip.example", 21}, "192.0.2.1.nip.example"},
		{{".", 1}, NULL},
		{{"..", 2}, NULL},
		{{".a", 2}, NULL},
		{{"a..b", 4}, NULL},
		{{"a..", 3}, NULL},
		{{"a b", 3}, NULL},
		{{"a\0b", 3}, NULL},
		{{"a/b", 3}, NULL},
		{{"*.a", 3}, NULL},
		{{"b\xc3\xbc"
		  "cher",
		  7},
		 NULL},
		{{"fe80::1%lo", 10}, NULL},
		{{"[::1]", 5}, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(parse_name(cases[i].name), cases[i].expected ? 0 : -EPROTO);
		if (cases[i].expected)
			assert_string_equal(hello.sni, cases[i].expected);
	}
}

static void host_names_and_labels_have_limits(void **state)
{
	char name[300];

	(void)state;
	memset(name, 'a', sizeof(name));
	assert_int_equal(parse_name(slice_of(name, 63)), 0);
	assert_int_equal(parse_name(slice_of(name, 64)), -EPROTO);
	for (size_t i = 63; i < sizeof(name); i += 64)
		name[i] = '.';
	assert_int_equal(parse_name(slice_of(name, 253)), 0);
	assert_int_equal(strlen(hello.sni), 253);
	assert_int_equal(parse_name(slice_of(name, 254)), -EPROTO);
	name[253] = '.';
	assert_int_equal(parse_name(slice_of(name, 254)), 0);
}

static void protocols_beyond_the_room_are_ignored(void **state)
{
	struct message extensions = {};
	size_t extension, list;

	(void)state;
	put_number(&extensions, 16, 2);
	extension = begin(&extensions, 2);
	list = begin(&extensions, 2);
	for (size_t i = 0; i < 20; i++) {
		put_number(&extensions, 1, 1);
		put_number(&extensions, 'a' + i, 1);
	}
	end(&extensions, list, 2);
	end(&extensions, extension, 2);
	assert_int_equal(parse_extensions(slice_of(extensions.bytes, extensions.len)), 0);
	assert_int_equal(hello.nalpn, CLIENT_HELLO_ALPN_MAX);
	assert_true(slice_equal_str(hello.alpn[15], "p"));
}

/* What OpenSSL sends first, set up as asked. */
static void make_openssl_wire(const char *name, const char *alpn, int version)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(context);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	int len;

	assert_non_null(ssl);
	assert_non_null(in);
	assert_non_null(out);
	SSL_set_bio(ssl, in, out);
	if (name)
		assert_int_equal(SSL_set_tlsext_host_name(ssl, name), 1);
	if (alpn)
		assert_int_equal(SSL_set_alpn_protos(ssl, (const unsigned char *)alpn,
						     (unsigned)strlen(alpn)),
				 0);
	assert_int_equal(SSL_set_max_proto_version(ssl, version), 1);
	assert_int_equal(SSL_connect(ssl), -1);
	len = BIO_read(out, wire.bytes, sizeof(wire.bytes));
	assert_true(len > 0);
	wire.len = (size_t)len;
	SSL_free(ssl);
	SSL_CTX_free(context);
}

static void hellos_of_openssl_are_read(void **state)
{
	static const struct {
		const char *name, *alpn;
		int version;
	} cases[] = {
		{"service.example.com", "\x02h2\x08http/1.1", TLS1_3_VERSION},
		{"service.example.com", NULL, TLS1_2_VERSION},
		{NULL, "\x03xyz", TLS1_3_VERSION},
		{NULL, NULL, TLS1_2_VERSION},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		make_openssl_wire(cases[i].name, cases[i].alpn, cases[i].version);
		for (size_t n = 0; n < wire.len; n++)
			assert_int_equal(parse(slice_of(wire.bytes, n)), -EAGAIN);
		assert_int_equal(parse_wire(), 0);
		assert_string_equal(hello.sni, cases[i].name ? cases[i].name : "");
		assert_int_equal(hello.version, cases[i].version);
		assert_int_equal(hello.nalpn, !cases[i].alpn ? 0 : i == 0 ? 2 : 1);
		if (hello.nalpn)
			assert_memory_equal(hello.alpn[0].ptr, cases[i].alpn + 1,
					    hello.alpn[0].len);
	}
}

static void hello_of_openssl_is_read_from_small_records(void **state)
{
	(void)state;
	make_openssl_wire("a.example", "\x02h2", TLS1_3_VERSION);
	message.len = 0;
	put(&message, slice_of(wire.bytes + 5, wire.len - 5));
	make_records(16);
	assert_int_equal(parse_wire(), 0);
	assert_string_equal(hello.sni, "a.example");
	assert_true(slice_equal_str(hello.alpn[0], "h2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_read_and_grease_is_left_out),
		cmocka_unit_test(every_truncation_waits_for_more),
		cmocka_unit_test(every_shortened_message_is_refused),
		cmocka_unit_test(no_changed_byte_makes_it_wait),
		cmocka_unit_test(what_is_not_tls_is_refused_at_once),
		cmocka_unit_test(bytes_behind_the_message_in_its_record_are_refused),
		cmocka_unit_test(message_of_the_limit_is_the_longest),
		cmocka_unit_test(records_heads_count_for_the_limit),
		cmocka_unit_test(malformed_extensions_are_refused),
		cmocka_unit_test(plain_fields_are_checked),
		cmocka_unit_test(version_is_the_highest_offered),
		cmocka_unit_test(host_names_are_checked_and_made_plain),
		cmocka_unit_test(host_names_and_labels_have_limits),
		cmocka_unit_test(protocols_beyond_the_room_are_ignored),
		cmocka_unit_test(hellos_of_openssl_are_read),
		cmocka_unit_test(hello_of_openssl_is_read_from_small_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
