// SPDX-License-Identifier: Apache-2.0
/*
 * The bytes below a session: OpenSSL reads straight from the received buffers and writes straight
 * into the stream's send queue, by a BIO of our own. Neither ever waits.
 */
#include "tls/tls_internal.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

void tls_wire_append(struct tls_session *session, struct io_buf *buf)
{
	buf->next = NULL;
	*session->wire_tail = buf;
	session->wire_tail = &buf->next;
}

static void drop_first(struct tls_session *session)
{
	struct io_buf *buf = session->wire;

	session->wire = buf->next;
	if (!session->wire)
		session->wire_tail = &session->wire;
	io_buf_release(session->layer.stream->loop, buf);
}

void tls_wire_release(struct tls_session *session)
{
	while (session->wire)
		drop_first(session);
}

static size_t take(struct tls_session *session, char *ret, size_t size)
{
	struct io_buf *buf = session->wire;
	size_t len = buf->end - buf->start < size ? buf->end - buf->start : size;

	memcpy(ret, buf->base + buf->start, len);
	buf->start += (uint32_t)len;
	if (buf->start == buf->end)
		drop_first(session);
	return len;
}

static int on_read(BIO *bio, char *ret, size_t size, size_t *ret_len)
{
	struct tls_session *session = BIO_get_data(bio);
	size_t len = 0;

	BIO_clear_retry_flags(bio);
	while (session->wire && len < size)
		len += take(session, ret + len, size - len);
	*ret_len = len;
	if (len > 0)
		return 1;
	BIO_set_retry_read(bio);
	return 0;
}

static int on_write(BIO *bio, const char *bytes, size_t len, size_t *ret_len)
{
	struct tls_session *session = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	*ret_len = len;
	if (session->sending.is_kernels)
		return 1; /* what it says is a record of the kernel's already */
	if (session->is_confirmed && session->sending.kernel)
		tls_sending_note_record(session, bytes, len);
	if (io_layer_write(&session->layer, bytes, len) < 0)
		return 0;
	return 1;
}

/* Flushing is ours to do, once a whole flight is there. */
static long on_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *make_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
					  "sluice stream");

	if (!method)
		return NULL;
	BIO_meth_set_read_ex(method, on_read);
	BIO_meth_set_write_ex(method, on_write);
	BIO_meth_set_ctrl(method, on_control);
	return method;
}

/* Made once, by whoever comes first and finds the memory. Return: NULL: out of memory. */
static BIO_METHOD *own_method(void)
{
	static _Atomic(BIO_METHOD *) kept;
	BIO_METHOD *method = kept, *none = NULL;

	if (method)
		return method;
	method = make_method();
	if (!method || atomic_compare_exchange_strong(&kept, &none, method))
		return method;
	BIO_meth_free(method);
	return none;
}

int tls_wire_attach(struct tls_session *session)
{
	BIO_METHOD *method = own_method();
	BIO *bio = method ? BIO_new(method) : NULL;

	if (!bio)
		return -ENOMEM;
	BIO_set_data(bio, session);
	BIO_set_init(bio, 1);
	SSL_set_bio(session->ssl, bio, bio);
	session->wire_tail = &session->wire;
	return 0;
}
