/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_MESSAGE_H
#define SLUICE_HTTP_MESSAGE_H

#include "core/slice.h"
#include "http/fields.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The heads of a request and of a response, whatever version of HTTP they came in. A codec fills
 * them, filters change them, a codec writes them. All slices point into bytes that outlive the
 * head: the received head itself, the request's arena, or static text.
 * Source: RFC 9110 (semantics), RFC 9112 (HTTP/1), RFC 9113 (HTTP/2).
 */

/* X(name, is safe, is idempotent); names are case-sensitive (RFC 9110 section 9.1). */
#define HTTP_METHODS(X)          \
	X(GET, true, true)       \
	X(HEAD, true, true)      \
	X(POST, false, false)    \
	X(PUT, false, true)      \
	X(DELETE, false, true)   \
	X(CONNECT, false, false) \
	X(OPTIONS, true, true)   \
	X(TRACE, true, true)     \
	X(PATCH, false, false)

enum http_method {
	HTTP_METHOD_OTHER, /* any other token: forwarded, neither safe nor idempotent */
#define X(name, is_safe, is_idempotent) HTTP_METHOD_##name,
	HTTP_METHODS(X)
#undef X
		HTTP_METHOD_COUNT
};

enum http_method http_method_of(struct slice text);
struct slice http_method_name(enum http_method method); /* "" for HTTP_METHOD_OTHER */
bool http_method_is_safe(enum http_method method);
bool http_method_is_idempotent(enum http_method method);

enum http_version {
	HTTP_VERSION_NONE = 0,
	HTTP_VERSION_1_0 = 10,
	HTTP_VERSION_1_1 = 11,
	HTTP_VERSION_2 = 20,
};

/* A host with or without a port: of a Host field, a target, ":authority" or a URI. */
struct http_authority {
	struct slice text; /* as sent */
	struct slice host; /* a name, IPv4, or IPv6 in its brackets; case as sent */
	uint16_t port;     /* 0: none was given */
};

/**
 * Reads "host", "host:port", "[v6]" or "[v6]:port"; no user name, no empty host, no port
 * that is 0, above 65535 or empty. A name is of unreserved characters: what else a URI may have
 * there (percent-encodings, commas) is in no DNS name, and read differently by everybody.
 * Return: 0; -EINVAL. Source: RFC 3986 section 3.2, RFC 9110 section 7.2.
 */
int http_authority_parse(struct slice text, struct http_authority *ret) WARN_UNUSED;

/* A host without the dot that may stand at the end of a name: "a.example." is "a.example". */
struct slice http_host_name(struct slice host);

/* Same host (case does not matter) and same port, where none means @default_port. */
bool http_authority_equal(const struct http_authority *a, const struct http_authority *b,
			  uint16_t default_port);

enum http_target_form {
	HTTP_TARGET_ORIGIN,    /* /path?query */
	HTTP_TARGET_ABSOLUTE,  /* http://authority/path?query */
	HTTP_TARGET_AUTHORITY, /* host:port, with CONNECT only */
	HTTP_TARGET_ASTERISK,  /* *, with OPTIONS only */
};

/* What is asked for (RFC 9112 section 3.2). Nothing is decoded; percent-encoding is well-formed. */
struct http_target {
	enum http_target_form form;
	struct slice text;               /* as sent; ":path" in HTTP/2 */
	struct slice scheme;             /* absolute form and HTTP/2; otherwise empty */
	struct http_authority authority; /* absolute and authority form; otherwise empty */
	struct slice path;               /* begins with "/"; "*", or empty in authority form */
	struct slice query;              /* behind the "?", which is not part of it */
	bool has_query;                  /* tells "/a?" from "/a" */
};

enum http_framing_kind {
	HTTP_FRAMING_NONE,        /* no body, not even an empty one: nothing is written of it */
	HTTP_FRAMING_LENGTH,      /* @length bytes, may be 0 */
	HTTP_FRAMING_CHUNKED,     /* in HTTP/1; in HTTP/2: until END_STREAM, length unknown */
	HTTP_FRAMING_UNTIL_CLOSE, /* responses of HTTP/1 only */
	HTTP_FRAMING_TUNNEL,      /* bytes both ways from here: 101, or 2xx to CONNECT */
};

struct http_framing {
	enum http_framing_kind kind;
	uint64_t length; /* HTTP_FRAMING_LENGTH: bytes */
};

struct http_request {
	enum http_method method;
	enum http_version version;
	struct slice method_text;
	struct http_target target;
	/* Who is meant: of the Host field, the target or ":authority", which agree where several
	 * are there. Empty only in HTTP/1.0 without Host. */
	struct http_authority authority;
	struct http_fields fields;
	struct http_framing framing; /* of the body that follows */
	bool is_persistent;          /* the client lets the connection stay (RFC 9112 9.3) */
	bool expects_continue;       /* waits for 100 before its body (RFC 9110 10.1.1) */
	bool wants_upgrade;          /* Upgrade, and Connection names it (RFC 9110 7.8) */
	bool accepts_trailers;       /* TE: trailers (RFC 9110 10.1.4) */
};

struct http_response {
	uint16_t status; /* 100..599; 1xx but 101: another response follows */
	enum http_version version;
	struct slice reason; /* as sent, may be empty; always empty in HTTP/2 */
	struct http_fields fields;
	struct http_framing framing;
	bool is_persistent; /* the connection may carry another exchange once the body is read */
};

/* The request's head has moved from [@from, @from + @len) to @to, byte for byte. */
void http_request_rebase(struct http_request *request, const char *from, size_t len,
			 const char *to);
void http_response_rebase(struct http_response *response, const char *from, size_t len,
			  const char *to);

/* Whether a response of @status to @method never has a body (RFC 9110 section 6.4.1). */
bool http_response_is_bodiless(unsigned status, enum http_method method);

#endif
