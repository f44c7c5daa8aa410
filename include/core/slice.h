/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_SLICE_H
#define SLUICE_CORE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/*
 * Bytes that somebody else owns. A slice borrows and never outlives its buffer; it is not
 * terminated by a NUL. {NULL, 0} is the empty slice.
 */
struct slice {
	const char *ptr;
	size_t len;
};

/* For printf: "%.*s", SLICE_FMT(s). */
#define SLICE_FMT(s) (int)(s).len, (s).ptr

static inline struct slice slice_of(const void *ptr, size_t len)
{
	return (struct slice){.ptr = ptr, .len = len};
}

static inline struct slice slice_from_str(const char *str)
{
	return slice_of(str, strlen(str));
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_equal_str(struct slice a, const char *str)
{
	return slice_equal(a, slice_from_str(str));
}

/* ASCII case does not matter. */
static inline bool slice_equal_nocase(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_starts_with(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && slice_equal(slice_of(s.ptr, prefix.len), prefix);
}

static inline bool slice_ends_with(struct slice s, struct slice suffix)
{
	return s.len >= suffix.len &&
	       slice_equal(slice_of(s.ptr + (s.len - suffix.len), suffix.len), suffix);
}

/* What is left after the first @n bytes; @n is at most s.len. */
static inline struct slice slice_skip(struct slice s, size_t n)
{
	return slice_of(s.ptr + n, s.len - n);
}

#endif
