// SPDX-License-Identifier: Apache-2.0
/* Mode http: what a session asks of its http_client. */
#include "proxy/http_session.h"
#include "proxy/http_client.h"

#include <stdio.h>

static void start(struct session *session)
{
	if (http_client_start(session) < 0)
		session_reset(session, CONNECTION_END_NO_MEMORY);
}

static void on_recv(struct session *session, struct io_buf *buf, int status)
{
	http_client_on_recv(session->http, buf, status);
}

static void on_sent(struct session *session, int status)
{
	if (session->state == CONNECTION_HTTP)
		http_client_on_sent(session->http, status);
}

static void on_timeout(struct session *session)
{
	http_client_on_timeout(session->http);
}

static void tend(struct session *session)
{
	if (session->state == CONNECTION_HTTP)
		http_client_tend(session->http);
}

static void leave(struct session *session)
{
	if (session->state == CONNECTION_HTTP)
		http_client_leave(session->http);
}

static void drain(struct session *session)
{
	if (session->state == CONNECTION_HTTP)
		http_client_drain(session->http);
}

static void stop(struct session *session, enum io_close_how client, enum io_close_how backend)
{
	(void)client;
	(void)backend;
	http_client_stop(session->http);
}

/* Requests are logged one by one. */
static void on_end(struct session *session)
{
	http_client_free(session->http);
}

static void describe(struct session *session, struct connection_row *ret)
{
	if (session->http)
		http_client_describe(session->http, ret);
}

const struct session_mode http_session_mode = {
	.start = start,
	.on_recv = on_recv,
	.on_sent = on_sent,
	.on_timeout = on_timeout,
	.tend = tend,
	.leave = leave,
	.drain = drain,
	.stop = stop,
	.on_end = on_end,
	.describe = describe,
};
