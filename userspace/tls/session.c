// SPDX-License-Identifier: Apache-2.0
/*
 * A session: the handshake, and then records.
 *
 *   on_start ─► bytes come ─► its turn (pacer.c) ─► SSL_do_handshake ─► more is needed: wait
 *                                                   ├─ done ─► OPEN: on_ready, records both ways
 *                                                   └─ failed, FIN, timeout ─► OVER: on_ready
 *
 * Early data opens it before the handshake is done (early.c), which then is confirmed or ends it.
 *
 * Records are decrypted as their bytes come, and encrypted as they are sent, by OpenSSL or at last
 * by the kernel (kernel_tx.c): nothing of the owner's waits here.
 */
#include "tls/session.h"
#include "core/scarcity.h"
#include "tls/tls_internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#define LARGE_RECORD 16384
#define IDLE_MS      1000

static struct tls_session *session_of(struct io_layer *layer)
{
	return container_of(layer, struct tls_session, layer);
}

static struct io_loop *loop_of(const struct tls_session *session)
{
	return tls_pacer_loop(session->pacer);
}

/* --- The handshake -------------------------------------------------------------------- */

static void leave_handshake(struct tls_session *session)
{
	io_timer_stop(loop_of(session), &session->timer);
	tls_pacer_leave(session->pacer, &session->turn);
}

static void end_by_wire(struct tls_session *session);

void tls_session_fail(struct tls_session *session, enum tls_failure failure, const char *reason)
{
	const struct tls_result result = {
		.failure = failure,
		.reason = reason,
		.is_starved = failure == TLS_FAILURE_NO_MEMORY && session->is_starved,
	};

	session->is_over = true;
	leave_handshake(session);
	tls_wire_release(session);
	io_layer_flush(&session->layer);
	session->on_ready(session->layer.stream, &result);
}

static void fail_by_openssl(struct tls_session *session)
{
	/* The last one is TLS's own; what stands before it is why. */
	unsigned long error = ERR_peek_last_error();
	long verdict = SSL_get_verify_result(session->ssl);
	enum tls_failure failure = tls_failure_of(error);
	const char *reason = ERR_reason_error_string(error);

	if (session->is_starved || tls_errors_are_own()) {
		failure = TLS_FAILURE_NO_MEMORY;
		reason = "out of memory, or an error of our own";
	}
	ERR_clear_error();
	if (failure == TLS_FAILURE_CERTIFICATE && verdict != X509_V_OK)
		reason = X509_verify_cert_error_string(verdict);
	tls_session_fail(session, failure, reason ? reason : "failed");
}

static void end_reading(struct tls_session *session, int error);

void tls_session_open(struct tls_session *session)
{
	const struct tls_result result = {.is_resumed = SSL_session_reused(session->ssl),
					  .is_early = !session->is_confirmed};

	session->is_open = true;
	io_layer_flush(&session->layer);
	io_layer_ready(&session->layer);
	session->on_ready(session->layer.stream, &result);
}

/* Empties what others may still refer to. */
static void forget_key(EVP_PKEY *key)
{
	if (!EVP_PKEY_set_type(key, EVP_PKEY_X25519))
		ERR_clear_error();
	EVP_PKEY_free(key);
}

/*
 * Of TLS 1.3 OpenSSL keeps the keys of the exchange for as long as the connection lasts. They would
 * tell what has been said to whoever reads our memory, and an idle connection would pay for them.
 */
static void forget_exchange(struct tls_session *session)
{
	EVP_PKEY *key;

	if (SSL_get_tmp_key(session->ssl, &key))
		forget_key(key);
	if (SSL_get_peer_tmp_key(session->ssl, &key))
		forget_key(key);
}

static void confirm(struct tls_session *session)
{
	session->is_confirmed = true;
	forget_exchange(session);
	leave_handshake(session);
	if (!session->is_open)
		tls_session_open(session);
	tls_session_read(session);
}

