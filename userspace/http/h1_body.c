// SPDX-License-Identifier: Apache-2.0
/*
 * Takes bodies apart where they lie.
 *
 *   LENGTH ──all──► DONE          CLOSE: as long as bytes come
 *
 *   SIZE ──digit──► DIGITS ─┬─CR──────────────────────► SIZE_LF ─┬─size > 0──► DATA
 *    ▲                      └─; or blank──► extension ──CR──┘    └─size = 0──► TRAILER
 *    └──LF── DATA_LF ◄──CR── DATA_CR ◄──────────────── all of DATA
 *
 *   TRAILER ─┬─CR──► END_LF ──LF──► DONE
 *            └─► TRAILER_LINE ──LF──► TRAILER
 *
 * Extensions (RFC 9112 section 7.1.1) have a grammar of their own, since the ways around it are how
 * chunks are made to look different to two readers: see take_extension().
 */
#include "http/h1_body.h"

#include "http/h1_internal.h"
#include "http/http_internal.h"

enum body_state {
	BODY_DONE,
	BODY_FAILED,
	BODY_CLOSE,
	BODY_LENGTH,
	BODY_SIZE,
	BODY_DIGITS,
	BODY_EXT_GAP,   /* blanks before ";" */
	BODY_EXT_BEGIN, /* behind ";" */
	BODY_EXT_NAME,
	BODY_EXT_NAME_GAP, /* blanks behind a name */
	BODY_EXT_EQUALS,   /* behind "=" */
	BODY_EXT_VALUE,
	BODY_EXT_QUOTED,
	BODY_EXT_ESCAPED,    /* behind a backslash */
	BODY_EXT_QUOTED_END, /* behind the closing quote */
	BODY_SIZE_LF,
	BODY_DATA,
	BODY_DATA_CR,
	BODY_DATA_LF,
	BODY_TRAILER,
	BODY_TRAILER_LINE,
	BODY_END_LF,
};

/* As many as fill 64 bits: more are leading zeros that nobody needs. */
#define SIZE_DIGITS_MAX 16
#define SIZE_MAX_VALUE  INT64_MAX
/* Of a trailer that comes at all. */
#define TRAILER_FIRST_CAP 256
/* A body of many small chunks must not consist of extensions. */
#define EXTENSIONS_FACTOR 64

const struct h1_body_limits h1_body_limits_default = {
	.payload = 0, .extensions = 256, .trailer = 8192, .trailers = 64};

static int refuse(struct h1_body *body, enum h1_defect defect)
{
	body->state = BODY_FAILED;
	body->defect = defect;
	return -EPROTO;
}

static void finish(struct h1_body *body)
{
	body->state = BODY_DONE;
	body->is_done = true;
}

static bool is_too_long(const struct h1_body *body, uint64_t more)
{
	uint64_t max = body->limits->payload;

	return max > 0 && (body->payload > max || more > max - body->payload);
}

static int refuse_length(struct h1_body *body)
{
	body->state = BODY_FAILED;
	return -EFBIG;
}

int h1_body_init(struct h1_body *body, struct http_framing framing,
		 const struct h1_body_limits *limits, struct http_fields *trailers)
{
	*body = (struct h1_body){.limits = limits ? limits : &h1_body_limits_default,
				 .trailers = trailers};
	switch (framing.kind) {
	case HTTP_FRAMING_NONE:
		finish(body);
		return 0;
	case HTTP_FRAMING_LENGTH:
		body->remaining = framing.length;
		if (is_too_long(body, framing.length))
			return refuse_length(body);
		if (framing.length == 0)
			finish(body);
		else
			body->state = BODY_LENGTH;
		return 0;
	case HTTP_FRAMING_CHUNKED:
		body->state = BODY_SIZE;
		return 0;
	default:
		body->state = BODY_CLOSE;
		return 0;
	}
}

/* --- Trailers ------------------------------------------------------------------------- */

static int grow_trailer(struct h1_body *body, size_t len)
{
	size_t cap = body->trailer_cap ? body->trailer_cap : TRAILER_FIRST_CAP;
	char *bytes;

	while (cap < len)
		cap *= 2;
	if (cap == body->trailer_cap)
		return 0;
	bytes = arena_alloc(body->trailers->arena, cap);
	if (!bytes)
		return refuse(body, H1_DEFECT_NO_MEMORY);
	if (body->trailer_len)
		memcpy(bytes, body->trailer, body->trailer_len);
	body->trailer = bytes;
	body->trailer_cap = (uint32_t)cap;
	return 0;
}

