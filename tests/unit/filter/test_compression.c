// SPDX-License-Identifier: Apache-2.0
/* The filter compression: which answers, in which coding, and that nothing is lost. */
#include "fake_exchange.h"

#include <errno.h>
#include <limits.h>
#include <zlib.h>
#include <zstd.h>

#define ASK(fields) "GET / HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define SAY(fields) "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n" fields "\r\n"
#define BIG         "Content-Length: 5000\r\n"
#define ALL         "Accept-Encoding: gzip, deflate, br, zstd\r\n"
#define HAVE(tags)  "If-None-Match: " tags "\r\n"
#define VARY        "Accept-Encoding"

static const struct {
	const char *request, *response;
	const char *coding; /* NULL: as it is */
	const char *vary;
	const char *etag;
} cases[] = {
	/* What the client likes; among equals what we do. */
	{ASK(ALL), SAY(BIG), "zstd", VARY, NULL},
	{ASK("Accept-Encoding: gzip\r\n"), SAY(BIG), "gzip", VARY, NULL},
	{ASK("Accept-Encoding: br, gzip\r\n"), SAY(BIG), "br", VARY, NULL},
	{ASK("Accept-Encoding: br;q=0.5, gzip;q=0.9\r\n"), SAY(BIG), "gzip", VARY, NULL},
	{ASK("Accept-Encoding: br;q=0.5\r\nAccept-Encoding: gzip\r\n"), SAY(BIG), "gzip", VARY,
	 NULL},
	{ASK("Accept-Encoding: *\r\n"), SAY(BIG), "zstd", VARY, NULL},
	{ASK("Accept-Encoding: zstd;q=0, *;q=0.1\r\n"), SAY(BIG), "br", VARY, NULL},
	{ASK("Accept-Encoding: identity, gzip;q=0.5\r\n"), SAY(BIG), NULL, VARY, NULL},
	{ASK("Accept-Encoding: gzip;q=0\r\n"), SAY(BIG), NULL, VARY, NULL},
	{ASK("Accept-Encoding: deflate\r\n"), SAY(BIG), NULL, VARY, NULL},
	{ASK("Accept-Encoding:\r\n"), SAY(BIG), NULL, VARY, NULL},
	{ASK(""), SAY(BIG), NULL, VARY, NULL},
	/* Malformed members count as absent. */
	{ASK("Accept-Encoding: gzip;q=2, br;q=x\r\n"), SAY(BIG), NULL, VARY, NULL},
	{ASK("Accept-Encoding: ,,;,gzip;;q=1,\r\n"), SAY(BIG), "gzip", VARY, NULL},
	{"GET / HTTP/1.0\r\n" ALL "\r\n", SAY(BIG), NULL, VARY, NULL},
	{"HEAD / HTTP/1.1\r\nHost: a\r\n" ALL "\r\n", SAY(BIG), NULL, VARY, NULL},
	{ASK(ALL "Cache-Control: no-transform\r\n"), SAY(BIG), NULL, VARY, NULL},
	/* What is not for it, whoever asks. */
	{ASK(ALL), SAY("Content-Length: 1023\r\n"), NULL, NULL, NULL},
	{ASK(ALL), SAY("Content-Length: 1024\r\n"), "zstd", VARY, NULL},
	{ASK(ALL), SAY("Transfer-Encoding: chunked\r\n"), "zstd", VARY, NULL},
	{ASK(ALL), SAY(BIG "Content-Encoding: gzip\r\n"), NULL, NULL, NULL},
	{ASK(ALL), SAY(BIG "Cache-Control: max-age=5, no-transform\r\n"), NULL, NULL, NULL},
	{ASK(ALL), "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n" BIG "\r\n", NULL, NULL, NULL},
	{ASK(ALL), "HTTP/1.1 200 OK\r\n" BIG "\r\n", NULL, NULL, NULL},
	{ASK(ALL), "HTTP/1.1 200 OK\r\nContent-Type: TEXT/x\r\n" BIG "\r\n", "zstd", VARY, NULL},
	{ASK(ALL),
	 "HTTP/1.1 206 P\r\nContent-Type: text/x\r\nContent-Range: bytes 0-4999/6000\r\n" BIG
	 "\r\n",
	 NULL, NULL, NULL},
	{ASK(ALL), "HTTP/1.1 204 No\r\nContent-Type: text/x\r\n\r\n", NULL, NULL, NULL},
	{ASK(ALL), "HTTP/1.1 304 No\r\nContent-Type: text/x\r\nETag: \"a\"\r\n\r\n", NULL, NULL,
	 "\"a\""},
	/* What the client has was weakened when it was compressed. */
	{ASK(ALL HAVE("\"b\", W/\"a\"")), "HTTP/1.1 304 No\r\nETag: \"a\"\r\n\r\n", NULL, VARY,
	 "W/\"a\""},
	{ASK(ALL HAVE("\"a\", W/\"b\"")), "HTTP/1.1 304 No\r\nETag: \"a\"\r\n\r\n", NULL, NULL,
	 "\"a\""},
	{ASK(ALL HAVE("W/\"a\"")), "HTTP/1.1 304 No\r\n\r\n", NULL, NULL, NULL},
	{ASK(ALL), "HTTP/1.1 302 Found\r\nContent-Type: text/x\r\n" BIG "\r\n", NULL, NULL, NULL},
	{ASK(ALL), "HTTP/1.1 404 Not\r\nContent-Type: text/x\r\n" BIG "\r\n", "zstd", VARY, NULL},
	/* What else it says. */
	{ASK(ALL), SAY(BIG "ETag: \"a\"\r\n"), "zstd", VARY, "W/\"a\""},
	{ASK(ALL), SAY(BIG "ETag: W/\"a\"\r\n"), "zstd", VARY, "W/\"a\""},
	{ASK(""), SAY(BIG "ETag: \"a\"\r\n"), NULL, VARY, "\"a\""},
	{ASK(ALL), SAY(BIG "Vary: Origin, accept-encoding\r\n"), "zstd", "Origin, accept-encoding",
	 NULL},
	{ASK(ALL), SAY(BIG "Vary: *\r\n"), "zstd", "*", NULL},
};

