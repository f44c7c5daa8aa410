// SPDX-License-Identifier: Apache-2.0
#include "http/h1_parse.h"
#include "http/h1_write.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define S(text) slice_from_str(text)

static struct arena arena;

static void parse(const char *text, struct http_request *request)
{
	struct h1_parser parser = {};
	size_t len;

	*request = (struct http_request){.fields.arena = &arena};
	assert_int_equal(h1_parse_request(&parser, S(text), request, &len), 0);
}

static void assert_written(const struct http_request *request, const struct h1_wire *wire,
			   const char *expected)
{
	size_t whole = strlen(expected), len = 0;

	/* Each size that is too small, in memory of exactly that size. */
	for (size_t cap = 0; cap <= whole; cap++) {
		char *buf = malloc(cap ? cap : 1);
		int err = h1_write_request(request, request->target.text, wire, buf, cap, &len);

		assert_int_equal(err, cap < whole ? -ENOBUFS : 0);
		if (!err) {
			assert_int_equal(len, whole);
			assert_memory_equal(buf, expected, whole);
		}
		free(buf);
	}
	assert_true(h1_write_bound(&request->fields, strcspn(expected, "\r")) >= whole);
}

static void fields_go_out_as_they_came(void **state)
{
	struct http_request request;
	const struct h1_wire wire = {};

	(void)state;
	parse("GET /a?b HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nX:  two\r\nY:none\r\nZ:\r\nU: "
	      "v\r\n\r\n",
	      &request);
	assert_written(&request, &wire,
		       "GET /a?b HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nX: two\r\nY: none\r\nZ: \r\n"
		       "U: v\r\n\r\n");
	assert_int_equal(http_fields_set(&request.fields, S("accept"), S("text/html")), 0);
	assert_int_equal(http_fields_add(&request.fields, S("New"), S("one")), 0);
	http_fields_remove_name(&request.fields, S("x"));
	assert_written(&request, &wire,
		       "GET /a?b HTTP/1.1\r\nHost: a\r\naccept: text/html\r\nY: none\r\nZ: \r\n"
		       "U: v\r\nNew: one\r\n\r\n");
	arena_done(&arena);
}

static void connection_decides_on_its_own_fields(void **state)
{
	static const char text[] = "POST / HTTP/1.1\r\nConnection: close\r\nHost: a\r\n"
				   "Content-Length: 007\r\nTE: trailers\r\nUpgrade: x\r\n"
				   "Keep-Alive: 3\r\nVia: b\r\n\r\n";
	static const char plain[] = "POST / HTTP/1.1\r\nHost: a\r\nVia: b\r\n\r\n";
	struct h1_wire wire = {.framing.kind = HTTP_FRAMING_NONE};
	struct http_request request;

	(void)state;
	parse(text, &request);
	assert_written(&request, &wire, plain);
	wire.framing = request.framing;
	assert_written(&request, &wire,
		       "POST / HTTP/1.1\r\nHost: a\r\nVia: b\r\ncontent-length: 7\r\n\r\n");
	wire.framing.length = 18446744073709551615U;
	wire.is_last = wire.accepts_trailers = true;
	wire.upgrade = S("websocket");
	assert_written(&request, &wire,
		       "POST / HTTP/1.1\r\nHost: a\r\nVia: b\r\n"
		       "content-length: 18446744073709551615\r\nte: trailers\r\n"
		       "upgrade: websocket\r\nconnection: close, upgrade, te\r\n\r\n");
	wire = (struct h1_wire){.framing.kind = HTTP_FRAMING_CHUNKED, .says_keep_alive = true};
	assert_written(&request, &wire,
		       "POST / HTTP/1.1\r\nHost: a\r\nVia: b\r\ntransfer-encoding: chunked\r\n"
		       "connection: keep-alive\r\n\r\n");
	wire = (struct h1_wire){.keeps_length = true};
	assert_written(&request, &wire,
		       "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\nVia: b\r\n\r\n");
	arena_done(&arena);
}

