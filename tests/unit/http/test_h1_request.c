// SPDX-License-Identifier: Apache-2.0
#include "feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static int parse(struct feed *feed, struct slice bytes, void *message, size_t *ret_len)
{
	return h1_parse_request(&feed->parser, bytes, message, ret_len);
}

static void whole_head_is_taken_apart(void **state)
{
	static const char text[] = "POST /a/b?x=1 HTTP/1.1\r\n"
				   "Host: shop.example:8080\r\n"
				   "Content-Length: 5\r\n"
				   "X-Empty:\r\n"
				   "X-Blanks: \t a b \t\r\n"
				   "Connection: Keep-Alive, close\r\n"
				   "1: 2\r\n3: 4\r\n5: 6\r\n7: 8\r\n"
				   "Expect: 100-Continue\r\n\r\nhello";
	const size_t head_len = sizeof(text) - 1 - 5;

	(void)state;
	for (size_t split = 0; split < head_len; split++) {
		struct http_request request = {};
		struct feed feed;
		size_t len = 0;

		feed_begin(&feed, NULL, &request.fields);
		assert_int_equal(
			feed_split(&feed, slice_from_str(text), split, parse, &request, &len), 0);
		assert_int_equal(len, head_len);
		assert_int_equal(request.method, HTTP_METHOD_POST);
		assert_true(slice_equal_str(request.method_text, "POST"));
		assert_int_equal(request.version, HTTP_VERSION_1_1);
		assert_int_equal(request.target.form, HTTP_TARGET_ORIGIN);
		assert_true(slice_equal_str(request.target.text, "/a/b?x=1"));
		assert_true(slice_equal_str(request.target.path, "/a/b"));
		assert_true(slice_equal_str(request.target.query, "x=1"));
		assert_true(slice_equal_str(request.authority.host, "shop.example"));
		assert_int_equal(request.authority.port, 8080);
		assert_int_equal(request.framing.kind, HTTP_FRAMING_LENGTH);
		assert_int_equal(request.framing.length, 5);
		assert_true(request.expects_continue);
		assert_false(request.is_persistent);
		assert_false(request.wants_upgrade);
		assert_int_equal(request.fields.count, 10);
		assert_int_equal(request.fields.items[2].value.len, 0);
		assert_true(slice_equal_str(request.fields.items[3].value, "a b"));
		assert_true(slice_equal_str(request.fields.items[3].name, "X-Blanks"));
		assert_int_equal(request.fields.items[3].id, HTTP_FIELD_OTHER);
		assert_int_equal(request.fields.items[0].id, HTTP_FIELD_HOST);
		feed_done(&feed);
	}
}

struct refusal {
	const char *text;
	enum h1_defect defect;
};

/* The verdict must not depend on how the bytes arrive. */
static void assert_refused(const struct refusal *refusal, const struct h1_limits *limits)
{
	struct slice text = slice_from_str(refusal->text);

	for (size_t split = 0; split <= text.len; split++) {
		struct http_request request = {};
		struct feed feed;
		size_t len = 0;
		int err;

		feed_begin(&feed, limits, &request.fields);
		if (split < text.len)
			err = feed_split(&feed, text, split, parse, &request, &len);
		else
			err = feed_trickle(&feed, text, parse, &request, &len);
		if (err != -EPROTO || feed.parser.defect != refusal->defect)
			print_error("%s: %d %s\n", refusal->text, err,
				    h1_defect_text(feed.parser.defect));
		assert_int_equal(err, -EPROTO);
		assert_int_equal(feed.parser.defect, refusal->defect);
		/* A refused message stays refused. */
		assert_int_equal(parse(&feed, text, &request, &len), -EPROTO);
		feed_done(&feed);
	}
}

