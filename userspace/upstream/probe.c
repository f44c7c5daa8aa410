// SPDX-License-Identifier: Apache-2.0
/*
 * The way that all checks go:
 *
 *   CONNECT ─► PROXY header ─► [TLS handshake] ─► kind->begin, on_bytes … ─► verdict ─► CLOSE
 *      └─ error ──────────────────── error, timeout, cancel ───────────────────┘       └─► on_done
 */
#include "upstream/probe.h"

#include "core/scarcity.h"
#include "fastpath/dispatch.h"
#include "fastpath/dispatch_check.h"
#include "net/proxy_protocol.h"
#include "net/socket.h"
#include "tls/session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- Verdicts ----------------------------------------------------------------------- */

static void end(struct probe *probe, enum probe_verdict verdict, enum io_close_how how)
{
	probe->is_over = true;
	probe->verdict = verdict;
	io_timer_stop(probe->stream.loop, &probe->timer);
	io_stream_close(&probe->stream, how);
}

void probe_pass(struct probe *probe, const char *fmt, ...)
{
	va_list args;

	if (probe->is_over)
		return;
	va_start(args, fmt);
	vsnprintf(probe->reason, sizeof(probe->reason), fmt, args);
	va_end(args);
	/* What a tunnel's end hears after we have closed does not reach it any more. */
	end(probe, PROBE_PASSED, probe->tunnel_port ? IO_CLOSE_RESET : IO_CLOSE_FIN);
}

/* An endpoint may serve some of the addresses that it is to serve. */
static void name_way(struct probe *probe)
{
	size_t len = strlen(probe->reason);
	char service[ADDRESS_IP_SIZE];

	if (probe->tunnel_port)
		snprintf(probe->reason + len, sizeof(probe->reason) - len, " (%s by %s)",
			 address_format_ip(&probe->way->service, service),
			 dispatch_form_name(probe->way->form));
}

void probe_fail(struct probe *probe, const char *fmt, ...)
{
	va_list args;

	if (probe->is_over)
		return;
	va_start(args, fmt);
	vsnprintf(probe->reason, sizeof(probe->reason), fmt, args);
	va_end(args);
	name_way(probe);
	/* Whatever the endpoint still means to send, nobody will read it. */
	end(probe, PROBE_FAILED, IO_CLOSE_RESET);
}

/* An error within OpenSSL looks like want of memory, which it mostly is. */
static bool may_be_endpoints(const struct probe *probe)
{
	return probe->tls && probe->is_connected;
}

static void end_for_scarcity(struct probe *probe, enum probe_verdict verdict, const char *step,
			     int error)
{
	snprintf(probe->reason, sizeof(probe->reason), "%s: %s", step, strerror(-error));
	end(probe, verdict, IO_CLOSE_RESET);
}

void probe_fail_by(struct probe *probe, const char *step, int error)
{
	if (probe->is_over)
		return;
	if (is_scarcity(error))
		end_for_scarcity(probe,
				 may_be_endpoints(probe) ? PROBE_UNCLEAR : PROBE_SAYS_NOTHING, step,
				 error);
	else
		probe_fail(probe, "%s: %s", step, strerror(-error));
}

static const char *what_passed(const struct probe *probe)
{
	return probe->kind == &probe_tls ? "handshake completed" : "connected";
}

void probe_pass_when_sent(struct probe *probe)
{
	if (probe->stream.queued == 0)
		probe_pass(probe, "%s", what_passed(probe));
	else
		probe->is_passing = true;
}

/* --- Sending ------------------------------------------------------------------------ */

int probe_send(struct probe *probe, struct slice bytes)
{
	struct io_buf *buf = io_buf_new(probe->stream.loop, (uint32_t)bytes.len);

	if (!buf)
		return -ENOMEM;
	memcpy(buf->base + buf->end, bytes.ptr, bytes.len);
	buf->end += (uint32_t)bytes.len;
	io_stream_send(&probe->stream, buf);
	return 0;
}

/* Version 2 can say that the connection is our own; version 1 names its real ends. */
static int send_proxy_header(struct probe *probe)
{
	struct proxy_header header = {};
	char text[PROXY_HEADER_MAX];
	ssize_t len;
	int err = 0;

	if (probe->pool->proxy_protocol == CONFIG_PROXY_OFF)
		return 0;
	if (probe->pool->proxy_protocol == CONFIG_PROXY_V2) {
		header.version = 2;
		header.is_local = true;
	} else {
		header.version = 1;
		err = socket_local(probe->stream.fd, &header.source);
		header.destination = probe->endpoint->address;
	}
	if (err)
		return err;
	len = proxy_header_write(&header, text, sizeof(text));
	if (len < 0)
		return (int)len;
	return probe_send(probe, slice_of(text, (size_t)len));
}

/* --- Events ------------------------------------------------------------------------- */

/* Return: 0; -ENOMEM. */
static int begin(struct probe *probe)
{
	int err = 0;

	if (!probe->kind->begin) {
		probe_pass_when_sent(probe);
		return 0;
	}
	err = probe->kind->begin(probe);
	if (!err && !probe->is_over)
		io_stream_recv_start(&probe->stream);
	return err;
}

