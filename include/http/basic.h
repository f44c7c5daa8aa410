/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_BASIC_H
#define SLUICE_HTTP_BASIC_H

#include "core/compiler.h"
#include "core/slice.h"
#include "http/fields.h"

/* Longer ones are nobody's: crypt(3) takes no more than 511 bytes of a password. */
#define HTTP_BASIC_MAX 768

/* A name and a password, as they were sent. Source: RFC 7617. */
struct http_basic {
	struct slice whole; /* "name:password" */
	struct slice name, password;
};

/**
 * Reads the one Authorization field of a request, of the scheme Basic.
 * @buf: keeps what is read, with a NUL behind the password.
 * Return: 0; -ENOENT: there is no such field; -EINVAL: several, another scheme, no base64, no
 * colon, a NUL, or too long.
 */
int http_basic_read(const struct http_fields *request, char buf[HTTP_BASIC_MAX + 1],
		    struct http_basic *ret) WARN_UNUSED;

#endif
