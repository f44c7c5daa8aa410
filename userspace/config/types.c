// SPDX-License-Identifier: Apache-2.0
/*
 * The types that an option can have, words and text: each knows how to read a value, how to say
 * what it expects, and how JSON Schema puts it. Numbers are in types_number.c, what names places on
 * a network in types_address.c.
 */
#include "config/config_internal.h"

#include <ctype.h>

/* Values are copied byte by byte: enums and integers share their representation. */
_Static_assert(sizeof(enum config_balance) == sizeof(uint32_t), "enums are stored as uint32_t");

static const char *read_word(struct reading *reading, struct slice text, void *field)
{
	for (const struct word *word = reading->option->words; word->name; word++) {
		if (!slice_equal_str(text, word->name))
			continue;
		memcpy(field, &word->value, sizeof(word->value));
		return NULL;
	}
	return "is unknown";
}

void expect_word(const struct option *option, struct strbuf *out)
{
	const struct word *word = option->words;

	if (word[1].name)
		strbuf_append_str(out, "one of ");
	strbuf_append_str(out, word->name);
	for (word++; word->name; word++)
		strbuf_printf(out, ", %s", word->name);
}

void schema_word(const struct option *option, struct strbuf *out)
{
	bool has_off = false;

	strbuf_append_str(out, "\"enum\": [");
	for (const struct word *word = option->words; word->name; word++) {
		strbuf_printf(out, "%s\"%s\"", word == option->words ? "" : ", ", word->name);
		/* Unquoted, a word of digits is a number. */
		if (isdigit((unsigned char)word->name[0]))
			strbuf_printf(out, ", %s", word->name);
		has_off |= slice_equal_str(slice_of("off", 3), word->name);
	}
	/* YAML 1.1 editors take an unquoted off for false. */
	strbuf_append_str(out, has_off ? ", false]" : "]");
}

const struct option_type type_word = {
	.name = "word",
	.size = sizeof(uint32_t),
	.read = read_word,
	.expect = expect_word,
	.schema = schema_word,
};

const char *store_text(struct reading *reading, struct slice text, void *field)
{
	char *copy = arena_strdup(reading->arena, text);

	if (!copy)
		reading->is_out_of_memory = true;
	memcpy(field, &copy, sizeof(copy));
	return NULL;
}

void schema_text(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": \"string\", \"minLength\": 1");
}

#define NAME_LENGTH_MAX 64

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '-';
}

/* Names become labels of metrics and arguments of commands: nothing there needs quoting. */
static const char *read_name(struct reading *reading, struct slice text, void *field)
{
	if (text.len == 0)
		return "is empty";
	if (text.len > NAME_LENGTH_MAX)
		return "is longer than 64 bytes";
	for (size_t i = 0; i < text.len; i++) {
		if (!is_name_char(text.ptr[i]))
			return "has a character that names do not have";
	}
	return store_text(reading, text, field);
}

static void expect_name(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "a name of letters, digits, \"_\", \".\" and \"-\"");
}

static void schema_name(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": \"string\", \"pattern\": \"^[A-Za-z0-9_.-]{1,64}$\"");
}

const struct option_type type_name = {
	.name = "name",
	.size = sizeof(char *),
	.read = read_name,
	.expect = expect_name,
	.schema = schema_name,
};

static const char *read_text(struct reading *reading, struct slice text, void *field)
{
	return text.len == 0 ? "is empty" : store_text(reading, text, field);
}

static void expect_text(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "text");
}

const struct option_type type_text = {
	.name = "text",
	.size = sizeof(char *),
	.read = read_text,
	.expect = expect_text,
	.schema = schema_text,
	.is_text = true,
};

static void expect_path(const struct option *option, struct strbuf *out)
{
	strbuf_append_str(out, "a path");
	if (option->zero_word)
		strbuf_printf(out, " or %s", option->zero_word);
}

const struct option_type type_path = {
	.name = "path",
	.size = sizeof(char *),
	.read = read_text,
	.expect = expect_path,
	.schema = schema_text,
	.is_text = true,
};

static const char *read_file(struct reading *reading, struct slice text, void *field)
{
	struct config_file file = {};
	const char *problem = read_text(reading, text, &file.path);

	if (problem)
		return problem;
	if (reading->node) {
		file.line = reading->node->line;
		file.column = reading->node->column;
	}
	memcpy(field, &file, sizeof(file));
	return NULL;
}

/* A path to be read after the configuration has been, so that its place is kept for messages. */
const struct option_type type_file = {
	.name = "path",
	.size = sizeof(struct config_file),
	.read = read_file,
	.expect = expect_path,
	.schema = schema_text,
	.is_text = true,
};

/* What goes into a request line or a header must not end it. */
static bool is_visible_ascii(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
			return false;
	}
	return text.len > 0;
}

static const char *read_url_path(struct reading *reading, struct slice text, void *field)
{
	if (text.len == 0 || text.ptr[0] != '/')
		return "does not begin with \"/\"";
	if (!is_visible_ascii(text))
		return "has a character that must be percent-encoded";
	return store_text(reading, text, field);
}

static void expect_url_path(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "a path such as /healthz");
}

static void schema_url_path(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": \"string\", \"pattern\": \"^/[!-~]*$\"");
}

const struct option_type type_url_path = {
	.name = "URL path",
	.size = sizeof(char *),
	.read = read_url_path,
	.expect = expect_url_path,
	.schema = schema_url_path,
};

static const char *read_method(struct reading *reading, struct slice text, void *field)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < 'A' || text.ptr[i] > 'Z')
			return "is not a method";
	return text.len ? store_text(reading, text, field) : "is empty";
}

static void expect_method(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "a method such as GET");
}

static void schema_method(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": \"string\", \"pattern\": \"^[A-Z]+$\"");
}

const struct option_type type_method = {
	.name = "method",
	.size = sizeof(char *),
	.read = read_method,
	.expect = expect_method,
	.schema = schema_method,
};

static const char *read_host(struct reading *reading, struct slice text, void *field)
{
	if (!is_visible_ascii(text))
		return "is not a host name";
	return store_text(reading, text, field);
}

static void expect_host(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "a host name such as www.example.com");
}

static void schema_host(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": \"string\", \"pattern\": \"^[!-~]+$\"");
}

const struct option_type type_host = {
	.name = "host name",
	.size = sizeof(char *),
	.read = read_host,
	.expect = expect_host,
	.schema = schema_host,
};

static const char *read_alpn(struct reading *reading, struct slice text, void *field)
{
	if (text.len == 0)
		return "is empty";
	if (text.len > UINT8_MAX)
		return "is longer than 255 bytes";
	return store_text(reading, text, field);
}

static void expect_alpn(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "an ALPN protocol such as h2");
}

/* Source: RFC 7301 section 3.1. */
const struct option_type type_alpn = {
	.name = "ALPN protocol",
	.size = sizeof(char *),
	.read = read_alpn,
	.expect = expect_alpn,
	.schema = schema_text,
	.is_text = true,
};

/* A mapping's options come from its schema; it has no values of its own. */
const struct option_type type_mapping = {.name = "mapping"};
