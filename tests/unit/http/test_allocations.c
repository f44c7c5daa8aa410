// SPDX-License-Identifier: Apache-2.0
/* What a request costs in memory once its connection has seen one: nothing. And what it becomes
 * where there is none for the first. */
#include "http/connection.h"
#include "http/forwarded.h"
#include "http/h1_body.h"
#include "http/h1_parse.h"
#include "http/h1_write.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static unsigned allocations;
static unsigned left = UINT_MAX; /* what brings it to 0 fails, and all behind it */

static bool is_denied(void)
{
	allocations++;
	if (left && left != UINT_MAX)
		left--;
	return left == 0;
}

void *__real_calloc(size_t count, size_t size);
void *__real_malloc(size_t size);
void *__real_realloc(void *ptr, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
	return is_denied() ? NULL : __real_calloc(count, size);
}

void *__wrap_malloc(size_t size)
{
	return is_denied() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
	return is_denied() ? NULL : __real_realloc(ptr, size);
}

static const char text[] = "POST /a?b HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, x\r\n"
			   "X: y\r\nUser-Agent: test\r\nTransfer-Encoding: chunked\r\n\r\n"
			   "5;ext\r\nhello\r\n0\r\nETag: \"x\"\r\n\r\n";

static void take_body(struct slice bytes, struct http_framing framing, struct arena *arena)
{
	struct http_fields trailers = {.arena = arena};
	struct h1_body body;
	struct h1_span span;

	assert_int_equal(h1_body_init(&body, framing, NULL, &trailers), 0);
	while (!body.is_done) {
		assert_int_equal(h1_body_pass(&body, bytes, &span), 0);
		bytes = slice_skip(bytes, span.bytes.len);
	}
}

/* One request, on its way from a client to a back end. */
static void forward(struct arena *arena)
{
	static const struct http_hop hop = {.client = {"192.0.2.1", 9}, .scheme = {"http", 4}};
	struct http_field items[8];
	struct http_request request = {.fields = {.items = items, .cap = 8, .arena = arena}};
	struct h1_wire wire = {.framing.kind = HTTP_FRAMING_CHUNKED};
	struct h1_parser parser = {};
	struct slice bytes = slice_of(text, sizeof(text) - 1);
	char out[1024];
	size_t len;

	assert_int_equal(h1_parse_request(&parser, bytes, &request, &len), 0);
	http_fields_strip_connection(&request.fields);
	http_fields_remove_disguised(&request.fields, HTTP_FIELD_IS_FIXED);
	http_forwarded_distrust(&request.fields);
	assert_int_equal(http_x_forwarded_add(&request.fields, &hop), 0);
	assert_int_equal(http_forwarded_add(&request.fields, &hop), 0);
	assert_int_equal(http_via_add(&request.fields, request.version, slice_of("sluice", 6)), 0);
	assert_int_equal(
		h1_write_request(&request, request.target.text, &wire, out, sizeof(out), &len), 0);
	assert_true(request.fields.count > ARRAY_SIZE(items));
	take_body(slice_skip(bytes, parser.at), request.framing, arena);
}

static void requests_after_the_first_allocate_nothing(void **state)
{
	struct arena arena = {};

	(void)state;
	forward(&arena);
	assert_true(allocations > 0);
	allocations = 0;
	for (int i = 0; i < 1000; i++) {
		arena_reset(&arena);
		forward(&arena);
	}
	assert_int_equal(allocations, 0);
	arena_done(&arena);
}

/* More fields than have a place, and bodies with trailers. Return: 0, or what it was refused with.
 */
static unsigned try_to_read(struct arena *arena)
{
	struct http_field items[2];
	struct http_request request = {.fields = {.items = items, .cap = 2, .arena = arena}};
	struct http_fields trailers = {.arena = arena};
	struct slice bytes = slice_of(text, sizeof(text) - 1);
	struct h1_parser parser = {};
	struct h1_body body;
	struct h1_span span;
	size_t len;

	if (h1_parse_request(&parser, bytes, &request, &len) < 0)
		return h1_defect_status(parser.defect);
	bytes = slice_skip(bytes, len);
	assert_int_equal(h1_body_init(&body, request.framing, NULL, &trailers), 0);
	while (!body.is_done) {
		if (h1_body_pass(&body, bytes, &span) < 0)
			return h1_defect_status(body.defect);
		bytes = slice_skip(bytes, span.bytes.len);
	}
	return 0;
}

static void a_request_without_memory_is_refused_with_503(void **state)
{
	unsigned denied = 0, status;

	(void)state;
	do {
		struct arena arena = {};

		left = ++denied;
		status = try_to_read(&arena);
		assert_int_equal(status, left == 0 ? 503 : 0);
		left = UINT_MAX;
		arena_done(&arena);
	} while (status);
	assert_true(denied > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_after_the_first_allocate_nothing),
		cmocka_unit_test(a_request_without_memory_is_refused_with_503),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