static void limits_are_those_of_the_bytes_on_the_wire(void **state)
{
	static const struct h1_limits limits = {.line = 16, .field = 12, .head = 64, .fields = 3};
	static const struct refusal refusals[] = {
		{"GET /890123456789 HTTP/1.1\r\n", H1_DEFECT_TARGET_TOO_LONG},
		{"GET /8901234567890123456789012", H1_DEFECT_TARGET_TOO_LONG},
		{"GET / HTTP/1.1\r\nHost: 7890123\r\n", H1_DEFECT_FIELD_TOO_LONG},
		{"GET / HTTP/1.1\r\nHost-ishname90123", H1_DEFECT_FIELD_TOO_LONG},
		{"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nA: b\r\nA: b\r\n",
		 H1_DEFECT_FIELDS_TOO_MANY},
		{"GET / HTTP/1.1\r\nHost: a\r\nA: bbbbbbbbb\r\nA: bbbbbbbbb\r\nA: "
		 "bbbbbbbbb\r\n\r\n",
		 H1_DEFECT_FIELDS_TOO_MANY},
		{"GET /89012345678 HTTP/1.1\r\nHost: a\r\nA: bbbbbbbbb\r\nA: bbbbbbbbb\r\n\r\n",
		 H1_DEFECT_HEAD_TOO_LARGE},
		{"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n", H1_DEFECT_METHOD_TOO_LONG},
	};
	static const char *const longest[] = {
		"GET /89012345678 HTTP/1.1\r\nHost: 789012\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nA: bbbbbbbbb\r\nA: bbbbbbbbb\r\n\r\n",
		/* 64 bytes */
		"GET /8901234567 HTTP/1.1\r\nHost: a\r\nA: bbbbbbbb\r\nA: bbbbbbbbb\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		assert_refused(&refusals[i], &limits);
	for (size_t i = 0; i < ARRAY_SIZE(longest); i++) {
		struct http_request request = {};
		struct feed feed;
		size_t len;

		feed_begin(&feed, &limits, &request.fields);
		assert_int_equal(
			feed_trickle(&feed, slice_from_str(longest[i]), parse, &request, &len), 0);
		assert_int_equal(len, strlen(longest[i]));
		feed_done(&feed);
	}
	assert_int_equal(strlen(longest[2]), 64);
}

static void bytes_behind_the_head_are_not_looked_at(void **state)
{
	static const struct h1_limits limits = {.line = 64, .field = 64, .head = 40, .fields = 4};
	static const char text[] =
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n\0\n\r\r\x80 and more than the limit";
	struct http_request request = {};
	struct feed feed;
	size_t len;

	(void)state;
	feed_begin(&feed, &limits, &request.fields);
	assert_int_equal(
		feed_split(&feed, slice_of(text, sizeof(text) - 1), 0, parse, &request, &len), 0);
	assert_int_equal(len, 27);
	feed_done(&feed);
}

static void no_memory_is_said(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n";
	struct http_request request = {};
	struct http_field one;
	struct h1_parser parser = {};
	size_t len;

	(void)state;
	request.fields = (struct http_fields){.items = &one, .cap = 1};
	assert_int_equal(h1_parse_request(&parser, slice_from_str(text), &request, &len), -EPROTO);
	assert_int_equal(parser.defect, H1_DEFECT_NO_MEMORY);
	assert_int_equal(h1_defect_status(parser.defect), 503);
}

static void query_may_be_lax(void **state)
{
	static const struct h1_limits lax = {
		.line = 100, .field = 100, .head = 1000, .fields = 10, .is_query_lax = true};
	static const char text[] = "GET /?discount=50%&x=%zz HTTP/1.1\r\nHost: a\r\n\r\n";
	static const struct refusal path = {"GET /50% HTTP/1.1\r\n", H1_DEFECT_PERCENT_INVALID};
	static const struct refusal query = {"GET /?a=% HTTP/1.1\r\n", H1_DEFECT_PERCENT_INVALID};
	struct http_request request = {};
	struct feed feed;
	size_t len;

	(void)state;
	feed_begin(&feed, &lax, &request.fields);
	assert_int_equal(feed_trickle(&feed, slice_from_str(text), parse, &request, &len), 0);
	assert_true(slice_equal_str(request.target.query, "discount=50%&x=%zz"));
	feed_done(&feed);
	assert_refused(&path, &lax);
	assert_refused(&query, NULL);
}

static void preface_of_http2_is_known(void **state)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore";

	(void)state;
	for (size_t n = 0; n < 24; n++)
		assert_int_equal(h1_detect_h2(slice_of(preface, n)), -EAGAIN);
	assert_int_equal(h1_detect_h2(slice_of(preface, 24)), 0);
	assert_int_equal(h1_detect_h2(slice_of(preface, 28)), 0);
	assert_int_equal(h1_detect_h2(slice_from_str("POST")), -EPROTO);
	assert_int_equal(h1_detect_h2(slice_from_str("PRI * HTTP/2.0\r\n\r\nSM\r\n\r ")), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_head_is_taken_apart),
		cmocka_unit_test(limits_are_those_of_the_bytes_on_the_wire),
		cmocka_unit_test(bytes_behind_the_head_are_not_looked_at),
		cmocka_unit_test(no_memory_is_said),
		cmocka_unit_test(query_may_be_lax),
		cmocka_unit_test(preface_of_http2_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
