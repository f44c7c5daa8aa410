// SPDX-License-Identifier: Apache-2.0
/*
 * A backend's connection whose socket died with its daemon goes on without one, and the kernel may
 * give its address and port to the next connection to the same backend. So the socket is made
 * anew, as its predecessor was: established without a packet, in repair mode, frozen.
 */
#include "fastpath/fastpath_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif

struct endpoint {
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t len;
};

static struct endpoint endpoint_of(const __u8 ip[16], __be16 port)
{
	struct endpoint endpoint = {};

	if (IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)ip)) {
		endpoint.v4.sin_family = AF_INET;
		endpoint.v4.sin_port = port;
		memcpy(&endpoint.v4.sin_addr, ip + 12, 4);
		endpoint.len = sizeof(endpoint.v4);
	} else {
		endpoint.v6.sin6_family = AF_INET6;
		endpoint.v6.sin6_port = port;
		memcpy(&endpoint.v6.sin6_addr, ip, 16);
		endpoint.len = sizeof(endpoint.v6);
	}
	return endpoint;
}

static int set(int fd, int level, int option, uint32_t value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* Addresses of clients (transparent pools), and those that were ours. */
static void allow_foreign_source(int fd, sa_family_t family)
{
	if (family == AF_INET6)
		(void)set(fd, SOL_IPV6, IPV6_TRANSPARENT, 1);
	else
		(void)set(fd, SOL_IP, IP_TRANSPARENT, 1);
}

/*
 * As a connection without a bound port has it: other connections may share the port, to other
 * backends. Kernels before 6.3 cannot be told which port, and in any kernel it may lie outside of
 * the system's range: then it is bound, and held against every backend.
 */
static int bind_port(int fd, struct endpoint local, uint16_t port)
{
	int err = set(fd, SOL_IP, IP_LOCAL_PORT_RANGE, (uint32_t)port << 16 | port);

	if (!err)
		err = set(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	if (err)
		return err;
	if (local.sa.sa_family == AF_INET6)
		local.v6.sin6_port = 0;
	else
		local.v4.sin_port = 0;
	return bind(fd, &local.sa, local.len) < 0 ? -errno : 0;
}

static int connect_silently(int fd, const struct flow_key *key, bool is_bound)
{
	struct endpoint local = endpoint_of(key->destination, key->destination_port);
	struct endpoint remote = endpoint_of(key->source, key->source_port);
	struct flow_key got;
	int err = leg_enter_repair(fd);

	if (err)
		return err;
	allow_foreign_source(fd, local.sa.sa_family);
	if (is_bound)
		err = bind(fd, &local.sa, local.len) < 0 ? -errno : 0;
	else
		err = bind_port(fd, local, ntohs(key->destination_port));
	if (!err && connect(fd, &remote.sa, remote.len) < 0)
		err = -errno;
	if (!err)
		err = leg_read_key(fd, &got);
	if (!err && got.destination_port != key->destination_port)
		err = -EADDRNOTAVAIL;
	return err;
}

static int hold(const struct flow_key *key, bool is_bound)
{
	bool is_ipv4 = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)key->source);
	int fd = socket(is_ipv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			0);
	int err;

	if (fd < 0)
		return -errno;
	err = connect_silently(fd, key, is_bound);
	if (err) {
		close(fd); /* in repair mode: silently */
		return err;
	}
	leg_freeze(fd);
	return fd;
}

int leg_hold(const struct flow_key *key)
{
	int fd = hold(key, false);

	return fd >= 0 ? fd : hold(key, true);
}
