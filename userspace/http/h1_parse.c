// SPDX-License-Identifier: Apache-2.0
/*
 * What heads of requests and of responses have in common: field lines, versions, limits, framing.
 *
 *   FIELD_BEGIN ─┬─CR LF──► END
 *                └─► FIELD_NAME ──:──► FIELD_VALUE ──CR LF──► FIELD_BEGIN
 */
#include "http/h1_scan.h"

#include "http/h1_internal.h"

const struct h1_limits h1_limits_default = {
	.line = 8192, .field = 16384, .head = 65536, .fields = 128};

static const struct {
	uint16_t status;
	const char *text;
} defects[H1_DEFECT_COUNT] = {
#define X(id, status, text) [H1_DEFECT_##id] = {status, text},
	H1_DEFECTS(X)
#undef X
};

unsigned h1_defect_status(enum h1_defect defect)
{
	return defects[defect].status;
}

const char *h1_defect_text(enum h1_defect defect)
{
	return defects[defect].text;
}

/* --- Limits --------------------------------------------------------------------------- */

struct slice h1_within_limit(struct h1_parser *parser, struct slice bytes)
{
	uint32_t max;

	if (!parser->limits)
		parser->limits = &h1_limits_default;
	max = parser->limits->head;
	return slice_of(bytes.ptr, bytes.len < max ? bytes.len : max);
}

int h1_refuse_endless(struct h1_parser *parser, int err, struct slice bytes)
{
	if (err == -EAGAIN && bytes.len >= parser->limits->head)
		return h1_refuse(parser, H1_DEFECT_HEAD_TOO_LARGE);
	return err;
}

/* --- First lines ---------------------------------------------------------------------- */

int h1_take_line_end(struct h1_parser *parser, struct slice bytes, enum h1_defect other)
{
	if (parser->at == bytes.len)
		return -EAGAIN;
	if (bytes.ptr[parser->at] != '\r')
		return h1_refuse(parser, h1_line_defect(bytes.ptr[parser->at], other));
	if (parser->at + 1 == bytes.len)
		return -EAGAIN;
	if (bytes.ptr[parser->at + 1] != '\n')
		return h1_refuse(parser, H1_DEFECT_BARE_CR);
	parser->at += 2;
	return 0;
}

/* "HTTP/" DIGIT "." DIGIT, case matters (RFC 9112 section 2.3). */
static bool is_version_byte(char c, uint32_t at)
{
	static const char form[] = "HTTP/0.0";

	return form[at] == '0' ? http_is_digit(c) : c == form[at];
}

int h1_take_version(struct h1_parser *parser, struct slice bytes, enum http_version *ret)
{
	const char *text = bytes.ptr + parser->start;

	if (parser->at == parser->start && bytes.len - parser->at >= 8 &&
	    memcmp(text, "HTTP/1.1", 8) == 0)
		parser->at += 8;
	while (parser->at - parser->start < 8) {
		if (parser->at == bytes.len)
			return -EAGAIN;
		if (!is_version_byte(bytes.ptr[parser->at], parser->at - parser->start))
			return h1_refuse(parser, H1_DEFECT_VERSION_INVALID);
		parser->at++;
	}
	if (text[5] != '1' || text[7] > '1')
		return h1_refuse(parser, H1_DEFECT_VERSION_UNSUPPORTED);
	*ret = text[7] == '1' ? HTTP_VERSION_1_1 : HTTP_VERSION_1_0;
	return 0;
}

/* --- Field lines ---------------------------------------------------------------------- */

static int begin_field(struct h1_parser *parser, struct slice bytes,
		       const struct http_fields *fields)
{
	char c;

	if (parser->at == bytes.len)
		return -EAGAIN;
	c = bytes.ptr[parser->at];
	parser->line = parser->at;
	if (unlikely(!http_is(c, CHAR_TOKEN))) {
		int err;

		if (http_is_blank(c))
			return h1_refuse(parser, H1_DEFECT_FOLDED);
		if (c == ':')
			return h1_refuse(parser, H1_DEFECT_NAME_EMPTY);
		err = h1_take_line_end(parser, bytes, H1_DEFECT_NAME_INVALID);
		if (!err)
			parser->phase = H1_END;
		return err;
	}
	if (fields->count >= parser->limits->fields)
		return h1_refuse(parser, H1_DEFECT_FIELDS_TOO_MANY);
	parser->phase = H1_FIELD_NAME;
	return 0;
}

static void end_name(struct h1_parser *parser, struct slice bytes, const char *colon, uint16_t id)
{
	parser->id = id;
	parser->colon = (uint32_t)(colon - bytes.ptr);
	parser->at = parser->colon + 1;
	parser->phase = H1_FIELD_VALUE;
}

static int take_name(struct h1_parser *parser, struct slice bytes)
{
	uint32_t limit = parser->limits->field;
	const char *end = h1_line_end(parser, bytes, limit), *start = bytes.ptr + parser->line, *at;

	at = scan_class(bytes.ptr + parser->at, end, CHAR_TOKEN);
	if (unlikely(at == end))
		return h1_want_more(parser, at, bytes, limit, H1_DEFECT_FIELD_TOO_LONG);
	if (unlikely(*at != ':'))
		return h1_refuse(parser, http_is_blank(*at) ? H1_DEFECT_NAME_BLANK
							    : H1_DEFECT_NAME_INVALID);
	end_name(parser, bytes, at, (uint16_t)http_field_id(slice_of(start, (size_t)(at - start))));
	return 0;
}

