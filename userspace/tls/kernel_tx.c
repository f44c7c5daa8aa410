// SPDX-License-Identifier: Apache-2.0
/*
 * Sending by the kernel: where OpenSSL stops making records, the kernel goes on.
 *
 *   OPENSSL ──a long file is to be sent, the queue is empty──► KERNEL ──KeyUpdate──► KERNEL
 *      └──the kernel refuses──► OPENSSL, for good                └──it cannot──► SILENCED
 *
 * It never goes back: a socket keeps its TLS. From then on what OpenSSL wants to say is taken from
 * its message callback, in clear, and goes to the kernel as a record of its own; the bytes that it
 * makes of it are dropped (wire.c). Receiving stays OpenSSL's.
 *
 * A peer may want our keys changed (RFC 8446 section 4.6.3): our KeyUpdate has to stand before the
 * next byte of ours. Newer kernels can do that, in the middle of a file. With others nothing is
 * read while a file is on its way, so that a request is met between two answers; then the
 * connection has said its last byte, and ends with close_notify.
 */
#include "tls/kernel_internal.h"
#include "tls/tls_internal.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>

/* Changing over takes some 10 µs, which copies of 36 KiB take at least: docs/benchmarks.md. What
 * the kernel's cipher costs was not measured, hence more. */
#define FILE_LEAST ((uint64_t)256 * 1024)
/* How long a close waits for the last record, and how often is looked whether it may go. */
#define FAREWELL_MS           10000
#define FAREWELL_PAUSE_MS     5
#define FAREWELL_PAUSE_MAX_MS 250

static struct tls_session *session_of(const struct io_layer *layer)
{
	return container_of((struct io_layer *)(uintptr_t)layer, struct tls_session, layer);
}

static bool is_1_3(const struct tls_session *session)
{
	return SSL_version(session->ssl) == TLS1_3_VERSION;
}

/* Whether the peer could ask for what the kernel cannot do. */
static bool is_deaf_while_sending(const struct tls_session *session)
{
	return session->sending.is_kernels && !session->sending.kernel->can_update &&
	       is_1_3(session);
}

/* --- What OpenSSL says ------------------------------------------------------------------ */

void tls_sending_note_key(struct tls_session *session, const char *line)
{
	if (session->sending.kernel && tls_traffic_secret_read(line, &session->sending.secret))
		session->sending.records = 0;
}

void tls_sending_note_record(struct tls_session *session, const char *record, size_t len)
{
	struct tls_sending *sending = &session->sending;

	if (len >= SSL3_RT_HEADER_LENGTH + sizeof(sending->nonce))
		memcpy(sending->nonce, record + SSL3_RT_HEADER_LENGTH, sizeof(sending->nonce));
}

static void hand_record(struct tls_session *session, int type, const void *bytes, size_t len)
{
	int err = io_layer_write_record(&session->layer, (uint8_t)type, bytes, len);

	if (err)
		io_layer_fail(&session->layer, err);
}

static void on_key_update(struct tls_session *session, const void *bytes, size_t len)
{
	struct tls_sending *sending = &session->sending;

	if (sending->is_kernels) {
		hand_record(session, SSL3_RT_HANDSHAKE, bytes, len);
		return;
	}
	sending->records = 0;
	if (tls_traffic_secret_update(session->ssl, &sending->secret) < 0)
		sending->is_refused = true;
}

static bool owes_key_update(const struct tls_session *session)
{
	return SSL_get_key_update_type(session->ssl) != SSL_KEY_UPDATE_NONE;
}

