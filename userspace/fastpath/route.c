// SPDX-License-Identifier: Apache-2.0
/* Rtnetlink: asks for routes, lists links, and hears of changes. Source: rtnetlink(7). */
#include "fastpath/fastpath_internal.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

struct nl_sock *route_socket_new(void)
{
	struct nl_sock *sock = nl_socket_alloc();

	if (!sock)
		return NULL;
	if (nl_connect(sock, NETLINK_ROUTE) < 0) {
		nl_socket_free(sock);
		return NULL;
	}
	nl_socket_disable_auto_ack(sock);
	return sock;
}

/* --- Routes
 * --------------------------------------------------------------------------------------- */

struct answer {
	struct route route;
	bool is_complete;
};

void route_map_address(struct nlattr *attribute, uint8_t ret[16])
{
	if (nla_len(attribute) == 4) {
		memcpy(ret, mapped_prefix, sizeof(mapped_prefix));
		memcpy(ret + 12, nla_data(attribute), 4);
	} else if (nla_len(attribute) == 16) {
		memcpy(ret, nla_data(attribute), 16);
	}
}

static void read_via(struct nlattr *attribute, uint8_t ret[16])
{
	const struct rtvia *via = nla_data(attribute);

	if (via->rtvia_family == AF_INET6 && nla_len(attribute) >= (int)sizeof(*via) + 16)
		memcpy(ret, via->rtvia_addr, 16);
}

/* What the kernel was told of a way by ICMP, for a while; our packets' senders are told themselves.
 * The routes of IPv6 may expire too, but are no clones. */
static bool is_learnt(const struct rtmsg *body, struct nlattr *attributes[])
{
	const struct rta_cacheinfo *cache;

	if (!(body->rtm_flags & RTM_F_CLONED) || !attributes[RTA_CACHEINFO] ||
	    nla_len(attributes[RTA_CACHEINFO]) < (int)sizeof(*cache))
		return false;
	cache = nla_data(attributes[RTA_CACHEINFO]);
	return cache->rta_expires != 0;
}

static int on_route(struct nl_msg *message, void *context)
{
	struct nlattr *attributes[RTA_MAX + 1], *metrics[RTAX_MAX + 1];
	struct nlmsghdr *header = nlmsg_hdr(message);
	struct answer *answer = context;
	struct route *route = &answer->route;
	const struct rtmsg *body = nlmsg_data(header);

	if (header->nlmsg_type != RTM_NEWROUTE ||
	    nlmsg_parse(header, sizeof(*body), attributes, RTA_MAX, NULL) < 0)
		return NL_SKIP;
	answer->is_complete = body->rtm_type == RTN_UNICAST || body->rtm_type == RTN_LOCAL;
	route->is_local = body->rtm_type == RTN_LOCAL;
	if (attributes[RTA_OIF])
		route->ifindex = nla_get_u32(attributes[RTA_OIF]);
	if (attributes[RTA_GATEWAY])
		route_map_address(attributes[RTA_GATEWAY], route->gateway);
	if (attributes[RTA_VIA])
		read_via(attributes[RTA_VIA], route->gateway);
	if (attributes[RTA_METRICS] && !is_learnt(body, attributes) &&
	    nla_parse_nested(metrics, RTAX_MAX, attributes[RTA_METRICS], NULL) == 0 &&
	    metrics[RTAX_MTU])
		route->mtu = nla_get_u32(metrics[RTAX_MTU]);
	return NL_OK;
}

static void put_address(struct nl_msg *message, int type, const uint8_t ip[16], bool is_ipv4)
{
	(void)(is_ipv4 ? nla_put(message, type, 4, ip + 12) : nla_put(message, type, 16, ip));
}

static int send_query(struct nl_sock *sock, const uint8_t *source, const uint8_t destination[16])
{
	bool is_ipv4 = memcmp(destination, mapped_prefix, sizeof(mapped_prefix)) == 0;
	unsigned char bits = is_ipv4 ? 32 : 128;
	struct rtmsg body = {
		.rtm_family = is_ipv4 ? AF_INET : AF_INET6,
		.rtm_dst_len = bits,
		.rtm_src_len = source ? bits : 0,
	};
	struct nl_msg *message = nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_REQUEST);
	int sent = -1;

	if (!message)
		return -ENOMEM;
	if (nlmsg_append(message, &body, sizeof(body), NLMSG_ALIGNTO) == 0) {
		put_address(message, RTA_DST, destination, is_ipv4);
		if (source)
			put_address(message, RTA_SRC, source, is_ipv4);
		sent = nl_send_auto(sock, message);
	}
	nlmsg_free(message);
	return sent < 0 ? -EIO : 0;
}

