// SPDX-License-Identifier: Apache-2.0
/*
 * Answers are written as text, not built as a tree: a list of 65,536 connections would be a million
 * nodes on the thread that also checks health. Whether a comma is due shows in the last byte.
 */
#include "admin/admin_internal.h"
#include "core/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static const char *const error_names[] = {
#define X(name, text) [CONTROL_ERROR_##name] = text,
	CONTROL_ERRORS(X)
#undef X
};

/* What goes before a value: comma and name as far as they are due. */
static void append_key(struct strbuf *out, const char *key)
{
	char last = out->len ? out->text[out->len - 1] : '[';

	if (last != '{' && last != '[' && last != ':')
		strbuf_append_str(out, ",");
	if (!key)
		return;
	json_append_string(out, slice_from_str(key));
	strbuf_append_str(out, ":");
}

void reply_begin(struct strbuf *out, const char *key, char bracket)
{
	append_key(out, key);
	strbuf_append(out, slice_of(&bracket, 1));
}

void reply_end(struct strbuf *out, char bracket)
{
	strbuf_append_str(out, bracket == '{' ? "}" : "]");
}

void reply_text(struct strbuf *out, const char *key, const char *text)
{
	append_key(out, key);
	json_append_string(out, slice_from_str(text ? text : ""));
}

void reply_count(struct strbuf *out, const char *key, uint64_t value)
{
	append_key(out, key);
	strbuf_printf(out, "%" PRIu64, value);
}

void reply_bool(struct strbuf *out, const char *key, bool value)
{
	append_key(out, key);
	strbuf_append_str(out, value ? "true" : "false");
}

void reply_seconds(struct strbuf *out, const char *key, uint64_t us)
{
	append_key(out, key);
	strbuf_printf(out, "%" PRIu64 ".%06u", us / 1000000, (unsigned)(us % 1000000));
}

/* From integers, as prometheus.c does it; the last digit is a tenth of a metre. */
static void append_degrees(struct strbuf *out, const char *key, double degrees)
{
	long long micro = llround(degrees * 1000000), size = llabs(micro);

	append_key(out, key);
	strbuf_printf(out, "%s%lld.%06lld", micro < 0 ? "-" : "", size / 1000000, size % 1000000);
}

void reply_point(struct strbuf *out, const char *key, const struct earth_point *point)
{
	reply_begin(out, key, '{');
	append_degrees(out, "latitude", point->latitude);
	append_degrees(out, "longitude", point->longitude);
	reply_end(out, '{');
}

void reply_ok_begin(struct strbuf *out)
{
	strbuf_printf(out, "{\"v\":%d,\"ok\":true,\"result\":{", CONTROL_PROTOCOL_VERSION);
}

void reply_ok_end(struct strbuf *out)
{
	strbuf_append_str(out, "}}\n");
}

void reply_error(struct strbuf *out, enum control_error_code code, const char *message)
{
	strbuf_printf(out, "{\"v\":%d,\"ok\":false,\"error\":{\"code\":\"%s\"",
		      CONTROL_PROTOCOL_VERSION, error_names[code]);
	reply_text(out, "message", message);
	strbuf_append_str(out, "}}\n");
}
