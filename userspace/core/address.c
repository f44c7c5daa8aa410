// SPDX-License-Identifier: Apache-2.0
/* Socket addresses and networks as text and back. */
#include "core/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>

/* 64 bytes hold any IPv6 address with an interface name. */
#define HOST_SIZE 64

static const char unix_scheme[] = "unix:";

static int parse_unix(struct slice path, struct address *ret)
{
	struct address address = {.un = {.sun_family = AF_UNIX}};

	if (path.len == 0 || memchr(path.ptr, '\0', path.len))
		return -EINVAL;
	if (path.len >= sizeof(address.un.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.un.sun_path, path.ptr, path.len);
	address.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len);
	if (path.ptr[0] == '@')
		address.un.sun_path[0] = '\0';
	else
		address.len++;
	*ret = address;
	return 0;
}

static int parse_port(struct slice text, uint16_t *ret)
{
	uint32_t port = 0;

	if (text.len == 0)
		return -EINVAL;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return -EINVAL;
		port = port * 10 + (uint32_t)(text.ptr[i] - '0');
		if (port > UINT16_MAX)
			return -ERANGE;
	}
	*ret = (uint16_t)port;
	return 0;
}

static int parse_v6(char *host, uint16_t port, struct address *ret)
{
	struct address address = {.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)},
				  .len = sizeof(address.v6)};
	char *scope = strchr(host, '%');

	if (scope) {
		*scope++ = '\0';
		address.v6.sin6_scope_id = if_nametoindex(scope);
		if (address.v6.sin6_scope_id == 0)
			return -ENODEV;
	}
	if (inet_pton(AF_INET6, host, &address.v6.sin6_addr) != 1)
		return -EINVAL;
	*ret = address;
	return 0;
}

int address_parse_ip(struct slice text, uint16_t port, struct address *ret)
{
	struct address address = {.v4 = {.sin_family = AF_INET, .sin_port = htons(port)},
				  .len = sizeof(address.v4)};
	char host[HOST_SIZE];

	if (text.len == 0 || text.len >= sizeof(host) || memchr(text.ptr, '\0', text.len))
		return -EINVAL;
	memcpy(host, text.ptr, text.len);
	host[text.len] = '\0';
	if (memchr(text.ptr, ':', text.len))
		return parse_v6(host, port, ret);
	if (inet_pton(AF_INET, host, &address.v4.sin_addr) != 1)
		return -EINVAL;
	*ret = address;
	return 0;
}

int address_parse(struct slice text, struct address *ret)
{
	const char *colon;
	struct slice host;
	uint16_t port;
	int err;

	if (slice_starts_with(text, slice_from_str(unix_scheme)))
		return parse_unix(slice_skip(text, sizeof(unix_scheme) - 1), ret);
	colon = text.len ? memrchr(text.ptr, ':', text.len) : NULL;
	if (!colon)
		return -EINVAL;
	host = slice_of(text.ptr, (size_t)(colon - text.ptr));
	err = parse_port(slice_skip(text, host.len + 1), &port);
	if (err)
		return err;
	if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
		host = slice_of(host.ptr + 1, host.len - 2);
		return memchr(host.ptr, ':', host.len) ? address_parse_ip(host, port, ret)
						       : -EINVAL;
	}
	/* Without brackets an IPv6 address cannot be told from its port. */
	if (memchr(host.ptr, ':', host.len))
		return -EINVAL;
	return address_parse_ip(host, port, ret);
}

const char *address_format_ip(const struct address *address, char ret[ADDRESS_IP_SIZE])
{
	char scope[IF_NAMESIZE], host[INET6_ADDRSTRLEN];

	switch (address->len ? address->sa.sa_family : AF_UNSPEC) {
	case AF_INET:
		inet_ntop(AF_INET, &address->v4.sin_addr, ret, ADDRESS_IP_SIZE);
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof(host));
		if (address->v6.sin6_scope_id && if_indextoname(address->v6.sin6_scope_id, scope))
			snprintf(ret, ADDRESS_IP_SIZE, "%s%%%s", host, scope);
		else
			snprintf(ret, ADDRESS_IP_SIZE, "%s", host);
		break;
	default:
		snprintf(ret, ADDRESS_IP_SIZE, "-");
	}
	return ret;
}

static void format_unix(const struct address *address, char ret[ADDRESS_TEXT_SIZE])
{
	size_t len = address->len - offsetof(struct sockaddr_un, sun_path);
	const char *path = address->un.sun_path;

	if (address->len <= offsetof(struct sockaddr_un, sun_path))
		snprintf(ret, ADDRESS_TEXT_SIZE, "unix:");
	else if (path[0] == '\0')
		snprintf(ret, ADDRESS_TEXT_SIZE, "unix:@%.*s", (int)(len - 1), path + 1);
	else
		snprintf(ret, ADDRESS_TEXT_SIZE, "unix:%.*s", (int)strnlen(path, len), path);
}

const char *address_format(const struct address *address, char ret[ADDRESS_TEXT_SIZE])
{
	char host[ADDRESS_TEXT_SIZE];

	switch (address->len ? address->sa.sa_family : AF_UNSPEC) {
	case AF_INET:
		snprintf(ret, ADDRESS_TEXT_SIZE, "%s:%u", address_format_ip(address, host),
			 address_port(address));
		break;
	case AF_INET6:
		snprintf(ret, ADDRESS_TEXT_SIZE, "[%.64s]:%u", address_format_ip(address, host),
			 address_port(address));
		break;
	case AF_UNIX:
		format_unix(address, ret);
		break;
	default:
		snprintf(ret, ADDRESS_TEXT_SIZE, "-");
	}
	return ret;
}

