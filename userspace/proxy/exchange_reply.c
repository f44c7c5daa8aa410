// SPDX-License-Identifier: Apache-2.0
/* Answers of our own: a head and a body that is there as a whole. */
#include "http/h1_write.h"
#include "proxy/exchange.h"
#include "proxy/http_client.h"
#include "proxy/worker.h"

static bool has_body(const struct exchange *exchange, const struct reply *reply)
{
	return reply->body.ptr && reply->body.len && exchange->request.method != HTTP_METHOD_HEAD;
}

/* To HEAD the length of the body that GET would get is told; 204 and 304 have none. */
static struct http_framing framing_of(const struct exchange *exchange, const struct reply *reply)
{
	if (http_response_is_bodiless(reply->status, exchange->request.method) &&
	    exchange->request.method != HTTP_METHOD_HEAD)
		return (struct http_framing){.kind = HTTP_FRAMING_NONE};
	return (struct http_framing){.kind = HTTP_FRAMING_LENGTH, .length = reply->body.len};
}

/* @framing: of the body, of which as much is there as @reply has. */
static struct io_buf *write_reply(struct exchange *exchange, const struct reply *reply,
				  struct http_framing framing)
{
	struct http_response response = {.status = reply->status, .fields = reply->fields};
	const struct h1_wire wire = {
		.framing = framing,
		.is_last = exchange->is_last,
		.says_keep_alive = exchange->request.version == HTTP_VERSION_1_0 &&
				   !exchange->is_last,
	};
	size_t bound, len;
	struct io_buf *buf;

	if (exchange_add_date(exchange, &response.fields) < 0)
		return NULL;
	bound = h1_write_bound(&response.fields, 0) + reply->body.len;
	buf = io_buf_new_brief(exchange_client(exchange)->loop, (uint32_t)bound);
	if (!buf)
		return NULL;
	if (h1_write_response(&response, &wire, buf->base, buf->cap, &len) < 0) {
		io_buf_release(exchange_client(exchange)->loop, buf);
		return NULL;
	}
	buf->end = (uint32_t)len;
	exchange->head_out += len;
	if (has_body(exchange, reply)) {
		memcpy(buf->base + len, reply->body.ptr, reply->body.len);
		buf->end += (uint32_t)reply->body.len;
		exchange->down.payload = reply->body.len;
	}
	return buf;
}

/* What was not read of the request to its end is not to be taken for the next one. */
static bool ends_connection(const struct exchange *exchange)
{
	return !exchange->up.is_done || !exchange->request.is_persistent ||
	       exchange_worker(exchange)->is_draining;
}

/* Return: false: it could not be sent, and the exchange is over. */
static bool send_reply(struct exchange *exchange, const struct reply *reply,
		       struct http_framing framing)
{
	struct io_buf *buf = write_reply(exchange, reply, framing);

	if (!buf) {
		exchange_abort(exchange, EXCHANGE_END_NO_MEMORY, NULL);
		return false;
	}
	exchange->status = reply->status;
	exchange->is_answer_begun = true;
	io_stream_send(exchange_client(exchange), buf);
	return true;
}

static void reply_last(struct exchange *exchange, struct reply *reply, bool is_last,
		       enum exchange_end end)
{
	exchange->is_last = is_last || ends_connection(exchange);
	exchange_filter_reply(exchange, reply);
	if (send_reply(exchange, reply, framing_of(exchange, reply)))
		exchange_finish(exchange, end, !exchange->is_last);
}

bool exchange_reply_begin(struct exchange *exchange, const struct reply *reply, uint64_t length)
{
	const struct http_framing framing = {.kind = HTTP_FRAMING_LENGTH, .length = length};
	struct reply filtered = *reply;

	exchange->is_last = ends_connection(exchange);
	exchange_filter_reply(exchange, &filtered);
	if (!filtered.body.ptr && filtered.status == reply->status)
		return send_reply(exchange, &filtered, framing);
	if (send_reply(exchange, &filtered, framing_of(exchange, &filtered)))
		exchange_finish(exchange, EXCHANGE_END_FILTERED, !exchange->is_last);
	return false;
}

void exchange_reply(struct exchange *exchange, const struct reply *reply, enum exchange_end end)
{
	struct reply filtered = *reply;

	reply_last(exchange, &filtered, false, end);
}

void exchange_refuse(struct exchange *exchange, unsigned status, enum exchange_end end,
		     const char *detail)
{
	bool was_read = end != EXCHANGE_END_BAD_REQUEST && end != EXCHANGE_END_TOO_LARGE &&
			end != EXCHANGE_END_REQUEST_TIMEOUT;
	struct reply reply = {.fields = {.arena = &exchange->arena}};

	exchange->detail = detail;
	if (exchange_page(exchange, status, was_read, &reply) < 0)
		exchange_abort(exchange, EXCHANGE_END_NO_MEMORY, NULL);
	else
		reply_last(exchange, &reply, !was_read, end);
}
