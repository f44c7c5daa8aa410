// SPDX-License-Identifier: Apache-2.0
/*
 * Mirrored requests:
 *
 *   mirror_begin ─► [COLLECTING the body] ─► [DIALLING] ─► SENT ─► answered, or late
 *
 * From each of these mirror_over() leads to the end, with a result that is counted; the connection
 * then idles with those of other exchanges, or is closed.
 */
#include "proxy/mirror.h"

#include "net/proxy_protocol.h"
#include "net/socket.h"
#include "proxy/http_backend.h"
#include "proxy/http_client.h"
#include "proxy/mirror_answer.h"
#include "proxy/mirror_copy.h"
#include "proxy/session.h"
#include "proxy/sticky.h"
#include "proxy/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of a worker, with those that collect: copies, and bytes of all. */
#define MIRRORS_MAX      256
#define MIRROR_BYTES_MAX (32u << 20)

/* Whom the copy is from: the connection may end before it has gone. */
struct mirror_client {
	struct address address; /* that endpoints are chosen for */
	struct address source, destination;
	char *tlvs; /* NULL: none */
	size_t ntlvs;
};

struct mirror {
	struct http_backend_user user;
	struct http_backend *backend; /* NULL: not yet, or no more */
	struct io_timer timer;
	struct list_node node; /* the worker's, once it is whole */
	struct worker_view *view;
	struct mirror_client client;
	struct earth_point place; /* the client's, where the dial has one */
	struct mirror_copy copy;
	struct mirror_answer answer;
	struct dial dial;
	struct breaker_places places;
};

static void count(const struct worker_view *view, size_t pool, enum mirror_result result)
{
	struct pool_counters *counters =
		&view->snapshot->pools[pool]->by_worker[view->worker->index];

	counter_add(&counters->mirrors[result], 1);
}

/* --- The end ---------------------------------------------------------------------- */

static struct breaker *breaker_of(const struct mirror *mirror)
{
	return &mirror->view->snapshot->pools[mirror->dial.pool]->breaker;
}

static void discard(struct mirror *mirror)
{
	list_remove(&mirror->node);
	mirror_copy_done(&mirror->copy);
	mirror_answer_done(&mirror->answer);
	breaker_leave_all(breaker_of(mirror), &mirror->places);
	dial_done(&mirror->dial);
	mirror->view->worker->nmirrors--;
	worker_view_unref(mirror->view);
	free(mirror->client.tlvs);
	free(mirror);
}

static void account(const struct mirror *mirror)
{
	struct endpoint *endpoint = mirror->dial.endpoint;

	if (!mirror->backend->stream.queued)
		counter_add_shared(&endpoint->load.bytes_in, mirror->copy.sent);
	counter_add_shared(&endpoint->load.bytes_out, mirror->answer.received);
}

/* Whether the endpoint has the whole copy, and has said all that it has to say. */
static bool may_stay(const struct mirror *mirror)
{
	return mirror_answer_lets_stay(&mirror->answer) && !mirror->backend->stream.queued &&
	       http_backend_is_shared(dial_pool(&mirror->dial));
}

static void release_backend(struct mirror *mirror, enum io_close_how how)
{
	const struct config_pool_http *http;
	struct http_backend *backend = mirror->backend;

	if (!backend)
		return;
	http = &dial_pool(&mirror->dial)->http;
	if (may_stay(mirror))
		http_backend_give(backend, http->idle_timeout_ms, http->idle_connections);
	else
		http_backend_close(backend, how);
}

/* Frees it. What waits to be sent goes with a connection that is reset. */
static void mirror_over(struct mirror *mirror, enum mirror_result result, enum io_close_how how)
{
	count(mirror->view, mirror->dial.pool, result);
	if (mirror->copy.sent)
		account(mirror);
	io_timer_stop(mirror->view->worker->loop, &mirror->timer);
	dial_stop(&mirror->dial);
	release_backend(mirror, how);
	discard(mirror);
}

