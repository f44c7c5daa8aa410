// SPDX-License-Identifier: Apache-2.0
/*
 * Heads of requests.
 *
 *   BEGIN ──(one empty line)──► METHOD ──SP──► TARGET ──SP──► VERSION ──CR LF──► FIELD_BEGIN ...
 * END
 *
 * At the end the fields that decide on host and framing are judged. Source: RFC 9112 sections 2, 3
 * and 6.3.
 */
#include "http/h1_scan.h"

#include "http/connection.h"
#include "http/h1_internal.h"
#include "http/list.h"

/* --- The first line ------------------------------------------------------------------- */

static int skip_empty_line(struct h1_parser *parser, struct slice bytes)
{
	if (bytes.len == 0)
		return -EAGAIN;
	if (bytes.ptr[0] == '\r' || bytes.ptr[0] == '\n') {
		int err = h1_take_line_end(parser, bytes, H1_DEFECT_METHOD_INVALID);

		if (err)
			return err;
	}
	parser->line = parser->start = parser->at;
	parser->phase = H1_METHOD;
	return 0;
}

static int take_method(struct h1_parser *parser, struct slice bytes, struct http_request *request)
{
	const char *start = bytes.ptr + parser->start;
	const char *end = h1_line_end(parser, bytes, H1_METHOD_MAX);
	const char *at = scan_class(bytes.ptr + parser->at, end, CHAR_TOKEN);

	if (at == end)
		return h1_want_more(parser, at, bytes, H1_METHOD_MAX, H1_DEFECT_METHOD_TOO_LONG);
	if (at == start || *at != ' ')
		return h1_refuse(parser, H1_DEFECT_METHOD_INVALID);
	request->method_text = slice_of(start, (size_t)(at - start));
	request->method = http_method_of(request->method_text);
	parser->at = parser->start = (uint32_t)(at - bytes.ptr) + 1;
	parser->phase = H1_TARGET;
	return 0;
}

static int take_target(struct h1_parser *parser, struct slice bytes, struct http_request *request)
{
	const struct h1_limits *limits = parser->limits;
	const char *start = bytes.ptr + parser->start;
	const char *end = h1_line_end(parser, bytes, limits->line);
	const char *at = scan_visible(bytes.ptr + parser->at, end);
	struct slice text = slice_of(start, (size_t)(at - start));
	enum h1_defect defect;

	if (at == end)
		return h1_want_more(parser, at, bytes, limits->line, H1_DEFECT_TARGET_TOO_LONG);
	if (text.len == 0)
		return h1_refuse(parser, H1_DEFECT_LINE_INVALID);
	if (*at != ' ')
		return h1_refuse(parser, *at == '\r' || *at == '\n' ? H1_DEFECT_LINE_INVALID
								    : H1_DEFECT_TARGET_INVALID);
	defect = h1_target_parse(text, request->method, limits->is_query_lax, &request->target);
	if (defect)
		return h1_refuse(parser, defect);
	parser->at = parser->start = (uint32_t)(at - bytes.ptr) + 1;
	parser->phase = H1_VERSION;
	return 0;
}

static int take_version(struct h1_parser *parser, struct slice bytes, struct http_request *request)
{
	int err = h1_take_version(parser, bytes, &request->version);

	if (!err)
		err = h1_take_line_end(parser, bytes, H1_DEFECT_LINE_INVALID);
	if (!err)
		parser->phase = H1_FIELD_BEGIN;
	return err;
}

static int take_request_line(struct h1_parser *parser, struct slice bytes,
			     struct http_request *request)
{
	int err = 0;

	if (parser->phase == H1_BEGIN)
		err = skip_empty_line(parser, bytes);
	if (!err && parser->phase == H1_METHOD)
		err = take_method(parser, bytes, request);
	if (!err && parser->phase == H1_TARGET)
		err = take_target(parser, bytes, request);
	if (!err && parser->phase == H1_VERSION)
		err = take_version(parser, bytes, request);
	return err;
}

/* --- The judgement -------------------------------------------------------------------- */

/* The Host field must name whom an absolute or authority form names (RFC 9112 section 3.2). A proxy
 * may prefer the target, but what stands behind it might not. */
static bool agrees_with_target(const struct http_authority *host, const struct http_target *target)
{
	uint16_t default_port = target->scheme.len == 5 ? 443 : 80;

	if (target->form == HTTP_TARGET_AUTHORITY)
		default_port = target->authority.port;
	return target->authority.host.len == 0 ||
	       http_authority_equal(host, &target->authority, default_port);
}

