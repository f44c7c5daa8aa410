// SPDX-License-Identifier: Apache-2.0
// A request's verdict does not depend on how it arrives, and what is accepted and written again is
// read again as the same request.
#include "http/h1_parse.h"
#include "http/h1_write.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const struct h1_limits limits = {.line = 200, .field = 200, .head = 600, .fields = 12};

static void check(bool holds)
{
	if (!holds)
		abort();
}

struct read {
	struct h1_parser parser;
	struct http_request request;
	struct arena arena;
	struct http_field items[4];
	char *copy;
	size_t len;
	int err;
};

static void begin(struct read *read)
{
	*read = (struct read){.parser.limits = &limits};
	read->request.fields = (struct http_fields){
		.items = read->items, .cap = 4, .arena = &read->arena};
}

/* Each call has the bytes in memory of its own, of exactly their size. */
static void feed(struct read *read, const uint8_t *bytes, size_t len)
{
	char *copy = malloc(len ? len : 1);

	if (len)
		memcpy(copy, bytes, len);
	read->err = h1_parse_request(&read->parser, slice_of(copy, len), &read->request,
				     &read->len);
	free(read->copy);
	read->copy = copy;
}

static void done(struct read *read)
{
	arena_done(&read->arena);
	free(read->copy);
}

static bool same(const struct http_request *a, const struct http_request *b)
{
	const struct http_field *fa = NULL, *fb = NULL;

	if (!slice_equal(a->method_text, b->method_text) || a->version != b->version ||
	    !slice_equal(a->target.text, b->target.text) ||
	    !slice_equal(a->target.path, b->target.path) ||
	    !slice_equal(a->authority.text, b->authority.text) ||
	    a->framing.kind != b->framing.kind || a->framing.length != b->framing.length)
		return false;
	do {
		fa = http_fields_next(&a->fields, fa);
		fb = http_fields_next(&b->fields, fb);
		if (!fa != !fb)
			return false;
		if (fa && (!slice_equal(fa->name, fb->name) || !slice_equal(fa->value, fb->value)))
			return false;
	} while (fa);
	return true;
}

/* What goes out means the same to whoever reads it next. */
static void check_written(struct http_request *request)
{
	const struct h1_wire wire = {.framing = request->framing};
	size_t cap = h1_write_bound(&request->fields,
				    request->method_text.len + request->target.text.len + 12);
	char *buf = malloc(cap);
	struct read again;
	size_t len;

	check(h1_write_request(request, request->target.text, &wire, buf, cap, &len) == 0);
	begin(&again);
	again.parser.limits = NULL;
	feed(&again, (const uint8_t *)buf, len);
	if (request->version == HTTP_VERSION_1_1) {
		check(again.err == 0 && again.len == len);
		check(slice_equal(again.request.target.text, request->target.text));
		check(slice_equal(again.request.authority.text, request->authority.text));
		check(again.request.framing.kind == request->framing.kind &&
		      again.request.framing.length == request->framing.length);
		check(!http_fields_has(&again.request.fields, HTTP_FIELD_CONNECTION));
	}
	done(&again);
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct read whole, parts;

	begin(&whole);
	feed(&whole, bytes, len);
	check(whole.err || (whole.len <= len && whole.len <= limits.head));
	check(whole.err != -EPROTO || whole.parser.defect != H1_DEFECT_NONE);
	begin(&parts);
	parts.err = -EAGAIN;
	for (size_t n = 0; n < len && parts.err == -EAGAIN; n += 1 + len / 24)
		feed(&parts, bytes, n);
	if (parts.err == -EAGAIN)
		feed(&parts, bytes, len);
	check(parts.err == whole.err && parts.parser.defect == whole.parser.defect);
	if (!whole.err) {
		check(parts.len == whole.len && same(&parts.request, &whole.request));
		check_written(&whole.request);
	}
	done(&parts);
	done(&whole);
	return 0;
}
