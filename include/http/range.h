/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_RANGE_H
#define SLUICE_HTTP_RANGE_H

#include "core/compiler.h"
#include "core/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Both ends belong to it. */
struct http_range {
	uint64_t first, last;
};

/**
 * Reads a Range field for a representation of @size bytes. Ranges are cut to the size, those that
 * begin behind its end are left out. Source: RFC 9110 section 14.
 * @max: room in @ret. More ranges, or ranges that overlap and together ask for more than the whole,
 *       make the field count as absent, which a server may always do (section 14.2).
 * Return: number of ranges; 0: no range unit of ours or malformed: answer with the whole;
 * -ERANGE: none can be satisfied: answer 416.
 */
int http_range_parse(struct slice value, uint64_t size, struct http_range *ret,
		     size_t max) WARN_UNUSED;

/* A Content-Range of 206: "bytes 0-499/1234" (and "bytes * /1234" of 416, without the blank). */
struct http_content_range {
	uint64_t first, last;
	uint64_t size;       /* valid if has_size */
	bool has_size;       /* false: "*" */
	bool is_unsatisfied; /* "*" instead of a range */
};

/* Return: 0; -EINVAL. */
int http_content_range_parse(struct slice value, struct http_content_range *ret) WARN_UNUSED;

/* Room for the longest Content-Range with its NUL. */
#define HTTP_CONTENT_RANGE_SIZE 72

/* "bytes first-last/size"; with @range NULL the form of 416. Return: length of the text in @ret. */
size_t http_content_range_format(const struct http_range *range, uint64_t size,
				 char ret[HTTP_CONTENT_RANGE_SIZE]);

#endif
