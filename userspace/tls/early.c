// SPDX-License-Identifier: Apache-2.0
/* Early data (0-RTT): what a client who resumes sends with its ClientHello goes up as it comes, and
 * the handshake goes on behind it. Source: RFC 8446 sections 2.3 and 4.2.10. */
#include "tls/session.h"
#include "tls/tls_internal.h"

#include <errno.h>
#include <openssl/err.h>

static void give_up(struct tls_session *session)
{
	session->reads_early = false;
	if (session->is_open)
		io_layer_end(&session->layer, -ENOMEM);
	else
		tls_session_fail(session, TLS_FAILURE_NO_MEMORY, "out of memory");
}

static void deliver(struct tls_session *session, struct io_buf *buf)
{
	if (!session->is_open)
		tls_session_open(session);
	if (buf->end > 0 && !io_stream_is_closing(session->layer.stream))
		io_layer_deliver(&session->layer, buf);
	else
		io_buf_release(session->layer.stream->loop, buf);
}

/* Return: what SSL_read_early_data() does. */
static int read_some(struct tls_session *session)
{
	struct io_buf *buf = tls_session_take_buf(session);
	size_t len = 0;
	int result;

	if (!buf) {
		give_up(session);
		return SSL_READ_EARLY_DATA_ERROR;
	}
	tls_errors_begin();
	result = SSL_read_early_data(session->ssl, buf->base + buf->end, buf->cap - buf->end, &len);
	if (result == SSL_READ_EARLY_DATA_SUCCESS) {
		buf->end += (uint32_t)len;
		deliver(session, buf);
		return result;
	}
	io_buf_release(session->layer.stream->loop, buf);
	if (result == SSL_READ_EARLY_DATA_ERROR)
		tls_session_wait_or_fail(session, 0);
	return result;
}

bool tls_early_read(struct tls_session *session)
{
	int result = SSL_READ_EARLY_DATA_SUCCESS;

	while (result == SSL_READ_EARLY_DATA_SUCCESS &&
	       !io_stream_is_closing(session->layer.stream))
		result = read_some(session);
	if (result == SSL_READ_EARLY_DATA_FINISH)
		session->reads_early = false;
	return result == SSL_READ_EARLY_DATA_FINISH;
}
