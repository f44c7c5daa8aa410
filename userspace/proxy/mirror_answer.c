// SPDX-License-Identifier: Apache-2.0
/* An answer to a mirrored request: heads, interim ones too, and a body, of which nothing is kept.
 */
#include "proxy/mirror_answer.h"

#include <errno.h>

static void begin(struct mirror_answer *answer)
{
	http_fields_clear(&answer->response.fields);
	answer->response = (struct http_response){.fields = answer->response.fields};
	answer->parser = (struct h1_parser){};
}

void mirror_answer_init(struct mirror_answer *answer, struct io_loop *loop, enum http_method method)
{
	*answer = (struct mirror_answer){.loop = loop, .asked.method = method};
	answer->response.fields.arena = answer->trailers.arena = &answer->arena;
}

void mirror_answer_done(struct mirror_answer *answer)
{
	input_release(answer->loop, &answer->input);
	arena_done(&answer->arena);
}

/* Of a final response. */
static int read_head(struct mirror_answer *answer)
{
	size_t len;
	int err;

	do {
		err = h1_parse_response(&answer->parser, input_bytes(&answer->input),
					&answer->asked, &answer->response, &len);
		if (err)
			return err;
		input_consume(answer->loop, &answer->input, len);
		if (answer->response.status >= 200) {
			answer->has_head = true;
			return h1_body_init(&answer->body, answer->response.framing, NULL,
					    &answer->trailers);
		}
		begin(answer);
	} while (answer->input.buf);
	return -EAGAIN;
}

static int read_body(struct mirror_answer *answer)
{
	struct slice bytes = input_bytes(&answer->input);
	struct h1_span span;
	int err = 0;

	while (!err && bytes.len && !answer->body.is_done) {
		err = h1_body_pass(&answer->body, bytes, &span);
		if (!err)
			bytes = slice_skip(bytes, span.bytes.len);
	}
	/* Nobody asked for what follows: it could be taken for the next answer. */
	if (bytes.len)
		answer->response.is_persistent = false;
	input_release(answer->loop, &answer->input);
	if (err)
		return err;
	return answer->body.is_done ? 0 : -EAGAIN;
}

int mirror_answer_add(struct mirror_answer *answer, struct io_buf *buf)
{
	int err;

	answer->received += io_buf_bytes(buf).len;
	if (input_append(answer->loop, &answer->input, buf) < 0)
		return -ENOMEM;
	err = answer->has_head ? 0 : read_head(answer);
	if (!err)
		return read_body(answer);
	if (err == -EAGAIN && input_keep(answer->loop, &answer->input) < 0)
		return -ENOMEM;
	return err;
}

bool mirror_answer_is_whole(const struct mirror_answer *answer)
{
	return answer->has_head && answer->body.is_done;
}

bool mirror_answer_lets_stay(const struct mirror_answer *answer)
{
	return mirror_answer_is_whole(answer) && answer->response.is_persistent;
}
