// SPDX-License-Identifier: Apache-2.0
/* The option types of filters: names of fields, media types, text with variables. */
#include "config/config_internal.h"
#include "config/variable.h"

#include <ctype.h>
#include <errno.h>

/* --- field: a name ------------------------------------------------------------------ */

static bool is_token(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!isalnum((unsigned char)text.ptr[i]) &&
		    (text.ptr[i] == '\0' || !strchr("!#$%&'*+-.^_`|~", text.ptr[i])))
			return false;
	return text.len > 0;
}

/* They belong to a connection or say where a message ends: no filter may touch them. */
static bool is_of_framing(struct slice name)
{
	static const char *const names[] = {
		"connection", "content-length", "keep-alive",        "proxy-connection",
		"te",         "trailer",        "transfer-encoding", "upgrade",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (slice_equal_nocase(name, slice_from_str(names[i])))
			return true;
	return false;
}

static const char *read_field(struct reading *reading, struct slice text, void *field)
{
	char *copy;

	if (!is_token(text))
		return "is not the name of a field";
	if (is_of_framing(text))
		return "is a field of the connection, not of the message";
	copy = arena_strdup(reading->arena, text);
	if (!copy)
		reading->is_out_of_memory = true;
	memcpy(field, &copy, sizeof(copy));
	return NULL;
}

static void expect_field(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "the name of a header field such as X-Client");
}

static void schema_field(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": \"string\", "
			       "\"pattern\": \"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$\"");
}

/* Source: RFC 9110 section 5.1. */
const struct option_type type_field = {
	.name = "field name",
	.size = sizeof(char *),
	.read = read_field,
	.expect = expect_field,
	.schema = schema_field,
};

/* --- media range: "type/subtype", "type/" and "*", or "*" "/" "*" ---------------------- */

static const char *read_media_range(struct reading *reading, struct slice text, void *field)
{
	const char *slash = memchr(text.ptr, '/', text.len);

	if (!slash || !is_token(slice_of(text.ptr, (size_t)(slash - text.ptr))) ||
	    !is_token(slice_skip(text, (size_t)(slash - text.ptr) + 1)))
		return "is not a media type";
	return store_text(reading, text, field);
}

static void expect_media_range(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "a media type such as text/html or text/*");
}

static void schema_media_range(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": \"string\", \"pattern\": \"^[^/]+/[^/]+$\"");
}

/* Source: RFC 9110 section 12.5.1. */
const struct option_type type_media_range = {
	.name = "media type",
	.size = sizeof(char *),
	.read = read_media_range,
	.expect = expect_media_range,
	.schema = schema_media_range,
};

/* --- field or all: a name, or "*" ----------------------------------------------------- */

static const char *read_field_or_all(struct reading *reading, struct slice text, void *field)
{
	if (!is_token(text))
		return "is not the name of a field";
	return store_text(reading, text, field);
}

static void expect_field_or_all(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "the name of a header field such as X-Client, or *");
}

const struct option_type type_field_or_all = {
	.name = "field name",
	.size = sizeof(char *),
	.read = read_field_or_all,
	.expect = expect_field_or_all,
	.schema = schema_field,
};

/* --- origin: "scheme://host:port" ------------------------------------------------------- */

/* Return: NULL; or what is wrong. */
static const char *check_origin(struct slice text)
{
	const char *colon = text.len ? memmem(text.ptr, text.len, "://", 3) : NULL;
	struct slice host;

	if (slice_equal_str(text, "*") || slice_equal_str(text, "null"))
		return NULL;
	if (!colon || colon == text.ptr)
		return "is not an origin";
	host = slice_skip(text, (size_t)(colon - text.ptr) + 3);
	if (slice_starts_with(host, slice_of("*.", 2)))
		host = slice_skip(host, 2);
	for (size_t i = 0; i < host.len; i++)
		if (!isalnum((unsigned char)host.ptr[i]) &&
		    (host.ptr[i] == '\0' || !strchr("-._:[]", host.ptr[i])))
			return "is more than an origin";
	return host.len ? NULL : "has no host";
}

static const char *read_origin(struct reading *reading, struct slice text, void *field)
{
	const char *problem = check_origin(text);

	return problem ? problem : store_text(reading, text, field);
}

static void expect_origin(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "an origin such as https://app.example or https://*.app.example, "
			       "null, or *");
}

/* Source: RFC 6454 section 6.2. */
const struct option_type type_origin = {
	.name = "origin",
	.size = sizeof(char *),
	.read = read_origin,
	.expect = expect_origin,
	.schema = schema_text,
};

/* --- realm: text that stands between quotes ---------------------------------------------- */

static const char *read_realm(struct reading *reading, struct slice text, void *field)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] < ' ' || strchr("\"\\\x7f", text.ptr[i]))
			return "has a quote, a backslash or a control character";
	return text.len ? store_text(reading, text, field) : "is empty";
}

static void expect_realm(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "text without quotes");
}

/* Source: RFC 9110 section 11.5. */
const struct option_type type_realm = {
	.name = "text",
	.size = sizeof(char *),
	.read = read_realm,
	.expect = expect_realm,
	.schema = schema_text,
};

/* --- template: text with variables ---------------------------------------------------- */

static const char *read_template(struct reading *reading, struct slice text, void *field)
{
	const char *problem = NULL;
	struct template template = {};
	int err;

	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
			return "has a control character";
	err = template_compile(text, &config_variables, reading->arena, &template, &problem);
	if (err == -ENOMEM)
		reading->is_out_of_memory = true;
	if (err == -EINVAL)
		return problem;
	memcpy(field, &template, sizeof(template));
	return NULL;
}

static void expect_template(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "text, perhaps with variables such as ${client_ip}");
}

static void schema_template(const struct option *option, struct strbuf *out)
{
	(void)option;
	strbuf_append_str(out, "\"type\": \"string\"");
}

const struct option_type type_template = {
	.name = "text with variables",
	.size = sizeof(struct template),
	.read = read_template,
	.expect = expect_template,
	.schema = schema_template,
	.is_text = true,
};
