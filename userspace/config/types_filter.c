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
		    !memchr("!#$%&'*+-.^_`|~", text.ptr[i], 15))
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