static enum http_method method_of(const char *request)
{
	return strncmp(request, "HEAD", 4) == 0 ? HTTP_METHOD_HEAD : HTTP_METHOD_GET;
}

static void answers_are_compressed_where_they_may_be(void **state)
{
	struct fake_exchange fake;

	(void)state;
	fake_init(&fake, "[compression]");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(fake_ask(&fake, cases[i].request), FILTER_CONTINUE);
		assert_int_equal(fake_answer(&fake, cases[i].response, method_of(cases[i].request)),
				 FILTER_CONTINUE);
		if (!strstr(cases[i].response, "Content-Encoding"))
			expect_field(&fake.response.fields, "Content-Encoding", cases[i].coding);
		expect_field(&fake.response.fields, "Vary", cases[i].vary);
		expect_field(&fake.response.fields, "ETag", cases[i].etag);
		assert_int_equal(fake.exchange->replacers != 0, cases[i].coding != NULL);
	}
	fake_done(&fake);
}

static void sums_of_the_plain_bytes_go(void **state)
{
	struct fake_exchange fake;

	(void)state;
	fake_init(&fake, "[compression]");
	fake_ask(&fake, ASK(ALL));
	fake_answer(&fake, SAY(BIG "Content-MD5: x\r\nRepr-Digest: x\r\nAccept-Ranges: bytes\r\n"),
		    HTTP_METHOD_GET);
	expect_field(&fake.response.fields, "Content-MD5", NULL);
	expect_field(&fake.response.fields, "Repr-Digest", NULL);
	expect_field(&fake.response.fields, "Accept-Ranges", NULL);
	expect_field(&fake.response.fields, "Content-Length", NULL);
	fake_done(&fake);
}

