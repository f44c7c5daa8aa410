// SPDX-License-Identifier: Apache-2.0
/*
 * The types that an option can have. Each knows how to read a value, how to say what it expects,
 * and how JSON Schema puts it. types_address.c has those that name places on a network.
 */
#include "config/config_internal.h"
#include "core/json.h"

#include <ctype.h>

/* Values are copied byte by byte: enums and integers share their representation. */
_Static_assert(sizeof(enum config_balance) == sizeof(uint32_t), "enums are stored as uint32_t");

static const char *store_u32(const struct option *option, uint64_t value, void *field)
{
	uint32_t stored = (uint32_t)value;

	if (value < option->min || value > option->max)
		return "is out of range";
	memcpy(field, &stored, sizeof(stored));
	return NULL;
}

static void append_range(struct strbuf *out, const struct option *option,
			 void (*format)(uint64_t value, struct strbuf *out))
{
	strbuf_append_str(out, " from ");
	format(option->min, out);
	strbuf_append_str(out, " to ");
	format(option->max, out);
}

/* --- boolean ------------------------------------------------------------------- */

static const char *parse_boolean(struct slice text, bool *ret)
{
	bool is_true = slice_equal_str(text, "true");

	if (!is_true && !slice_equal_str(text, "false"))
		return "is not a boolean";
	*ret = is_true;
	return NULL;
}

static const char *read_boolean(struct reading *reading, struct slice text, void *field)
{
	(void)reading;
	return parse_boolean(text, field);
}

static void expect_boolean(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "true or false");
}

static void schema_boolean(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": \"boolean\"");
}

const struct option_type type_boolean = {
	.name = "boolean",
	.size = sizeof(bool),
	.read = read_boolean,
	.expect = expect_boolean,
	.schema = schema_boolean,
};

/* A boolean whose field is a number: 0 or 1. */
static const char *read_flag(struct reading *reading, struct slice text, void *field)
{
	bool is_set = false;
	const char *problem = parse_boolean(text, &is_set);
	uint32_t stored = is_set;

	(void)reading;
	if (!problem)
		memcpy(field, &stored, sizeof(stored));
	return problem;
}

const struct option_type type_flag = {
	.name = "boolean",
	.size = sizeof(uint32_t),
	.read = read_flag,
	.expect = expect_boolean,
	.schema = schema_boolean,
};

/* --- Numbers ------------------------------------------------------------------- */

static void format_number(uint64_t value, struct strbuf *out)
{
	strbuf_printf(out, "%llu", (unsigned long long)value);
}

static const char *read_count(struct reading *reading, struct slice text, void *field)
{
	uint64_t value = 0;
	const char *problem = parse_count(text, &value);

	return problem ? problem : store_u32(reading->option, value, field);
}

static void expect_count(const struct option *option, struct strbuf *out)
{
	if (option->zero_word)
		strbuf_printf(out, "%s or ", option->zero_word);
	strbuf_append_str(out, "a number");
	append_range(out, option, format_number);
}

static void schema_count(const struct option *option, struct strbuf *out)
{
	strbuf_printf(out, "\"type\": \"integer\", \"minimum\": %u, \"maximum\": %u", option->min,
		      option->max);
}

const struct option_type type_count = {
	.name = "number",
	.size = sizeof(uint32_t),
	.read = read_count,
	.expect = expect_count,
	.schema = schema_count,
};

static const char *read_port(struct reading *reading, struct slice text, void *field)
{
	uint64_t value = 0;
	const char *problem = parse_count(text, &value);
	uint16_t port = (uint16_t)value;

	if (problem)
		return problem;
	if (value < reading->option->min || value > UINT16_MAX)
		return "is out of range";
	memcpy(field, &port, sizeof(port));
	return NULL;
}

const struct option_type type_port = {
	.name = "port",
	.size = sizeof(uint16_t),
	.read = read_port,
	.expect = expect_count,
	.schema = schema_count,
};

static const char *read_size(struct reading *reading, struct slice text, void *field)
{
	uint64_t value = 0;
	const char *problem = parse_size(text, &value);

	return problem ? problem : store_u32(reading->option, value, field);
}

