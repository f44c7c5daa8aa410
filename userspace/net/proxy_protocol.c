// SPDX-License-Identifier: Apache-2.0
/*
 * The PROXY protocol: tells the versions apart and decides which addresses can be told. The
 * versions themselves are in proxy_v1.c and proxy_v2.c.
 */
#include "net/proxy_protocol.h"

#include "net/net_internal.h"

#include <errno.h>

int proxy_header_parse(struct slice bytes, struct proxy_header *ret, size_t *ret_len,
		       const char **ret_reason)
{
	if (bytes.len == 0)
		return -EAGAIN;
	if (bytes.ptr[0] == 'P')
		return proxy_v1_parse(bytes, ret, ret_len, ret_reason);
	if (bytes.ptr[0] == '\r')
		return proxy_v2_parse(bytes, ret, ret_len, ret_reason);
	*ret_reason = "no PROXY header";
	return -EPROTO;
}

static sa_family_t family_of(const struct address *address)
{
	return address->len ? address->sa.sa_family : AF_UNSPEC;
}

/*
 * Makes both ends one family. A dual-stack socket gives v4-mapped addresses, and the other end may
 * have been unmapped already: both are told as IPv4.
 */
static bool agree_on_family(struct address *source, struct address *destination)
{
	struct address source_v4 = *source, destination_v4 = *destination;

	address_unmap(&source_v4);
	address_unmap(&destination_v4);
	if (family_of(&source_v4) == AF_INET && family_of(&destination_v4) == AF_INET) {
		*source = source_v4;
		*destination = destination_v4;
	}
	return family_of(source) == family_of(destination);
}

ssize_t proxy_header_write(const struct proxy_header *header, char *buf, size_t cap)
{
	struct address source = header->source, destination = header->destination;
	bool is_told = agree_on_family(&source, &destination);
	const struct address *from = is_told ? &source : NULL;
	const struct address *to = is_told ? &destination : NULL;

	if (header->version == 1)
		return proxy_v1_write(from, to, buf, cap);
	return proxy_v2_write(from, to, header->is_local, header->tlvs, buf, cap);
}
