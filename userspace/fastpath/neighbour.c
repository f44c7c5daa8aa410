// SPDX-License-Identifier: Apache-2.0
/*
 * The link layer addresses of next hops, for XDP, which cannot ask the neighbour table. The stack
 * does not see the traffic that XDP carries, so it would let its entries go stale and away: those
 * that are in use here are asked for again, as the stack does it for its own traffic.
 * nexthop.c owns the table and its lock.
 */
#include "core/hash.h"
#include "fastpath/fastpath_internal.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>

#define NUD_HAS_ADDRESS \
	(NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)
/* Nobody makes sure of what is stale, nor looks for what has failed, until somebody sends. */
#define NUD_AT_REST (NUD_STALE | NUD_FAILED)

struct neighbours {
	struct neighbour *buckets[NEIGHBOUR_BUCKETS];
	struct nl_sock *sock;
};

struct neighbours *neighbours_new(void)
{
	struct neighbours *neighbours = calloc(1, sizeof(*neighbours));

	if (!neighbours)
		return NULL;
	neighbours->sock = route_socket_new();
	if (neighbours->sock)
		return neighbours;
	free(neighbours);
	return NULL;
}

static void free_bucket(struct neighbour *first)
{
	while (first) {
		struct neighbour *next = first->next;

		free(first);
		first = next;
	}
}

void neighbours_free(struct neighbours *neighbours)
{
	if (!neighbours)
		return;
	for (size_t i = 0; i < NEIGHBOUR_BUCKETS; i++)
		free_bucket(neighbours->buckets[i]);
	nl_socket_free(neighbours->sock);
	free(neighbours);
}

/* --- What the kernel knows -------------------------------------------------------------------- */

static void read_message(struct nlmsghdr *header, struct neighbour_facts *ret)
{
	const struct ndmsg *body = nlmsg_data(header);
	struct nlattr *attributes[NDA_MAX + 1];

	*ret = (struct neighbour_facts){};
	if (nlmsg_parse(header, sizeof(*body), attributes, NDA_MAX, NULL) < 0 ||
	    !attributes[NDA_DST] || (body->ndm_family != AF_INET && body->ndm_family != AF_INET6))
		return;
	ret->key.ifindex = (uint32_t)body->ndm_ifindex;
	route_map_address(attributes[NDA_DST], ret->key.ip);
	ret->state = header->nlmsg_type == RTM_DELNEIGH ? NUD_FAILED : body->ndm_state;
	if (!(ret->state & NUD_HAS_ADDRESS) || !attributes[NDA_LLADDR] ||
	    nla_len(attributes[NDA_LLADDR]) != sizeof(ret->mac))
		return;
	ret->is_known = true;
	memcpy(ret->mac, nla_data(attributes[NDA_LLADDR]), sizeof(ret->mac));
}

static int on_answer(struct nl_msg *message, void *context)
{
	read_message(nlmsg_hdr(message), context);
	return NL_OK;
}

/* @type: RTM_GETNEIGH, or RTM_NEWNEIGH to have the kernel use it. */
static int send_request(struct nl_sock *sock, int type, const struct neighbour_key *key)
{
	bool is_ipv4 = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)key->ip);
	bool is_use = type == RTM_NEWNEIGH;
	struct ndmsg body = {
		.ndm_family = is_ipv4 ? AF_INET : AF_INET6,
		.ndm_ifindex = (int)key->ifindex,
		.ndm_flags = is_use ? NTF_USE : 0,
	};
	struct nl_msg *message = nlmsg_alloc_simple(
		type, NLM_F_REQUEST | (is_use ? NLM_F_CREATE | NLM_F_ACK : 0));
	int sent = -1;

	if (!message)
		return -ENOMEM;
	if (nlmsg_append(message, &body, sizeof(body), NLMSG_ALIGNTO) == 0) {
		(void)(is_ipv4 ? nla_put(message, NDA_DST, 4, key->ip + 12)
			       : nla_put(message, NDA_DST, 16, key->ip));
		sent = nl_send_auto(sock, message);
	}
	nlmsg_free(message);
	return sent < 0 ? -EIO : 0;
}

