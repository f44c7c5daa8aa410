// SPDX-License-Identifier: Apache-2.0
// A body gives the same verdict whole and in pieces.
#include "net/http_head.h"
#include "upstream/http_body.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int judge(struct slice head, struct slice rest, size_t piece)
{
	struct http_body body;
	int result = http_body_init(&body, head, 200, slice_from_str("pong"));

	if (!result)
		result = -EAGAIN;
	while (result == -EAGAIN && rest.len > 0) {
		struct slice next = slice_of(rest.ptr, piece < rest.len ? piece : rest.len);

		result = http_body_feed(&body, next);
		rest = slice_skip(rest, next.len);
	}
	http_body_done(&body);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct slice all = slice_of(bytes, len), head, rest;
	unsigned status;
	size_t head_len;
	int whole;

	if (http_status_parse(all, &status, &head_len))
		return 0;
	head = slice_of(all.ptr, head_len);
	rest = slice_skip(all, head_len);
	whole = judge(head, rest, SIZE_MAX);
	for (size_t piece = 1; piece < 4; piece++)
		if (judge(head, rest, piece) != whole)
			abort();
	return 0;
}
