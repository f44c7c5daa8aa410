// SPDX-License-Identifier: Apache-2.0
/* One try of a dial: its socket, what goes first over it, and its handshake. */
#include "core/log.h"
#include "net/proxy_protocol.h"
#include "net/socket.h"
#include "proxy/dial.h"
#include "proxy/session.h"

#include <errno.h>

static struct io_loop *loop_of(const struct dial *dial)
{
	return dial->view->worker->loop;
}

/* --- The socket ------------------------------------------------------------------- */

/* Return: the descriptor; -errno. */
static int open_socket(const struct dial *dial)
{
	const struct config_pool *pool = dial_pool(dial);
	struct socket_connect_options options = {};
	int fd;

	if (pool->is_transparent) {
		options.source = dial->source;
		options.is_transparent = true;
	} else if (pool->source_address.len) {
		options.source = &pool->source_address;
	}
	fd = socket_for_connect(&dial->endpoint->address, &options);
	if (fd >= 0)
		socket_hold_ack(fd);
	return fd;
}

static void on_connect_timeout(struct io_timer *timer)
{
	struct dial *dial = container_of(timer, struct dial, timer);

	if (io_stream_lacks_buffer(dial->stream)) {
		dial->ops->on_failed(dial, DIAL_NO_MEMORY);
		return;
	}
	if (dial->stream->layer)
		dial->tls.failure = TLS_FAILURE_TIMEOUT;
	dial_fail(dial, -ETIMEDOUT, IO_CLOSE_RESET);
}

int dial_open(struct dial *dial)
{
	int fd = open_socket(dial);

	if (fd < 0)
		return fd;
	dial->stream = dial->ops->on_socket(dial, fd);
	if (!dial->stream)
		return -ENOMEM;
	dial->timer.on_expire = on_connect_timeout;
	io_timer_start(loop_of(dial), &dial->timer, dial_pool(dial)->connect_timeout_ms);
	io_stream_connect(dial->stream, &dial->endpoint->address);
	return 0;
}

/* --- What goes first -------------------------------------------------------------- */

/* The PROXY header. Return: 0; -ENOMEM. */
static int send_proxy_header(struct dial *dial)
{
	const struct config_pool *pool = dial_pool(dial);
	struct proxy_header header = {
		.version = pool->proxy_protocol == CONFIG_PROXY_V1 ? 1 : 2,
		.source = *dial->source,
	};
	struct io_buf *buf;
	ssize_t len;

	if (pool->proxy_protocol == CONFIG_PROXY_OFF)
		return 0;
	dial->ops->introduce(dial, &header);
	buf = io_buf_new(loop_of(dial), PROXY_HEADER_MAX);
	if (!buf)
		return -ENOMEM;
	len = proxy_header_write(&header, buf->base, buf->cap);
	if (len < 0) {
		/* Too many TLVs to pass on: the addresses matter more. */
		header.tlvs = (struct slice){};
		len = proxy_header_write(&header, buf->base, buf->cap);
	}
	if (len < 0) {
		io_buf_release(loop_of(dial), buf);
		return (int)len;
	}
	buf->end = (uint32_t)len;
	io_stream_send(dial->stream, buf);
	return 0;
}

static void on_ready(struct dial *dial)
{
	uint64_t now_us = io_loop_now_us(loop_of(dial));
	uint64_t took_us = now_us - dial->connect_us;

	io_timer_stop(loop_of(dial), &dial->timer);
	dial->connected_us = now_us;
	pool_view_report_connect(dial->pool_view, dial->endpoint, 0, (uint32_t)took_us);
	histogram_observe(&dial_counters(dial)->connect_time, took_us);
	dial->ops->on_ready(dial);
}

/* --- TLS -------------------------------------------------------------------------- */

void dial_on_handshake(struct dial *dial, const struct tls_result *result)
{
	struct tls_facts facts;

	dial->tls.failure = result->failure;
	tls_counters_add(&dial_counters(dial)->tls, result);
	if (result->failure == TLS_FAILURE_NONE) {
		tls_session_facts(dial->tls_session, &facts);
		secure_keep_facts(&dial->tls, &facts);
		on_ready(dial);
		return;
	}
	log_warn("pool %s: endpoint %s: TLS handshake: %s", dial_pool(dial)->name,
		 dial->endpoint->name, result->reason);
	if (result->failure == TLS_FAILURE_NO_MEMORY)
		dial->ops->on_failed(dial, DIAL_NO_MEMORY);
	else
		dial_fail(dial, -EPROTO, IO_CLOSE_FIN);
}

/* The timer of the connect goes on; the handshake's own only stands behind it. */
static void secure(struct dial *dial, const struct tls_client_context *context)
{
	const struct worker_view *view = dial->view;
	const struct tls_start start = {
		.pacer = view->worker->tls_pacer,
		.timeout_ms = dial_pool(dial)->connect_timeout_ms * 2,
		.on_ready = dial->ops->on_handshake,
	};
	char host[ENDPOINT_HOST_SIZE];
	const struct tls_target target = {
		.server = endpoint_host(dial->endpoint, host),
		.cache = view->tls_caches[dial->pool],
		.id = dial->endpoint->id,
	};
	int err = tls_connect(context, &target, dial->stream, &start, &dial->tls_session);

	if (err == -ENOMEM)
		dial->ops->on_failed(dial, DIAL_NO_MEMORY);
	else if (err)
		dial_fail(dial, -EPROTO, IO_CLOSE_FIN);
}

void dial_on_connect(struct dial *dial, int status)
{
	const struct tls_client_context *context;

	if (!dial->stream)
		return;
	context = pool_tls(pool_view_pool(dial->pool_view));
	if (status < 0)
		dial_fail(dial, status, IO_CLOSE_RESET);
	else if (send_proxy_header(dial) < 0)
		dial->ops->on_failed(dial, DIAL_NO_MEMORY);
	else if (context)
		secure(dial, context);
	else
		on_ready(dial);
}
