// SPDX-License-Identifier: Apache-2.0
/*
 * Hears of links, routes, neighbours and drivers' abilities, on the control thread's loop, and
 * brings the news to attach.c and nexthop.c.
 */
#include "core/compiler.h"
#include "core/log.h"
#include "fastpath/fastpath_internal.h"
#include "io/timer.h"
#include "io/watch.h"

#include <errno.h>
#include <netlink/socket.h>
#include <stdlib.h>

#define REFRESH_DELAY_MS 20 /* changes of routes come in bursts */
/* Below half of the 30 s for which the kernel believes a neighbour. */
#define TEND_INTERVAL_MS 10000

struct network {
	struct io_loop *loop;
	struct attach *attach;
	struct nexthops *nexthops;
	struct nl_sock *routes, *neighbours, *drivers; /* drivers: NULL before 6.3 */
	struct io_watch routes_watch, neighbours_watch, drivers_watch;
	struct io_timer refresh, tend;
};

static void refresh_soon(struct network *network)
{
	if (!io_timer_is_pending(&network->refresh))
		io_timer_start(network->loop, &network->refresh, REFRESH_DELAY_MS);
}

static void on_refresh(struct io_timer *timer)
{
	nexthops_refresh(container_of(timer, struct network, refresh)->nexthops);
}

static void list_links_again(struct network *network)
{
	struct nl_sock *sock = route_socket_new();

	if (!sock || route_list_links(sock, network->attach) < 0)
		log_warn("splice: devices cannot be listed: new ones stay without");
	nl_socket_free(sock);
}

static void on_routes(struct io_watch *watch, uint32_t ready)
{
	struct network *network = container_of(watch, struct network, routes_watch);
	bool is_lost;

	(void)ready;
	if (!route_monitor_read(network->routes, network->attach, &is_lost))
		return;
	if (is_lost)
		list_links_again(network);
	refresh_soon(network);
}

static void on_drivers(struct io_watch *watch, uint32_t ready)
{
	struct network *network = container_of(watch, struct network, drivers_watch);

	(void)ready;
	if (device_xdp_monitor_read(network->drivers, network->attach))
		refresh_soon(network);
}

/* News that are lost are made up for by on_tend(). */
static void on_neighbours(struct io_watch *watch, uint32_t ready)
{
	struct network *network = container_of(watch, struct network, neighbours_watch);

	(void)ready;
	neighbour_monitor_read(network->neighbours, network->nexthops);
}

static void on_tend(struct io_timer *timer)
{
	struct network *network = container_of(timer, struct network, tend);

	nexthops_tend(network->nexthops);
	io_timer_start(network->loop, &network->tend, TEND_INTERVAL_MS);
}

static int start_watch(struct network *network, struct io_watch *watch, struct nl_sock *sock,
		       void (*on_ready)(struct io_watch *watch, uint32_t ready))
{
	watch->on_ready = on_ready;
	return io_watch_start(watch, network->loop, nl_socket_get_fd(sock), IO_READABLE);
}

static int start_watches(struct network *network)
{
	int err = start_watch(network, &network->routes_watch, network->routes, on_routes);

	if (!err)
		err = start_watch(network, &network->neighbours_watch, network->neighbours,
				  on_neighbours);
	if (!err && network->drivers)
		err = start_watch(network, &network->drivers_watch, network->drivers, on_drivers);
	return err;
}

/* The monitors first: what changes while the links are listed is heard afterwards. */
static int start(struct network *network)
{
	struct nl_sock *sock = route_socket_new();
	int err;

	network->routes = route_monitor_new();
	network->neighbours = neighbour_monitor_new();
	network->drivers = device_xdp_monitor_new();
	if (!network->routes || !network->neighbours || !sock) {
		nl_socket_free(sock);
		return -ENOMEM;
	}
	err = route_list_links(sock, network->attach);
	nl_socket_free(sock);
	if (err)
		return err;
	network->refresh.on_expire = on_refresh;
	network->tend.on_expire = on_tend;
	io_timer_start(network->loop, &network->tend, TEND_INTERVAL_MS);
	return start_watches(network);
}

int network_follow(struct io_loop *loop, struct attach *attach, struct nexthops *nexthops,
		   struct network **ret)
{
	struct network *network = calloc(1, sizeof(*network));
	int err;

	if (!network)
		return -ENOMEM;
	network->loop = loop;
	network->attach = attach;
	network->nexthops = nexthops;
	err = start(network);
	if (err) {
		network_free(network);
		return err;
	}
	*ret = network;
	return 0;
}

void network_free(struct network *network)
{
	if (!network)
		return;
	io_watch_stop(&network->routes_watch);
	io_watch_stop(&network->neighbours_watch);
	io_watch_stop(&network->drivers_watch);
	io_timer_stop(network->loop, &network->refresh);
	io_timer_stop(network->loop, &network->tend);
	nl_socket_free(network->routes);
	nl_socket_free(network->neighbours);
	nl_socket_free(network->drivers);
	free(network);
}
