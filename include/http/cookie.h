/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_COOKIE_H
#define SLUICE_HTTP_COOKIE_H

#include "core/arena.h"
#include "core/compiler.h"
#include "http/fields.h"

#include <stdbool.h>
#include <stdint.h>

/**
 * Takes the next "name=value" off the value of a Cookie field; quotes around a value are taken
 * away. Return: false at the end. Source: RFC 6265 section 4.2.
 */
bool http_cookie_next(struct slice *cookies, struct slice *ret_name, struct slice *ret_value);

/* The value of the first cookie of that name in all Cookie fields; names are case-sensitive.
 * Return: 0; -ENOENT. */
int http_cookie_find(const struct http_fields *request, struct slice name,
		     struct slice *ret) WARN_UNUSED;

/**
 * Removes every cookie of that name from the request; a Cookie field left empty goes.
 * Return: 0; -ENOMEM: some may be left.
 */
int http_cookie_remove(struct http_fields *request, struct slice name) WARN_UNUSED;

enum http_same_site {
	HTTP_SAME_SITE_UNSAID,
	HTTP_SAME_SITE_LAX,
	HTTP_SAME_SITE_STRICT,
	HTTP_SAME_SITE_NONE,
};

/* A cookie to be set. */
struct http_set_cookie {
	struct slice name, value;
	struct slice path, domain; /* not written if empty */
	int64_t max_age;           /* seconds; negative: until the browser ends */
	bool is_secure, is_http_only;
	enum http_same_site same_site;
};

/**
 * The value of a Set-Cookie field, in @arena.
 * Return: 0; -EINVAL if a part holds what it must not (RFC 6265 section 4.1.1); -ENOMEM.
 */
int http_set_cookie_format(const struct http_set_cookie *cookie, struct arena *arena,
			   struct slice *ret) WARN_UNUSED;

#endif