static int keep_trailer(struct h1_body *body, struct slice bytes)
{
	if (bytes.len > body->limits->trailer - body->trailer_len)
		return refuse(body, H1_DEFECT_TRAILER_TOO_LARGE);
	if (grow_trailer(body, body->trailer_len + bytes.len))
		return -EPROTO;
	memcpy(body->trailer + body->trailer_len, bytes.ptr, bytes.len);
	body->trailer_len += (uint32_t)bytes.len;
	return 0;
}

/* Fields that a trailer must not have go; those that would frame or route a message are an attack.
 */
static int judge_trailers(struct h1_body *body)
{
	static const enum http_field_id forbidden[] = {
		HTTP_FIELD_CONTENT_LENGTH, HTTP_FIELD_TRANSFER_ENCODING, HTTP_FIELD_HOST};
	struct http_fields *trailers = body->trailers;

	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++)
		if (http_fields_has(trailers, forbidden[i]))
			return refuse(body, H1_DEFECT_TRAILER_FORBIDDEN);
	for (unsigned id = HTTP_FIELD_OTHER + 1; id < HTTP_FIELD_COUNT; id++)
		if (http_field_flags(id) & HTTP_FIELD_NOT_IN_TRAILER)
			http_fields_remove(trailers, id);
	http_fields_remove_disguised(trailers, HTTP_FIELD_NOT_IN_TRAILER);
	return 0;
}

/* The trailer is whole: its lines are read as those of a head are. */
static int read_trailer(struct h1_body *body)
{
	struct h1_limits limits = {.field = body->limits->trailer,
				   .head = body->limits->trailer + 2,
				   .fields = body->limits->trailers};
	struct h1_parser parser = {.limits = &limits, .phase = H1_FIELD_BEGIN};

	if (body->trailer_len == 0)
		return 0;
	if (grow_trailer(body, (size_t)body->trailer_len + 2))
		return -EPROTO;
	memcpy(body->trailer + body->trailer_len, "\r\n", 2);
	if (h1_take_fields(&parser, slice_of(body->trailer, (size_t)body->trailer_len + 2),
			   body->trailers))
		return refuse(body, parser.defect);
	return judge_trailers(body);
}

/* --- Chunk framing -------------------------------------------------------------------- */

/* A size line ended where it must not, or holds what it must not. */
static int refuse_in_line(struct h1_body *body, char c, enum h1_defect defect)
{
	return refuse(body, c == '\n' ? H1_DEFECT_BARE_LF : defect);
}

static int take_digit(struct h1_body *body, char c)
{
	if (++body->digits > SIZE_DIGITS_MAX)
		return refuse(body, H1_DEFECT_CHUNK_SIZE);
	body->remaining = body->remaining << 4 | http_hex_value(c);
	body->state = BODY_DIGITS;
	return 0;
}

/* Goes on in an extension, behind one more byte of it. */
static int count_extension(struct h1_body *body, enum body_state next)
{
	uint64_t max = body->limits->extensions;

	body->state = (uint8_t)next;
	if (++body->extension > max || ++body->extensions > max * EXTENSIONS_FACTOR)
		return refuse(body, H1_DEFECT_CHUNK_EXTENSIONS_TOO_LONG);
	return 0;
}

/* Behind the first digit of a size. */
static int take_size(struct h1_body *body, char c)
{
	if (http_is(c, CHAR_HEX))
		return take_digit(body, c);
	if (c == ';')
		return count_extension(body, BODY_EXT_BEGIN);
	if (http_is_blank(c))
		return count_extension(body, BODY_EXT_GAP);
	if (c != '\r')
		return refuse_in_line(body, c, H1_DEFECT_CHUNK_SIZE);
	body->state = BODY_SIZE_LF;
	return 0;
}

/* Behind a size line: data, or the trailer. */
static int open_chunk(struct h1_body *body)
{
	if (body->remaining > SIZE_MAX_VALUE)
		return refuse(body, H1_DEFECT_CHUNK_SIZE);
	if (is_too_long(body, body->remaining))
		return refuse_length(body);
	body->extension = 0;
	body->digits = 0;
	body->state = body->remaining > 0 ? BODY_DATA : BODY_TRAILER;
	return 0;
}

