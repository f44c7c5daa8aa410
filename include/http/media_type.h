/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_MEDIA_TYPE_H
#define SLUICE_HTTP_MEDIA_TYPE_H

#include "core/compiler.h"
#include "core/slice.h"

#include <stdbool.h>

/* "type/subtype; name=value", of Content-Type. Source: RFC 9110 section 8.3. */
struct http_media_type {
	struct slice essence; /* "type/subtype", case as sent */
	struct slice type, subtype;
	struct slice params; /* for http_param_next() */
};

/* Return: 0; -EINVAL. */
int http_media_type_parse(struct slice value, struct http_media_type *ret) WARN_UNUSED;

/* Whether it is @pattern: "text/html", "text/ *" (without the blank) or "*" "/" "*". */
bool http_media_type_matches(const struct http_media_type *type, struct slice pattern);

/* The parameter of that name ("charset", "boundary"), still escaped. Return: empty if absent. */
struct slice http_media_type_param(const struct http_media_type *type, struct slice name);

/* The media type for a file's name by its extension; "application/octet-stream" if unknown. */
struct slice http_media_type_of_file(struct slice name);

#endif