void address_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct address *ret)
{
	*ret = (struct address){};
	if (len > sizeof(ret->un))
		len = sizeof(ret->un);
	memcpy(&ret->un, sa, len);
	ret->len = len;
}

uint16_t address_port(const struct address *address)
{
	if (address->len && address->sa.sa_family == AF_INET)
		return ntohs(address->v4.sin_port);
	if (address->len && address->sa.sa_family == AF_INET6)
		return ntohs(address->v6.sin6_port);
	return 0;
}

void address_set_port(struct address *address, uint16_t port)
{
	if (address->len && address->sa.sa_family == AF_INET)
		address->v4.sin_port = htons(port);
	else if (address->len && address->sa.sa_family == AF_INET6)
		address->v6.sin6_port = htons(port);
}

void address_unmap(struct address *address)
{
	struct address v4 = {.v4 = {.sin_family = AF_INET}, .len = sizeof(v4.v4)};

	if (!address->len || address->sa.sa_family != AF_INET6 ||
	    !IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr))
		return;
	v4.v4.sin_port = address->v6.sin6_port;
	memcpy(&v4.v4.sin_addr, &address->v6.sin6_addr.s6_addr[12], 4);
	*address = v4;
}

bool address_is_ip(const struct address *address)
{
	return address->len &&
	       (address->sa.sa_family == AF_INET || address->sa.sa_family == AF_INET6);
}

bool address_is_any(const struct address *address)
{
	if (address->sa.sa_family == AF_INET)
		return address->v4.sin_addr.s_addr == INADDR_ANY;
	return address->sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
}

bool address_equal(const struct address *a, const struct address *b)
{
	if (a->len != b->len || (a->len && a->sa.sa_family != b->sa.sa_family))
		return false;
	if (!a->len)
		return true;
	switch (a->sa.sa_family) {
	case AF_INET:
		return a->v4.sin_port == b->v4.sin_port &&
		       a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	case AF_INET6:
		return a->v6.sin6_port == b->v6.sin6_port &&
		       a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
		       memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, 16) == 0;
	default:
		return memcmp(&a->un, &b->un, a->len) == 0;
	}
}

/* Clears the bits beyond the prefix's length. Return: whether one of them was set. */
static bool clear_host_bits(struct prefix *prefix)
{
	bool any = false;

	for (unsigned i = 0; i < sizeof(prefix->ip); i++) {
		unsigned kept = prefix->bits <= i * 8 ? 0 : prefix->bits - i * 8;
		uint8_t mask = (uint8_t)(kept >= 8 ? 0xff : 0xff00 >> kept);

		any |= (prefix->ip[i] & ~mask) != 0;
		prefix->ip[i] = prefix->ip[i] & mask;
	}
	return any;
}

bool prefix_of(const struct address *address, uint8_t bits, struct prefix *ret)
{
	struct prefix prefix = {.family = address->sa.sa_family, .bits = bits};

	if (!address_is_ip(address))
		return false;
	if (prefix.family == AF_INET) {
		memcpy(prefix.ip, &address->v4.sin_addr, 4);
		prefix.bits = bits > 32 ? 32 : bits;
	} else {
		memcpy(prefix.ip, &address->v6.sin6_addr, 16);
		prefix.bits = bits > 128 ? 128 : bits;
	}
	clear_host_bits(&prefix);
	*ret = prefix;
	return true;
}

#define MAPPED_BITS 96 /* ::ffff:0:0/96 are those of IPv4 */

int prefix_parse(struct slice text, struct prefix *ret)
{
	const char *slash = text.len ? memchr(text.ptr, '/', text.len) : NULL;
	struct slice ip = slash ? slice_of(text.ptr, (size_t)(slash - text.ptr)) : text;
	struct prefix prefix = {};
	struct address address;
	uint16_t bits = 128;
	int err;

	err = address_parse_ip(ip, 0, &address);
	if (err)
		return err;
	if (slash) {
		err = parse_port(slice_skip(text, ip.len + 1), &bits);
		if (err)
			return err;
		if (bits > (address.sa.sa_family == AF_INET ? 32 : 128))
			return -ERANGE;
	}
	if (address.sa.sa_family == AF_INET6 && bits >= MAPPED_BITS) {
		address_unmap(&address);
		if (address.sa.sa_family == AF_INET)
			bits -= MAPPED_BITS;
	}
	prefix_of(&address, 128, &prefix);
	if (slash)
		prefix.bits = (uint8_t)bits;
	if (clear_host_bits(&prefix))
		return -EDOM;
	*ret = prefix;
	return 0;
}

const char *prefix_format(const struct prefix *prefix, char ret[PREFIX_TEXT_SIZE])
{
	char host[INET6_ADDRSTRLEN];

	inet_ntop(prefix->family, prefix->ip, host, sizeof(host));
	snprintf(ret, PREFIX_TEXT_SIZE, "%s/%u", host, prefix->bits);
	return ret;
}

bool prefix_contains(const struct prefix *prefix, const struct address *address)
{
	struct address plain = *address;
	struct prefix theirs;

	address_unmap(&plain);
	return prefix_of(&plain, prefix->bits, &theirs) && theirs.family == prefix->family &&
	       theirs.bits == prefix->bits &&
	       memcmp(theirs.ip, prefix->ip, sizeof(prefix->ip)) == 0;
}
