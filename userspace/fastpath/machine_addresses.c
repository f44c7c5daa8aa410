// SPDX-License-Identifier: Apache-2.0
/* Which addresses are this machine's. */
#include "fastpath/machine.h"

#include <errno.h>
#include <ifaddrs.h>
#include <string.h>

int machine_addresses_read(struct machine_addresses *ret)
{
	return getifaddrs(&ret->all) < 0 ? -errno : 0;
}

void machine_addresses_done(struct machine_addresses *here)
{
	if (here->all)
		freeifaddrs(here->all);
	here->all = NULL;
}

static socklen_t length_of(sa_family_t family)
{
	if (family == AF_INET)
		return sizeof(struct sockaddr_in);
	return family == AF_INET6 ? sizeof(struct sockaddr_in6) : 0;
}

/* All of 127.0.0.0/8 is, with any address of it. */
static bool is_at(const struct sockaddr *own, const struct address *address)
{
	struct address known;
	struct prefix prefix;
	uint8_t bits = address->sa.sa_family == AF_INET6 ? 128 : 32;

	if (!own || !length_of(own->sa_family) || own->sa_family != address->sa.sa_family)
		return false;
	address_from_sockaddr(own, length_of(own->sa_family), &known);
	if (own->sa_family == AF_INET && ntohl(known.v4.sin_addr.s_addr) >> 24 == 127)
		bits = 8;
	return prefix_of(&known, bits, &prefix) && prefix_contains(&prefix, address);
}

bool machine_has_address(const struct machine_addresses *here, const struct address *address)
{
	for (const struct ifaddrs *at = here->all; at; at = at->ifa_next)
		if (is_at(at->ifa_addr, address))
			return true;
	return false;
}
