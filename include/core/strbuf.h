/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_STRBUF_H
#define SLUICE_CORE_STRBUF_H

#include "core/compiler.h"
#include "core/slice.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Text that grows, always terminated by a NUL once it holds anything. A zeroed strbuf is empty and
 * ready. Out of memory is remembered in @is_failed, so that a writer checks once, at its end.
 */
struct strbuf {
	char *text;
	size_t len, cap;
	bool is_failed;
};

void strbuf_append(struct strbuf *buf, struct slice bytes);
void strbuf_append_str(struct strbuf *buf, const char *str);
void strbuf_printf(struct strbuf *buf, const char *fmt, ...) PRINTF(2, 3);

/* Hands the text to the caller, who frees it; @buf is empty afterwards. Return: NULL if it failed.
 */
char *strbuf_take(struct strbuf *buf) WARN_UNUSED;

void strbuf_done(struct strbuf *buf);

#endif
