// SPDX-License-Identifier: Apache-2.0
/* JSON strings for log lines, where a tree of values would be built only to be thrown away. */
#include "core/json.h"

#include <stdint.h>

/* The length of the well-formed UTF-8 sequence at @p (RFC 3629); 0 if there is none. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
	size_t len = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

	if (len == 0 || len > left)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

static void append_ascii(struct strbuf *buf, unsigned char c)
{
	char plain = (char)c;

	if (c == '"' || c == '\\')
		strbuf_printf(buf, "\\%c", c);
	else if (c < 0x20 || c == 0x7f)
		strbuf_printf(buf, "\\u%04x", c);
	else
		strbuf_append(buf, slice_of(&plain, 1));
}

void json_append_string(struct strbuf *buf, struct slice text)
{
	const unsigned char *p = (const unsigned char *)text.ptr;

	strbuf_append_str(buf, "\"");
	for (size_t i = 0; i < text.len;) {
		size_t len = p[i] < 0x80 ? 1 : utf8_length(p + i, text.len - i);

		if (p[i] < 0x80)
			append_ascii(buf, p[i]);
		else if (len > 0)
			strbuf_append(buf, slice_of(p + i, len));
		else
			strbuf_append_str(buf, "\\ufffd");
		i += len ? len : 1;
	}
	strbuf_append_str(buf, "\"");
}
