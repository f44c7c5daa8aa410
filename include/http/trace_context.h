/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_TRACE_CONTEXT_H
#define SLUICE_HTTP_TRACE_CONTEXT_H

#include "core/compiler.h"
#include "core/slice.h"

#include <stdint.h>

/* The field traceparent: which trace a request belongs to, and the span that it came from. Source:
 * W3C Trace Context, section 3.2. */

#define TRACE_ID_DIGITS     32
#define SPAN_ID_DIGITS      16
#define TRACE_CONTEXT_SIZE  56 /* with its NUL */
#define TRACE_FLAG_RECORDED 0x01

struct trace_context {
	char trace_id[TRACE_ID_DIGITS + 1]; /* lower-case hexadecimal, not all zero */
	char span_id[SPAN_ID_DIGITS + 1];   /* the same; of whoever sends it */
	uint8_t flags;
};

/* Of any version but ff; what later versions append is ignored. Return: 0; -EINVAL. */
int trace_context_parse(struct slice value, struct trace_context *ret) WARN_UNUSED;

/* In version 00. */
void trace_context_format(const struct trace_context *context, char ret[TRACE_CONTEXT_SIZE]);

/* Random ids; @high and @low are not both zero in what is made of them. */
void trace_context_new_trace(struct trace_context *context, uint64_t high, uint64_t low);
void trace_context_new_span(struct trace_context *context, uint64_t random);

#endif