/* What a peer does not like of a ClientHello may be that we could not write all of it. */
static bool is_our_fault(const struct tls_session *session)
{
	return session->is_starved || is_scarcity(session->wire_status);
}

static void fail_if_cut_off(struct tls_session *session)
{
	if (!session->has_wire_ended || session->wire)
		return;
	if (session->is_open)
		end_by_wire(session);
	else
		tls_session_fail(session,
				 is_our_fault(session) ? TLS_FAILURE_NO_MEMORY : TLS_FAILURE_GONE,
				 session->wire_status ? strerror(-session->wire_status)
						      : "closed during the handshake");
}

void tls_session_wait_or_fail(struct tls_session *session, int result)
{
	int error = SSL_get_error(session->ssl, result);

	if (error == SSL_ERROR_WANT_READ) {
		io_layer_flush(&session->layer);
		fail_if_cut_off(session);
	} else if (session->is_open) {
		session->is_over = true;
		leave_handshake(session);
		io_layer_flush(&session->layer);
		end_reading(session, error);
	} else {
		fail_by_openssl(session);
	}
}

static void on_turn(struct tls_turn *turn)
{
	struct tls_session *session = container_of(turn, struct tls_session, turn);
	int result;

	if (io_stream_is_closing(session->layer.stream))
		return;
	if (session->reads_early && !tls_early_read(session))
		return;
	tls_errors_begin();
	result = SSL_do_handshake(session->ssl);
	session->is_starved |= tls_memory_is_denied();
	if (result == 1)
		confirm(session);
	else
		tls_session_wait_or_fail(session, result);
}

static void on_timeout(struct io_timer *timer)
{
	struct tls_session *session = container_of(timer, struct tls_session, timer);

	if (session->sending.is_kernels) {
		io_layer_flush(&session->layer); /* the last record has waited */
		return;
	}
	if (io_stream_is_closing(session->layer.stream))
		return;
	if (session->is_open)
		io_layer_end(&session->layer, -ETIMEDOUT);
	else
		tls_session_fail(session, TLS_FAILURE_TIMEOUT, "the handshake took too long");
}

/* --- Receiving ------------------------------------------------------------------------ */

/* The peer has ended, or what came is not to be trusted. */
static void end_reading(struct tls_session *session, int error)
{
	unsigned long reason = ERR_peek_last_error();
	bool is_own = tls_errors_are_own();
	int status = -EBADMSG;

	ERR_clear_error();
	if (error == SSL_ERROR_ZERO_RETURN)
		status = 0;
	else if (is_own)
		status = -ENOMEM;
	else if (tls_error_is_alert(reason))
		status = -ECONNRESET;
	tls_wire_release(session);
	io_layer_end(&session->layer, status);
}

static void end_by_wire(struct tls_session *session)
{
	io_layer_end(&session->layer, session->wire_status ? session->wire_status : -ECONNABORTED);
}

/* OpenSSL takes a buffer for each look, which an idle connection has to give back. */
static bool has_something(const struct tls_session *session)
{
	return session->wire || SSL_has_pending(session->ssl);
}

/* Return: SSL_ERROR_NONE: @buf is full; else why there is no more. What stands behind a request
 * that cannot be met is not taken: it could not be answered. */
static int fill(struct tls_session *session, struct io_buf *buf)
{
	while (buf->end < buf->cap) {
		size_t len = 0;
		int error = SSL_ERROR_NONE;

		tls_errors_begin();
		if (SSL_read_ex(session->ssl, buf->base + buf->end, buf->cap - buf->end, &len) != 1)
			error = SSL_get_error(session->ssl, 0);
		tls_sending_answer(session);
		if (session->sending.is_silenced)
			return SSL_ERROR_ZERO_RETURN;
		if (error != SSL_ERROR_NONE)
			return error;
		buf->end += (uint32_t)len;
		if (!has_something(session))
			return SSL_ERROR_WANT_READ;
	}
	return SSL_ERROR_NONE;
}

