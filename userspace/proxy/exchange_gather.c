// SPDX-License-Identifier: Apache-2.0
/*
 * A request's body is read before an endpoint is chosen, so that a slow client holds none: all of
 * it, or as much as the pool's buffer_request says. It waits in the client's input, and is judged
 * there without being used, so that what is malformed reaches nobody.
 */
#include "http/h1_write.h"
#include "proxy/exchange.h"
#include "proxy/http_client.h"
#include "proxy/session.h"

#include <errno.h>
#include <string.h>

static int scan(struct exchange *exchange)
{
	struct gather *gather = &exchange->gather;
	struct slice bytes = input_bytes(&exchange->client->input);
	struct h1_span span;

	while (gather->scanned < bytes.len && !gather->body.is_done) {
		int err = h1_body_next(
			&gather->body,
			slice_of(bytes.ptr + gather->scanned, bytes.len - gather->scanned), &span);

		if (err)
			return err;
		gather->scanned += span.bytes.len;
	}
	return 0;
}

/* The client waits for it before it sends its body, and the backend will not be asked so soon. */
static int say_continue(struct exchange *exchange)
{
	struct slice text = h1_continue();
	struct io_buf *buf;

	if (!exchange->request.expects_continue)
		return 0;
	http_fields_remove(&exchange->request.fields, HTTP_FIELD_EXPECT);
	buf = io_buf_new_brief(exchange_client(exchange)->loop, (uint32_t)text.len);
	if (!buf)
		return -ENOMEM;
	memcpy(buf->base, text.ptr, text.len);
	buf->end = (uint32_t)text.len;
	io_stream_send(exchange_client(exchange), buf);
	return 0;
}

static bool is_enough(const struct exchange *exchange)
{
	return exchange->gather.body.is_done ||
	       input_bytes(&exchange->client->input).len >= exchange->gather.limit;
}

/* Return: 0; -EPROTO, -EFBIG, -ENOMEM: it has been refused. */
static int look(struct exchange *exchange)
{
	int err = scan(exchange);

	if (err) {
		exchange->gather.limit = 0;
		exchange->up.defect = exchange->gather.body.defect;
		exchange_refuse_body(exchange, err);
	}
	return err;
}

bool exchange_gather(struct exchange *exchange)
{
	uint32_t limit = exchange_pool(exchange)->http.buffer_request;
	struct gather *gather = &exchange->gather;

	if (!limit || exchange->up.is_done)
		return false;
	*gather = (struct gather){.limit = limit, .body = exchange->up};
	gather->trailers.arena = &exchange->arena;
	gather->body.trailers = &gather->trailers;
	if (look(exchange))
		return true;
	if (is_enough(exchange)) {
		gather->limit = 0;
		return false;
	}
	if (say_continue(exchange) < 0) {
		exchange_refuse(exchange, 503, EXCHANGE_END_NO_MEMORY, NULL);
		return true;
	}
	io_stream_recv_start(exchange_client(exchange));
	return true;
}

void exchange_gather_more(struct exchange *exchange)
{
	http_client_allow(exchange->client, exchange_listener(exchange)->http.body_timeout_ms);
	if (look(exchange) || !is_enough(exchange))
		return;
	exchange->gather.limit = 0;
	exchange_pick_now(exchange);
}
