// SPDX-License-Identifier: Apache-2.0
// Whatever a database holds, no look-up and no walk may go beyond it, and both must say the same.
#include "geo/geo.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* libmaxminddb 1.7 forgets some of its memory where a file's metadata is cut off. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libmaxminddb";
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* More is a matter of time alone. */
#define NETWORKS_MAX 1000

struct check {
	const struct geo *geo;
	size_t networks;
};

static bool is_known(const struct geo_facts *facts, void *context)
{
	(void)context;
	return facts->country || facts->asn;
}

static int compare(const struct prefix *network, void *context)
{
	struct check *check = context;
	struct address address = {.len = sizeof(address.v6)};
	struct geo_facts facts;

	address.sa.sa_family = network->family;
	if (network->family == AF_INET)
		memcpy(&address.v4.sin_addr, network->ip, 4);
	else
		memcpy(&address.v6.sin6_addr, network->ip, 16);
	geo_look(check->geo, &address, &facts);
	/* Those of mapped addresses are IPv4's. */
	if (!is_known(&facts, NULL) &&
	    !(network->family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address.v6.sin6_addr)))
		abort();
	return ++check->networks < NETWORKS_MAX ? 0 : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	char path[64];
	const char *const paths[] = {path};
	struct strbuf errors = {};
	struct geo *geo = NULL;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (write(fd, bytes, len) == (ssize_t)len && geo_open(paths, 1, &geo, &errors) == 0) {
		struct check check = {.geo = geo};
		struct address address;

		if (address_parse_ip(slice_from_str("192.0.2.1"), 0, &address) == 0)
			(void)geo_organisation(geo, &address);
		(void)!geo_for_each(geo, is_known, compare, &check, NULL);
	}
	geo_unref(geo);
	strbuf_done(&errors);
	close(fd);
	return 0;
}