/* Large enough for a record, or for what has come. */
struct io_buf *tls_session_take_buf(struct tls_session *session)
{
	static const struct io_buf one_record = {.end = LARGE_RECORD};

	return io_buf_take_like(loop_of(session), session->wire ? session->wire : &one_record);
}

/* What was decrypted goes up even where something wrong follows it. */
static int read_some(struct tls_session *session)
{
	struct io_buf *buf = tls_session_take_buf(session);
	int error;

	if (!buf) {
		io_layer_end(&session->layer, -ENOMEM);
		return SSL_ERROR_SSL;
	}
	error = fill(session, buf);
	if (buf->end > 0)
		io_layer_deliver(&session->layer, buf);
	else
		io_buf_release(loop_of(session), buf);
	return error;
}

/* The peer may want an answer, to a KeyUpdate for one: it is written while we read. */
void tls_session_read(struct tls_session *session)
{
	struct io_stream *stream = session->layer.stream;
	int error = has_something(session) ? SSL_ERROR_NONE : SSL_ERROR_WANT_READ;

	while (error == SSL_ERROR_NONE && !io_stream_is_closing(stream))
		error = read_some(session);
	if (io_stream_is_closing(stream))
		return;
	io_layer_flush(&session->layer);
	if (error != SSL_ERROR_WANT_READ)
		end_reading(session, error);
	else if (session->has_wire_ended)
		end_by_wire(session);
}

static void on_wire(struct io_layer *layer, struct io_buf *buf)
{
	struct tls_session *session = session_of(layer);

	if (session->is_over) {
		io_buf_release(loop_of(session), buf);
		return;
	}
	tls_wire_append(session, buf);
	if (tls_sending_holds_wire(session))
		layer->is_holding = true;
	else if (session->is_confirmed)
		tls_session_read(session);
	else
		tls_pacer_ask(session->pacer, &session->turn);
}

/* What came before it may wait for its turn, and may be all that the handshake needs. */
static void on_wire_end(struct io_layer *layer, int status)
{
	struct tls_session *session = session_of(layer);

	session->has_wire_ended = true;
	session->wire_status = status;
	if (session->is_confirmed && !layer->is_holding)
		end_by_wire(session);
	else if (!session->is_over)
		fail_if_cut_off(session);
}

/* --- Sending -------------------------------------------------------------------------- */

static size_t record_size(struct tls_session *session)
{
	uint64_t now_ms = io_loop_now_ms(loop_of(session));

	if (now_ms - session->last_sent_ms > IDLE_MS)
		session->burst = 0;
	session->last_sent_ms = now_ms;
	return session->burst < TLS_SMALL_BURST ? TLS_SMALL_RECORD : LARGE_RECORD;
}

/* An answer to early data may go out before the client's end of the handshake has come. */
static int write_record(struct tls_session *session, const char *bytes, size_t len, size_t *ret_len)
{
	return session->is_confirmed ? SSL_write_ex(session->ssl, bytes, len, ret_len)
				     : SSL_write_early_data(session->ssl, bytes, len, ret_len);
}

/* Return: 0; -errno. */
static int write_records(struct tls_session *session, const char *bytes, size_t len)
{
	while (len > 0) {
		size_t limit = record_size(session), written;

		tls_errors_begin();
		if (write_record(session, bytes, len < limit ? len : limit, &written) != 1)
			return tls_errors_are_own() ? -ENOMEM : -EPROTO;
		bytes += written;
		len -= written;
		if (session->burst < TLS_SMALL_BURST)
			session->burst += (uint32_t)written;
	}
	return 0;
}

/* Without memory, or behind the end of reading. The peer cannot know, and would wait for the rest.
 */
static void end_both_ways(struct tls_session *session, int error)
{
	session->is_over = true;
	tls_wire_release(session);
	io_layer_fail(&session->layer, error);
	io_layer_end(&session->layer, error);
}

