// SPDX-License-Identifier: Apache-2.0
/* Where to listen and whom to connect to, as a configuration writes it: ranges, "*", host names. */
#include "config/config_internal.h"

#include <ctype.h>
#include <errno.h>

#define HOST_NAME_MAX_LEN 253
#define LABEL_MAX_LEN     63

const char *address_problem(int err)
{
	switch (err) {
	case -ERANGE:
		return "has a port above 65535";
	case -ENAMETOOLONG:
		return "has a path of more than 107 bytes";
	case -ENODEV:
		return "names an interface that does not exist";
	default:
		return "is not an address";
	}
}

static struct slice after_last_colon(struct slice text)
{
	const char *colon = text.len ? memrchr(text.ptr, ':', text.len) : NULL;

	if (!colon)
		return (struct slice){};
	return slice_of(colon + 1, text.len - (size_t)(colon + 1 - text.ptr));
}

static bool is_number(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!isdigit((unsigned char)text.ptr[i]))
			return false;
	}
	return text.len > 0;
}

static const char no_ports[] = "is not an IP address and port";

static const char *parse_port_text(struct slice text, uint16_t *ret)
{
	uint64_t port;

	if (!is_number(text))
		return no_ports;
	if (parse_count(text, &port) || port > UINT16_MAX)
		return address_problem(-ERANGE);
	*ret = (uint16_t)port;
	return NULL;
}

/* "8000-8010", or one port. */
static const char *parse_ports(struct slice text, uint16_t *ret_first, uint16_t *ret_last)
{
	const char *dash = text.len ? memchr(text.ptr, '-', text.len) : NULL;
	struct slice first = dash ? slice_of(text.ptr, (size_t)(dash - text.ptr)) : text;
	const char *problem = parse_port_text(first, ret_first);

	*ret_last = *ret_first;
	if (problem || !dash)
		return problem;
	problem = parse_port_text(slice_skip(text, first.len + 1), ret_last);
	if (problem)
		return problem;
	if (*ret_first == 0)
		return "has a range that begins at port 0";
	return *ret_last < *ret_first ? "has a range that ends before it begins" : NULL;
}

const char *parse_port_range(struct slice text, struct config_port_range *ret)
{
	struct config_port_range range = {};
	const char *problem = parse_ports(text, &range.first, &range.last);

	if (problem)
		return problem == no_ports ? "is not a range of ports" : problem;
	if (range.first == 0)
		return "has port 0";
	*ret = range;
	return NULL;
}

static void set_any(struct config_bind *bind, const char *ip, uint16_t first, uint16_t last)
{
	/* A constant that is an address: it cannot fail. */
	if (address_parse_ip(slice_from_str(ip), first, &bind->address) == 0)
		bind->last_port = last;
}

static const char *parse_unix_bind(struct slice text, struct config_bind *ret)
{
	int err = address_parse(text, &ret->address);

	ret->last_port = 0;
	return err ? address_problem(err) : NULL;
}

/* @host: what stands in front of the last colon. */
static const char *parse_host(struct slice host, struct address *ret)
{
	int err;

	if (memchr(host.ptr, ':', host.len)) {
		if (host.len < 2 || host.ptr[0] != '[' || host.ptr[host.len - 1] != ']')
			return "is an IPv6 address without brackets or port";
		host = slice_of(host.ptr + 1, host.len - 2);
	}
	err = address_parse_ip(host, 0, ret);
	return err == -EINVAL ? "is not an IP address and port" : err ? address_problem(err) : NULL;
}

/* "/tcp" or "/udp" at the end of @text, which is cut off; without, it is TCP. */
static bool cut_protocol(struct slice *text)
{
	bool is_udp = slice_ends_with(*text, slice_of("/udp", 4));

	if (is_udp || slice_ends_with(*text, slice_of("/tcp", 4)))
		text->len -= 4;
	return is_udp;
}

static const char *parse_ip_bind(struct slice text, struct config_bind ret[BINDS_PER_TEXT],
				 size_t *ret_count)
{
	struct slice ports = after_last_colon(text), host;
	uint16_t first = 0, last = 0;
	struct address address;
	const char *problem;

	if (!ports.ptr)
		return "has no port";
	problem = parse_ports(ports, &first, &last);
	if (problem)
		return problem;
	host = slice_of(text.ptr, text.len - ports.len - 1);
	if (host.len == 0 || slice_equal_str(host, "*")) {
		set_any(&ret[0], "0.0.0.0", first, last);
		set_any(&ret[1], "::", first, last);
		*ret_count = 2;
		return NULL;
	}
	problem = parse_host(host, &address);
	if (problem)
		return problem;
	address_set_port(&address, first);
	ret[0].address = address;
	ret[0].last_port = last;
	return NULL;
}

const char *parse_bind(struct slice text, struct config_bind ret[BINDS_PER_TEXT], size_t *ret_count)
{
	const char *problem;
	bool is_udp;

	*ret_count = 1;
	if (slice_starts_with(text, slice_of("unix:", 5)))
		return parse_unix_bind(text, &ret[0]);
	is_udp = cut_protocol(&text);
	problem = parse_ip_bind(text, ret, ret_count);
	for (size_t i = 0; !problem && i < *ret_count; i++)
		ret[i].is_udp = is_udp;
	return problem;
}

static bool is_label_char(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_';
}

bool is_host_name(struct slice text)
{
	size_t label = 0;

	if (text.len == 0 || text.len > HOST_NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] != '.') {
			if (!is_label_char(text.ptr[i]) || ++label > LABEL_MAX_LEN)
				return false;
			continue;
		}
		if (label == 0)
			return false;
		label = 0;
	}
	return label > 0;
}

const char *parse_host_port(struct slice text, struct slice *ret_host, uint16_t *ret_port)
{
	struct slice ports = after_last_colon(text), host;
	struct address address;
	const char *problem;

	if (slice_starts_with(text, slice_of("unix:", 5)) || address_parse(text, &address) == 0)
		return "is an address, not a name to resolve";
	if (!ports.ptr)
		return "has no port";
	host = slice_of(text.ptr, text.len - ports.len - 1);
	if (!is_host_name(host))
		return "is not a host name and port";
	problem = parse_port_text(ports, ret_port);
	if (problem)
		return problem;
	*ret_host = host;
	return *ret_port == 0 ? "has port 0" : NULL;
}
