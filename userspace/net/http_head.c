// SPDX-License-Identifier: Apache-2.0
/*
 * Reads the head of an HTTP/1 message line by line. Nothing is remembered between calls: a head is
 * short, and is asked about a handful of times at most.
 */
#include "net/http_head.h"

#include <errno.h>
#include <stdbool.h>

static const char version_prefix[] = "HTTP/1.";

/* "HTTP/1.0" or "HTTP/1.1". */
#define VERSION_LEN sizeof(version_prefix)

static bool is_token_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

/* Token characters at the start of @text (RFC 9110 section 5.6.2). */
static size_t token_len(struct slice text)
{
	size_t len = 0;

	while (len < text.len && is_token_char(text.ptr[len]))
		len++;
	return len;
}

/* Text of a line: tabs, but no other control characters. */
static bool is_clean(struct slice line)
{
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.ptr[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* Cuts the first line, without its CR LF, off @rest. */
static int take_line(struct slice *rest, struct slice *ret)
{
	const char *newline = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
	struct slice line = *rest;

	if (newline)
		line.len = (size_t)(newline - rest->ptr);
	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	else if (newline)
		return -EPROTO;
	if (!is_clean(line))
		return -EPROTO;
	if (!newline)
		return -EAGAIN;
	*rest = slice_skip(*rest, line.len + 2);
	*ret = line;
	return 0;
}

/* Skips the header lines and the empty one that ends them. */
static int skip_fields(struct slice *rest)
{
	struct slice line;
	size_t len;
	int err;

	for (;;) {
		err = take_line(rest, &line);
		if (err)
			return err;
		if (line.len == 0)
			return 0;
		len = token_len(line);
		if (len == 0 || len == line.len || line.ptr[len] != ':')
			return -EPROTO;
	}
}

static bool is_version(struct slice text)
{
	return text.len == VERSION_LEN && slice_starts_with(text, slice_from_str(version_prefix)) &&
	       (text.ptr[VERSION_LEN - 1] == '0' || text.ptr[VERSION_LEN - 1] == '1');
}

/* A peer that speaks something else is told from a slow one without waiting for its first line. */
static bool may_become_status(struct slice bytes)
{
	size_t len = bytes.len < VERSION_LEN - 1 ? bytes.len : VERSION_LEN - 1;

	return len == 0 || memcmp(bytes.ptr, version_prefix, len) == 0;
}

static int read_status_line(struct slice line, unsigned *ret)
{
	unsigned status = 0;
	struct slice code;

	if (line.len < VERSION_LEN + 4 || !is_version(slice_of(line.ptr, VERSION_LEN)) ||
	    line.ptr[VERSION_LEN] != ' ')
		return -EPROTO;
	code = slice_skip(line, VERSION_LEN + 1);
	/* The space behind the code is a must, yet live servers leave it out with the reason. */
	if (code.len > 3 && code.ptr[3] != ' ')
		return -EPROTO;
	for (size_t i = 0; i < 3; i++) {
		if (code.ptr[i] < '0' || code.ptr[i] > '9')
			return -EPROTO;
		status = status * 10 + (unsigned)(code.ptr[i] - '0');
	}
	if (status < 100 || status > 599)
		return -EPROTO;
	*ret = status;
	return 0;
}

static int read_request_line(struct slice line, struct slice *ret_method, struct slice *ret_target)
{
	size_t method_len = token_len(line);
	struct slice rest;
	size_t target_len = 0;

	if (method_len == 0 || method_len == line.len || line.ptr[method_len] != ' ')
		return -EPROTO;
	rest = slice_skip(line, method_len + 1);
	while (target_len < rest.len && rest.ptr[target_len] > ' ' && rest.ptr[target_len] < 0x7f)
		target_len++;
	if (target_len == 0 || target_len == rest.len || rest.ptr[target_len] != ' ' ||
	    !is_version(slice_skip(rest, target_len + 1)))
		return -EPROTO;
	*ret_method = slice_of(line.ptr, method_len);
	*ret_target = slice_of(rest.ptr, target_len);
	return 0;
}

static struct slice within_limit(struct slice bytes)
{
	return slice_of(bytes.ptr, bytes.len < HTTP_HEAD_MAX ? bytes.len : HTTP_HEAD_MAX);
}

/* A head that does not end within the limit is waited for no longer. */
static int refuse_endless(int err, struct slice bytes)
{
	return err == -EAGAIN && bytes.len >= HTTP_HEAD_MAX ? -EPROTO : err;
}

int http_status_parse(struct slice bytes, unsigned *ret_status, size_t *ret_len)
{
	struct slice rest = within_limit(bytes), line;
	unsigned status;
	int err;

	if (!may_become_status(bytes))
		return -EPROTO;
	err = take_line(&rest, &line);
	if (!err)
		err = read_status_line(line, &status);
	if (!err)
		err = skip_fields(&rest);
	if (err)
		return refuse_endless(err, bytes);
	*ret_status = status;
	*ret_len = (size_t)(rest.ptr - bytes.ptr);
	return 0;
}

int http_request_parse(struct slice bytes, struct slice *ret_method, struct slice *ret_target,
		       size_t *ret_len)
{
	struct slice rest = within_limit(bytes), line, method, target;
	int err;

	err = take_line(&rest, &line);
	if (!err)
		err = read_request_line(line, &method, &target);
	if (!err)
		err = skip_fields(&rest);
	if (err)
		return refuse_endless(err, bytes);
	*ret_method = method;
	*ret_target = target;
	*ret_len = (size_t)(rest.ptr - bytes.ptr);
	return 0;
}
