/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TLS_PEER_H
#define SLUICE_TLS_PEER_H

#include "core/slice.h"
#include "tls/session.h"

/*
 * What the certificate of a peer says, once it was verified. Read when it is first asked for and
 * kept with the session: texts live as long as it does. Thread: the session's.
 */

/* Kinds of names in a subjectAltName (RFC 5280 section 4.2.1.6). */
enum tls_name_kind { TLS_NAME_DNS, TLS_NAME_URI, TLS_NAME_EMAIL, TLS_NAME_KINDS };

struct tls_peer {
	struct slice subject, issuer;       /* RFC 2253 form */
	struct slice serial;                /* lower case hexadecimal, two digits an octet */
	struct slice fingerprint;           /* SHA-256 of the certificate, the same */
	struct slice not_before, not_after; /* RFC 3339, UTC */
	/*
	 * With one blank between two; DNS names in lower case. A name that is not of visible ASCII
	 * characters alone is left out: none of these kinds may have one.
	 */
	struct slice names[TLS_NAME_KINDS];
};

/* Return: NULL: it has shown none, the handshake is not done, or there is no memory. */
const struct tls_peer *tls_session_peer(struct tls_session *session);

/* Both as structured fields have bytes: ":base64:", with ", " between two (RFC 8941 section 3). */
struct tls_peer_der {
	struct slice leaf;
	/*
	 * The authorities it was verified by, but for the anchor (RFC 9440 section 2.3); empty: the
	 * anchor alone, or the session was resumed, and its ticket does not have them.
	 */
	struct slice chain;
};

/* Return: NULL: as above. */
const struct tls_peer_der *tls_session_peer_der(struct tls_session *session);

#endif
