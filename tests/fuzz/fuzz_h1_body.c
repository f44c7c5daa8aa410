// SPDX-License-Identifier: Apache-2.0
// A chunked body gives the same payload and verdict however it arrives; and what is passed on as it
// came gives that payload once more, without extensions and trailers.
#include "http/h1_body.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const struct http_framing chunked = {.kind = HTTP_FRAMING_CHUNKED};
static const struct h1_body_limits limits = {
	.payload = 4000, .extensions = 40, .trailer = 200, .trailers = 6};

static void check(bool holds)
{
	if (!holds)
		abort();
}

struct decoded {
	struct h1_body body;
	struct http_fields trailers;
	struct arena arena;
	char *payload, *passed; /* as large as the input */
	size_t payload_len, passed_len, used, dropped;
	int err;
};

static void keep(char *to, size_t *len, struct slice bytes)
{
	memcpy(to + *len, bytes.ptr, bytes.len);
	*len += bytes.len;
}

static void decode(struct decoded *d, const char *bytes, size_t len, size_t piece, bool is_pass)
{
	*d = (struct decoded){.payload = malloc(len + 1), .passed = malloc(len + 1)};
	d->trailers.arena = &d->arena;
	d->err = h1_body_init(&d->body, chunked, &limits, &d->trailers);
	while (!d->err && !d->body.is_done && d->used < len) {
		size_t left = len - d->used;
		struct slice part = slice_of(bytes + d->used, left < piece ? left : piece);
		struct h1_span span;

		d->err = is_pass ? h1_body_pass(&d->body, part, &span)
				 : h1_body_next(&d->body, part, &span);
		if (d->err)
			break;
		check(span.bytes.ptr == part.ptr && span.bytes.len > 0 &&
		      span.bytes.len <= part.len);
		d->used += span.bytes.len;
		if (span.kind == H1_SPAN_PAYLOAD)
			keep(d->payload, &d->payload_len, span.bytes);
		if (span.kind != H1_SPAN_DROPPED)
			keep(d->passed, &d->passed_len, span.bytes);
		else
			d->dropped += span.bytes.len;
	}
}

static void done(struct decoded *d)
{
	arena_done(&d->arena);
	free(d->payload);
	free(d->passed);
}

static void check_same(const struct decoded *a, const struct decoded *b)
{
	check(a->err == b->err && a->body.is_done == b->body.is_done);
	check(a->body.defect == b->body.defect);
	check(a->body.payload == b->body.payload);
	/* How much of a bad trailer line was taken before it was refused may differ. */
	check(a->err || a->used == b->used);
	check(a->passed_len == b->passed_len && memcmp(a->passed, b->passed, a->passed_len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct decoded whole, parts, passed, again;
	char *copy = malloc(len ? len : 1);

	if (len)
		memcpy(copy, bytes, len);
	decode(&whole, copy, len, SIZE_MAX, false);
	decode(&parts, copy, len, 1, false);
	decode(&passed, copy, len, 1 + len / 5, true);
	check_same(&whole, &parts);
	check_same(&whole, &passed);
	check(whole.payload_len == parts.payload_len &&
	      memcmp(whole.payload, parts.payload, whole.payload_len) == 0);
	if (whole.body.is_done) {
		decode(&again, passed.passed, passed.passed_len, SIZE_MAX, false);
		check(again.body.is_done && again.dropped == 0 && again.used == passed.passed_len);
		check(again.payload_len == whole.payload_len &&
		      memcmp(again.payload, whole.payload, whole.payload_len) == 0);
		done(&again);
	}
	done(&whole);
	done(&parts);
	done(&passed);
	free(copy);
	return 0;
}
