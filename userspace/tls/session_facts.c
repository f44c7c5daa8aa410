// SPDX-License-Identifier: Apache-2.0
/* What can be asked of a session. */
#include "tls/session.h"
#include "tls/tls_internal.h"

#include <string.h>

bool tls_session_is_early(const struct tls_session *session)
{
	return session->is_open && !session->is_confirmed;
}

bool tls_session_is_kernels(const struct tls_session *session)
{
	return session->sending.is_kernels;
}

bool tls_session_is_for(const struct tls_session *session, struct slice host)
{
	char name[256];

	if (!session->is_server || host.len == 0 || host.len >= sizeof(name))
		return false;
	memcpy(name, host.ptr, host.len);
	name[host.len] = '\0';
	return tls_server_context_answers_for(session->ssl, name);
}

void tls_session_facts(const struct tls_session *session, struct tls_facts *ret)
{
	const unsigned char *alpn;
	unsigned len;

	SSL_get0_alpn_selected(session->ssl, &alpn, &len);
	*ret = (struct tls_facts){
		.version = SSL_get_version(session->ssl),
		.cipher = SSL_get_cipher_name(session->ssl),
		.alpn = slice_of((const char *)alpn, len),
		.sni = SSL_get_servername(session->ssl, TLSEXT_NAMETYPE_host_name),
		.is_resumed = SSL_session_reused(session->ssl),
		.has_peer_certificate = SSL_get0_peer_certificate(session->ssl),
	};
}