static void pages_of_our_own_stay_as_they_are(void **state)
{
	struct fake_exchange fake;

	(void)state;
	fake_init(&fake, "[compression]");
	fake_ask(&fake, ASK(ALL));
	fake.exchange->is_own = true;
	fake_answer(&fake, SAY(BIG), HTTP_METHOD_GET);
	expect_field(&fake.response.fields, "Content-Encoding", NULL);
	fake_done(&fake);
}

static void options_choose(void **state)
{
	struct fake_exchange fake;

	(void)state;
	fake_init(&fake, "[compression: {codings: [br, gzip], types: [image/png], min_size: 0}]");
	fake_ask(&fake, ASK(ALL));
	fake_answer(&fake,
		    "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 1\r\n\r\n",
		    HTTP_METHOD_GET);
	expect_field(&fake.response.fields, "Content-Encoding", "br");
	fake_ask(&fake, ASK(ALL));
	fake_answer(&fake, SAY(BIG), HTTP_METHOD_GET);
	expect_field(&fake.response.fields, "Content-Encoding", NULL);
	fake_done(&fake);
}

/* --- Bytes ------------------------------------------------------------------------- */

#define PLAIN_SIZE 300000

static char plain[PLAIN_SIZE], back[PLAIN_SIZE + 1];

static void make_plain(void)
{
	uint32_t x = 1;

	for (size_t i = 0; i < PLAIN_SIZE; i++) {
		x = x * 1664525 + 1013904223;
		plain[i] = "abcdefghijklmnopqrstuvwxyz \n<>/"[(x >> 24) % 31 % (1 + i % 31)];
	}
}

static size_t gunzip(struct slice coded)
{
	z_stream stream = {.next_in = (unsigned char *)(uintptr_t)coded.ptr,
			   .avail_in = (unsigned)coded.len,
			   .next_out = (unsigned char *)back,
			   .avail_out = sizeof(back)};

	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	inflate(&stream, Z_SYNC_FLUSH);
	inflateEnd(&stream);
	return stream.total_out;
}

static size_t unzstd(struct slice coded)
{
	ZSTD_DCtx *context = ZSTD_createDCtx();
	ZSTD_inBuffer in = {coded.ptr, coded.len, 0};
	ZSTD_outBuffer out = {back, sizeof(back), 0};

	while (in.pos < in.size)
		assert_false(ZSTD_isError(ZSTD_decompressStream(context, &out, &in)));
	ZSTD_freeDCtx(context);
	return out.pos;
}

static const struct {
	const char *name;
	size_t (*decode)(struct slice coded);
} decoders[] = {{"gzip", gunzip}, {"zstd", unzstd}};

static void begin(struct fake_exchange *fake, const char *coding)
{
	static char request[128];

	snprintf(request, sizeof(request), ASK("Accept-Encoding: %s\r\n"), coding);
	fake_ask(fake, request);
	fake_answer(fake, SAY("Transfer-Encoding: chunked\r\n"), HTTP_METHOD_GET);
	expect_field(&fake->response.fields, "Content-Encoding", coding);
}

static void bodies_come_back_whatever_their_runs(void **state)
{
	static const size_t runs[] = {1, 100, 16384, PLAIN_SIZE};
	struct fake_exchange fake;

	(void)state;
	make_plain();
	fake_init(&fake, "[compression]");
	for (size_t i = 0; i < ARRAY_SIZE(decoders) * ARRAY_SIZE(runs); i++) {
		size_t run = runs[i / 2], size = run == 1 ? 1000 : PLAIN_SIZE;

		begin(&fake, decoders[i % 2].name);
		for (size_t at = 0; at < size; at += run) {
			size_t len = size - at < run ? size - at : run;

			assert_int_equal(fake_body(&fake, slice_of(plain + at, len), FILTER_MORE),
					 0);
		}
		assert_int_equal(fake_body(&fake, (struct slice){}, FILTER_END), 0);
		assert_true(fake.sent.len < size);
		assert_int_equal(decoders[i % 2].decode(slice_of(fake.sent.text, fake.sent.len)),
				 size);
		assert_memory_equal(back, plain, size);
	}
	fake_done(&fake);
}