/* OpenSSL itself would answer with the next bytes that it is given, and gets none any more. */
void tls_sending_answer(struct tls_session *session)
{
	if (!session->sending.is_kernels || !owes_key_update(session))
		return;
	if (!session->sending.kernel->can_update)
		session->sending.is_silenced = true;
	else if (SSL_key_update(session->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 ||
		 SSL_do_handshake(session->ssl) != 1)
		io_layer_fail(&session->layer, -EPROTO);
}

/* Records are counted from when a key is taken into use: in TLS 1.2 behind ChangeCipherSpec. */
static void on_message(int is_written, int version, int type, const void *bytes, size_t len,
		       SSL *ssl, void *arg)
{
	struct tls_session *session = arg;

	(void)version;
	(void)ssl;
	if (!is_written)
		return;
	switch (type) {
	case SSL3_RT_HEADER:
		if (!session->sending.is_kernels)
			session->sending.records++;
		break;
	case SSL3_RT_CHANGE_CIPHER_SPEC:
		session->sending.records = 0;
		break;
	case SSL3_RT_HANDSHAKE:
		if (len > 0 && *(const unsigned char *)bytes == SSL3_MT_KEY_UPDATE)
			on_key_update(session, bytes, len);
		break;
	case SSL3_RT_ALERT:
		if (session->sending.is_kernels)
			hand_record(session, type, bytes, len);
		break;
	default:
		break;
	}
}

void tls_sending_watch(struct tls_session *session, const struct tls_kernel_abilities *kernel)
{
	session->sending.kernel = kernel;
	SSL_set_msg_callback(session->ssl, on_message);
	SSL_set_msg_callback_arg(session->ssl, session);
}

/* --- Changing over ---------------------------------------------------------------------- */

static bool can_send_file(const struct io_layer *layer, uint64_t left)
{
	const struct tls_session *session = session_of(layer);
	const struct tls_sending *sending = &session->sending;
	enum tls_kernel_cipher cipher;

	if (sending->is_kernels)
		return !sending->is_silenced;
	return sending->kernel && !sending->is_refused && left >= FILE_LEAST &&
	       session->is_confirmed && !session->is_over && session->burst >= TLS_SMALL_BURST &&
	       !owes_key_update(session) && tls_kernel_cipher_of(session->ssl, &cipher) &&
	       sending->kernel->has[cipher];
}

static int install(struct tls_session *session)
{
	struct tls_sending *sending = &session->sending;
	struct tls_kernel_key key;
	int err = tls_kernel_key_make(session->ssl, sending, &key);

	if (!err)
		err = tls_kernel_install(session->layer.stream->fd, &key);
	sending->cipher = key.cipher;
	OPENSSL_cleanse(&key, sizeof(key));
	return err;
}

static int change_over(struct tls_session *session)
{
	const struct io_stream *stream = session->layer.stream;
	struct tls_sending *sending = &session->sending;
	int err = tls_kernel_attach(stream->fd);

	if (!err)
		err = tls_kernel_taken(stream->fd, &sending->taken_before);
	if (!err)
		err = install(session);
	if (err)
		return err;
	sending->is_kernels = true;
	sending->out_before = stream->bytes_out;
	if (session->on_kernel)
		session->on_kernel(session->layer.stream);
	return 0;
}

static int on_file(struct io_layer *layer)
{
	struct tls_session *session = session_of(layer);
	int err = session->sending.is_kernels ? 0 : change_over(session);

	if (err)
		session->sending.is_refused = true;
	else if (is_deaf_while_sending(session))
		io_stream_recv_stop(layer->stream);
	return err;
}

/* --- Records ---------------------------------------------------------------------------- */

/* Return: how many the kernel has made so far; -errno. */
static int count_records(const struct tls_session *session, uint64_t *ret)
{
	const struct tls_sending *sending = &session->sending;
	uint64_t next;
	int err = tls_kernel_sequence(session->layer.stream->fd, sending->cipher, &next);

	if (!err)
		*ret = sending->sealed + next - sending->records;
	return err;
}

/* KeyUpdate is on its way: what follows it is sealed with the next key, from 0 on. */
static int on_record(struct io_layer *layer, uint8_t type)
{
	struct tls_session *session = session_of(layer);
	struct tls_sending *sending = &session->sending;
	int err;

	if (type != SSL3_RT_HANDSHAKE)
		return 0;
	err = count_records(session, &sending->sealed);
	if (!err)
		err = tls_traffic_secret_update(session->ssl, &sending->secret);
	sending->records = 0;
	return err ? err : install(session);
}

/*
 * A record that finds no room in the socket waits in the kernel's TLS, of which neither a FIN nor a
 * close knows: it would be lost. Whether any does is the difference of what was sent, with what
 * each record adds, and what the connection has taken.
 */
static bool is_all_taken(const struct tls_session *session)
{
	const struct tls_sending *sending = &session->sending;
	const struct io_stream *stream = session->layer.stream;
	struct pollfd room = {.fd = stream->fd, .events = POLLOUT};
	uint64_t taken, records = 0, sent;

	if (tls_kernel_taken(stream->fd, &taken) < 0 || count_records(session, &records) < 0)
		return true; /* nobody can tell */
	sent = stream->bytes_out - sending->out_before +
	       records * tls_kernel_overhead(sending->cipher, is_1_3(session));
	return taken - sending->taken_before >= sent && poll(&room, 1, 0) == 1;
}

/* An alert is the last record. */
static bool may_send_record(struct io_layer *layer, uint8_t type)
{
	struct tls_session *session = session_of(layer);
	struct io_loop *loop = tls_pacer_loop(session->pacer);
	struct tls_sending *sending = &session->sending;
	uint64_t now_ms = io_loop_now_ms(loop), waited_ms, pause_ms;

	if (type != SSL3_RT_ALERT || is_all_taken(session))
		return true;
	if (!sending->farewell_ms)
		sending->farewell_ms = now_ms;
	waited_ms = now_ms - sending->farewell_ms;
	if (waited_ms >= FAREWELL_MS && io_stream_is_closing(layer->stream))
		return true;
	pause_ms = FAREWELL_PAUSE_MS + waited_ms / 4;
	io_timer_start(loop, &session->timer,
		       pause_ms < FAREWELL_PAUSE_MAX_MS ? pause_ms : FAREWELL_PAUSE_MAX_MS);
	return false;
}

/* --- Receiving -------------------------------------------------------------------------- */

bool tls_sending_holds_wire(const struct tls_session *session)
{
	return is_deaf_while_sending(session) && !io_layer_is_heard(&session->layer);
}

static void on_heard(struct io_layer *layer)
{
	layer->is_holding = false;
	tls_session_read(session_of(layer));
}

const struct io_layer_kernel_ops tls_kernel_ops = {
	.can_send_file = can_send_file,
	.on_file = on_file,
	.may_send_record = may_send_record,
	.on_record = on_record,
	.on_heard = on_heard,
};
