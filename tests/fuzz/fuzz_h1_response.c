// SPDX-License-Identifier: Apache-2.0
// A response's verdict does not depend on how it arrives. The first byte says what was asked.
#include "http/h1_parse.h"

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
	struct http_response response;
	struct arena arena;
	char *copy;
	size_t len;
	int err;
};

static void feed(struct read *read, const struct h1_asked *asked, const uint8_t *bytes, size_t len)
{
	char *copy = malloc(len ? len : 1);

	if (len)
		memcpy(copy, bytes, len);
	read->err = h1_parse_response(&read->parser, slice_of(copy, len), asked, &read->response,
				      &read->len);
	free(read->copy);
	read->copy = copy;
}

static void begin(struct read *read)
{
	*read = (struct read){.parser.limits = &limits, .err = -EAGAIN};
	read->response.fields.arena = &read->arena;
}

static void done(struct read *read)
{
	arena_done(&read->arena);
	free(read->copy);
}

static void check_meaning(const struct read *read, const struct h1_asked *asked)
{
	const struct http_response *response = &read->response;
	enum http_framing_kind kind = response->framing.kind;

	check(response->status >= 100 && response->status <= 599);
	check(kind != HTTP_FRAMING_UNTIL_CLOSE || !response->is_persistent);
	if (kind != HTTP_FRAMING_TUNNEL &&
	    http_response_is_bodiless(response->status, asked->method))
		check(kind == HTTP_FRAMING_NONE);
	check(response->status != 101 || (asked->for_upgrade && kind == HTTP_FRAMING_TUNNEL));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct h1_asked asked = {};
	struct read whole, parts;

	if (len == 0)
		return 0;
	asked.method = bytes[0] % HTTP_METHOD_COUNT;
	asked.for_upgrade = bytes[0] & 0x80;
	bytes++;
	len--;
	begin(&whole);
	feed(&whole, &asked, bytes, len);
	begin(&parts);
	for (size_t n = 0; n < len && parts.err == -EAGAIN; n += 1 + len / 24)
		feed(&parts, &asked, bytes, n);
	if (parts.err == -EAGAIN)
		feed(&parts, &asked, bytes, len);
	check(parts.err == whole.err && parts.parser.defect == whole.parser.defect);
	if (!whole.err) {
		check(parts.len == whole.len && whole.len <= len);
		check(parts.response.framing.kind == whole.response.framing.kind &&
		      parts.response.framing.length == whole.response.framing.length &&
		      parts.response.is_persistent == whole.response.is_persistent);
		check_meaning(&whole, &asked);
	}
	done(&parts);
	done(&whole);
	return 0;
}
