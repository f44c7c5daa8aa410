// SPDX-License-Identifier: Apache-2.0
/* Types of options that become part of HTTP messages. */
#include "config/config_internal.h"

#include "core/regex.h"

#include <ctype.h>
#include <errno.h>

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

/* A pattern is compiled here only to see whether it can be. */
static const char *read_regex(struct reading *reading, struct slice text, void *field)
{
	char problem[REGEX_PROBLEM_SIZE];
	struct regex *regex = NULL;
	const char *told;
	int err;

	if (text.len == 0)
		return "is empty";
	err = regex_new(text, &regex, problem);
	regex_free(regex);
	if (!err)
		return store_text(reading, text, field);
	told = err == -EINVAL ? arena_printf(reading->arena, "is no pattern (%s)", problem) : NULL;
	if (!told)
		reading->is_out_of_memory = true;
	return told ? told : "cannot be compiled";
}

static void expect_regex(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "a regular expression such as ^/[a-z]+$");
}

/* As of Perl; PCRE2 says what that is. */
const struct option_type type_regex = {
	.name = "regular expression",
	.size = sizeof(char *),
	.read = read_regex,
	.expect = expect_regex,
	.schema = schema_text,
	.is_text = true,
};

#define FINGERPRINT_DIGITS 64

/* With or without colons, as openssl prints it; kept without. */
static const char *read_fingerprint(struct reading *reading, struct slice text, void *field)
{
	char digits[FINGERPRINT_DIGITS];
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == ':')
			continue;
		if (!isxdigit((unsigned char)text.ptr[i]) || count == FINGERPRINT_DIGITS)
			return "is not a SHA-256 fingerprint";
		digits[count++] = (char)tolower((unsigned char)text.ptr[i]);
	}
	if (count != FINGERPRINT_DIGITS)
		return "is not a SHA-256 fingerprint";
	return store_text(reading, slice_of(digits, count), field);
}

static void expect_fingerprint(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "64 hexadecimal digits, with or without colons");
}

static void schema_fingerprint(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": \"string\", \"pattern\": "
			       "\"^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$\"");
}

const struct option_type type_fingerprint = {
	.name = "fingerprint",
	.size = sizeof(char *),
	.read = read_fingerprint,
	.expect = expect_fingerprint,
	.schema = schema_fingerprint,
};

#define SERIAL_DIGITS 40 /* RFC 5280 section 4.1.2.2 */

/* With or without colons and zeros in front, as openssl prints it; kept in whole octets. */
static const char *read_serial(struct reading *reading, struct slice text, void *field)
{
	char digits[SERIAL_DIGITS + 1] = "0";
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == ':' || (c == '0' && !count))
			continue;
		if (!isxdigit((unsigned char)c) || count == SERIAL_DIGITS)
			return "is not a serial number";
		digits[++count] = (char)tolower((unsigned char)c);
	}
	if (!count)
		return "is not a serial number";
	return store_text(reading, slice_of(digits + 1 - count % 2, count + count % 2), field);
}

static void expect_serial(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "up to 40 hexadecimal digits, with or without colons");
}

static void schema_serial(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": \"string\", \"pattern\": \"^[0-9A-Fa-f:]+$\"");
}

const struct option_type type_serial = {
	.name = "serial number",
	.size = sizeof(char *),
	.read = read_serial,
	.expect = expect_serial,
	.schema = schema_serial,
};

static const char *read_file_name(struct reading *reading, struct slice text, void *field)
{
	if (text.len && memchr(text.ptr, '/', text.len))
		return "has a slash";
	if (slice_equal_str(text, ".") || slice_equal_str(text, ".."))
		return "is a directory";
	return text.len ? store_text(reading, text, field) : "is empty";
}

static void expect_file_name(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "a file's name such as index.html");
	if (option->zero_word)
		strbuf_printf(out, " or %s", option->zero_word);
}

const struct option_type type_file_name = {
	.name = "file name",
	.size = sizeof(char *),
	.read = read_file_name,
	.expect = expect_file_name,
	.schema = schema_text,
	.is_text = true,
};