static void a_pause_lets_all_that_came_through(void **state)
{
	struct fake_exchange fake;

	(void)state;
	make_plain();
	fake_init(&fake, "[compression]");
	for (size_t i = 0; i < ARRAY_SIZE(decoders); i++) {
		size_t sent;

		begin(&fake, decoders[i].name);
		for (size_t at = 0; at < 5000; at += 100) {
			fake_body(&fake, slice_of(plain + at, 100), FILTER_MORE);
			fake_body(&fake, (struct slice){}, FILTER_FLUSH);
			assert_int_equal(
				decoders[i].decode(slice_of(fake.sent.text, fake.sent.len)),
				at + 100);
		}
		assert_memory_equal(back, plain, 5000);
		/* A second pause has nothing to add. */
		sent = fake.sent.len;
		fake_body(&fake, (struct slice){}, FILTER_FLUSH);
		assert_int_equal(fake.sent.len, sent);
	}
	fake_done(&fake);
}

static void beyond_max_active_bodies_go_as_they_are(void **state)
{
	struct fake_exchange first, second;

	(void)state;
	fake_init(&first, "[compression: {max_active: 1}]");
	fake_init(&second, "[compression: {max_active: 1}]");
	begin(&first, "gzip");
	fake_ask(&second, ASK(ALL));
	fake_answer(&second, SAY(BIG), HTTP_METHOD_GET);
	expect_field(&second.response.fields, "Content-Encoding", NULL);
	expect_field(&second.response.fields, "Vary", VARY);
	/* Cut off in the middle, it gives back what it had. */
	fake_done(&first);
	begin(&second, "gzip");
	fake_done(&second);
}

/* --- Without memory ---------------------------------------------------------------- */

static unsigned left_to_have = UINT_MAX;

void *__real_malloc(size_t size);

void *__wrap_malloc(size_t size)
{
	if (left_to_have == 0)
		return NULL;
	left_to_have--;
	return __real_malloc(size);
}

/* Brotli's own way would be to end the process. */
static void brotli_without_memory_ends_its_body_alone(void **state)
{
	struct fake_exchange fake;
	unsigned taken = 0;
	int err;

	(void)state;
	make_plain();
	fake_init(&fake, "[compression: {codings: [br]}]");
	begin(&fake, "br");
	do {
		left_to_have = taken++;
		err = fake_body(&fake, slice_of(plain, PLAIN_SIZE), FILTER_MORE);
		if (!err)
			err = fake_body(&fake, (struct slice){}, FILTER_END);
		left_to_have = UINT_MAX;
		assert_true(err == 0 || err == -ENOMEM);
		begin(&fake, "br");
	} while (err);
	assert_true(taken > 5); /* there was something to be denied */
	fake_done(&fake);
}

static void brotli_that_cannot_begin_leaves_the_body_as_it_is(void **state)
{
	struct fake_exchange fake;

	(void)state;
	fake_init(&fake, "[compression: {codings: [br]}]");
	begin(&fake, "br"); /* the thread has its pool */
	for (unsigned n = 0; n < 2; n++) {
		fake_ask(&fake, ASK(ALL));
		left_to_have = n;
		fake_answer(&fake, SAY(BIG), HTTP_METHOD_GET);
		left_to_have = UINT_MAX;
		expect_field(&fake.response.fields, "Content-Encoding", NULL);
	}
	fake_done(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_compressed_where_they_may_be),
		cmocka_unit_test(sums_of_the_plain_bytes_go),
		cmocka_unit_test(pages_of_our_own_stay_as_they_are),
		cmocka_unit_test(options_choose),
		cmocka_unit_test(bodies_come_back_whatever_their_runs),
		cmocka_unit_test(a_pause_lets_all_that_came_through),
		cmocka_unit_test(beyond_max_active_bodies_go_as_they_are),
		cmocka_unit_test(brotli_without_memory_ends_its_body_alone),
		cmocka_unit_test(brotli_that_cannot_begin_leaves_the_body_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
