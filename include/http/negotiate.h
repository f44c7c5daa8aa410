/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_NEGOTIATE_H
#define SLUICE_HTTP_NEGOTIATE_H

#include "core/slice.h"
#include "http/fields.h"

#include <stddef.h>

/*
 * What a client prefers. Malformed members count as absent: negotiation never fails a request.
 * Source: RFC 9110 section 12.
 */

/* The weight of the content coding @coding ("gzip", "identity") in thousandths; 0: not acceptable.
 * Without Accept-Encoding only "identity" is (RFC 9110 12.5.3 would allow any); where it is not
 * named it is acceptable with the least weight. */
unsigned http_accepts_coding(const struct http_fields *request, struct slice coding);

/* The weight of a media type ("text/html") in thousandths; 1000 without an Accept field. */
unsigned http_accepts_type(const struct http_fields *request, struct slice type);

/* The index of the offer with the highest weight, the first of equals; @count if none is
 * acceptable. */
size_t http_choose_coding(const struct http_fields *request, const struct slice *offers,
			  size_t count);
size_t http_choose_type(const struct http_fields *request, const struct slice *offers,
			size_t count);

#endif