void mirrors_close(struct worker *worker)
{
	list_for_each_safe (node, &worker->mirrors)
		mirror_over(list_entry(node, struct mirror, node), MIRROR_SHUTDOWN, IO_CLOSE_RESET);
}

/* --- Sent --------------------------------------------------------------------------- */

static struct mirror *of_user(struct http_backend_user *user)
{
	return container_of(user, struct mirror, user);
}

static void on_connect(struct http_backend_user *user, int status)
{
	dial_on_connect(&of_user(user)->dial, status);
}

static void on_end(struct mirror *mirror)
{
	mirror_over(mirror, mirror->answer.received ? MIRROR_ANSWERED : MIRROR_UNANSWERED,
		    mirror->backend->stream.queued ? IO_CLOSE_RESET : IO_CLOSE_FIN);
}

/* What it answers is nobody's business; that it ends, however, is ours. Others may use the
 * connection, and what writes in two small pieces must not wait for our ACK. An answer that is
 * there before the whole copy has gone waits for the rest: on_sent(). */
static void on_answer(struct http_backend_user *user, struct io_buf *buf, int status)
{
	struct mirror *mirror = of_user(user);
	int err;

	(void)status;
	if (!mirror->answer.received && !mirror->backend->served)
		socket_release_ack(mirror->backend->stream.fd);
	err = buf ? mirror_answer_add(&mirror->answer, buf) : -EPIPE;
	if (err != -EAGAIN && (err || !mirror->backend->stream.queued))
		on_end(mirror);
}

static void on_sent(struct http_backend_user *user, int status)
{
	struct mirror *mirror = of_user(user);

	if (mirror_answer_is_whole(&mirror->answer))
		on_end(mirror);
	else if (status < 0)
		mirror_over(mirror, MIRROR_UNANSWERED, IO_CLOSE_RESET);
}

static const struct http_backend_ops backend_ops = {
	.on_connect = on_connect,
	.on_answer = on_answer,
	.on_sent = on_sent,
};

static void on_late(struct io_timer *timer)
{
	mirror_over(container_of(timer, struct mirror, timer), MIRROR_TIMEOUT, IO_CLOSE_RESET);
}

/* --- Dialling ------------------------------------------------------------------------ */

static struct mirror *of_dial(struct dial *dial)
{
	return container_of(dial, struct mirror, dial);
}

static void introduce(const struct dial *dial, struct proxy_header *header)
{
	const struct mirror_client *client = &container_of(dial, struct mirror, dial)->client;

	header->destination = client->destination;
	header->tlvs = slice_of(client->tlvs, client->ntlvs);
}

/* Requests that somebody waits for come first. */
static void on_wait(struct dial *dial)
{
	mirror_over(of_dial(dial), MIRROR_BUSY, IO_CLOSE_RESET);
}

static void send_copy(struct mirror *mirror)
{
	breaker_leave(breaker_of(mirror), BREAKER_PENDING, &mirror->places);
	mirror->timer.on_expire = on_late;
	io_timer_start(mirror->view->worker->loop, &mirror->timer,
		       dial_pool(&mirror->dial)->http.response_timeout_ms);
	mirror_copy_send(&mirror->copy, &mirror->backend->stream);
}

static bool has_connection(struct dial *dial)
{
	struct mirror *mirror = of_dial(dial);

	if (http_backend_is_shared(dial_pool(dial)))
		mirror->backend = http_backend_take(dial->view, dial->endpoint, &mirror->user);
	if (!mirror->backend)
		return false;
	send_copy(mirror);
	return true;
}

static struct io_stream *on_socket(struct dial *dial, int fd)
{
	struct mirror *mirror = of_dial(dial);

	mirror->backend = http_backend_open(dial->view, dial->endpoint, fd, &mirror->user);
	return mirror->backend ? &mirror->backend->stream : NULL;
}

static void on_handshake(struct io_stream *stream, const struct tls_result *result)
{
	struct http_backend *backend = container_of(stream, struct http_backend, stream);

	dial_on_handshake(&of_user(backend->user)->dial, result);
}