static void on_send(struct io_layer *layer, struct io_buf *buf)
{
	struct tls_session *session = session_of(layer);
	int err = -EPIPE;

	if (session->sending.is_kernels && !session->sending.is_silenced) {
		io_layer_pass(layer, buf);
		return;
	}
	if (!session->sending.is_silenced)
		err = write_records(session, buf->base + buf->start, buf->end - buf->start);
	io_buf_release(loop_of(session), buf);
	if (err)
		end_both_ways(session, err);
	else
		io_layer_flush(layer);
}

static void on_shutdown(struct io_layer *layer)
{
	ERR_clear_error();
	SSL_shutdown(session_of(layer)->ssl);
	io_layer_flush(layer);
	ERR_clear_error();
}

/* --- Life ----------------------------------------------------------------------------- */

/* A client speaks first; a server waits for it, without taking a place from others. */
static void on_start(struct io_layer *layer)
{
	struct tls_session *session = session_of(layer);

	if (!session->is_server)
		tls_pacer_ask(session->pacer, &session->turn);
}

static void session_free(struct tls_session *session)
{
	tls_peer_forget(session);
	SSL_free(session->ssl);
	OPENSSL_cleanse(&session->sending, sizeof(session->sending));
	free(session);
}

static void on_close(struct io_layer *layer)
{
	struct tls_session *session = session_of(layer);

	leave_handshake(session);
	tls_wire_release(session);
	session_free(session);
}

static const struct io_layer_ops layer_ops = {
	.on_start = on_start,
	.on_wire = on_wire,
	.on_wire_end = on_wire_end,
	.on_send = on_send,
	.on_shutdown = on_shutdown,
	.on_close = on_close,
	.kernel = &tls_kernel_ops,
};

static struct tls_session *session_new(SSL_CTX *ctx, const struct tls_start *start)
{
	struct tls_session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->layer.ops = &layer_ops;
	session->pacer = start->pacer;
	session->on_ready = start->on_ready;
	session->on_kernel = start->on_kernel;
	session->turn.on_turn = on_turn;
	session->timer.on_expire = on_timeout;
	session->ssl = SSL_new(ctx);
	if (session->ssl && SSL_set_app_data(session->ssl, session) &&
	    tls_wire_attach(session) == 0)
		return session;
	ERR_clear_error();
	session_free(session);
	return NULL;
}

static void attach(struct tls_session *session, struct io_stream *stream, uint32_t timeout_ms)
{
	io_timer_start(loop_of(session), &session->timer, timeout_ms);
	io_layer_attach(stream, &session->layer);
}

int tls_accept(const struct tls_server_context *context, struct io_stream *stream,
	       const struct tls_start *start, struct tls_session **ret)
{
	struct tls_session *session = session_new(tls_server_context_ssl(context), start);

	if (!session)
		return -ENOMEM;
	session->is_server = true;
	session->reads_early = tls_server_context_takes_early(context);
	if (tls_server_context_kernel(context))
		tls_sending_watch(session, tls_server_context_kernel(context));
	SSL_set_accept_state(session->ssl);
	attach(session, stream, start->timeout_ms);
	*ret = session;
	return 0;
}

static void resume(struct tls_session *session)
{
	SSL_SESSION *known;

	if (!session->cache)
		return;
	known = tls_session_cache_take(session->cache, session->cache_id);
	if (known)
		SSL_set_session(session->ssl, known);
	SSL_SESSION_free(known);
}

int tls_connect(const struct tls_client_context *context, const struct tls_target *target,
		struct io_stream *stream, const struct tls_start *start, struct tls_session **ret)
{
	struct tls_session *session = session_new(tls_client_context_ssl(context), start);
	int err;

	if (!session)
		return -ENOMEM;
	SSL_set_connect_state(session->ssl);
	err = tls_client_context_aim(context, session->ssl, target->server);
	if (err) {
		session_free(session);
		return err;
	}
	session->cache = target->cache;
	session->cache_id = target->id;
	resume(session);
	attach(session, stream, start->timeout_ms);
	*ret = session;
	return 0;
}
