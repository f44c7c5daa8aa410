/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_DATE_H
#define SLUICE_HTTP_DATE_H

#include "core/compiler.h"
#include "core/slice.h"

#include <stdint.h>

/* "Sun, 06 Nov 1994 08:49:37 GMT", without a NUL. */
#define HTTP_DATE_LEN 29

/**
 * Reads a date in any of the three forms (RFC 9110 section 5.6.7): IMF-fixdate, RFC 850 (whose
 * two-digit years more than 50 years after @now are of the century before) and asctime.
 * @now: seconds since 1970.
 * Return: 0; -EINVAL.
 */
int http_date_parse(struct slice text, int64_t now, int64_t *ret_seconds) WARN_UNUSED;

/* Writes IMF-fixdate. @seconds: since 1970, of the years 0 to 9999. Return: @ret. */
const char *http_date_format(int64_t seconds, char ret[HTTP_DATE_LEN]);

#endif
