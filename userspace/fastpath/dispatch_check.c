// SPDX-License-Identifier: Apache-2.0
/* Tells the packet programs of health checks under way: bpf/lib/check.h is the other end. */
#include "fastpath/dispatch_check.h"
#include "abi/dispatch_check.h"
#include "fastpath/dispatch_internal.h"
#include "fastpath/fastpath_internal.h"
#include "fastpath/map_array.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One of them is taken off at egress. With the other the packet reaches a socket of the endpoint,
 * but goes no further if the endpoint would rather forward it, perhaps to us. */
#define CHECK_TTL 2

/* What fits into 1280 bytes with any of the headers that are added. */
#define CHECK_MSS 1160

/* Both are shared with the programs. */
struct dispatch_checks {
	struct dispatch_check *by_port;
	uint64_t *used; /* a bit a port */
};

#define TABLE_SIZE (DISPATCH_CHECK_PORTS * sizeof(struct dispatch_check))
#define USED_SIZE  (DISPATCH_CHECK_WORDS * sizeof(uint64_t))

int dispatch_checks_new(struct splice *programs, struct dispatch_checks **ret)
{
	struct dispatch_checks *checks;
	int err;

	if (!programs->has_dispatch)
		return -ENOTSUP;
	checks = calloc(1, sizeof(*checks));
	if (!checks)
		return -ENOMEM;
	checks->by_port = map_array(ingress_map(&programs->ingress, "checks"), TABLE_SIZE);
	if (checks->by_port)
		checks->used = map_array(ingress_map(&programs->ingress, "check_ports"), USED_SIZE);
	if (!checks->used) {
		err = -errno;
		dispatch_checks_free(checks);
		return err;
	}
	*ret = checks;
	return 0;
}

void dispatch_checks_free(struct dispatch_checks *checks)
{
	if (!checks)
		return;
	unmap_array(checks->used, USED_SIZE);
	unmap_array(checks->by_port, TABLE_SIZE);
	free(checks);
}

/* --- The socket ------------------------------------------------------------------------------- */

static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int ask_local(int fd, struct address *ret)
{
	struct sockaddr_storage storage = {};
	socklen_t len = sizeof(storage);

	if (getsockname(fd, (struct sockaddr *)&storage, &len) < 0)
		return -errno;
	address_from_sockaddr((struct sockaddr *)&storage, len, ret);
	return 0;
}

/* The kernel chooses the destination as the source where that is its own. */
static bool is_ours(const struct address *endpoint)
{
	int fd = socket(endpoint->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct address local = {};
	uint8_t ip[2][16] = {};
	bool is_known = fd >= 0 && connect(fd, &endpoint->sa, endpoint->len) == 0 &&
			ask_local(fd, &local) == 0;

	if (fd >= 0)
		close(fd);
	if (!is_known)
		return false;
	dispatch_address(endpoint, ip[0]);
	dispatch_address(&local, ip[1]);
	return memcmp(ip[0], ip[1], sizeof(ip[0])) == 0;
}

/* Now, not when it connects, and for all destinations: the programs know checks by their ports.
 * IPv6's are not to be IPv4's as well. */
static int take_port(int fd, uint16_t *ret)
{
	struct address local = {};
	int err = ask_local(fd, &local);

	if (!err)
		err = set_option(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 0);
	if (!err && local.sa.sa_family == AF_INET6)
		err = set_option(fd, SOL_IPV6, IPV6_V6ONLY, 0);
	if (!err && !address_port(&local) && bind(fd, &local.sa, local.len) < 0)
		err = -errno;
	if (!err)
		err = ask_local(fd, &local);
	if (!err)
		*ret = address_port(&local);
	return err;
}

static int set_options(int fd, sa_family_t family)
{
	int err = set_option(fd, SOL_SOCKET, SO_MARK, FLOW_MARK_CHECK);

	if (!err)
		err = set_option(fd, IPPROTO_TCP, TCP_MAXSEG, CHECK_MSS);
	if (err)
		return err;
	return family == AF_INET6 ? set_option(fd, SOL_IPV6, IPV6_UNICAST_HOPS, CHECK_TTL)
				  : set_option(fd, SOL_IP, IP_TTL, CHECK_TTL);
}

/* --- The table -------------------------------------------------------------------------------- */

static bool is_used(const struct dispatch_checks *checks, uint16_t port)
{
	return checks->used[port / 64] >> port % 64 & 1;
}

/* When its bit is seen, the element is there. */
static void enter(struct dispatch_checks *checks, uint16_t port, const struct address *endpoint,
		  const struct dispatch_way *way)
{
	struct dispatch_check *check = &checks->by_port[port];

	*check = (struct dispatch_check){
		.port = htons(address_port(endpoint)),
		.service = {.form = (uint8_t)way->form, .gue_port = htons(way->gue_port)},
	};
	dispatch_address(endpoint, check->endpoint);
	dispatch_address(&way->service, check->service.address);
	if (way->source.len)
		dispatch_address(&way->source, check->service.tunnel_source);
	__atomic_fetch_or(&checks->used[port / 64], 1ULL << port % 64, __ATOMIC_RELEASE);
}

int dispatch_check_begin(struct dispatch_checks *checks, int fd, const struct address *endpoint,
			 const struct dispatch_way *way)
{
	uint16_t port = 0;
	int err;

	if (is_ours(endpoint))
		return 0;
	err = take_port(fd, &port);
	if (!err && is_used(checks, port))
		err = -EADDRINUSE;
	if (!err)
		err = set_options(fd, endpoint->sa.sa_family);
	if (err)
		return err;
	enter(checks, port, endpoint, way);
	return port;
}

void dispatch_check_end(struct dispatch_checks *checks, uint16_t port)
{
	__atomic_fetch_and(&checks->used[port / 64], ~(1ULL << port % 64), __ATOMIC_RELEASE);
}
