// SPDX-License-Identifier: Apache-2.0
/*
 * Heads of responses.
 *
 *   BEGIN ──► VERSION ──► STATUS ──► REASON ──CR LF──► FIELD_BEGIN ... END
 *
 * At the end it is judged what body follows. Source: RFC 9112 sections 4 and 6.3.
 */
#include "http/h1_scan.h"

#include "http/connection.h"
#include "http/h1_internal.h"

#define STATUS_LEN 4 /* " 200" */

static int take_status(struct h1_parser *parser, struct slice bytes, struct http_response *response)
{
	const char *text = bytes.ptr + parser->start;

	while (parser->at - parser->start < STATUS_LEN) {
		bool is_first = parser->at == parser->start;
		char c;

		if (parser->at == bytes.len)
			return -EAGAIN;
		c = bytes.ptr[parser->at];
		if (is_first ? c != ' ' : !http_is_digit(c))
			return h1_refuse(parser, H1_DEFECT_STATUS_INVALID);
		parser->at++;
	}
	response->status = (uint16_t)((text[1] - '0') * 100 + (text[2] - '0') * 10 + text[3] - '0');
	if (response->status < 100 || response->status > 599)
		return h1_refuse(parser, H1_DEFECT_STATUS_INVALID);
	parser->start = parser->at;
	parser->phase = H1_REASON;
	return 0;
}

/* The space before the reason is a must, yet live servers leave it out where there is no reason. */
static int take_reason(struct h1_parser *parser, struct slice bytes, struct http_response *response)
{
	uint32_t limit = parser->limits->line;
	const char *start = bytes.ptr + parser->start;
	const char *end = h1_line_end(parser, bytes, limit);
	const char *at = scan_value(bytes.ptr + parser->at, end);
	int err;

	if (at > start && *start != ' ')
		return h1_refuse(parser, H1_DEFECT_STATUS_INVALID);
	if (at == end)
		return h1_want_more(parser, at, bytes, limit, H1_DEFECT_HEAD_TOO_LARGE);
	parser->at = (uint32_t)(at - bytes.ptr);
	err = h1_take_line_end(parser, bytes, H1_DEFECT_CONTROL);
	if (err)
		return err;
	if (at > start)
		response->reason = slice_of(start + 1, (size_t)(at - start) - 1);
	parser->phase = H1_FIELD_BEGIN;
	return 0;
}

static int take_status_line(struct h1_parser *parser, struct slice bytes,
			    struct http_response *response)
{
	int err = 0;

	if (parser->phase == H1_BEGIN)
		parser->phase = H1_VERSION;
	if (parser->phase == H1_VERSION) {
		err = h1_take_version(parser, bytes, &response->version);
		if (err)
			return err;
		parser->start = parser->at;
		parser->phase = H1_STATUS;
	}
	if (parser->phase == H1_STATUS)
		err = take_status(parser, bytes, response);
	if (!err && parser->phase == H1_REASON)
		err = take_reason(parser, bytes, response);
	return err;
}

/* --- The judgement -------------------------------------------------------------------- */

static bool announces_body(const struct http_framing *framing)
{
	return framing->kind == HTTP_FRAMING_CHUNKED ||
	       (framing->kind == HTTP_FRAMING_LENGTH && framing->length > 0);
}

static bool is_tunnel(unsigned status, const struct h1_asked *asked)
{
	return status == 101 ||
	       (asked->method == HTTP_METHOD_CONNECT && status >= 200 && status < 300);
}

/* What the fields say, corrected by what the status and the request allow. */
static enum h1_defect judge_framing(struct http_response *response, const struct h1_asked *asked)
{
	struct http_framing *framing = &response->framing;
	enum h1_defect defect = h1_framing_of(&response->fields, response->version, framing);
	bool has_body = announces_body(framing);

	if (defect)
		return defect;
	if (response->status == 101 && !asked->for_upgrade)
		return H1_DEFECT_UPGRADE_UNASKED;
	if (is_tunnel(response->status, asked)) {
		*framing = (struct http_framing){.kind = HTTP_FRAMING_TUNNEL};
		return H1_DEFECT_NONE;
	}
	/* A response to the next request could hide in a body that must not be there. */
	if (response->status < 200 && has_body)
		return H1_DEFECT_BODY_UNEXPECTED;
	if (response->status == 204 && has_body)
		response->is_persistent = false;
	if (http_response_is_bodiless(response->status, asked->method))
		*framing = (struct http_framing){.kind = HTTP_FRAMING_NONE};
	else if (framing->kind == HTTP_FRAMING_NONE)
		framing->kind = HTTP_FRAMING_UNTIL_CLOSE;
	if (framing->kind == HTTP_FRAMING_UNTIL_CLOSE)
		response->is_persistent = false;
	return H1_DEFECT_NONE;
}

static int judge(struct h1_parser *parser, const struct h1_asked *asked,
		 struct http_response *response)
{
	struct http_connection_options options;
	enum h1_defect defect;

	/* A Connection field that cannot be read may have said "close". */
	response->is_persistent = !http_connection_options(&response->fields, &options) &&
				  !options.close &&
				  (response->version >= HTTP_VERSION_1_1 || options.keep_alive);
	defect = judge_framing(response, asked);
	return defect ? h1_refuse(parser, defect) : 0;
}

void h1_response_moved(struct h1_parser *parser, const char *bytes, struct http_response *response)
{
	if (parser->base && parser->base != bytes)
		http_response_rebase(response, parser->base, parser->at, bytes);
	parser->base = bytes;
}

int h1_parse_response(struct h1_parser *parser, struct slice bytes, const struct h1_asked *asked,
		      struct http_response *response, size_t *ret_len)
{
	struct slice head = h1_within_limit(parser, bytes);
	int err;

	if (parser->phase == H1_FAILED)
		return -EPROTO;
	h1_response_moved(parser, bytes.ptr, response);
	err = take_status_line(parser, head, response);
	if (!err)
		err = h1_take_fields(parser, head, &response->fields);
	if (!err)
		err = judge(parser, asked, response);
	if (err)
		return h1_refuse_endless(parser, err, bytes);
	*ret_len = parser->at;
	return 0;
}