static int query(struct nl_sock *sock, const uint8_t *source, const uint8_t destination[16],
		 struct route *ret)
{
	struct answer answer = {};
	int err = send_query(sock, source, destination);

	if (err)
		return err;
	memcpy(answer.route.gateway, destination, sizeof(answer.route.gateway));
	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, on_route, &answer);
	if (nl_recvmsgs_default(sock) < 0 || !answer.is_complete)
		return -ENETUNREACH;
	*ret = answer.route;
	return 0;
}

/* The kernel refuses a source that is not ours, as transparent connections have it. */
int route_query(struct nl_sock *sock, const uint8_t source[16], const uint8_t destination[16],
		struct route *ret)
{
	int err = query(sock, source, destination, ret);

	return err ? query(sock, NULL, destination, ret) : 0;
}

/* --- Links
 * ----------------------------------------------------------------------------------------- */

/* Loopback frames have a link layer header as Ethernet's are. */
static void tell_link(struct attach *attach, const struct ifinfomsg *body,
		      struct nlattr *attributes[])
{
	struct nlattr *mac = attributes[IFLA_ADDRESS];
	struct link_facts facts = {
		.ifindex = (uint32_t)body->ifi_index,
		.mtu = nla_get_u32(attributes[IFLA_MTU]),
		.is_loopback = body->ifi_type == ARPHRD_LOOPBACK,
	};

	snprintf(facts.name, sizeof(facts.name), "%s", nla_get_string(attributes[IFLA_IFNAME]));
	if (mac && nla_len(mac) == sizeof(facts.mac))
		memcpy(facts.mac, nla_data(mac), sizeof(facts.mac));
	attach_on_link(attach, &facts);
}

static int on_link(struct nl_msg *message, void *context)
{
	struct nlattr *attributes[IFLA_MAX + 1];
	struct nlmsghdr *header = nlmsg_hdr(message);
	const struct ifinfomsg *body = nlmsg_data(header);
	struct attach *attach = context;

	if (header->nlmsg_type == RTM_DELLINK && body->ifi_family == AF_UNSPEC)
		attach_on_link_gone(attach, (uint32_t)body->ifi_index);
	if (header->nlmsg_type != RTM_NEWLINK || body->ifi_family != AF_UNSPEC ||
	    (body->ifi_type != ARPHRD_ETHER && body->ifi_type != ARPHRD_LOOPBACK) ||
	    nlmsg_parse(header, sizeof(*body), attributes, IFLA_MAX, NULL) < 0)
		return NL_SKIP;
	if (attributes[IFLA_MTU] && attributes[IFLA_IFNAME])
		tell_link(attach, body, attributes);
	return NL_OK;
}

int route_list_links(struct nl_sock *sock, struct attach *attach)
{
	struct ifinfomsg body = {.ifi_family = AF_UNSPEC};

	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, on_link, attach);
	if (nl_send_simple(sock, RTM_GETLINK, NLM_F_DUMP, &body, sizeof(body)) < 0 ||
	    nl_recvmsgs_default(sock) < 0)
		return -EIO;
	return 0;
}

/* --- News
 * ------------------------------------------------------------------------------------------ */

struct nl_sock *route_monitor_new(void)
{
	struct nl_sock *sock = route_socket_new();

	if (!sock)
		return NULL;
	nl_socket_disable_seq_check(sock);
	if (nl_socket_add_memberships(sock, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
				      RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE,
				      RTNLGRP_IPV6_RULE, 0) == 0 &&
	    nl_socket_set_nonblocking(sock) == 0)
		return sock;
	nl_socket_free(sock);
	return NULL;
}

bool route_monitor_read(struct nl_sock *sock, struct attach *attach, bool *ret_lost)
{
	bool is_changed = false;
	int err;

	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, on_link, attach);
	while ((err = nl_recvmsgs_default(sock)) == 0)
		is_changed = true;
	*ret_lost = err != -NLE_AGAIN;
	return is_changed || *ret_lost;
}
