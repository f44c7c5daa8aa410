// SPDX-License-Identifier: Apache-2.0
/* JSON strings for log lines, where a tree of values would be built only to be thrown away. */
#include "core/json.h"
#include "core/utf8.h"

static void append_ascii(struct strbuf *buf, char c)
{
	if (c == '"' || c == '\\')
		strbuf_printf(buf, "\\%c", c);
	else if (c < 0x20 || c == 0x7f)
		strbuf_printf(buf, "\\u%04x", (unsigned)c);
	else
		strbuf_append(buf, slice_of(&c, 1));
}

void json_append_string(struct strbuf *buf, struct slice text)
{
	strbuf_append_str(buf, "\"");
	while (text.len > 0) {
		size_t len = utf8_length(text.ptr, text.len);

		if (len == 0)
			strbuf_append_str(buf, "\\ufffd");
		else if (len == 1)
			append_ascii(buf, text.ptr[0]);
		else
			strbuf_append(buf, slice_of(text.ptr, len));
		text = slice_skip(text, len ? len : 1);
	}
	strbuf_append_str(buf, "\"");
}