static void on_ready(struct dial *dial)
{
	struct mirror *mirror = of_dial(dial);

	http_backend_ready(mirror->backend);
	send_copy(mirror);
}

static void on_failed(struct dial *dial, enum dial_failure failure)
{
	static const enum mirror_result results[] = {
		[DIAL_NO_ENDPOINT] = MIRROR_NO_ENDPOINT,
		[DIAL_CONNECT_FAILED] = MIRROR_CONNECT_FAILED,
		[DIAL_TLS_FAILED] = MIRROR_CONNECT_FAILED,
		[DIAL_QUEUE_FULL] = MIRROR_BUSY,
		[DIAL_QUEUE_TIMEOUT] = MIRROR_BUSY,
		[DIAL_NO_DESCRIPTORS] = MIRROR_LIMIT,
		[DIAL_NO_MEMORY] = MIRROR_NO_MEMORY,
	};

	mirror_over(of_dial(dial), results[failure], IO_CLOSE_RESET);
}

/* There is no other try: the next request has one. */
static void on_lost(struct dial *dial, enum io_close_how how)
{
	mirror_over(of_dial(dial), MIRROR_CONNECT_FAILED, how);
}

static const struct dial_ops dial_ops = {
	.introduce = introduce,
	.has_connection = has_connection,
	.on_wait = on_wait,
	.on_socket = on_socket,
	.on_handshake = on_handshake,
	.on_ready = on_ready,
	.on_lost = on_lost,
	.on_failed = on_failed,
};

static bool enter(struct mirror *mirror)
{
	const struct config_breaker *config =
		&mirror->view->snapshot->config->pools[mirror->dial.pool].breaker;

	return breaker_enter(breaker_of(mirror), config, BREAKER_REQUESTS, &mirror->places) &&
	       breaker_enter(breaker_of(mirror), config, BREAKER_PENDING, &mirror->places);
}

/* It is whole. */
static void launch(struct mirror *mirror)
{
	struct worker *worker = mirror->view->worker;

	if (worker->is_draining) {
		mirror_over(mirror, MIRROR_SHUTDOWN, IO_CLOSE_RESET);
	} else if (!enter(mirror)) {
		mirror_over(mirror, MIRROR_CIRCUIT_OPEN, IO_CLOSE_RESET);
	} else {
		list_push_back(&worker->mirrors, &mirror->node);
		dial_start(&mirror->dial, mirror->dial.pool);
	}
}

/* --- Collecting ----------------------------------------------------------------------- */

static enum mirror_result result_of(int err)
{
	switch (err) {
	case -EFBIG:
		return MIRROR_TOO_LARGE;
	case -ENOBUFS:
		return MIRROR_LIMIT;
	case -ENOMEM:
		return MIRROR_NO_MEMORY;
	}
	return MIRROR_INCOMPLETE; /* the body is malformed */
}

/* Return: 0; -ENOMEM. */
static int keep_client(struct mirror *mirror, const struct exchange *exchange)
{
	const struct session *session = exchange->client->session;
	struct mirror_client *client = &mirror->client;
	struct proxy_header header = {};

	client->address = *exchange_source(exchange);
	client->source = session->client_address;
	if (mirror->view->snapshot->config->pools[mirror->dial.pool].proxy_protocol ==
	    CONFIG_PROXY_OFF)
		return 0;
	session_introduce(session, &header);
	client->destination = header.destination;
	if (!header.tlvs.len)
		return 0;
	client->tlvs = malloc(header.tlvs.len);
	if (!client->tlvs)
		return -ENOMEM;
	memcpy(client->tlvs, header.tlvs.ptr, header.tlvs.len);
	client->ntlvs = header.tlvs.len;
	return 0;
}

