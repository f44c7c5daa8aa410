// SPDX-License-Identifier: Apache-2.0
/* Host and port, of Host fields and targets. Source: RFC 3986 section 3.2. */
#include "core/address.h"
#include "http/http_internal.h"
#include "http/message.h"

#include <errno.h>

/* "[v6]"; addresses of a future kind and zones are in no URI that a server is asked for. */
static int take_ipv6(struct slice *text, struct slice *ret)
{
	const char *end = memchr(text->ptr, ']', text->len);
	struct address address;
	struct slice inner;

	if (!end)
		return -EINVAL;
	*ret = slice_of(text->ptr, (size_t)(end - text->ptr) + 1);
	inner = slice_of(ret->ptr + 1, ret->len - 2);
	if (memchr(inner.ptr, '%', inner.len) || address_parse_ip(inner, 0, &address) ||
	    address.sa.sa_family != AF_INET6)
		return -EINVAL;
	*text = slice_skip(*text, ret->len);
	return 0;
}

static int take_name(struct slice *text, struct slice *ret)
{
	size_t len = 0;

	while (len < text->len && http_is(text->ptr[len], CHAR_HOST))
		len++;
	*ret = slice_of(text->ptr, len);
	*text = slice_skip(*text, len);
	return len > 0 ? 0 : -EINVAL;
}

/* ":port" */
static int read_port(struct slice text, uint16_t *ret)
{
	unsigned port = 0;

	if (text.ptr[0] != ':' || text.len < 2 || text.len > 1 + 5)
		return -EINVAL;
	for (size_t i = 1; i < text.len; i++) {
		if (!http_is_digit(text.ptr[i]))
			return -EINVAL;
		port = port * 10 + (unsigned)(text.ptr[i] - '0');
	}
	if (port == 0 || port > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)port;
	return 0;
}

int http_authority_parse(struct slice text, struct http_authority *ret)
{
	struct http_authority authority = {.text = text};
	struct slice rest = text;
	int err;

	if (text.len == 0)
		return -EINVAL;
	if (text.ptr[0] == '[')
		err = take_ipv6(&rest, &authority.host);
	else
		err = take_name(&rest, &authority.host);
	if (!err && rest.len > 0)
		err = read_port(rest, &authority.port);
	if (err)
		return err;
	*ret = authority;
	return 0;
}

struct slice http_host_name(struct slice host)
{
	if (host.len > 1 && host.ptr[host.len - 1] == '.')
		host.len--;
	return host;
}

bool http_authority_equal(const struct http_authority *a, const struct http_authority *b,
			  uint16_t default_port)
{
	uint16_t a_port = a->port ? a->port : default_port;
	uint16_t b_port = b->port ? b->port : default_port;

	return a_port == b_port && slice_equal_nocase(a->host, b->host);
}
