// SPDX-License-Identifier: Apache-2.0
#include "upstream/http_body.h"

#include "core/compiler.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define PLAIN     "HTTP/1.1 200 OK\r\n\r\n"
#define CHUNKED   "HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding:  Chunked \r\n\r\n"
#define LENGTH(n) "HTTP/1.1 200 OK\r\nContent-Length: " n "\r\nX: y\r\n\r\n"

/* The first verdict, with @bytes given in pieces of @first bytes and the rest. */
static int feed_in_two(const char *head, const char *bytes, size_t first)
{
	struct slice all = slice_from_str(bytes);
	struct http_body body;
	int result = http_body_init(&body, slice_from_str(head), 200, slice_from_str("pong"));

	if (!result)
		result = http_body_feed(&body, slice_of(all.ptr, first));
	if (result == -EAGAIN)
		result = http_body_feed(&body, slice_skip(all, first));
	http_body_done(&body);
	return result;
}

static const struct {
	const char *head, *bytes;
	int expected;
} cases[] = {
	{PLAIN, "ping pong ping", 0},
	{PLAIN, "pon", -EAGAIN},
	{PLAIN, "ponpong", 0},
	{LENGTH("4"), "pong", 0},
	{LENGTH("3"), "pong", -ENOENT},
	{LENGTH("0"), "pong", -ENOENT},
	{LENGTH("9"), "pon", -EAGAIN},
	{LENGTH("-1"), "pong", -EPROTO},
	{LENGTH("9999999999999999999"), "pong", -EPROTO},
	/* The text lies across chunks, and not across their framing. */
	{CHUNKED, "2\r\npo\r\n2\r\nng\r\n0\r\n\r\n", 0},
	{CHUNKED, "1\r\np\r\n01\r\no\r\n1;x=y\r\nn\r\n1 \r\ng\r\n", 0},
	{CHUNKED, "A\r\n012345pong\r\n", 0},
	{CHUNKED, "2\r\npo\r\n1\r\nn\r\n0\r\n\r\n", -ENOENT},
	{CHUNKED, "0\r\n\r\npong", -ENOENT},
	{CHUNKED, "4\r\npon", -EAGAIN},
	{CHUNKED, "pong", -EPROTO},
	{CHUNKED, "\r\npong", -EPROTO},
	{CHUNKED, "2\r\npong\r\n", -EPROTO},
	{CHUNKED, "4\npong", -EPROTO},
	{CHUNKED, "fffffffffffffffff\r\n", -EPROTO},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "4\r\npong", -EPROTO},
	/* RFC 9112 section 6.3: the coding has the last word. */
	{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	 "4\r\npong\r\n", 0},
};

static void text_is_found_wherever_the_bytes_are_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t first = 0; first <= strlen(cases[i].bytes); first++)
			assert_int_equal(feed_in_two(cases[i].head, cases[i].bytes, first),
					 cases[i].expected);
}

static void answers_without_a_body_have_no_text(void **state)
{
	struct http_body body;

	(void)state;
	assert_int_equal(http_body_init(&body, slice_from_str(PLAIN), 204, slice_from_str("pong")),
			 0);
	assert_int_equal(http_body_feed(&body, slice_from_str("pong")), -ENOENT);
	http_body_done(&body);
}

/* The verdict for a body of @len other bytes and then the text. */
static int feed_long(size_t len)
{
	struct http_body body;
	char *filler = malloc(len);
	int result;

	assert_non_null(filler);
	memset(filler, '.', len);
	assert_int_equal(http_body_init(&body, slice_from_str(PLAIN), 200, slice_from_str("pong")),
			 0);
	result = http_body_feed(&body, slice_of(filler, len));
	if (result == -EAGAIN)
		result = http_body_feed(&body, slice_from_str("pong"));
	http_body_done(&body);
	free(filler);
	return result;
}

static void search_ends_after_64_kib(void **state)
{
	(void)state;
	assert_int_equal(feed_long(HTTP_BODY_SEARCHED - 4), 0);
	assert_int_equal(feed_long(HTTP_BODY_SEARCHED - 3), -ENOENT);
	assert_int_equal(feed_long(3 * HTTP_BODY_SEARCHED), -ENOENT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_found_wherever_the_bytes_are_split),
		cmocka_unit_test(answers_without_a_body_have_no_text),
		cmocka_unit_test(search_ends_after_64_kib),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