static void ask(struct nl_sock *sock, const struct neighbour_key *key, struct neighbour_facts *ret)
{
	*ret = (struct neighbour_facts){.key = *key, .state = NUD_FAILED};
	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, on_answer, ret);
	if (send_request(sock, RTM_GETNEIGH, key) == 0)
		(void)nl_recvmsgs_default(sock);
	/* Use would take the permanence from a permanent one. */
	if (ret->state & NUD_AT_REST && send_request(sock, RTM_NEWNEIGH, key) == 0)
		(void)nl_wait_for_ack(sock);
}

/* --- The table -------------------------------------------------------------------------------- */

static struct neighbour **bucket_of(struct neighbours *neighbours, const struct neighbour_key *key)
{
	uint64_t hash = hash_bytes(slice_of((const char *)key, sizeof(*key)), 0);

	return &neighbours->buckets[hash % NEIGHBOUR_BUCKETS];
}

static struct neighbour *find(struct neighbours *neighbours, const struct neighbour_key *key)
{
	struct neighbour *neighbour = *bucket_of(neighbours, key);

	while (neighbour && memcmp(&neighbour->facts.key, key, sizeof(*key)) != 0)
		neighbour = neighbour->next;
	return neighbour;
}

struct neighbour *neighbours_get(struct neighbours *neighbours, const struct neighbour_key *key)
{
	struct neighbour *neighbour = find(neighbours, key), **bucket;

	if (!neighbour) {
		neighbour = calloc(1, sizeof(*neighbour));
		if (!neighbour)
			return NULL;
		ask(neighbours->sock, key, &neighbour->facts);
		bucket = bucket_of(neighbours, key);
		neighbour->next = *bucket;
		*bucket = neighbour;
	}
	neighbour->refs++;
	return neighbour;
}

void neighbours_put(struct neighbours *neighbours, struct neighbour *neighbour)
{
	struct neighbour **link;

	if (!neighbour || --neighbour->refs > 0)
		return;
	link = bucket_of(neighbours, &neighbour->facts.key);
	while (*link != neighbour)
		link = &(*link)->next;
	*link = neighbour->next;
	free(neighbour);
}

struct neighbour *neighbours_update(struct neighbours *neighbours,
				    const struct neighbour_facts *facts)
{
	struct neighbour *neighbour = find(neighbours, &facts->key);
	bool is_same;

	if (!neighbour)
		return NULL;
	is_same = neighbour->facts.is_known == facts->is_known &&
		  memcmp(neighbour->facts.mac, facts->mac, sizeof(facts->mac)) == 0;
	neighbour->facts = *facts;
	return is_same ? NULL : neighbour;
}

void neighbours_tend(struct neighbours *neighbours, uint32_t bucket,
		     void (*on_change)(struct neighbour *neighbour, void *context), void *context)
{
	struct neighbour *neighbour = neighbours->buckets[bucket];
	struct neighbour_facts facts;

	for (; neighbour; neighbour = neighbour->next) {
		ask(neighbours->sock, &neighbour->facts.key, &facts);
		if (neighbours_update(neighbours, &facts))
			on_change(neighbour, context);
	}
}

/* --- News ------------------------------------------------------------------------------------- */

struct nl_sock *neighbour_monitor_new(void)
{
	struct nl_sock *sock = route_socket_new();

	if (!sock)
		return NULL;
	nl_socket_disable_seq_check(sock);
	if (nl_socket_add_memberships(sock, RTNLGRP_NEIGH, 0) == 0 &&
	    nl_socket_set_nonblocking(sock) == 0)
		return sock;
	nl_socket_free(sock);
	return NULL;
}

static int on_news(struct nl_msg *message, void *context)
{
	struct nlmsghdr *header = nlmsg_hdr(message);
	struct neighbour_facts facts;

	if (header->nlmsg_type != RTM_NEWNEIGH && header->nlmsg_type != RTM_DELNEIGH)
		return NL_SKIP;
	read_message(header, &facts);
	if (facts.key.ifindex)
		nexthops_on_neighbour(context, &facts);
	return NL_OK;
}

void neighbour_monitor_read(struct nl_sock *sock, struct nexthops *hops)
{
	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, on_news, hops);
	while (nl_recvmsgs_default(sock) == 0)
		;
}
