// SPDX-License-Identifier: Apache-2.0
#include "feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* What a decoder made of a body. */
struct decoded {
	int err;
	enum h1_defect defect;
	bool is_done;
	char payload[512], passed[512];
	size_t payload_len, passed_len, used;
	uint64_t counted;
	struct arena arena;
	struct http_fields trailers;
};

static const struct http_framing chunked = {.kind = HTTP_FRAMING_CHUNKED};

static void keep(char *buf, size_t *len, struct slice bytes)
{
	assert_true(*len + bytes.len <= 512);
	memcpy(buf + *len, bytes.ptr, bytes.len);
	*len += bytes.len;
}

typedef int body_step(struct h1_body *body, struct slice bytes, struct h1_span *ret);

static void run(struct decoded *d, struct http_framing framing, const struct h1_body_limits *limits,
		struct slice text, size_t piece, body_step *step)
{
	struct h1_body body;

	*d = (struct decoded){};
	d->trailers.arena = &d->arena;
	d->err = h1_body_init(&body, framing, limits, &d->trailers);
	while (!d->err && !body.is_done && d->used < text.len) {
		size_t left = text.len - d->used;
		struct slice bytes = slice_of(text.ptr + d->used, left < piece ? left : piece);
		struct h1_span span;

		d->err = step(&body, bytes, &span);
		if (d->err)
			break;
		assert_in_range(span.bytes.len, 1, bytes.len);
		assert_ptr_equal(span.bytes.ptr, bytes.ptr);
		d->used += span.bytes.len;
		if (span.kind == H1_SPAN_PAYLOAD)
			keep(d->payload, &d->payload_len, span.bytes);
		if (span.kind != H1_SPAN_DROPPED)
			keep(d->passed, &d->passed_len, span.bytes);
	}
	d->defect = body.defect;
	d->is_done = body.is_done;
	d->counted = body.payload;
}

static void assert_text(const char *bytes, size_t len, const char *expected)
{
	if (len != strlen(expected) || memcmp(bytes, expected, len) != 0)
		print_error("'%.*s', expected '%s'\n", (int)len, bytes, expected);
	assert_int_equal(len, strlen(expected));
	assert_memory_equal(bytes, expected, len);
}