/* What HTTP/1.0 may leave out, 1.1 may not: an empty one says that it was (RFC 9112 3.2). */
static int begin_copy(struct mirror *mirror, struct exchange *exchange)
{
	struct worker *worker = mirror->view->worker;
	struct http_fields *fields = &exchange->request.fields;
	bool has_host = http_fields_has(fields, HTTP_FIELD_HOST);
	const struct mirror_copy_options options = {
		.loop = worker->loop,
		.request = &exchange->request,
		.target = exchange_target(exchange),
		.body = &exchange->up,
		.arena = &exchange->arena,
		.judge = exchange_judge_request_trailer,
		.context = exchange,
		.max_body = exchange->route->mirror.max_body_bytes,
		.is_last = !http_backend_is_shared(
			&mirror->view->snapshot->config->pools[mirror->dial.pool]),
		.sum = &worker->mirror_bytes,
		.sum_max = MIRROR_BYTES_MAX,
	};
	int err;

	if (!has_host && http_fields_add_id(fields, HTTP_FIELD_HOST, (struct slice){}) < 0)
		return -ENOMEM;
	err = mirror_copy_init(&mirror->copy, &options);
	if (!has_host)
		http_fields_remove(fields, HTTP_FIELD_HOST);
	return err;
}

static struct mirror *mirror_new(struct exchange *exchange, size_t pool)
{
	struct worker_view *view = exchange->client->session->view;
	struct mirror *mirror = calloc(1, sizeof(*mirror));

	if (!mirror)
		return NULL;
	view->worker->nmirrors++;
	mirror->view = worker_view_ref(view);
	mirror->user.ops = &backend_ops;
	mirror_answer_init(&mirror->answer, view->worker->loop, exchange->request.method);
	mirror->dial = (struct dial){
		.ops = &dial_ops,
		.view = view,
		.source = &mirror->client.source,
		.client = &mirror->client.address,
		.key = sticky_key(&exchange->request.fields,
				  &view->snapshot->config->pools[pool].hash_key),
		.pool = pool,
	};
	return mirror;
}

/* For as long as the copy lives. */
static void keep_place(struct mirror *mirror, struct exchange *exchange)
{
	const struct config *config = mirror->view->snapshot->config;
	const struct earth_point *place = exchange_place(exchange,
							 &config->pools[mirror->dial.pool]);

	if (!place)
		return;
	mirror->place = *place;
	mirror->dial.place = &mirror->place;
}

static void begin(struct exchange *exchange, size_t pool)
{
	const struct worker_view *view = exchange->client->session->view;
	struct mirror *mirror = mirror_new(exchange, pool);
	int err;

	if (!mirror) {
		count(view, pool, MIRROR_NO_MEMORY);
		return;
	}
	keep_place(mirror, exchange);
	err = keep_client(mirror, exchange);
	if (!err)
		err = begin_copy(mirror, exchange);
	if (err)
		mirror_over(mirror, result_of(err), IO_CLOSE_RESET);
	else if (mirror->copy.body.is_done)
		launch(mirror);
	else
		exchange->mirror = mirror;
}

void mirror_begin(struct exchange *exchange)
{
	const struct config_mirror *config = &exchange->route->mirror;
	const struct http_request *request = &exchange->request;
	const struct worker_view *view = exchange->client->session->view;

	if (!config->pool.name || rng_below(&view->worker->rng, 100) >= config->share_percent)
		return;
	if (request->wants_upgrade || request->method == HTTP_METHOD_CONNECT)
		count(view, config->pool.index, MIRROR_UPGRADE);
	else if (view->worker->nmirrors >= MIRRORS_MAX)
		count(view, config->pool.index, MIRROR_LIMIT);
	else
		begin(exchange, config->pool.index);
}

void mirror_body(struct exchange *exchange, struct slice bytes)
{
	struct mirror *mirror = exchange->mirror;
	int err;

	if (!mirror)
		return;
	err = mirror_copy_add(&mirror->copy, bytes);
	if (!err && !mirror->copy.body.is_done)
		return;
	exchange->mirror = NULL;
	if (err)
		mirror_over(mirror, result_of(err), IO_CLOSE_RESET);
	else
		launch(mirror);
}

void mirror_end(struct exchange *exchange)
{
	if (exchange->mirror)
		mirror_over(exchange->mirror, MIRROR_INCOMPLETE, IO_CLOSE_RESET);
	exchange->mirror = NULL;
}
