// SPDX-License-Identifier: Apache-2.0
/* Reads and writes traceparent: "00-" trace "-" span "-" flags, all in lower-case hexadecimal. */
#include "http/trace_context.h"
#include "core/hex.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define TRACE_AT 3
#define SPAN_AT  (TRACE_AT + TRACE_ID_DIGITS + 1)
#define FLAGS_AT (SPAN_AT + SPAN_ID_DIGITS + 1)

_Static_assert(TRACE_CONTEXT_SIZE == FLAGS_AT + 2 + 1, "all of it");

static bool are_digits(const char *text, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (hex_digit(text[i]) < 0)
			return false;
	return true;
}

static bool is_id(const char *text, size_t count)
{
	return are_digits(text, count) && strspn(text, "0") < count;
}

static bool is_well_formed(struct slice value)
{
	const char *text = value.ptr;
	bool is_first_version;

	if (value.len < TRACE_CONTEXT_SIZE - 1 || !are_digits(text, 2) || !memcmp(text, "ff", 2))
		return false;
	is_first_version = !memcmp(text, "00", 2);
	if (value.len > TRACE_CONTEXT_SIZE - 1 &&
	    (is_first_version || text[TRACE_CONTEXT_SIZE - 1] != '-'))
		return false;
	return text[TRACE_AT - 1] == '-' && text[SPAN_AT - 1] == '-' && text[FLAGS_AT - 1] == '-' &&
	       are_digits(text + FLAGS_AT, 2);
}

int trace_context_parse(struct slice value, struct trace_context *ret)
{
	struct trace_context context = {};

	if (!is_well_formed(value))
		return -EINVAL;
	memcpy(context.trace_id, value.ptr + TRACE_AT, TRACE_ID_DIGITS);
	memcpy(context.span_id, value.ptr + SPAN_AT, SPAN_ID_DIGITS);
	if (!is_id(context.trace_id, TRACE_ID_DIGITS) || !is_id(context.span_id, SPAN_ID_DIGITS))
		return -EINVAL;
	context.flags = (uint8_t)((unsigned)hex_digit(value.ptr[FLAGS_AT]) << 4 |
				  (unsigned)hex_digit(value.ptr[FLAGS_AT + 1]));
	*ret = context;
	return 0;
}

void trace_context_format(const struct trace_context *context, char ret[TRACE_CONTEXT_SIZE])
{
	snprintf(ret, TRACE_CONTEXT_SIZE, "00-%s-%s-%02x", context->trace_id, context->span_id,
		 context->flags);
}

void trace_context_new_trace(struct trace_context *context, uint64_t high, uint64_t low)
{
	snprintf(context->trace_id, sizeof(context->trace_id), "%016llx%016llx",
		 (unsigned long long)high, (unsigned long long)(low ? low : 1));
}

void trace_context_new_span(struct trace_context *context, uint64_t random)
{
	snprintf(context->span_id, sizeof(context->span_id), "%016llx",
		 (unsigned long long)(random ? random : 1));
}
