// SPDX-License-Identifier: Apache-2.0
/* Searches the content of a response for a text, for HTTP checks. */
#include "upstream/http_body.h"

#include <errno.h>

void http_body_init(struct http_body *body, struct http_framing framing, struct arena *arena,
		    struct slice wanted)
{
	*body = (struct http_body){.wanted = wanted, .trailers = {.arena = arena}};
	/* It fails only where a limit is set to the content. */
	(void)!h1_body_init(&body->framing, framing, NULL, &body->trailers);
}

/* Looks at the new bytes, and at as many before them as a text across the seam needs. */
static int search(struct http_body *body, struct slice bytes)
{
	size_t room = HTTP_BODY_SEARCHED - body->text.len, from = 0;

	if (body->text.len >= body->wanted.len)
		from = body->text.len - body->wanted.len + (body->wanted.len > 0);
	strbuf_append(&body->text, slice_of(bytes.ptr, bytes.len < room ? bytes.len : room));
	if (body->text.is_failed)
		return -ENOMEM;
	if (body->text.len == 0)
		return -EAGAIN;
	if (memmem(body->text.text + from, body->text.len - from, body->wanted.ptr,
		   body->wanted.len))
		return 0;
	return body->text.len >= HTTP_BODY_SEARCHED ? -ENOENT : -EAGAIN;
}

int http_body_feed(struct http_body *body, struct slice bytes)
{
	int result = -EAGAIN;

	while (bytes.len > 0 && !body->framing.is_done && result == -EAGAIN) {
		struct h1_span span;

		if (h1_body_next(&body->framing, bytes, &span))
			return -EPROTO;
		if (span.kind == H1_SPAN_PAYLOAD)
			result = search(body, span.bytes);
		bytes = slice_skip(bytes, span.bytes.len);
	}
	return result == -EAGAIN && body->framing.is_done ? -ENOENT : result;
}

void http_body_done(struct http_body *body)
{
	strbuf_done(&body->text);
}