static void lines_cannot_be_broken(void **state)
{
	static const char *const targets[] = {"",     "/ HTTP/1.1\r\nX: y", "/a b", "/\n", "/\x80",
					      "/\x7f"};
	struct h1_wire wire = {};
	struct http_request request = {.method_text = S("GET")};
	struct http_response response = {.status = 200, .reason = S("OK\r\nX: y")};
	char buf[256];
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
		assert_int_equal(
			h1_write_request(&request, S(targets[i]), &wire, buf, sizeof(buf), &len),
			-EINVAL);
	assert_int_equal(h1_write_response(&response, &wire, buf, sizeof(buf), &len), -EINVAL);
	response.reason = S("fine");
	wire.upgrade = S("a\r\nb");
	assert_int_equal(h1_write_response(&response, &wire, buf, sizeof(buf), &len), -EINVAL);
	assert_int_equal(h1_write_request(&request, S("/"), &wire, buf, sizeof(buf), &len),
			 -EINVAL);
	wire.upgrade = (struct slice){};
	request.method_text = S("G T");
	assert_int_equal(h1_write_request(&request, S("/"), &wire, buf, sizeof(buf), &len),
			 -EINVAL);
	response.status = 1000;
	assert_int_equal(h1_write_response(&response, &wire, buf, sizeof(buf), &len), -EINVAL);
}

static void responses_have_a_reason(void **state)
{
	struct http_response response = {.status = 404, .fields.arena = &arena};
	const struct h1_wire wire = {.framing = {HTTP_FRAMING_LENGTH, 0}};
	char buf[256];
	size_t len;

	(void)state;
	assert_int_equal(http_fields_add_id(&response.fields, HTTP_FIELD_SERVER, S("s")), 0);
	assert_int_equal(h1_write_response(&response, &wire, buf, sizeof(buf), &len), 0);
	assert_true(slice_equal_str(slice_of(buf, len), "HTTP/1.1 404 Not Found\r\nserver: s\r\n"
							"content-length: 0\r\n\r\n"));
	response.reason = S("Nope");
	assert_int_equal(h1_write_response(&response, &wire, buf, sizeof(buf), &len), 0);
	assert_memory_equal(buf, "HTTP/1.1 404 Nope\r\n", 19);
	assert_int_equal(h1_write_response(&response, &wire, buf, len - 1, &len), -ENOBUFS);
	assert_true(slice_equal_str(h1_continue(), "HTTP/1.1 100 Continue\r\n\r\n"));
	arena_done(&arena);
}

static void chunks_are_framed(void **state)
{
	static const uint64_t sizes[] = {1,         15, 16, 255, 256, 65536, 0xfedcba9876543210,
					 UINT64_MAX};
	struct http_fields trailers = {.arena = &arena};
	char buf[64], expected[64];
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		snprintf(expected, sizeof(expected), "\r\n%llx\r\n", (unsigned long long)sizes[i]);
		len = h1_write_chunk_open(sizes[i], false, buf);
		assert_true(slice_equal_str(slice_of(buf, len), expected));
		assert_true(len <= H1_CHUNK_OPEN_MAX);
		len = h1_write_chunk_open(sizes[i], true, buf);
		assert_true(slice_equal_str(slice_of(buf, len), expected + 2));
	}
	assert_int_equal(h1_write_chunks_end(true, NULL, buf, 5, &len), 0);
	assert_true(slice_equal_str(slice_of(buf, len), "0\r\n\r\n"));
	assert_int_equal(h1_write_chunks_end(false, NULL, buf, 6, &len), -ENOBUFS);
	assert_int_equal(http_fields_add(&trailers, S("A"), S("b")), 0);
	assert_int_equal(http_fields_add(&trailers, S("Transfer-Encoding"), S("x")), 0);
	assert_int_equal(h1_write_chunks_end(false, &trailers, buf, sizeof(buf), &len), 0);
	assert_true(slice_equal_str(slice_of(buf, len), "\r\n0\r\nA: b\r\n\r\n"));
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_go_out_as_they_came),
		cmocka_unit_test(connection_decides_on_its_own_fields),
		cmocka_unit_test(lines_cannot_be_broken),
		cmocka_unit_test(responses_have_a_reason),
		cmocka_unit_test(chunks_are_framed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