static void on_ready(struct io_stream *stream, const struct tls_result *result)
{
	struct probe *probe = container_of(stream, struct probe, stream);

	if (result->is_starved)
		end_for_scarcity(probe, PROBE_SAYS_NOTHING, "TLS handshake", -ENOMEM);
	else if (result->failure == TLS_FAILURE_NO_MEMORY)
		probe_fail_by(probe, "TLS handshake", -ENOMEM);
	else if (result->failure)
		probe_fail(probe, "TLS handshake: %s", result->reason);
	else if (begin(probe))
		probe_fail_by(probe, "send", -ENOMEM);
}

/* Return: 0; -errno. */
static int shake_hands(struct probe *probe)
{
	const struct tls_start start = {
		.pacer = probe->pacer,
		.timeout_ms = probe->pool->health.timeout_ms * 2, /* the check's comes first */
		.on_ready = on_ready,
	};
	char host[ENDPOINT_HOST_SIZE];
	struct tls_target target = {.server = probe->pool->health.tls_sni};
	struct tls_session *session;

	if (!target.server && probe->pool->tls.is_enabled)
		target.server = endpoint_host(probe->endpoint, host);
	return tls_connect(probe->tls, &target, &probe->stream, &start, &session);
}

static void on_connect(struct io_stream *stream, int status)
{
	struct probe *probe = container_of(stream, struct probe, stream);

	if (probe->is_over)
		return;
	if (status) {
		probe_fail_by(probe, "connect", status);
		return;
	}
	probe->is_connected = true;
	status = send_proxy_header(probe);
	if (!status)
		status = probe->tls ? shake_hands(probe) : begin(probe);
	if (status)
		probe_fail_by(probe, "send", status);
}

static void on_recv(struct io_stream *stream, struct io_buf *buf, int status)
{
	struct probe *probe = container_of(stream, struct probe, stream);
	bool is_heard = !probe->is_over && !probe->is_passing;

	if (buf) {
		if (is_heard)
			probe->kind->on_bytes(probe, io_buf_bytes(buf));
		io_buf_release(stream->loop, buf);
		return;
	}
	if (!is_heard)
		return;
	if (status)
		probe_fail_by(probe, "receive", status);
	else
		probe->kind->on_eof(probe);
}

static void on_sent(struct io_stream *stream, int status)
{
	struct probe *probe = container_of(stream, struct probe, stream);

	if (status)
		probe_fail_by(probe, "send", status);
	else if (probe->is_passing)
		probe_pass(probe, "%s", what_passed(probe));
}

static void on_closed(struct io_stream *stream)
{
	struct probe *probe = container_of(stream, struct probe, stream);

	if (probe->kind->done)
		probe->kind->done(probe);
	if (probe->tunnel_port)
		dispatch_check_end(probe->checks, probe->tunnel_port);
	probe->on_done(probe, probe->verdict, probe->reason);
}

static const struct io_stream_ops stream_ops = {
	.on_connect = on_connect,
	.on_recv = on_recv,
	.on_sent = on_sent,
	.on_closed = on_closed,
};

static void on_timeout(struct io_timer *timer)
{
	struct probe *probe = container_of(timer, struct probe, timer);

	if (io_stream_lacks_buffer(&probe->stream)) {
		probe_fail_by(probe, "receive", -ENOBUFS);
		return;
	}
	probe_fail(probe, "%s within %u ms",
		   probe->is_connected ? "no complete answer" : "no connection",
		   probe->pool->health.timeout_ms);
}

void probe_cancel(struct probe *probe)
{
	probe_fail(probe, "cancelled");
}

/* --- Start -------------------------------------------------------------------------- */

static const struct probe_kind *kind_of(enum config_health kind)
{
	switch (kind) {
	case CONFIG_HEALTH_TLS:
		return &probe_tls;
	case CONFIG_HEALTH_HTTP:
		return &probe_http;
	default:
		return &probe_tcp;
	}
}

static int take_way(struct probe *probe, int fd, const struct address *address)
{
	int port = probe->way ? dispatch_check_begin(probe->checks, fd, address, probe->way) : 0;

	if (port < 0)
		return port;
	probe->tunnel_port = (uint16_t)port;
	return 0;
}

/* Return: the descriptor; -errno. */
static int open_socket(struct probe *probe, const struct address *address)
{
	struct socket_connect_options options = {};
	int fd, err;

	if (probe->pool->source_address.len)
		options.source = &probe->pool->source_address;
	fd = socket_for_connect(address, &options);
	err = fd < 0 ? fd : take_way(probe, fd, address);
	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	return err;
}

int probe_start(struct probe *probe, struct io_loop *loop)
{
	const struct config_pool *pool = probe->pool;
	struct address address = probe->endpoint->address;
	int fd;

	if (pool->health.port)
		address_set_port(&address, pool->health.port);
	fd = open_socket(probe, &address);
	if (fd < 0)
		return fd;
	probe->kind = kind_of(pool->health.kind);
	probe->timer.on_expire = on_timeout;
	io_stream_init(&probe->stream, loop, fd, &stream_ops);
	io_stream_connect(&probe->stream, &address);
	io_timer_start(loop, &probe->timer, pool->health.timeout_ms);
	return 0;
}
