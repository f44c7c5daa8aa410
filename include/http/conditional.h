/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_CONDITIONAL_H
#define SLUICE_HTTP_CONDITIONAL_H

#include "core/compiler.h"
#include "http/message.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Conditional requests, for whoever answers from what it has: files, cache.
 * Source: RFC 9110 section 13.
 */
struct http_etag {
	struct slice opaque; /* between the quotes */
	bool is_weak;
};

/* Return: 0; -EINVAL. */
int http_etag_parse(struct slice text, struct http_etag *ret) WARN_UNUSED;

/* What the server has. */
struct http_validators {
	struct http_etag etag; /* opaque.ptr is NULL: none */
	int64_t modified;      /* seconds since 1970; INT64_MIN: unknown */
	bool exists;           /* there is a representation at all */
};

enum http_condition {
	HTTP_CONDITION_PERFORM,      /* as if there were no condition */
	HTTP_CONDITION_NOT_MODIFIED, /* 304 */
	HTTP_CONDITION_FAILED,       /* 412 */
};

/* Judges If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since in the order of section
 * 13.2.2. @now: seconds since 1970. */
enum http_condition http_condition_judge(const struct http_request *request,
					 const struct http_validators *have, int64_t now);

/* Whether Range may be obeyed by If-Range: true without one (section 13.1.5). */
bool http_if_range_holds(const struct http_request *request, const struct http_validators *have,
			 int64_t now);

#endif