static void chunks_are_taken_apart(void **state)
{
	static const struct {
		const char *text, *payload, *passed;
	} cases[] = {
		{"0\r\n\r\n", "", "0\r\n\r\n"},
		{"000\r\n\r\n", "", "000\r\n\r\n"},
		{"5\r\nhello\r\n0\r\n\r\n", "hello", "5\r\nhello\r\n0\r\n\r\n"},
		{"5\r\nhello\r\nA\r\n, world!\r\n\r\n00\r\n\r\n", "hello, world!\r\n",
		 "5\r\nhello\r\nA\r\n, world!\r\n\r\n00\r\n\r\n"},
		{"a\r\n0123456789\r\n0\r\n\r\n", "0123456789", "a\r\n0123456789\r\n0\r\n\r\n"},
		{"0000000000000001\r\nx\r\n0\r\n\r\n", "x", "0000000000000001\r\nx\r\n0\r\n\r\n"},
		{"1;a\r\nx\r\n0\r\n\r\n", "x", "1\r\nx\r\n0\r\n\r\n"},
		{"1 ; a = b ;c=\"d;\\\"\t\xff\";e\r\nx\r\n0;f=g\r\n\r\n", "x",
		 "1\r\nx\r\n0\r\n\r\n"},
		{"1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n", "x", "1\r\nx\r\n0\r\n\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct slice text = slice_from_str(cases[i].text);

		for (size_t piece = 1; piece <= text.len; piece++) {
			struct decoded d;

			run(&d, chunked, NULL, text, piece, h1_body_next);
			assert_int_equal(d.err, 0);
			assert_true(d.is_done);
			assert_int_equal(d.used, text.len);
			assert_text(d.payload, d.payload_len, cases[i].payload);
			assert_text(d.passed, d.passed_len, cases[i].passed);
			assert_int_equal(d.counted, d.payload_len);
			arena_done(&d.arena);
			run(&d, chunked, NULL, text, piece, h1_body_pass);
			assert_true(d.is_done);
			assert_text(d.passed, d.passed_len, cases[i].passed);
			assert_int_equal(d.payload_len, 0);
			assert_int_equal(d.counted, strlen(cases[i].payload));
			arena_done(&d.arena);
		}
	}
}

static void next_message_is_left_alone(void **state)
{
	static const char text[] = "1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n";
	struct http_framing length = {.kind = HTTP_FRAMING_LENGTH, .length = 3};
	struct decoded d;

	(void)state;
	run(&d, chunked, NULL, slice_from_str(text), SIZE_MAX, h1_body_next);
	assert_int_equal(d.used, 11);
	run(&d, length, NULL, slice_from_str("abcdef"), SIZE_MAX, h1_body_pass);
	assert_true(d.is_done);
	assert_int_equal(d.used, 3);
	assert_text(d.payload, d.payload_len, "abc");
}

static void pass_makes_one_run_of_all_chunks(void **state)
{
	static const char text[] = "1\r\nx\r\n2\r\nyz\r\n0\r\n\r\n";
	struct h1_body body;
	struct h1_span span;
	struct http_fields trailers = {};

	(void)state;
	assert_int_equal(h1_body_init(&body, chunked, NULL, &trailers), 0);
	assert_int_equal(h1_body_pass(&body, slice_from_str(text), &span), 0);
	assert_int_equal(span.kind, H1_SPAN_FRAMING);
	assert_int_equal(span.bytes.len, sizeof(text) - 1);
	assert_true(body.is_done);
}

static void malformed_chunks_are_refused(void **state)
{
	static const struct {
		const char *text;
		enum h1_defect defect;
	} cases[] = {
		{"\r\n", H1_DEFECT_CHUNK_SIZE},
		{"\n", H1_DEFECT_BARE_LF},
		{" 1\r\n", H1_DEFECT_CHUNK_SIZE},
		{"-1\r\n", H1_DEFECT_CHUNK_SIZE},
		{"+1\r\n", H1_DEFECT_CHUNK_SIZE},
		{"0x1\r\n", H1_DEFECT_CHUNK_SIZE},
		{"g\r\n", H1_DEFECT_CHUNK_SIZE},
		{"1g\r\n", H1_DEFECT_CHUNK_SIZE},
		{"1_0\r\n", H1_DEFECT_CHUNK_SIZE},
		{";a\r\n", H1_DEFECT_CHUNK_SIZE},
		{"1,1\r\n", H1_DEFECT_CHUNK_SIZE},
		{"1\n", H1_DEFECT_BARE_LF},
		{"1\rx", H1_DEFECT_BARE_CR},
		{"1 \r\n", H1_DEFECT_CHUNK_EXTENSION},
		{"1\t1\r\n", H1_DEFECT_CHUNK_EXTENSION},
		{"1\v\r\n", H1_DEFECT_CHUNK_SIZE},
		{"ffffffffffffffff\r\n", H1_DEFECT_CHUNK_SIZE},
		{"8000000000000000\r\n", H1_DEFECT_CHUNK_SIZE},
		{"00000000000000001\r\n", H1_DEFECT_CHUNK_SIZE},
		{"1;\r\n", H1_DEFECT_CHUNK_EXTENSION},
		{"1;a=\r\n", H1_DEFECT_CHUNK_EXTENSION},
		{"1;a=b \r\n", H1_DEFECT_CHUNK_EXTENSION},
		{"1;a\n", H1_DEFECT_BARE_LF},
		{"1;a\rb\r\n", H1_DEFECT_BARE_CR},
		{"1;a=\"b\n\"\r\n", H1_DEFECT_BARE_LF},
		{"1;a=\"b\r\n\"\r\n", H1_DEFECT_CHUNK_EXTENSION},
		{"1;a=\"b\"c\r\n", H1_DEFECT_CHUNK_EXTENSION},
		{"1;a b\r\n", H1_DEFECT_CHUNK_EXTENSION},
		{"1;a=b c\r\n", H1_DEFECT_CHUNK_EXTENSION},
		{"1;\x01\r\n", H1_DEFECT_CHUNK_EXTENSION},
		{"1;a=\"\\\x01\"\r\n", H1_DEFECT_CHUNK_EXTENSION},
		{"1\r\nxx", H1_DEFECT_CHUNK_END},
		{"1\r\nx\n", H1_DEFECT_CHUNK_END},
		{"1\r\nx\r\r", H1_DEFECT_CHUNK_END},
		{"1\r\nx0\r\n", H1_DEFECT_CHUNK_END},
		{"0\r\n\rx", H1_DEFECT_BARE_CR},
		{"0\r\nA: b\n\r\n", H1_DEFECT_BARE_LF},
		{"0\r\nA: b\rc\r\n\r\n", H1_DEFECT_BARE_CR},
		{"0\r\n a: b\r\n\r\n", H1_DEFECT_FOLDED},
		{"0\r\na: b\r\n c\r\n\r\n", H1_DEFECT_FOLDED},
		{"0\r\na : b\r\n\r\n", H1_DEFECT_NAME_BLANK},
		{"0\r\n: b\r\n\r\n", H1_DEFECT_NAME_EMPTY},
		{"0\r\nab\r\n\r\n", H1_DEFECT_NAME_INVALID},
		{"0\r\na: \x01\r\n\r\n", H1_DEFECT_CONTROL},
		{"0\r\nContent-Length: 1\r\n\r\n", H1_DEFECT_TRAILER_FORBIDDEN},
		{"0\r\nTransfer-Encoding: chunked\r\n\r\n", H1_DEFECT_TRAILER_FORBIDDEN},
		{"0\r\nhost: b\r\n\r\n", H1_DEFECT_TRAILER_FORBIDDEN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct slice text = slice_from_str(cases[i].text);

		for (size_t piece = 1; piece <= text.len; piece++) {
			struct decoded d;

			run(&d, chunked, NULL, text, piece,
			    piece % 2 ? h1_body_next : h1_body_pass);
			if (d.err != -EPROTO || d.defect != cases[i].defect)
				print_error("%s: %d %s\n", cases[i].text, d.err,
					    h1_defect_text(d.defect));
			assert_int_equal(d.err, -EPROTO);
			assert_int_equal(d.defect, cases[i].defect);
			assert_false(d.is_done);
			arena_done(&d.arena);
		}
	}
}

static void limits_hold(void **state)
{
	static const struct h1_body_limits limits = {
		.payload = 4, .extensions = 4, .trailer = 10, .trailers = 2};
	static const struct {
		const char *text;
		int err;
		enum h1_defect defect;
	} cases[] = {
		{"4\r\nabcd\r\n0\r\n\r\n", 0, H1_DEFECT_NONE},
		{"5\r\n", -EFBIG, H1_DEFECT_NONE},
		{"3\r\nabc\r\n2\r\n", -EFBIG, H1_DEFECT_NONE},
		{"1;abcd\r\nx\r\n0;abc\r\n\r\n", -EPROTO, H1_DEFECT_CHUNK_EXTENSIONS_TOO_LONG},
		{"1;abc\r\nx\r\n0;abc\r\n\r\n", 0, H1_DEFECT_NONE},
		{"0\r\na:b\r\nc:d\r\n\r\n", 0, H1_DEFECT_NONE},
		{"0\r\na:b\r\nc:de\r\n\r\n", -EPROTO, H1_DEFECT_TRAILER_TOO_LARGE},
		{"0\r\na:\r\nb:\r\n\r\n", 0, H1_DEFECT_NONE},
	};
	static const struct h1_body_limits few = {.extensions = 4, .trailer = 100, .trailers = 1};
	struct decoded d;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct slice text = slice_from_str(cases[i].text);

		for (size_t piece = 1; piece <= text.len; piece++) {
			run(&d, chunked, &limits, text, piece, h1_body_next);
			assert_int_equal(d.err, cases[i].err);
			assert_int_equal(d.defect, cases[i].defect);
			arena_done(&d.arena);
		}
	}
	run(&d, chunked, &few, slice_from_str("0\r\na:\r\nb:\r\n\r\n"), SIZE_MAX, h1_body_next);
	assert_int_equal(d.defect, H1_DEFECT_FIELDS_TOO_MANY);
	arena_done(&d.arena);
}

static void extensions_of_all_chunks_have_a_limit(void **state)
{
	static const struct h1_body_limits limits = {.extensions = 4, .trailer = 1, .trailers = 1};
	struct http_fields trailers = {};
	struct h1_body body;
	struct h1_span span;
	int err = 0, chunks = 0;

	(void)state;
	assert_int_equal(h1_body_init(&body, chunked, &limits, &trailers), 0);
	while (!err) {
		struct slice text = slice_from_str("1;abc\r\nx\r\n");

		while (!err && text.len > 0) {
			err = h1_body_next(&body, text, &span);
			if (!err)
				text = slice_skip(text, span.bytes.len);
		}
		chunks++;
	}
	/* Four bytes of extension, sixty-four times. */
	assert_int_equal(chunks, 65);
	assert_int_equal(body.defect, H1_DEFECT_CHUNK_EXTENSIONS_TOO_LONG);
}

static void trailers_are_kept_but_for_forbidden_ones(void **state)
{
	static const char text[] = "0\r\nETag: \"x\"\r\nAuthorization: secret\r\n"
				   "X-Check:  1 \r\nX-Check: 2\r\nTrailer: a\r\n"
				   "Content_Length: 5\r\n\r\n";
	struct slice all = slice_from_str(text);

	(void)state;
	for (size_t piece = 1; piece <= all.len; piece++) {
		const struct http_field *field;
		struct decoded d;

		run(&d, chunked, NULL, all, piece, h1_body_next);
		assert_int_equal(d.err, 0);
		field = http_fields_next(&d.trailers, NULL);
		assert_int_equal(field->id, HTTP_FIELD_ETAG);
		field = http_fields_next(&d.trailers, field);
		assert_true(slice_equal_str(field->name, "X-Check"));
		assert_true(slice_equal_str(field->value, "1"));
		field = http_fields_next(&d.trailers, field);
		assert_true(slice_equal_str(field->value, "2"));
		assert_null(http_fields_next(&d.trailers, field));
		arena_done(&d.arena);
	}
}

static void ends_are_judged(void **state)
{
	static const struct h1_body_limits limits = {.payload = 4, .extensions = 1};
	struct http_framing framing = {.kind = HTTP_FRAMING_UNTIL_CLOSE};
	struct h1_body body;
	struct h1_span span;

	(void)state;
	assert_int_equal(h1_body_init(&body, framing, &limits, NULL), 0);
	assert_int_equal(h1_body_certain(&body), UINT64_MAX);
	assert_int_equal(h1_body_next(&body, slice_from_str("abc"), &span), 0);
	assert_false(body.is_done);
	assert_int_equal(h1_body_end(&body), 0);
	assert_true(body.is_done);
	assert_int_equal(h1_body_init(&body, framing, &limits, NULL), 0);
	assert_int_equal(h1_body_next(&body, slice_from_str("abcde"), &span), -EFBIG);

	framing = (struct http_framing){.kind = HTTP_FRAMING_LENGTH, .length = 4};
	assert_int_equal(h1_body_init(&body, framing, &limits, NULL), 0);
	assert_int_equal(h1_body_next(&body, slice_from_str("abc"), &span), 0);
	assert_int_equal(h1_body_certain(&body), 1);
	assert_int_equal(h1_body_end(&body), -EPIPE);
	assert_int_equal(h1_body_next(&body, slice_from_str("d"), &span), 0);
	assert_int_equal(h1_body_end(&body), 0);
	framing.length = 5;
	assert_int_equal(h1_body_init(&body, framing, &limits, NULL), -EFBIG);
	framing.length = 0;
	assert_int_equal(h1_body_init(&body, framing, &limits, NULL), 0);
	assert_true(body.is_done);
	framing.kind = HTTP_FRAMING_NONE;
	assert_int_equal(h1_body_init(&body, framing, &limits, NULL), 0);
	assert_true(body.is_done);
	assert_int_equal(h1_body_certain(&body), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks_are_taken_apart),
		cmocka_unit_test(next_message_is_left_alone),
		cmocka_unit_test(pass_makes_one_run_of_all_chunks),
		cmocka_unit_test(malformed_chunks_are_refused),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(extensions_of_all_chunks_have_a_limit),
		cmocka_unit_test(trailers_are_kept_but_for_forbidden_ones),
		cmocka_unit_test(ends_are_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
