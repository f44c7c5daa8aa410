// SPDX-License-Identifier: Apache-2.0
/* The way to an address, as packets of mode dispatch would take it: asked of the kernel anew. */
#include "fastpath/dispatch_internal.h"
#include "fastpath/fastpath_internal.h"
#include "fastpath/machine.h"

#include <errno.h>
#include <net/if.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static uint32_t mtu_of(const char *device)
{
	struct ifreq request = {};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint32_t mtu = 0;

	if (fd < 0)
		return 0;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	if (ioctl(fd, SIOCGIFMTU, &request) == 0)
		mtu = (uint32_t)request.ifr_mtu;
	close(fd);
	return mtu;
}

/* Has the kernel look for it, too. */
static bool is_neighbour_known(const struct route *route)
{
	struct neighbour_key key = {.ifindex = route->ifindex};
	struct neighbours *neighbours = neighbours_new();
	const struct neighbour *neighbour;
	bool is_known;

	memcpy(key.ip, route->gateway, sizeof(key.ip));
	neighbour = neighbours ? neighbours_get(neighbours, &key) : NULL;
	is_known = neighbour && neighbour->facts.is_known;
	neighbours_free(neighbours);
	return is_known;
}

static void describe(const struct route *route, const uint8_t destination[16],
		     struct machine_way *ret)
{
	char name[IF_NAMESIZE] = "";

	(void)if_indextoname(route->ifindex, name);
	*ret = (struct machine_way){
		.mtu = mtu_of(name),
		.is_local = route->is_local,
		.is_routed = memcmp(route->gateway, destination, sizeof(route->gateway)) != 0,
		.has_neighbour = route->is_local || is_neighbour_known(route),
	};
	if (route->mtu && route->mtu < ret->mtu)
		ret->mtu = route->mtu;
	snprintf(ret->device, sizeof(ret->device), "%s", name);
}

int machine_find_way(const struct address *to, struct machine_way *ret)
{
	struct nl_sock *sock = route_socket_new();
	uint8_t destination[16];
	struct route route;
	int err;

	if (!sock)
		return -ENOMEM;
	dispatch_address(to, destination);
	err = route_query(sock, destination, destination, &route);
	nl_socket_free(sock);
	if (err)
		return err;
	describe(&route, destination, ret);
	ret->forwards = machine_device_forwards(ret->device, to->sa.sa_family);
	return 0;
}
