// SPDX-License-Identifier: Apache-2.0
/* Types of options that become part of HTTP messages. */
#include "config/config_internal.h"

/* Visible characters, blanks and bytes above 0x7f (RFC 9110 section 5.5). */
static const char *read_field_value(struct reading *reading, struct slice text, void *field)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return "has a control character";
	}
	return text.len ? store_text(reading, text, field) : "is empty";
}

static void expect_field_value(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "the value of a header field");
}

const struct option_type type_field_value = {
	.name = "field value",
	.size = sizeof(char *),
	.read = read_field_value,
	.expect = expect_field_value,
	.schema = schema_text,
	.is_text = true,
};

/* A word that stays text. */
static const char *read_scheme(struct reading *reading, struct slice text, void *field)
{
	for (const struct word *word = reading->option->words; word->name; word++)
		if (slice_equal_str(text, word->name))
			return store_text(reading, text, field);
	return "is unknown";
}

const struct option_type type_scheme = {
	.name = "word",
	.size = sizeof(char *),
	.read = read_scheme,
	.expect = expect_word,
	.schema = schema_word,
};
