// SPDX-License-Identifier: Apache-2.0
/* Growing text, for pages and messages that are not on the hot path. */
#include "core/strbuf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static bool fail(struct strbuf *buf)
{
	buf->is_failed = true;
	return false;
}

/* Room for @more bytes and a NUL. */
static bool reserve(struct strbuf *buf, size_t more)
{
	size_t cap = buf->cap ? buf->cap : 256;
	char *text;

	if (buf->is_failed)
		return false;
	if (buf->cap > buf->len && buf->cap - buf->len > more)
		return true;
	if (more > SIZE_MAX / 4 || buf->len > SIZE_MAX / 4)
		return fail(buf);
	while (cap - buf->len <= more)
		cap *= 2;
	text = realloc(buf->text, cap);
	if (!text)
		return fail(buf);
	buf->text = text;
	buf->cap = cap;
	return true;
}

void strbuf_append(struct strbuf *buf, struct slice bytes)
{
	if (!reserve(buf, bytes.len))
		return;
	if (bytes.len)
		memcpy(buf->text + buf->len, bytes.ptr, bytes.len);
	buf->len += bytes.len;
	buf->text[buf->len] = '\0';
}

void strbuf_append_str(struct strbuf *buf, const char *str)
{
	strbuf_append(buf, slice_from_str(str));
}

void strbuf_printf(struct strbuf *buf, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0) {
		fail(buf);
		return;
	}
	if (!reserve(buf, (size_t)len))
		return;
	va_start(args, fmt);
	vsnprintf(buf->text + buf->len, (size_t)len + 1, fmt, args);
	va_end(args);
	buf->len += (size_t)len;
}

char *strbuf_take(struct strbuf *buf)
{
	char *text;

	strbuf_append(buf, (struct slice){});
	text = buf->is_failed ? NULL : buf->text;
	if (!text)
		free(buf->text);
	*buf = (struct strbuf){};
	return text;
}

void strbuf_done(struct strbuf *buf)
{
	free(buf->text);
	*buf = (struct strbuf){};
}
