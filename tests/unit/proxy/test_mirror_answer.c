// SPDX-License-Identifier: Apache-2.0
#include "proxy/mirror_answer.h"
#include "unit/io/io_fixture.h"

#include <string.h>

#define OK   "HTTP/1.1 200 OK\r\n"
#define DONE 0

struct answer_case {
	const char *name, *text;
	enum http_method method;
	int end; /* of the last piece */
	bool lets_stay;
};

static const struct answer_case cases[] = {
	{"length", OK "Content-Length: 3\r\n\r\nabc", HTTP_METHOD_GET, DONE, true},
	{"no content", "HTTP/1.1 204 No Content\r\n\r\n", HTTP_METHOD_GET, DONE, true},
	{"head", OK "Content-Length: 3\r\n\r\n", HTTP_METHOD_HEAD, DONE, true},
	{"chunks", OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: 1\r\n\r\n",
	 HTTP_METHOD_GET, DONE, true},
	{"interim",
	 "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nX: 1\r\n\r\n" OK
	 "Content-Length: 3\r\n\r\nabc",
	 HTTP_METHOD_POST, DONE, true},
	{"interim alone", "HTTP/1.1 100 Continue\r\n\r\n", HTTP_METHOD_POST, -EAGAIN, false},
	{"close", OK "Connection: close\r\nContent-Length: 3\r\n\r\nabc", HTTP_METHOD_GET, DONE,
	 false},
	{"old", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", HTTP_METHOD_GET, DONE, false},
	{"until close", OK "\r\nabc", HTTP_METHOD_GET, -EAGAIN, false},
	{"cut head", OK "Content-Le", HTTP_METHOD_GET, -EAGAIN, false},
	{"cut body", OK "Content-Length: 3\r\n\r\nab", HTTP_METHOD_GET, -EAGAIN, false},
	{"no answer", "220 ready\r\n\r\n", HTTP_METHOD_GET, -EPROTO, false},
	{"bad chunk", OK "Transfer-Encoding: chunked\r\n\r\nz", HTTP_METHOD_GET, -EPROTO, false},
	{"upgrade", "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
	 HTTP_METHOD_GET, -EPROTO, false},
};

static int add(struct mirror_answer *answer, const char *text, size_t len)
{
	struct io_buf *buf = io_buf_new(answer->loop, (uint32_t)len);

	assert_non_null(buf);
	memcpy(buf->base, text, len);
	buf->end = (uint32_t)len;
	return mirror_answer_add(answer, buf);
}

/* Each piece but the last one leaves the answer open, or is what is wrong with it. */
static int feed(struct mirror_answer *answer, const char *text, size_t piece)
{
	size_t len = strlen(text);
	int end = -EAGAIN;

	for (size_t at = 0; end == -EAGAIN && at < len; at += piece)
		end = add(answer, text + at, len - at < piece ? len - at : piece);
	return end;
}

static void answer_ends_where_it_says(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t piece = 1; piece <= strlen(cases[i].text); piece++) {
			struct mirror_answer answer;

			mirror_answer_init(&answer, fixture->loop, cases[i].method);
			if (feed(&answer, cases[i].text, piece) != cases[i].end ||
			    mirror_answer_lets_stay(&answer) != cases[i].lets_stay)
				fail_msg("%s in pieces of %zu", cases[i].name, piece);
			if (cases[i].end == DONE)
				assert_int_equal(answer.received, strlen(cases[i].text));
			mirror_answer_done(&answer);
		}
	}
}

static void connection_that_says_more_does_not_stay(void **state)
{
	static const char *const texts[] = {
		OK "Content-Length: 3\r\n\r\nabcd",
		OK "Content-Length: 0\r\n\r\n" OK,
		OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n\r\n",
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct mirror_answer answer;

		mirror_answer_init(&answer, fixture->loop, HTTP_METHOD_GET);
		assert_int_equal(add(&answer, texts[i], strlen(texts[i])), 0);
		assert_false(mirror_answer_lets_stay(&answer));
		mirror_answer_done(&answer);
	}
}

static void nothing_yet_does_not_let_it_stay(void **state)
{
	const struct mirror_answer none = {};

	(void)state;
	assert_false(mirror_answer_lets_stay(&none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(epoll, answer_ends_where_it_says, fixture_setup),
		ON(epoll, connection_that_says_more_does_not_stay, fixture_setup),
		ON(epoll, nothing_yet_does_not_let_it_stay, fixture_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