static enum h1_defect judge_host(struct http_request *request)
{
	const struct http_field *host = http_fields_find(&request->fields, HTTP_FIELD_HOST);

	request->authority = request->target.authority;
	if (!host)
		return request->version == HTTP_VERSION_1_0 ? H1_DEFECT_NONE
							    : H1_DEFECT_HOST_MISSING;
	if (http_fields_find_next(&request->fields, host))
		return H1_DEFECT_HOST_REPEATED;
	if (http_authority_parse(host->value, &request->authority))
		return H1_DEFECT_HOST_INVALID;
	return agrees_with_target(&request->authority, &request->target) ? H1_DEFECT_NONE
									 : H1_DEFECT_HOST_DIFFERS;
}

/* CONNECT and TRACE have no content (RFC 9110 sections 9.3.6 and 9.3.8), and a body that follows
 * anyway could be read as the next request or as the tunnel's first bytes. */
static enum h1_defect judge_framing(struct http_request *request)
{
	enum h1_defect defect = h1_framing_of(&request->fields, request->version,
					      &request->framing);

	if (!defect && request->framing.kind != HTTP_FRAMING_NONE &&
	    (request->method == HTTP_METHOD_CONNECT || request->method == HTTP_METHOD_TRACE))
		return H1_DEFECT_BODY_UNEXPECTED;
	return defect;
}

static enum h1_defect judge_connection(struct http_request *request)
{
	struct http_connection_options options;
	bool is_old = request->version == HTTP_VERSION_1_0;

	if (http_connection_options(&request->fields, &options))
		return H1_DEFECT_CONNECTION_INVALID;
	request->is_persistent = !options.close && (!is_old || options.keep_alive);
	request->wants_upgrade = options.upgrade && !is_old &&
				 http_fields_has(&request->fields, HTTP_FIELD_UPGRADE);
	if (http_fields_has(&request->fields, HTTP_FIELD_TE))
		request->accepts_trailers = http_list_has(
			http_fields_value(&request->fields, HTTP_FIELD_TE),
			slice_of("trailers", 8));
	return H1_DEFECT_NONE;
}

/* HTTP/1.0 knows no expectations (RFC 9110 section 10.1.1). */
static enum h1_defect judge_expect(struct http_request *request)
{
	const struct http_field *expect = http_fields_find(&request->fields, HTTP_FIELD_EXPECT);

	if (!expect || request->version == HTTP_VERSION_1_0)
		return H1_DEFECT_NONE;
	if (http_fields_find_next(&request->fields, expect) ||
	    !slice_equal_nocase(expect->value, slice_of("100-continue", 12)))
		return H1_DEFECT_EXPECT_UNKNOWN;
	request->expects_continue = true;
	return H1_DEFECT_NONE;
}

static int judge(struct h1_parser *parser, struct http_request *request)
{
	enum h1_defect defect = judge_host(request);

	if (!defect)
		defect = judge_framing(request);
	if (!defect)
		defect = judge_connection(request);
	if (!defect)
		defect = judge_expect(request);
	return defect ? h1_refuse(parser, defect) : 0;
}

void h1_request_moved(struct h1_parser *parser, const char *bytes, struct http_request *request)
{
	if (parser->base && parser->base != bytes)
		http_request_rebase(request, parser->base, parser->at, bytes);
	parser->base = bytes;
}

int h1_parse_request(struct h1_parser *parser, struct slice bytes, struct http_request *request,
		     size_t *ret_len)
{
	struct slice head = h1_within_limit(parser, bytes);
	int err;

	if (parser->phase == H1_FAILED)
		return -EPROTO;
	h1_request_moved(parser, bytes.ptr, request);
	err = take_request_line(parser, head, request);
	if (!err)
		err = h1_take_fields(parser, head, &request->fields);
	if (!err)
		err = judge(parser, request);
	if (err)
		return h1_refuse_endless(parser, err, bytes);
	*ret_len = parser->at;
	return 0;
}

int h1_detect_h2(struct slice bytes)
{
	static const struct slice preface = {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24};
	size_t len = bytes.len < preface.len ? bytes.len : preface.len;

	if (len > 0 && memcmp(bytes.ptr, preface.ptr, len) != 0)
		return -EPROTO;
	return len == preface.len ? 0 : -EAGAIN;
}