/* The state behind @c in an extension; BODY_FAILED if it must not be there. */
static enum body_state extension_state(enum body_state state, char c)
{
	bool is_token = http_is(c, CHAR_TOKEN), is_blank = http_is_blank(c);

	switch (state) {
	case BODY_EXT_GAP:
		return c == ';' ? BODY_EXT_BEGIN : is_blank ? state : BODY_FAILED;
	case BODY_EXT_BEGIN:
		return is_token ? BODY_EXT_NAME : is_blank ? state : BODY_FAILED;
	case BODY_EXT_NAME:
		if (is_token || c == '\r')
			return is_token ? state : BODY_SIZE_LF;
		/* fall through */
	case BODY_EXT_NAME_GAP:
		if (c == '=' || c == ';')
			return c == '=' ? BODY_EXT_EQUALS : BODY_EXT_BEGIN;
		return is_blank ? BODY_EXT_NAME_GAP : BODY_FAILED;
	case BODY_EXT_EQUALS:
		if (c == '"')
			return BODY_EXT_QUOTED;
		return is_token ? BODY_EXT_VALUE : is_blank ? state : BODY_FAILED;
	case BODY_EXT_QUOTED:
		if (c == '"' || c == '\\')
			return c == '"' ? BODY_EXT_QUOTED_END : BODY_EXT_ESCAPED;
		return http_is(c, CHAR_VALUE) ? state : BODY_FAILED;
	case BODY_EXT_ESCAPED:
		return http_is(c, CHAR_VALUE) ? BODY_EXT_QUOTED : BODY_FAILED;
	default: /* BODY_EXT_VALUE, BODY_EXT_QUOTED_END */
		if (is_token && state == BODY_EXT_VALUE)
			return state;
		if (c == ';' || c == '\r')
			return c == ';' ? BODY_EXT_BEGIN : BODY_SIZE_LF;
		return is_blank ? BODY_EXT_GAP : BODY_FAILED;
	}
}

static int take_extension(struct h1_body *body, char c)
{
	enum body_state next = extension_state(body->state, c);

	if (next == BODY_FAILED)
		return refuse_in_line(body, c, H1_DEFECT_CHUNK_EXTENSION);
	if (next != BODY_SIZE_LF)
		return count_extension(body, next);
	body->state = BODY_SIZE_LF;
	return 0;
}

/* Takes @c if it is the @expected one. */
static int take_expected(struct h1_body *body, char c, char expected, enum body_state next)
{
	if (c != expected)
		return refuse(body, H1_DEFECT_CHUNK_END);
	body->state = (uint8_t)next;
	return 0;
}

/* One byte that is not data. Return: 0; -EPROTO; -EFBIG. */
static int take_framing(struct h1_body *body, char c)
{
	switch (body->state) {
	case BODY_SIZE:
		if (!http_is(c, CHAR_HEX))
			return refuse_in_line(body, c, H1_DEFECT_CHUNK_SIZE);
		return take_digit(body, c);
	case BODY_DIGITS:
		return take_size(body, c);
	case BODY_SIZE_LF:
		return c == '\n' ? open_chunk(body) : refuse(body, H1_DEFECT_BARE_CR);
	case BODY_DATA_CR:
		return take_expected(body, c, '\r', BODY_DATA_LF);
	case BODY_DATA_LF:
		return take_expected(body, c, '\n', BODY_SIZE);
	case BODY_TRAILER: /* the trailer's end: see kind_of() */
		body->state = BODY_END_LF;
		return 0;
	case BODY_END_LF:
		if (c != '\n')
			return refuse(body, H1_DEFECT_BARE_CR);
		if (read_trailer(body))
			return -EPROTO;
		finish(body);
		return 0;
	default:
		return take_extension(body, c);
	}
}

/* --- Runs ----------------------------------------------------------------------------- */

static bool is_data(const struct h1_body *body)
{
	return body->state == BODY_CLOSE || body->state == BODY_LENGTH || body->state == BODY_DATA;
}