static struct slice trim(const char *from, const char *to)
{
	while (from < to && http_is_blank(*from))
		from++;
	while (from < to && http_is_blank(to[-1]))
		to--;
	return slice_of(from, (size_t)(to - from));
}

/* The line from parser->line to @value_end is whole and good. */
static int keep_field(struct h1_parser *parser, struct slice bytes, uint32_t value_end,
		      struct http_fields *fields)
{
	const struct http_field field = {
		.name = slice_of(bytes.ptr + parser->line, parser->colon - parser->line),
		.value = trim(bytes.ptr + parser->colon + 1, bytes.ptr + value_end),
		.id = parser->id,
	};

	if (http_fields_push(fields, &field))
		return h1_refuse(parser, H1_DEFECT_NO_MEMORY);
	parser->phase = H1_FIELD_BEGIN;
	return 0;
}

static int take_value(struct h1_parser *parser, struct slice bytes, struct http_fields *fields)
{
	uint32_t limit = parser->limits->field, value_end;
	const char *end = h1_line_end(parser, bytes, limit);
	const char *at = scan_value(bytes.ptr + parser->at, end);
	int err;

	if (unlikely(at == end))
		return h1_want_more(parser, at, bytes, limit, H1_DEFECT_FIELD_TOO_LONG);
	parser->at = value_end = (uint32_t)(at - bytes.ptr);
	err = h1_take_line_end(parser, bytes, H1_DEFECT_CONTROL);
	return err ? err : keep_field(parser, bytes, value_end, fields);
}

/**
 * A line that is there as a whole and has nothing wrong with it, as nearly all are: the same as the
 * phases do, at once. Any other is left to them, to be judged or waited for.
 * Return: whether it was taken.
 */
static bool take_good_line(struct h1_parser *parser, struct slice bytes, struct http_fields *fields)
{
	const struct h1_limits *limits = parser->limits;
	const char *line = bytes.ptr + parser->at, *colon, *stop, *end;
	struct http_field field;

	parser->line = parser->at;
	end = h1_line_end(parser, bytes, limits->field);
	colon = find_colon(line, end);
	if (!colon || fields->count >= limits->fields)
		return false;
	field.name = slice_of(line, (size_t)(colon - line));
	field.id = (uint16_t)http_field_id(field.name);
	/* Known names are tokens. */
	if (field.id == HTTP_FIELD_OTHER && !http_is_token(field.name))
		return false;
	stop = scan_value(colon + 1, end);
	if (end - stop < 2 || stop[0] != '\r' || stop[1] != '\n')
		return false;
	field.value = trim(colon + 1, stop);
	if (http_fields_push(fields, &field))
		return false;
	parser->at = (uint32_t)(stop + 2 - bytes.ptr);
	return true;
}

int h1_take_fields(struct h1_parser *parser, struct slice bytes, struct http_fields *fields)
{
	int err = 0;

	while (!err && parser->phase != H1_END) {
		if (parser->phase == H1_FIELD_BEGIN) {
			if (take_good_line(parser, bytes, fields))
				continue;
			err = begin_field(parser, bytes, fields);
		}
		if (!err && parser->phase == H1_FIELD_NAME)
			err = take_name(parser, bytes);
		if (!err && parser->phase == H1_FIELD_VALUE)
			err = take_value(parser, bytes, fields);
	}
	return err;
}

/* --- Framing -------------------------------------------------------------------------- */

enum h1_defect h1_framing_of(const struct http_fields *fields, enum http_version version,
			     struct http_framing *ret)
{
	const struct http_field *coding = http_fields_find(fields, HTTP_FIELD_TRANSFER_ENCODING);
	const struct http_field *length = http_fields_find(fields, HTTP_FIELD_CONTENT_LENGTH);

	*ret = (struct http_framing){.kind = HTTP_FRAMING_NONE};
	if (coding && length)
		return H1_DEFECT_LENGTH_AND_CODING;
	if (coding) {
		if (version < HTTP_VERSION_1_1)
			return H1_DEFECT_CODING_OLD;
		if (http_fields_find_next(fields, coding))
			return H1_DEFECT_CODING_REPEATED;
		if (!slice_equal_nocase(coding->value, slice_of("chunked", 7)))
			return H1_DEFECT_CODING_INVALID;
		ret->kind = HTTP_FRAMING_CHUNKED;
		return H1_DEFECT_NONE;
	}
	if (!length)
		return H1_DEFECT_NONE;
	if (http_fields_find_next(fields, length))
		return H1_DEFECT_LENGTH_REPEATED;
	ret->kind = HTTP_FRAMING_LENGTH;
	return http_decimal_parse(length->value, &ret->length) ? H1_DEFECT_LENGTH_INVALID
							       : H1_DEFECT_NONE;
}
