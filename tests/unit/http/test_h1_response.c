// SPDX-License-Identifier: Apache-2.0
#include "feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

struct message {
	struct http_response response;
	struct h1_asked asked;
};

static int parse(struct feed *feed, struct slice bytes, void *message, size_t *ret_len)
{
	struct message *m = message;

	return h1_parse_response(&feed->parser, bytes, &m->asked, &m->response, ret_len);
}

#define GET     HTTP_METHOD_GET
#define HEAD    HTTP_METHOD_HEAD
#define CONNECT HTTP_METHOD_CONNECT
#define NONE    HTTP_FRAMING_NONE
#define LENGTH  HTTP_FRAMING_LENGTH
#define CHUNKED HTTP_FRAMING_CHUNKED
#define CLOSE   HTTP_FRAMING_UNTIL_CLOSE
#define TUNNEL  HTTP_FRAMING_TUNNEL

static void responses_are_framed_by_status_and_request(void **state)
{
	static const struct {
		const char *head;
		struct h1_asked asked;
		unsigned status;
		enum http_framing_kind kind;
		uint64_t length;
		bool is_persistent;
	} cases[] = {
		{"1.1 200 OK\r\nContent-Length: 5\r\n", {.method = GET}, 200, LENGTH, 5, true},
		{"1.1 200 OK\r\nContent-Length: 0\r\n", {.method = GET}, 200, LENGTH, 0, true},
		{"1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n",
		 {.method = GET},
		 200,
		 CHUNKED,
		 0,
		 true},
		{"1.1 200 OK\r\n", {.method = GET}, 200, CLOSE, 0, false},
		{"1.1 200 OK\r\nConnection: keep-alive\r\n", {.method = GET}, 200, CLOSE, 0, false},
		{"1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n",
		 {.method = GET},
		 200,
		 LENGTH,
		 5,
		 false},
		{"1.1 200 OK\r\nContent-Length: 5\r\nConnection: a b\r\n",
		 {.method = GET},
		 200,
		 LENGTH,
		 5,
		 false},
		{"1.0 200 OK\r\nContent-Length: 5\r\n", {.method = GET}, 200, LENGTH, 5, false},
		{"1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n",
		 {.method = GET},
		 200,
		 LENGTH,
		 5,
		 true},
		{"1.1 200 OK\r\nContent-Length: 5\r\n", {.method = HEAD}, 200, NONE, 0, true},
		{"1.1 200 OK\r\nTransfer-Encoding: chunked\r\n",
		 {.method = HEAD},
		 200,
		 NONE,
		 0,
		 true},
		{"1.1 200 OK\r\n", {.method = HEAD}, 200, NONE, 0, true},
		{"1.1 204 No Content\r\n", {.method = GET}, 204, NONE, 0, true},
		{"1.1 204 No Content\r\nContent-Length: 0\r\n",
		 {.method = GET},
		 204,
		 NONE,
		 0,
		 true},
		{"1.1 204 No Content\r\nContent-Length: 5\r\n",
		 {.method = GET},
		 204,
		 NONE,
		 0,
		 false},
		{"1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n",
		 {.method = GET},
		 204,
		 NONE,
		 0,
		 false},
		{"1.1 304 Not Modified\r\nContent-Length: 5\r\n",
		 {.method = GET},
		 304,
		 NONE,
		 0,
		 true},
		{"1.1 205 Reset Content\r\nContent-Length: 0\r\n",
		 {.method = GET},
		 205,
		 LENGTH,
		 0,
		 true},
		{"1.1 100 Continue\r\n", {.method = GET}, 100, NONE, 0, true},
		{"1.1 103 Early Hints\r\nLink: x\r\n", {.method = GET}, 103, NONE, 0, true},
		{"1.1 101 Switching Protocols\r\nUpgrade: x\r\n",
		 {GET, true},
		 101,
		 TUNNEL,
		 0,
		 true},
		{"1.1 200 OK\r\nContent-Length: 5\r\n", {.method = CONNECT}, 200, TUNNEL, 0, true},
		{"1.1 204 OK\r\n", {.method = CONNECT}, 204, TUNNEL, 0, true},
		{"1.1 403 Forbidden\r\nContent-Length: 5\r\n",
		 {.method = CONNECT},
		 403,
		 LENGTH,
		 5,
		 true},
		{"1.1 200 \r\nContent-Length: 1\r\n", {.method = GET}, 200, LENGTH, 1, true},
		{"1.1 200\r\nContent-Length: 1\r\n", {.method = GET}, 200, LENGTH, 1, true},
		{"1.1 599 \xc3\xa9 \t x\r\nContent-Length: 1\r\n",
		 {.method = GET},
		 599,
		 LENGTH,
		 1,
		 true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[256];
		size_t whole = (size_t)snprintf(text, sizeof(text), "HTTP/%s\r\n", cases[i].head);

		for (size_t split = 0; split < whole; split++) {
			struct message m = {.asked = cases[i].asked};
			struct feed feed;
			size_t len = 0;

			feed_begin(&feed, NULL, &m.response.fields);
			assert_int_equal(
				feed_split(&feed, slice_of(text, whole), split, parse, &m, &len),
				0);
			assert_int_equal(len, whole);
			assert_int_equal(m.response.status, cases[i].status);
			assert_int_equal(m.response.framing.kind, cases[i].kind);
			assert_int_equal(m.response.framing.length, cases[i].length);
			assert_int_equal(m.response.is_persistent, cases[i].is_persistent);
			feed_done(&feed);
		}
	}
}

static void reason_is_kept(void **state)
{
	static const struct {
		const char *head, *reason;
	} cases[] = {
		{"HTTP/1.1 200 OK then\r\nContent-Length: 0\r\n\r\n", "OK then"},
		{"HTTP/1.1 200 \r\n\r\n", ""},
		{"HTTP/1.1 200\r\n\r\n", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct message m = {};
		struct feed feed;
		size_t len;

		feed_begin(&feed, NULL, &m.response.fields);
		assert_int_equal(
			feed_trickle(&feed, slice_from_str(cases[i].head), parse, &m, &len), 0);
		assert_true(slice_equal_str(m.response.reason, cases[i].reason));
		feed_done(&feed);
	}
}

static void what_could_split_a_response_is_refused(void **state)
{
	static const struct {
		const char *head;
		enum h1_defect defect;
	} cases[] = {
		{"\r\nHTTP/1.1 200 OK\r\n\r\n", H1_DEFECT_VERSION_INVALID},
		{"ICY 200 OK\r\n\r\n", H1_DEFECT_VERSION_INVALID},
		{"http/1.1 200 OK\r\n\r\n", H1_DEFECT_VERSION_INVALID},
		{"HTTP/1.2 200 OK\r\n\r\n", H1_DEFECT_VERSION_UNSUPPORTED},
		{"HTTP/2.0 200 OK\r\n\r\n", H1_DEFECT_VERSION_UNSUPPORTED},
		{"HTTP/1.1  200 OK\r\n\r\n", H1_DEFECT_STATUS_INVALID},
		{"HTTP/1.1\t200 OK\r\n\r\n", H1_DEFECT_STATUS_INVALID},
		{"HTTP/1.1\r\n\r\n", H1_DEFECT_STATUS_INVALID},
		{"HTTP/1.1 20 OK\r\n\r\n", H1_DEFECT_STATUS_INVALID},
		{"HTTP/1.1 2000 OK\r\n\r\n", H1_DEFECT_STATUS_INVALID},
		{"HTTP/1.1 099 OK\r\n\r\n", H1_DEFECT_STATUS_INVALID},
		{"HTTP/1.1 600 OK\r\n\r\n", H1_DEFECT_STATUS_INVALID},
		{"HTTP/1.1 +20 OK\r\n\r\n", H1_DEFECT_STATUS_INVALID},
		{"HTTP/1.1 200\tOK\r\n\r\n", H1_DEFECT_STATUS_INVALID},
		{"HTTP/1.1 200 O\001K\r\n\r\n", H1_DEFECT_CONTROL},
		{"HTTP/1.1 200 OK\n\n", H1_DEFECT_BARE_LF},
		{"HTTP/1.1 200\n\n", H1_DEFECT_BARE_LF},
		{"HTTP/1.1 200 OK\rX", H1_DEFECT_BARE_CR},
		{"HTTP/1.1 200 OK\r\n X: y\r\n\r\n", H1_DEFECT_FOLDED},
		{"HTTP/1.1 200 OK\r\nX : y\r\n\r\n", H1_DEFECT_NAME_BLANK},
		{"HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n", H1_DEFECT_FOLDED},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		 H1_DEFECT_LENGTH_AND_CODING},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
		 H1_DEFECT_LENGTH_REPEATED},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", H1_DEFECT_LENGTH_INVALID},
		{"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", H1_DEFECT_LENGTH_INVALID},
		{"HTTP/1.1 304 OK\r\nContent-Length: x\r\n\r\n", H1_DEFECT_LENGTH_INVALID},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		 H1_DEFECT_CODING_INVALID},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
		 H1_DEFECT_CODING_INVALID},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n",
		 H1_DEFECT_CODING_REPEATED},
		{"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", H1_DEFECT_CODING_OLD},
		{"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n", H1_DEFECT_BODY_UNEXPECTED},
		{"HTTP/1.1 103 Hints\r\nTransfer-Encoding: chunked\r\n\r\n",
		 H1_DEFECT_BODY_UNEXPECTED},
		{"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", H1_DEFECT_UPGRADE_UNASKED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct slice text = slice_from_str(cases[i].head);

		for (size_t split = 0; split < text.len; split++) {
			struct message m = {.asked = {.method = GET}};
			struct feed feed;
			size_t len;
			int err;

			feed_begin(&feed, NULL, &m.response.fields);
			err = feed_split(&feed, text, split, parse, &m, &len);
			if (err != -EPROTO || feed.parser.defect != cases[i].defect)
				print_error("%s: %d %s\n", cases[i].head, err,
					    h1_defect_text(feed.parser.defect));
			assert_int_equal(err, -EPROTO);
			assert_int_equal(feed.parser.defect, cases[i].defect);
			feed_done(&feed);
		}
	}
}

static void endless_heads_are_refused(void **state)
{
	static const struct h1_limits limits = {.line = 20, .field = 20, .head = 60, .fields = 4};
	static const char *const heads[] = {
		"HTTP/1.1 200 a long reason",
		"HTTP/1.1 200 OK\r\nX: 456789012345678901",
		"HTTP/1.1 200 OK\r\nA: 4567890123456789\r\nA: 456789012345\r\nA: \r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		struct message m = {};
		struct feed feed;
		size_t len;

		feed_begin(&feed, &limits, &m.response.fields);
		assert_int_equal(feed_trickle(&feed, slice_from_str(heads[i]), parse, &m, &len),
				 -EPROTO);
		feed_done(&feed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(responses_are_framed_by_status_and_request),
		cmocka_unit_test(reason_is_kept),
		cmocka_unit_test(what_could_split_a_response_is_refused),
		cmocka_unit_test(endless_heads_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
