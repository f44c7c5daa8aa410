// SPDX-License-Identifier: Apache-2.0
#include "upstream/http_body.h"

#include "core/compiler.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define CLOSE                                    \
	{                                        \
		.kind = HTTP_FRAMING_UNTIL_CLOSE \
	}
#define CHUNKED                              \
	{                                    \
		.kind = HTTP_FRAMING_CHUNKED \
	}
#define LENGTH(n)                                          \
	{                                                  \
		.kind = HTTP_FRAMING_LENGTH, .length = (n) \
	}

/* The first verdict, with @bytes given in pieces of @first bytes and the rest. */
static int feed_in_two(struct http_framing framing, const char *bytes, size_t first)
{
	struct slice all = slice_from_str(bytes);
	struct arena arena = {};
	struct http_body body;
	int result;

	http_body_init(&body, framing, &arena, slice_from_str("pong"));
	result = http_body_feed(&body, slice_of(all.ptr, first));
	if (result == -EAGAIN)
		result = http_body_feed(&body, slice_skip(all, first));
	http_body_done(&body);
	arena_done(&arena);
	return result;
}

static const struct {
	struct http_framing framing;
	const char *bytes;
	int expected;
} cases[] = {
	{CLOSE, "ping pong ping", 0},
	{CLOSE, "pon", -EAGAIN},
	{CLOSE, "ponpong", 0},
	{LENGTH(4), "pong", 0},
	{LENGTH(3), "pong", -ENOENT},
	{LENGTH(0), "pong", -ENOENT},
	{LENGTH(9), "pon", -EAGAIN},
	/* The text lies across chunks, and not across their framing. */
	{CHUNKED, "2\r\npo\r\n2\r\nng\r\n0\r\n\r\n", 0},
	{CHUNKED, "1\r\np\r\n01\r\no\r\n1;x=y\r\nn\r\n1\r\ng\r\n", 0},
	{CHUNKED, "A\r\n012345pong\r\n", 0},
	{CHUNKED, "2\r\npo\r\n1\r\nn\r\n0\r\nX: pong\r\n\r\n", -ENOENT},
	{CHUNKED, "0\r\n\r\npong", -ENOENT},
	{CHUNKED, "4\r\npon", -EAGAIN},
	{CHUNKED, "pong", -EPROTO},
	{CHUNKED, "2\r\npong\r\n", -EPROTO},
};

static void text_is_found_wherever_the_bytes_are_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t first = 0; first <= strlen(cases[i].bytes); first++)
			assert_int_equal(feed_in_two(cases[i].framing, cases[i].bytes, first),
					 cases[i].expected);
}

/* The verdict for a body of @len other bytes and then the text. */
static int feed_long(size_t len)
{
	const struct http_framing framing = CLOSE;
	struct http_body body;
	char *filler = malloc(len);
	int result;

	assert_non_null(filler);
	memset(filler, '.', len);
	http_body_init(&body, framing, NULL, slice_from_str("pong"));
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
		cmocka_unit_test(search_ends_after_64_kib),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