/* What the next byte, @c, will be, if it is good. */
static enum h1_span_kind kind_of(const struct h1_body *body, char c)
{
	switch (body->state) {
	case BODY_CLOSE:
	case BODY_LENGTH:
	case BODY_DATA:
		return H1_SPAN_PAYLOAD;
	case BODY_DIGITS:
		return c == ';' || http_is_blank(c) ? H1_SPAN_DROPPED : H1_SPAN_FRAMING;
	case BODY_TRAILER:
		return c == '\r' ? H1_SPAN_FRAMING : H1_SPAN_DROPPED;
	case BODY_SIZE:
	case BODY_SIZE_LF:
	case BODY_DATA_CR:
	case BODY_DATA_LF:
	case BODY_END_LF:
		return H1_SPAN_FRAMING;
	default: /* extensions end with CR, trailer lines with LF */
		return c == '\r' && body->state != BODY_TRAILER_LINE ? H1_SPAN_FRAMING
								     : H1_SPAN_DROPPED;
	}
}

/* As much of @bytes as is data. */
static int take_data(struct h1_body *body, struct slice bytes, size_t *ret)
{
	size_t len = bytes.len;

	if (body->state == BODY_CLOSE) {
		if (is_too_long(body, len))
			return refuse_length(body);
	} else {
		if (len > body->remaining)
			len = (size_t)body->remaining;
		body->remaining -= len;
	}
	body->payload += len;
	*ret = len;
	if (body->state == BODY_CLOSE || body->remaining > 0)
		return 0;
	if (body->state == BODY_LENGTH)
		finish(body);
	else
		body->state = BODY_DATA_CR;
	return 0;
}

/* As much of @bytes as belongs to the present line of the trailer. */
static int take_trailer(struct h1_body *body, struct slice bytes, size_t *ret)
{
	const char *newline = memchr(bytes.ptr, '\n', bytes.len);
	size_t len = newline ? (size_t)(newline - bytes.ptr) + 1 : bytes.len;

	if (keep_trailer(body, slice_of(bytes.ptr, len)))
		return -EPROTO;
	/* Said at once: behind it nobody knows where the trailer ends. */
	if (newline && (body->trailer_len < 2 || body->trailer[body->trailer_len - 2] != '\r'))
		return refuse(body, H1_DEFECT_BARE_LF);
	body->state = newline ? BODY_TRAILER : BODY_TRAILER_LINE;
	*ret = len;
	return 0;
}

static int take_some(struct h1_body *body, struct slice bytes, size_t *ret)
{
	if (is_data(body))
		return take_data(body, bytes, ret);
	if (body->state == BODY_TRAILER_LINE ||
	    (body->state == BODY_TRAILER && bytes.ptr[0] != '\r'))
		return take_trailer(body, bytes, ret);
	*ret = 1;
	return take_framing(body, bytes.ptr[0]);
}

static int refused(const struct h1_body *body)
{
	return body->defect ? -EPROTO : -EFBIG;
}

/* Takes bytes as long as they are of the kind of the first; @is_merged: data counts as framing. */
static int take_run(struct h1_body *body, struct slice bytes, bool is_merged, struct h1_span *ret)
{
	enum h1_span_kind first = H1_SPAN_DROPPED;
	size_t used = 0, len;

	if (body->state == BODY_FAILED)
		return refused(body);
	while (used < bytes.len && !body->is_done) {
		enum h1_span_kind kind = kind_of(body, bytes.ptr[used]);

		if (is_merged && kind == H1_SPAN_PAYLOAD && body->state == BODY_DATA)
			kind = H1_SPAN_FRAMING;
		if (used == 0)
			first = kind;
		else if (kind != first)
			break;
		if (take_some(body, slice_skip(bytes, used), &len)) {
			if (used == 0)
				return refused(body);
			break;
		}
		used += len;
	}
	*ret = (struct h1_span){.kind = first, .bytes = slice_of(bytes.ptr, used)};
	return 0;
}

int h1_body_next(struct h1_body *body, struct slice bytes, struct h1_span *ret)
{
	return take_run(body, bytes, false, ret);
}

int h1_body_pass(struct h1_body *body, struct slice bytes, struct h1_span *ret)
{
	return take_run(body, bytes, true, ret);
}

uint64_t h1_body_certain(const struct h1_body *body)
{
	if (body->state == BODY_CLOSE)
		return UINT64_MAX;
	return is_data(body) ? body->remaining : 0;
}

int h1_body_end(struct h1_body *body)
{
	if (body->state == BODY_CLOSE)
		finish(body);
	return body->is_done ? 0 : -EPIPE;
}
