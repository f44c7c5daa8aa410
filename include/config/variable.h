/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CONFIG_VARIABLE_H
#define SLUICE_CONFIG_VARIABLE_H

#include "core/template.h"

/*
 * The variables of an exchange that options of type template may name: X(NAME, "name", whether it
 * takes an argument, what it is). proxy/exchange_variable.c has their values. A variable without a
 * value is empty.
 */
#define CONFIG_VARIABLES(X)                                                                   \
	X(CLIENT_IP, "client_ip", false, "the client's address, after the PROXY protocol")    \
	X(CLIENT_PORT, "client_port", false, "the client's port")                             \
	X(CLIENT_NET, "client_net", false, "the client's network by limits.source_prefix")    \
	X(CLIENT_COUNTRY, "client_country", false, "where the client is, by geo: DE")         \
	X(CLIENT_CONTINENT, "client_continent", false, "likewise: EU")                        \
	X(CLIENT_ASN, "client_asn", false, "the autonomous system of its address: 64500")     \
	X(HOST, "host", false, "the host that is asked for, without port, in lower case")     \
	X(PORT, "port", false, "the port that the client connected to")                       \
	X(SCHEME, "scheme", false, "http or https")                                           \
	X(METHOD, "method", false, "GET, POST and so on")                                     \
	X(URI, "uri", false, "what is asked for, as sent: path and query")                    \
	X(PATH, "path", false, "its path, in the form that routes compare")                   \
	X(QUERY, "query", false, "what stands behind its \"?\"")                              \
	X(PROTOCOL, "protocol", false, "HTTP/1.0, HTTP/1.1 or HTTP/2")                        \
	X(REQUEST_ID, "request_id", false, "32 hexadecimal digits that no other request has") \
	X(TLS_VERSION, "tls_version", false, "TLSv1.2 or TLSv1.3; empty without TLS")         \
	X(TLS_CIPHER, "tls_cipher", false, "the cipher of the client's connection")           \
	X(TLS_SNI, "tls_sni", false, "the name that the client's TLS asked for")              \
	X(TLS_CLIENT_SUBJECT, "tls_client_subject", false, "of the client's certificate")     \
	X(TLS_CLIENT_FINGERPRINT, "tls_client_fingerprint", false, "its SHA-256 in hex")      \
	X(TLS_CLIENT_ISSUER, "tls_client_issuer", false, "who has signed it")                 \
	X(TLS_CLIENT_SERIAL, "tls_client_serial", false, "its number, in hex")                \
	X(TLS_CLIENT_NOT_BEFORE, "tls_client_not_before", false, "from when it is good")      \
	X(TLS_CLIENT_NOT_AFTER, "tls_client_not_after", false, "until when it is good")       \
	X(TLS_CLIENT_DNS, "tls_client_dns", false, "the DNS names that it is for")            \
	X(TLS_CLIENT_URI, "tls_client_uri", false, "the URIs that it is for")                 \
	X(TLS_CLIENT_EMAIL, "tls_client_email", false, "the e-mail addresses")                \
	X(LISTENER, "listener", false, "the listener's name")                                 \
	X(POOL, "pool", false, "the pool's name; empty before one is known")                  \
	X(STATUS, "status", false, "the answer's status; empty before there is one")          \
	X(ENDPOINT, "endpoint", false, "the endpoint that has it; empty before one is known") \
	X(TIME, "time", false, "when the request began: RFC 3339, UTC")                       \
	X(DURATION_MS, "duration_ms", false, "milliseconds since then, with a fraction")      \
	X(BYTES_IN, "bytes_in", false, "bytes from the client so far, head and body")         \
	X(BYTES_OUT, "bytes_out", false, "bytes to the client so far, head and body")         \
	X(END, "end", false, "how it ended; empty before it has")                             \
	X(USER, "user", false, "who basic_auth has recognised; empty without it")             \
	X(HEADER, "header", true, "a field of the request: ${header:User-Agent}")             \
	X(RESPONSE_HEADER, "response_header", true, "a field of the response")                \
	X(COOKIE, "cookie", true, "a cookie of the request: ${cookie:session}")

enum config_variable {
	CONFIG_VARIABLE_NONE,
#define X(name, text, takes_argument, help) CONFIG_VARIABLE_##name,
	CONFIG_VARIABLES(X)
#undef X
		CONFIG_VARIABLE_COUNT
};

extern const struct template_names config_variables;

#endif
