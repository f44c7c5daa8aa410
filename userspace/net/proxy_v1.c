// SPDX-License-Identifier: Apache-2.0
/*
 * PROXY protocol version 1: one line of text. Each field is judged as soon as its end is there, so
 * that what is no header is refused early; nothing is told before the line's end has come.
 */
#include "net/net_internal.h"

#include <errno.h>
#include <stdio.h>

static const char line_start[] = "PROXY ";
static const char digits[] = "0123456789";

struct v1_family {
	const char *keyword;
	sa_family_t family;
	const char *ip_chars;
	size_t ip_max;
};

/* inet_ntop() writes v4-mapped IPv6 addresses with dots (RFC 5952 section 5), so they are taken. */
static const struct v1_family families[] = {
	{"TCP4", AF_INET, "0123456789.", 15},
	{"TCP6", AF_INET6, "0123456789abcdefABCDEF:.", 39},
	{"UNKNOWN", AF_UNSPEC, NULL, 0},
};

/* What is left of the line, and why it was refused. */
struct v1_cursor {
	struct slice rest;
	const char *reason;
};

static int refuse(struct v1_cursor *cursor, const char *reason)
{
	cursor->reason = reason;
	return -EPROTO;
}

/* -EAGAIN if @text is cut short within @rest. */
static int take_literal(struct v1_cursor *cursor, const char *text)
{
	size_t len = strlen(text);
	size_t have = cursor->rest.len < len ? cursor->rest.len : len;

	if (have && memcmp(cursor->rest.ptr, text, have) != 0)
		return -EPROTO;
	if (have < len)
		return -EAGAIN;
	cursor->rest = slice_skip(cursor->rest, len);
	return 0;
}

/* Takes 1 to @max of @chars and the byte @end behind them. */
static int take_field(struct v1_cursor *cursor, const char *chars, size_t max, char end,
		      struct slice *ret)
{
	struct slice rest = cursor->rest;
	size_t len = 0;

	while (len < rest.len && len <= max && rest.ptr[len] && strchr(chars, rest.ptr[len]))
		len++;
	if (len > max)
		return -EPROTO;
	if (len == rest.len)
		return -EAGAIN;
	if (len == 0 || rest.ptr[len] != end)
		return -EPROTO;
	*ret = slice_of(rest.ptr, len);
	cursor->rest = slice_skip(rest, len + 1);
	return 0;
}

static int take_family(struct v1_cursor *cursor, const struct v1_family **ret)
{
	int err = -EPROTO;

	for (size_t i = 0; i < ARRAY_SIZE(families) && err == -EPROTO; i++) {
		err = take_literal(cursor, families[i].keyword);
		if (!err)
			*ret = &families[i];
	}
	return err == -EPROTO ? refuse(cursor, "v1: neither TCP4, TCP6 nor UNKNOWN") : err;
}

static int take_ip(struct v1_cursor *cursor, const struct v1_family *family, struct address *ret)
{
	struct slice text;
	int err;

	err = take_field(cursor, family->ip_chars, family->ip_max, ' ', &text);
	if (err == -EAGAIN)
		return err;
	if (err || address_parse_ip(text, 0, ret) || ret->sa.sa_family != family->family)
		return refuse(cursor, "v1: malformed address");
	return 0;
}

static int take_port(struct v1_cursor *cursor, char end, struct address *ret)
{
	struct slice text;
	uint32_t port = 0;
	int err;

	err = take_field(cursor, digits, 5, end, &text);
	if (err == -EAGAIN)
		return err;
	if (err || (text.len > 1 && text.ptr[0] == '0'))
		return refuse(cursor, "v1: malformed port");
	for (size_t i = 0; i < text.len; i++)
		port = port * 10 + (uint32_t)(text.ptr[i] - '0');
	if (port > UINT16_MAX)
		return refuse(cursor, "v1: port above 65535");
	address_set_port(ret, (uint16_t)port);
	return 0;
}

static int take_addresses(struct v1_cursor *cursor, const struct v1_family *family,
			  struct proxy_header *header)
{
	int err;

	err = take_literal(cursor, " ");
	if (err)
		return err == -EPROTO ? refuse(cursor, "v1: no space behind the protocol") : err;
	err = take_ip(cursor, family, &header->source);
	if (!err)
		err = take_ip(cursor, family, &header->destination);
	if (!err)
		err = take_port(cursor, ' ', &header->source);
	if (!err)
		err = take_port(cursor, '\r', &header->destination);
	if (err)
		return err;
	err = take_literal(cursor, "\n");
	return err == -EPROTO ? refuse(cursor, "v1: CR without LF") : err;
}

/* "UNKNOWN" may be followed by anything up to the line's end, which is ignored. */
static int skip_unknown(struct v1_cursor *cursor)
{
	struct slice rest = cursor->rest;
	size_t end = 0;
	int err;

	if (rest.len && rest.ptr[0] != ' ' && rest.ptr[0] != '\r')
		return refuse(cursor, "v1: no space behind the protocol");
	while (end < rest.len && rest.ptr[end] != '\r' && rest.ptr[end] != '\n')
		end++;
	cursor->rest = slice_skip(rest, end);
	err = take_literal(cursor, "\r\n");
	return err == -EPROTO ? refuse(cursor, "v1: CR or LF alone") : err;
}

static int take_line(struct v1_cursor *cursor, struct proxy_header *header)
{
	const struct v1_family *family;
	int err;

	err = take_literal(cursor, line_start);
	if (err)
		return err == -EPROTO ? refuse(cursor, "no PROXY header") : err;
	err = take_family(cursor, &family);
	if (err)
		return err;
	if (family->family == AF_UNSPEC)
		return skip_unknown(cursor);
	return take_addresses(cursor, family, header);
}

int proxy_v1_parse(struct slice bytes, struct proxy_header *ret, size_t *ret_len,
		   const char **ret_reason)
{
	bool is_full = bytes.len >= PROXY_V1_MAX;
	struct v1_cursor cursor = {.rest = {bytes.ptr, is_full ? PROXY_V1_MAX : bytes.len}};
	struct proxy_header header = {.version = 1};
	int err;

	err = take_line(&cursor, &header);
	if (err == -EAGAIN && is_full)
		err = refuse(&cursor, "v1: line longer than 107 bytes");
	if (err == -EPROTO)
		*ret_reason = cursor.reason;
	if (err)
		return err;
	*ret = header;
	*ret_len = (size_t)(cursor.rest.ptr - bytes.ptr);
	return 0;
}

ssize_t proxy_v1_write(const struct address *source, const struct address *destination, char *buf,
		       size_t cap)
{
	char line[PROXY_V1_MAX + 1], from[ADDRESS_TEXT_SIZE], to[ADDRESS_TEXT_SIZE];
	int len;

	if (source && address_is_ip(source)) {
		/* A scope is this machine's own and has no place in the line. */
		struct address plain_source = *source, plain_destination = *destination;

		if (source->sa.sa_family == AF_INET6)
			plain_source.v6.sin6_scope_id = plain_destination.v6.sin6_scope_id = 0;
		len = snprintf(line, sizeof(line), "PROXY TCP%c %.39s %.39s %u %u\r\n",
			       source->sa.sa_family == AF_INET ? '4' : '6',
			       address_format_ip(&plain_source, from),
			       address_format_ip(&plain_destination, to), address_port(source),
			       address_port(destination));
	} else {
		len = snprintf(line, sizeof(line), "PROXY UNKNOWN\r\n");
	}
	if ((size_t)len > cap)
		return -ENOSPC;
	memcpy(buf, line, (size_t)len);
	return len;
}