static void expect_size(const struct option *option, struct strbuf *out)
{
	strbuf_append_str(out, "a size such as 16KiB,");
	append_range(out, option, format_size);
}

static void schema_size(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": [\"string\", \"integer\"], "
			       "\"pattern\": \"^[0-9]+(B|K|KiB|M|MiB|G|GiB)?$\", \"minimum\": 0");
}

const struct option_type type_size = {
	.name = "size",
	.size = sizeof(uint32_t),
	.read = read_size,
	.expect = expect_size,
	.schema = schema_size,
};

static const char *read_duration(struct reading *reading, struct slice text, void *field)
{
	uint64_t value = 0;
	const char *problem = parse_duration(text, &value);

	return problem ? problem : store_u32(reading->option, value, field);
}

static void expect_duration(const struct option *option, struct strbuf *out)
{
	strbuf_append_str(out, "a duration such as 250ms,");
	append_range(out, option, format_duration);
}

static void schema_duration(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": [\"string\", \"integer\"], "
			       "\"pattern\": \"^(0|[0-9]+(ms|s|m|h|d))$\", \"minimum\": 0, "
			       "\"maximum\": 0");
}

const struct option_type type_duration = {
	.name = "duration",
	.size = sizeof(uint32_t),
	.read = read_duration,
	.expect = expect_duration,
	.schema = schema_duration,
};

static const char *read_percent(struct reading *reading, struct slice text, void *field)
{
	uint64_t value = 0;
	const char *problem = parse_percent(text, &value);

	return problem ? problem : store_u32(reading->option, value, field);
}

static void format_percent(uint64_t value, struct strbuf *out)
{
	strbuf_printf(out, "%llu%%", (unsigned long long)value);
}

static void expect_percent(const struct option *option, struct strbuf *out)
{
	strbuf_append_str(out, "a percentage such as 50%,");
	append_range(out, option, format_percent);
}

static void schema_percent(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": \"string\", \"pattern\": \"^[0-9]{1,3}%$\"");
}

const struct option_type type_percent = {
	.name = "percentage",
	.size = sizeof(uint32_t),
	.read = read_percent,
	.expect = expect_percent,
	.schema = schema_percent,
};

static const char *read_mode(struct reading *reading, struct slice text, void *field)
{
	uint64_t value = 0;
	const char *problem = parse_mode(text, &value);

	return problem ? problem : store_u32(reading->option, value, field);
}

static void expect_mode(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "an octal mode such as \"0660\", at most 0777");
}

static void schema_mode(const struct option *option, struct strbuf *out)
{
	(void)option;
	/* Unquoted, YAML 1.1 editors take 0660 for an integer. */
	strbuf_append_str(out, "\"type\": [\"string\", \"integer\"], "
			       "\"pattern\": \"^0?[0-7]{3}$\"");
}

const struct option_type type_mode = {
	.name = "octal mode",
	.size = sizeof(uint32_t),
	.read = read_mode,
	.expect = expect_mode,
	.schema = schema_mode,
};

static const char *read_status(struct reading *reading, struct slice text, void *field)
{
	uint64_t first = 0, last = 0;
	const char *problem = parse_status_range(text, &first, &last);
	uint16_t stored[2] = {(uint16_t)first, (uint16_t)last};

	if (problem)
		return problem;
	if (first < reading->option->min || last > reading->option->max)
		return "is out of range";
	memcpy(field, stored, sizeof(stored));
	return NULL;
}

static void expect_status(const struct option *option, struct strbuf *out)
{
	strbuf_append_str(out, "a status or a range such as 200-399,");
	append_range(out, option, format_number);
}

static void schema_status(const struct option *option, struct strbuf *out)
{
	strbuf_printf(out,
		      "\"type\": [\"string\", \"integer\"], \"minimum\": %u, \"maximum\": %u, "
		      "\"pattern\": \"^[1-5][0-9]{2}(-[1-5][0-9]{2})?$\"",
		      option->min, option->max);
}

const struct option_type type_status = {
	.name = "status range",
	.size = 2 * sizeof(uint16_t),
	.read = read_status,
	.expect = expect_status,
	.schema = schema_status,
};

/* --- Words and text ------------------------------------------------------------ */

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
