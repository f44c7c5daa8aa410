// SPDX-License-Identifier: Apache-2.0
#include "proxy/mirror_copy.h"
#include "unit/io/io_fixture.h"

#include "core/arena.h"
#include "http/fields.h"

/* A request of which copies are made, and what they may hold. */
struct original {
	struct arena arena;
	struct http_request request;
	struct h1_body up;
	struct http_fields trailers;
	size_t sum, sum_max, max_body;
	bool is_last;
};

static void begin(struct original *original, struct http_framing framing)
{
	*original = (struct original){.sum_max = 1 << 20, .max_body = 16, .is_last = true};
	original->request = (struct http_request){
		.method = HTTP_METHOD_POST,
		.method_text = slice_from_str("POST"),
		.framing = framing,
		.fields = {.arena = &original->arena},
	};
	original->trailers.arena = &original->arena;
	assert_int_equal(
		http_fields_add_id(&original->request.fields, HTTP_FIELD_HOST, slice_from_str("a")),
		0);
	assert_int_equal(h1_body_init(&original->up, framing, NULL, &original->trailers), 0);
}

static int copy_init(struct original *original, struct io_loop *loop, struct mirror_copy *copy)
{
	const struct mirror_copy_options options = {
		.loop = loop,
		.request = &original->request,
		.target = slice_from_str("/x"),
		.body = &original->up,
		.arena = &original->arena,
		.max_body = original->max_body,
		.is_last = original->is_last,
		.sum = &original->sum,
		.sum_max = original->sum_max,
	};

	return mirror_copy_init(copy, &options);
}

/* Feeds @text in pieces. Return: of the last call. */
static int feed(struct mirror_copy *copy, const char *text, size_t piece)
{
	size_t len = strlen(text);
	int err = 0;

	for (size_t at = 0; !err && at < len && !copy->body.is_done; at += piece)
		err = mirror_copy_add(copy,
				      slice_of(text + at, len - at < piece ? len - at : piece));
	return err;
}

static void check(const struct mirror_copy *copy, const char *expected)
{
	char text[512] = "";
	size_t len = 0;

	for (const struct io_buf *buf = copy->first; buf; buf = buf->next) {
		struct slice bytes = io_buf_bytes(buf);

		assert_true(len + bytes.len < sizeof(text));
		memcpy(text + len, bytes.ptr, bytes.len);
		len += bytes.len;
	}
	assert_string_equal(text, expected);
}

static void end(struct original *original, struct mirror_copy *copy)
{
	mirror_copy_done(copy);
	assert_int_equal(original->sum, 0);
	arena_done(&original->arena);
}

static const struct http_framing chunked = {.kind = HTTP_FRAMING_CHUNKED};
static const struct http_framing four = {.kind = HTTP_FRAMING_LENGTH, .length = 4};

static void request_without_a_body_is_whole_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct original original;
	struct mirror_copy copy;

	begin(&original, (struct http_framing){});
	assert_int_equal(copy_init(&original, fixture->loop, &copy), 0);
	assert_true(copy.body.is_done);
	check(&copy, "POST /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
	end(&original, &copy);
}

static void connection_that_may_stay_is_not_asked_to_end(void **state)
{
	struct fixture *fixture = *state;
	struct original original;
	struct mirror_copy copy;

	begin(&original, (struct http_framing){});
	original.is_last = false;
	assert_int_equal(copy_init(&original, fixture->loop, &copy), 0);
	check(&copy, "POST /x HTTP/1.1\r\nhost: a\r\n\r\n");
	end(&original, &copy);
}

static void body_with_a_length_is_taken_to_its_end(void **state)
{
	struct fixture *fixture = *state;

	for (size_t piece = 1; piece < 8; piece++) {
		struct original original;
		struct mirror_copy copy;

		begin(&original, four);
		assert_int_equal(copy_init(&original, fixture->loop, &copy), 0);
		assert_int_equal(feed(&copy, "abcdGET", piece), 0);
		assert_true(copy.body.is_done);
		check(&copy, "POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n"
			     "connection: close\r\n\r\nabcd");
		end(&original, &copy);
	}
}

#define CHUNKS "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n"

static void chunks_become_one_with_its_trailers(void **state)
{
	struct fixture *fixture = *state;

	for (size_t piece = 1; piece <= sizeof(CHUNKS); piece++) {
		struct original original;
		struct mirror_copy copy;

		begin(&original, chunked);
		assert_int_equal(copy_init(&original, fixture->loop, &copy), 0);
		assert_int_equal(feed(&copy, CHUNKS "GET", piece), 0);
		assert_true(copy.body.is_done);
		check(&copy, "POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n"
			     "connection: close\r\n\r\n"
			     "5\r\nabcde\r\n0\r\nX-Sum: 1\r\n\r\n");
		end(&original, &copy);
	}
}

static void empty_body_in_chunks_has_no_chunk(void **state)
{
	struct fixture *fixture = *state;
	struct original original;
	struct mirror_copy copy;

	begin(&original, chunked);
	assert_int_equal(copy_init(&original, fixture->loop, &copy), 0);
	assert_int_equal(feed(&copy, "0\r\n\r\n", 5), 0);
	check(&copy, "POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n"
		     "connection: close\r\n\r\n0\r\n\r\n");
	end(&original, &copy);
}

static void bodies_above_the_limit_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct original original;
	struct mirror_copy copy;

	begin(&original, four);
	original.max_body = 3;
	assert_int_equal(copy_init(&original, fixture->loop, &copy), -EFBIG);
	end(&original, &copy);
	begin(&original, chunked);
	assert_int_equal(copy_init(&original, fixture->loop, &copy), 0);
	assert_int_equal(feed(&copy, "10\r\n0123456789abcdef\r\n1\r\nx\r\n", 7), -EFBIG);
	end(&original, &copy);
}

static void bad_chunks_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct original original;
	struct mirror_copy copy;

	begin(&original, chunked);
	assert_int_equal(copy_init(&original, fixture->loop, &copy), 0);
	assert_int_equal(feed(&copy, "1\r\nxy", 3), -EPROTO);
	end(&original, &copy);
}

static void copies_together_hold_no_more_than_they_may(void **state)
{
	struct fixture *fixture = *state;
	struct original original;
	struct mirror_copy copy;

	begin(&original, four);
	original.sum_max = 4096;
	assert_int_equal(copy_init(&original, fixture->loop, &copy), 0);
	assert_int_equal(feed(&copy, "abcd", 4), -ENOBUFS);
	assert_in_range(original.sum, 1, 4096);
	end(&original, &copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(epoll, request_without_a_body_is_whole_at_once, fixture_setup),
		ON(epoll, connection_that_may_stay_is_not_asked_to_end, fixture_setup),
		ON(epoll, body_with_a_length_is_taken_to_its_end, fixture_setup),
		ON(epoll, chunks_become_one_with_its_trailers, fixture_setup),
		ON(epoll, empty_body_in_chunks_has_no_chunk, fixture_setup),
		ON(epoll, bodies_above_the_limit_are_refused, fixture_setup),
		ON(epoll, bad_chunks_are_refused, fixture_setup),
		ON(epoll, copies_together_hold_no_more_than_they_may, fixture_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
