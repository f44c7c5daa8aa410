/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_FIELD_ID_H
#define SLUICE_HTTP_FIELD_ID_H

#include "core/slice.h"

#include <stdint.h>

/*
 * Fields that Sluice knows by name: a number instead of text, so that a look-up compares integers.
 * Flags: C: about one connection, never forwarded as it came (RFC 9110 section 7.6.1).
 *        F: a Connection option cannot take it away: the request was judged by it.
 *        C, F: what CGI takes for it, as "Content_Length", is not forwarded.
 *        T: must not stand in a trailer (RFC 9110 section 6.5.1): framing, routing, authentication,
 *           or how the content is to be read. It is dropped there.
 * After a change run scripts/field-hash, which finds a perfect hash again.
 */
#define HTTP_FIELDS(X)                                                             \
	X(ACCEPT, "accept", T)                                                     \
	X(ACCEPT_CHARSET, "accept-charset", T)                                     \
	X(ACCEPT_ENCODING, "accept-encoding", T)                                   \
	X(ACCEPT_LANGUAGE, "accept-language", T)                                   \
	X(ACCEPT_RANGES, "accept-ranges", 0)                                       \
	X(ACCESS_CONTROL_ALLOW_CREDENTIALS, "access-control-allow-credentials", T) \
	X(ACCESS_CONTROL_ALLOW_HEADERS, "access-control-allow-headers", T)         \
	X(ACCESS_CONTROL_ALLOW_METHODS, "access-control-allow-methods", T)         \
	X(ACCESS_CONTROL_ALLOW_ORIGIN, "access-control-allow-origin", T)           \
	X(ACCESS_CONTROL_EXPOSE_HEADERS, "access-control-expose-headers", T)       \
	X(ACCESS_CONTROL_MAX_AGE, "access-control-max-age", T)                     \
	X(ACCESS_CONTROL_REQUEST_HEADERS, "access-control-request-headers", T)     \
	X(ACCESS_CONTROL_REQUEST_METHOD, "access-control-request-method", T)       \
	X(AGE, "age", T)                                                           \
	X(ALLOW, "allow", 0)                                                       \
	X(ALT_SVC, "alt-svc", T)                                                   \
	X(AUTHORIZATION, "authorization", F | T)                                   \
	X(CACHE_CONTROL, "cache-control", F | T)                                   \
	X(CLIENT_CERT, "client-cert", F | T)                                       \
	X(CLIENT_CERT_CHAIN, "client-cert-chain", F | T)                           \
	X(CONNECTION, "connection", C | T)                                         \
	X(CONTENT_DISPOSITION, "content-disposition", T)                           \
	X(CONTENT_ENCODING, "content-encoding", F | T)                             \
	X(CONTENT_LANGUAGE, "content-language", T)                                 \
	X(CONTENT_LENGTH, "content-length", F | T)                                 \
	X(CONTENT_LOCATION, "content-location", T)                                 \
	X(CONTENT_RANGE, "content-range", F | T)                                   \
	X(CONTENT_SECURITY_POLICY, "content-security-policy", T)                   \
	X(CONTENT_TYPE, "content-type", F | T)                                     \
	X(COOKIE, "cookie", F | T)                                                 \
	X(DATE, "date", T)                                                         \
	X(DNT, "dnt", 0)                                                           \
	X(EARLY_DATA, "early-data", F | T)                                         \
	X(ETAG, "etag", 0)                                                         \
	X(EXPECT, "expect", F | T)                                                 \
	X(EXPIRES, "expires", T)                                                   \
	X(FORWARDED, "forwarded", F | T)                                           \
	X(FROM, "from", 0)                                                         \
	X(HOST, "host", F | T)                                                     \
	X(HTTP2_SETTINGS, "http2-settings", C | T)                                 \
	X(IF_MATCH, "if-match", F | T)                                             \
	X(IF_MODIFIED_SINCE, "if-modified-since", F | T)                           \
	X(IF_NONE_MATCH, "if-none-match", F | T)                                   \
	X(IF_RANGE, "if-range", F | T)                                             \
	X(IF_UNMODIFIED_SINCE, "if-unmodified-since", F | T)                       \
	X(KEEP_ALIVE, "keep-alive", C | T)                                         \
	X(LAST_MODIFIED, "last-modified", 0)                                       \
	X(LINK, "link", 0)                                                         \
	X(LOCATION, "location", T)                                                 \
	X(MAX_FORWARDS, "max-forwards", F | T)                                     \
	X(ORIGIN, "origin", F | T)                                                 \
	X(PRAGMA, "pragma", T)                                                     \
	X(PRIORITY, "priority", T)                                                 \
	X(PROXY, "proxy", T)                                                       \
	X(PROXY_AUTHENTICATE, "proxy-authenticate", T)                             \
	X(PROXY_AUTHORIZATION, "proxy-authorization", F | T)                       \
	X(PROXY_CONNECTION, "proxy-connection", C | T)                             \
	X(RANGE, "range", F | T)                                                   \
	X(RATELIMIT, "ratelimit", T)                                               \
	X(RATELIMIT_POLICY, "ratelimit-policy", T)                                 \
	X(REFERER, "referer", 0)                                                   \
	X(RETRY_AFTER, "retry-after", T)                                           \
	X(SEC_FETCH_DEST, "sec-fetch-dest", 0)                                     \
	X(SEC_FETCH_MODE, "sec-fetch-mode", 0)                                     \
	X(SEC_FETCH_SITE, "sec-fetch-site", 0)                                     \
	X(SEC_FETCH_USER, "sec-fetch-user", 0)                                     \
	X(SEC_CH_UA, "sec-ch-ua", 0)                                               \
	X(SEC_CH_UA_MOBILE, "sec-ch-ua-mobile", 0)                                 \
	X(SEC_CH_UA_PLATFORM, "sec-ch-ua-platform", 0)                             \
	X(SEC_WEBSOCKET_ACCEPT, "sec-websocket-accept", T)                         \
	X(SEC_WEBSOCKET_EXTENSIONS, "sec-websocket-extensions", T)                 \
	X(SEC_WEBSOCKET_KEY, "sec-websocket-key", T)                               \
	X(SEC_WEBSOCKET_PROTOCOL, "sec-websocket-protocol", T)                     \
	X(SEC_WEBSOCKET_VERSION, "sec-websocket-version", T)                       \
	X(SERVER, "server", 0)                                                     \
	X(SET_COOKIE, "set-cookie", F | T)                                         \
	X(STRICT_TRANSPORT_SECURITY, "strict-transport-security", T)               \
	X(TE, "te", C | T)                                                         \
	X(TRACEPARENT, "traceparent", F | T)                                       \
	X(TRACESTATE, "tracestate", F | T)                                         \
	X(TRAILER, "trailer", T)                                                   \
	X(TRANSFER_ENCODING, "transfer-encoding", C | F | T)                       \
	X(UPGRADE, "upgrade", C | T)                                               \
	X(UPGRADE_INSECURE_REQUESTS, "upgrade-insecure-requests", 0)               \
	X(USER_AGENT, "user-agent", 0)                                             \
	X(VARY, "vary", F | T)                                                     \
	X(VIA, "via", F | T)                                                       \
	X(WARNING, "warning", T)                                                   \
	X(WWW_AUTHENTICATE, "www-authenticate", T)                                 \
	X(X_FORWARDED_FOR, "x-forwarded-for", F | T)                               \
	X(X_FORWARDED_HOST, "x-forwarded-host", F | T)                             \
	X(X_FORWARDED_PORT, "x-forwarded-port", F | T)                             \
	X(X_FORWARDED_PROTO, "x-forwarded-proto", F | T)                           \
	X(X_REAL_IP, "x-real-ip", F | T)                                           \
	X(X_REQUEST_ID, "x-request-id", F | T)                                     \
	X(X_REQUESTED_WITH, "x-requested-with", 0)

enum http_field_id {
	HTTP_FIELD_OTHER, /* a name that is not in the list */
#define X(id, name, flags) HTTP_FIELD_##id,
	HTTP_FIELDS(X)
#undef X
		HTTP_FIELD_COUNT
};

enum http_field_flag {
	HTTP_FIELD_IS_OF_CONNECTION = 1 << 0,
	HTTP_FIELD_IS_FIXED = 1 << 1,
	HTTP_FIELD_NOT_IN_TRAILER = 1 << 2,
};

/* The number of a name, case does not matter. Return: HTTP_FIELD_OTHER if it is not known. */
enum http_field_id http_field_id(struct slice name);

/* The name in lower case, static; "" for HTTP_FIELD_OTHER. */
struct slice http_field_name(enum http_field_id id);

/* Bits of enum http_field_flag; 0 for HTTP_FIELD_OTHER. */
unsigned http_field_flags(enum http_field_id id);

#endif
