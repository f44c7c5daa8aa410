/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_ABI_DISPATCH_H
#define SLUICE_ABI_DISPATCH_H

#include <linux/types.h>

#include "abi/flow.h"
#include "abi/guard.h"

/*
 * Mode dispatch: the packet programs choose an endpoint for each flow and send its packets there.
 *
 *   address ─► dispatch_vips ─► dispatch_ranges ─► dispatch_services ─► dispatch_lines: known?
 *      │           └► dispatch_runs ─► dispatch_nats     (answers)           ├► dispatch_rings
 *      └ none; its sender's ─► dispatch_answerer_bits                         └► dispatch_areas ┘
 *                                └► dispatch_answerers   (answers of DNAT)
 *
 * What the plan says (vips, ranges, services, rings) is there twice, in halves: the daemon fills
 * the half that is not in force and then changes one number. Endpoints, runs, and all that flows
 * have are there once, and keep their places for as long as they are in use.
 *
 * This layout is the ABI between a daemon and what an earlier one has left pinned: any change of
 * it, or of what a field means, raises DISPATCH_ABI_VERSION.
 */
#define DISPATCH_ABI_VERSION 6

#define DISPATCH_SERVICES_MAX  1024
#define DISPATCH_ENDPOINTS_MAX 32767 /* of all services */
#define DISPATCH_SOURCES_MAX   8     /* source addresses of a service */
#define DISPATCH_SERVER_ID_MAX 8     /* bytes of a QUIC server id */

/*
 * How a packet gets to its endpoint.
 * NAT: both addresses are changed; answers come back to the source address that we chose.
 * DNAT: the destination is changed; answers come by us, the endpoints' gateway.
 * IPIP, GUE: within a packet of the same family, or within UDP (GUE variant 1); answers go to the
 * client without us, as with L2: unchanged, to the endpoint's link layer address.
 */
#define DISPATCH_FORMS(X) \
	X(NAT, "nat")     \
	X(DNAT, "dnat")   \
	X(IPIP, "ipip")   \
	X(GUE, "gue")     \
	X(L2, "l2")

enum dispatch_form {
#define X(name, text) DISPATCH_##name,
	DISPATCH_FORMS(X)
#undef X
		DISPATCH_FORM_COUNT
};

/* Which endpoint takes a new flow. */
enum dispatch_algorithm {
	DISPATCH_MAGLEV,       /* by the flow's addresses and ports: the same on every node */
	DISPATCH_SOURCE,       /* by the client's address alone: the same on every node */
	DISPATCH_LEAST_LOADED, /* of two by the ring, the one with fewer flows for its weight */
};

/* Why a packet to a service was dropped. */
#define DISPATCH_DROPS(X)                                                                    \
	X(NO_ENDPOINT, "no_endpoint")   /* none has a weight */                              \
	X(NO_FLOW, "no_flow")           /* NAT: a TCP segment of a flow that is not known */ \
	X(NO_PORT, "no_port")           /* NAT: every source port that was tried is taken */ \
	X(RATE, "rate")                 /* NAT: more new flows than new_flow_rate */         \
	X(NO_COOKIE, "no_cookie")       /* NAT: see below, "SYN cookies" */                  \
	X(NEXTHOP_GONE, "nexthop_gone") /* no way to the endpoint */                         \
	X(TTL_EXPIRED, "ttl_expired")                                                        \
	X(TOO_BIG, "too_big")     /* its sender is told what fits */                         \
	X(MALFORMED, "malformed") /* headers that do not fit */                              \
	X(FRAGMENT, "fragment")   /* of TCP, or of a flow that is over */                    \
	X(NO_HEADROOM, "no_headroom")

enum dispatch_drop {
#define X(name, text) DISPATCH_DROP_##name,
	DISPATCH_DROPS(X)
#undef X
		DISPATCH_DROP_COUNT
};

/* --- Hashes -----------------------------------------------------------------------------------*/

/*
 * NH (Black et al., 1999; RFC 4418 section 5.2): a sum of products of 32-bit words, each with a
 * word of the key added. For a random key two different inputs collide with a chance of 2^-32,
 * whatever an attacker, who does not know the key, makes of them. Then mixed, for its low bits are
 * weaker.
 */
#define DISPATCH_KEY_WORDS 10

struct dispatch_hash_key {
	__u32 word[DISPATCH_KEY_WORDS];
};

/* What is hashed begins at a word's border: else clang reads it for BPF byte by byte. */
#define DISPATCH_ALIGNED(at) __builtin_assume_aligned(at, sizeof(__u32))

static inline __u64 dispatch_nh(__u32 a, __u32 b, const __u32 *key)
{
	return (__u64)(__u32)(a + key[0]) * (__u32)(b + key[1]);
}

static inline __u64 dispatch_mix(__u64 sum)
{
	sum ^= sum >> 32;
	sum *= 0x9e3779b97f4a7c15ULL;
	return sum ^ sum >> 29;
}

static inline __u64 dispatch_nh_address(const __u32 *word, const __u32 *key)
{
	return dispatch_nh(word[0], word[1], key) + dispatch_nh(word[2], word[3], key + 2);
}

static inline __u64 dispatch_hash_address(const __u8 address[16],
					  const struct dispatch_hash_key *key)
{
	__u32 word[4];

	__builtin_memcpy(word, DISPATCH_ALIGNED(address), sizeof(word));
	return dispatch_mix(dispatch_nh_address(word, key->word));
}

static inline __u64 dispatch_hash_flow(const struct flow_key *flow, __u32 protocol,
				       const struct dispatch_hash_key *key)
{
	__u32 word[9];

	__builtin_memcpy(word, DISPATCH_ALIGNED(flow), sizeof(word));
	return dispatch_mix(dispatch_nh_address(word, key->word) +
			    dispatch_nh_address(word + 4, key->word + 4) +
			    dispatch_nh(word[8], protocol, key->word + 8));
}

/* Of an endpoint and one of our source addresses. */
static inline __u64 dispatch_hash_run(const __u8 endpoint[16], const __u8 source[16],
				      __u32 protocol, const struct dispatch_hash_key *key)
{
	__u32 from[4], to[4];

	__builtin_memcpy(from, DISPATCH_ALIGNED(endpoint), sizeof(from));
	__builtin_memcpy(to, DISPATCH_ALIGNED(source), sizeof(to));
	return dispatch_mix(dispatch_nh_address(from, key->word) +
			    dispatch_nh_address(to, key->word + 4) +
			    dispatch_nh(0, protocol, key->word + 8));
}

/* --- The plan ----------------------------------------------------------------------------------*/

#define DISPATCH_HALVES      2
#define DISPATCH_VIP_PLACES  8192 /* a half; a power of two */
#define DISPATCH_VIP_PROBES  4
#define DISPATCH_RANGES_MAX  2048 /* a half */
#define DISPATCH_RANGE_STEPS 11   /* a search among all of them */

#define DISPATCH_VIP_SERVES  (1u << 0) /* has ranges */
#define DISPATCH_VIP_RETURNS (1u << 1) /* a source address of NAT: answers come to it */

/* Element of the array `dispatch_vips`: an address. In one of the DISPATCH_VIP_PROBES places from
 * that of its hash on, modulo the half's mask; the first empty one ends a search. */
struct dispatch_vip {
	__u8 address[16];
	__u32 flags; /* DISPATCH_VIP_…; 0: empty */
	__u16 first_range, nranges;
	__u64 padding;
};

_Static_assert(sizeof(struct dispatch_vip) == 32, "two in a cache line");

/* Element of the array `dispatch_ranges`, those of an address sorted by protocol and port. */
struct dispatch_range {
	__u16 protocol;
	__u16 first, last; /* ports, host order */
	__u16 service;     /* place in a half of `dispatch_services` */
};

/* Element of the array `dispatch_services`. A service keeps its place from plan to plan. */
struct dispatch_virtual {
	__u64 id;
	__u8 address[16];
	__u8 tunnel_source[16]; /* IPIP, GUE; zero: made from the flow */
	__u32 ring_first;       /* slot in the half's element of `dispatch_rings`; by place: of the
				   first of several rings */
	__u32 ring_size;        /* 0: no endpoint takes new flows */
	__u16 timeout_s;
	__be16 gue_port;
	__u8 form, algorithm, protocol;
	__u8 resets_lost; /* NAT: who sends a TCP segment of a flow that is not known is told */
	__u8 server_id_len;
	__u8 goes_by_place; /* the slots before its rings say which is whose: one for each area */
	__u16 padding;
};

_Static_assert(sizeof(struct dispatch_virtual) == 64, "a cache line");

/* Element of the arrays in `dispatch_rings`. */
#define DISPATCH_RING_SLOTS 32

struct dispatch_ring_line {
	__u16 real[DISPATCH_RING_SLOTS];
};

/*
 * Where clients are: every address is in one of the half's areas. A plan has so many that none of
 * its services treats clients of one area differently. The half's element of `dispatch_areas` is an
 * array of nodes, a tree whose leaves have, in order, the positions at which another area begins;
 * node 0 is the root, and behind node n of a level are n * DISPATCH_NODE_CHANGES + 1 and those that
 * follow. Of a node's changes the first is not behind any that is looked for there.
 */
#define DISPATCH_AREAS_MAX    16384
#define DISPATCH_AREA_UNKNOWN 0 /* of what nobody knows a place of */
#define DISPATCH_NODE_CHANGES 12
#define DISPATCH_LEVELS_MAX   7
#define DISPATCH_NO_RING      0xffff     /* of an area: no endpoint takes new flows */
#define DISPATCH_SLOTS_MAX    (1u << 28) /* of all rings: half a GiB */

struct dispatch_node {
	__u64 first[DISPATCH_NODE_CHANGES]; /* positions; behind the last one DISPATCH_NOWHERE */
	__u16 area[DISPATCH_NODE_CHANGES];  /* from there on; of leaves alone */
	__u64 padding;
};

_Static_assert(sizeof(struct dispatch_node) == 128, "two cache lines");

#define DISPATCH_NOWHERE (~0ULL) /* the last change: of area UNKNOWN */

/* An address as one number: of IPv6 its network of 64 bits; those of IPv4 lie where no IPv6
 * address is anybody's. @high, @low: of the address, IPv6 or v4-mapped, host order. */
static inline __u64 dispatch_position(__u64 high, __u64 low)
{
	if (high >> 32)
		return high;
	return !high && low >> 32 == 0xffff ? (__u32)low : DISPATCH_NOWHERE;
}

/* Where @found is one of @node's changes that is not behind @position: @step further, if that one
 * is not either. Without a branch, for half of them would be guessed wrongly: the highest bit says
 * whether position - next borrows (Warren, Hacker's Delight, 2-13), and the compiler, which would
 * make a branch of it, is told nothing of the mask. */
static inline __u64 dispatch_further(const struct dispatch_node *node, __u64 position, __u64 found,
				     __u64 step)
{
	__u64 next = node->first[found + step];
	__u64 borrows = (~position & next) | ((~position | next) & (position - next));
	__s64 mask = (__s64)~borrows >> 63;

	__asm__("" : "+r"(mask));
	return found + (step & (__u64)mask);
}

/* The last change of @node that is not behind @position: 0 to 11, a half, a half and a third. */
static inline __u64 dispatch_last_change(const struct dispatch_node *node, __u64 position)
{
	__u64 found = dispatch_further(node, position, 0, 6);

	found = dispatch_further(node, position, found, 3);
	found = dispatch_further(node, position, found, 1);
	return dispatch_further(node, position, found, 1);
}

enum dispatch_real_state {
	DISPATCH_REAL_FREE,
	DISPATCH_REAL_UP,
	DISPATCH_REAL_DRAINING,
	DISPATCH_REAL_GONE,
};

/* Element of the array `dispatch_reals`: an endpoint of one service; the first is not used. Owner
 * and only writer: the daemon. */
struct dispatch_real {
	__u64 id, service_id;
	__u8 address[16];
	__u32 nexthop; /* index into `nexthops` */
	__be16 port;   /* 0: the packet's */
	__u16 service; /* its place */
	__u8 state;    /* enum dispatch_real_state */
	__u8 nruns;    /* NAT */
	__u16 run[DISPATCH_SOURCES_MAX];
	__u16 padding[3];
};

_Static_assert(sizeof(struct dispatch_real) == 64, "a cache line");

/*
 * Value of the hash `dispatch_answerers`, whose key is the address of endpoints of form DNAT: what
 * comes from these ports of it answers for a service. Writer: the daemon, which replaces a value as
 * a whole.
 */
#define DISPATCH_ANSWERS_MAX 16

struct dispatch_address {
	__u8 bytes[16];
};

struct dispatch_answer {
	__u16 first, last;   /* ports of the endpoint, host order */
	__be16 service_port; /* 0: the packet's own */
	__u16 real;          /* 0: the end */
	__u8 protocol;
	__u8 padding[3];
};

struct dispatch_answerer {
	struct dispatch_answer answer[DISPATCH_ANSWERS_MAX];
};

_Static_assert(sizeof(struct dispatch_answerer) == 192, "three cache lines");

/*
 * Element of the array `dispatch_answerer_bits`, one for each half: for each key that the half's
 * plan has in `dispatch_answerers` the bit of its hash is set, so most of what comes from others is
 * known by one load (Bloom, 1970, with one hash). Writer: the daemon.
 */
#define DISPATCH_ANSWERER_WORDS 128

struct dispatch_answerer_bits {
	__u64 word[DISPATCH_ANSWERER_WORDS];
};

/* @hash: dispatch_hash_address(), with the tables' secret. */
static inline int dispatch_may_answer(const struct dispatch_answerer_bits *bits, __u64 hash)
{
	return bits->word[hash / 64 % DISPATCH_ANSWERER_WORDS] >> hash % 64 & 1;
}

static inline void dispatch_add_answerer(struct dispatch_answerer_bits *bits, __u64 hash)
{
	bits->word[hash / 64 % DISPATCH_ANSWERER_WORDS] |= 1ULL << hash % 64;
}

/* Key of the hash `dispatch_server_ids`, whose value is the real's index (__u32): what connection
 * ids of QUIC say of their server. Writer: the daemon. */
struct dispatch_server_id {
	__u8 id[DISPATCH_SERVER_ID_MAX]; /* zero behind the service's server_id_len */
	__u32 service;
	__u32 padding;
};

/* Element of the array `dispatch_loads`, of a real with the same index: read by services that
 * choose by load. Writers: the programs add new flows, the daemon writes what it has found. */
struct dispatch_load_of_real {
	__u32 flows;
	__u32 weight;
};

/* --- Flows -------------------------------------------------------------------------------------*/

/*
 * Element of the array `dispatch_lines`, a power of two of them: eight flows whose hash leads here.
 * Writers: the programs, without locks: a lost update is a flow that is chosen for anew. A new flow
 * takes the place that was used longest ago, so the table never grows and is never full.
 *
 * With NAT an entry is {tag 16 | index into `dispatch_nats` 31 | 1 | seconds 16}, and the element
 * there has the flow's addresses. Other forms keep no more than {tag 32 | real 15 | 0 | seconds
 * 16}: a flow that takes another one's tag, one in half a billion, shares its endpoint.
 */
#define DISPATCH_LINE_PLACES 8

struct dispatch_line {
	__u64 entry[DISPATCH_LINE_PLACES];
};

#define DISPATCH_ENTRY_NAT (1ULL << 16)

static inline __u16 dispatch_entry_seconds(__u64 entry)
{
	return (__u16)entry;
}

/* How long ago it was used, in seconds that have begun: the clocks of two CPUs differ by a tick, so
 * it may be in the next second already, and that is 0. */
static inline __u16 dispatch_entry_age(__u64 entry, __u32 now_s)
{
	return (__u16)(now_s + 1 - dispatch_entry_seconds(entry));
}

static inline __u64 dispatch_entry_nat(__u64 hash, __u32 index, __u32 seconds)
{
	return (hash & 0xffff000000000000ULL) | (__u64)index << 17 | DISPATCH_ENTRY_NAT |
	       (__u16)seconds;
}

static inline int dispatch_entry_may_be_nat(__u64 entry, __u64 hash)
{
	return entry & DISPATCH_ENTRY_NAT && !((entry ^ hash) >> 48);
}

static inline __u32 dispatch_entry_index(__u64 entry)
{
	return (__u32)(entry >> 17) & 0x7fffffff;
}

static inline __u64 dispatch_entry_real(__u64 hash, __u32 real, __u32 seconds)
{
	return (hash & 0xffffffff00000000ULL) | (__u64)real << 17 | (__u16)seconds;
}

/* Return: the real; 0: it is not this flow's. */
static inline __u32 dispatch_real_of_entry(__u64 entry, __u64 hash)
{
	if (entry & DISPATCH_ENTRY_NAT || (entry ^ hash) >> 32)
		return 0;
	return (__u32)entry >> 17;
}

/*
 * Element of the array `dispatch_runs`: source ports of one of our addresses towards an endpoint,
 * and where their elements of `dispatch_nats` are: at base + port - first_port. In one of
 * DISPATCH_RUN_PROBES places from that of its hash on. Where there are several, a port that is in
 * two of them has the same element in both. Owner and only writer: the daemon.
 */
#define DISPATCH_RUN_PROBES 8

struct dispatch_run {
	__u8 endpoint[16], source[16];
	__u32 base;
	__u16 first_port, nports; /* host order */
	__u8 protocol;
	__u8 is_used;
	__u16 wanted_first, wanted_last; /* what it was made for, host order; 0: not known */
	__u16 padding[9];
};

_Static_assert(sizeof(struct dispatch_run) == 64, "a cache line");

#define DISPATCH_NAT_FIN_UP   (1u << 0)
#define DISPATCH_NAT_FIN_DOWN (1u << 1)
#define DISPATCH_NAT_RST_UP   (1u << 2)
#define DISPATCH_NAT_ANSWERED (1u << 3) /* the endpoint has said something */
#define DISPATCH_NAT_OPEN     (1u << 4) /* and the client went on */
#define DISPATCH_NAT_RST_DOWN (1u << 5)

#define DISPATCH_NAT_BRIEF_S 60 /* of flows that have not opened yet, or have ended */

/* Whether a flow of NAT was begun by a SYN cookie: its endpoint counts from another number than its
 * client was told. */
enum dispatch_cookie_state {
	DISPATCH_COOKIE_NONE,
	DISPATCH_COOKIE_ASKED,  /* the endpoint has been sent a SYN */
	DISPATCH_COOKIE_JOINED, /* and has answered */
};

/* When an element was used last, and for how long it is kept: changed as one word where it is
 * taken, by compare-and-swap. 0: free. */
union dispatch_claim {
	struct {
		__u32 seen_s; /* dispatch_seconds(), never 0 */
		__u16 timeout_s;
		__u16 flags; /* DISPATCH_NAT_… */
	};
	__u64 word;
};

/* Element of the array `dispatch_nats`: a flow, found by the table for what comes from the client,
 * and by its port for what the endpoint answers. Writers: the programs. */
struct dispatch_nat {
	union dispatch_claim claim;
	__u8 client[16];
	__be16 client_port, service_port, endpoint_port, source_port;
	__u16 service, real, run;
	__u8 cookie;         /* enum dispatch_cookie_state */
	__u8 cookie_options; /* ASKED: for dispatch_cookie_mss() and others; JOINED: two window
				scales, the client's in the lower half, DISPATCH_NO_SCALE: none */
	/* Answers go back the way that the client's last packet came: from that device, with its
	 * link layer addresses turned round. */
	__u32 ifindex;
	__u8 macs[12];        /* as they stood in it: ours, its sender's */
	__u32 cookie_number;  /* ASKED: the cookie; JOINED: the endpoint's numbers less the client's
			       */
	__u16 cookie_seq;     /* of the client's SYN, the lower half */
	__be16 cookie_window; /* of the ACK that brought the cookie */
};

_Static_assert(sizeof(struct dispatch_nat) == 64, "a cache line");

/* Key of the LRU hash `dispatch_fragments`, as it stands in the header of each piece of a
 * datagram. */
struct dispatch_fragment_key {
	__u8 source[16], destination[16];
	__u32 id;
	__u32 protocol;
};

#define DISPATCH_FRAGMENTS_MAX 16384 /* datagrams in pieces that are under way */

/* Where the first piece went. Writers: the programs. */
struct dispatch_fragment {
	__u64 hash; /* of the flow */
	__u32 nat;  /* NAT: index into `dispatch_nats` */
	__u32 seen_s;
	__u16 service, real;
	__u8 is_answer; /* NAT, DNAT: it came from the endpoint */
	__u8 padding[3];
};

/* Units of some 1.07 s that pass as seconds, of CLOCK_MONOTONIC; never 0. */
static inline __u32 dispatch_seconds(__u64 now_ns)
{
	return (__u32)(now_ns >> 30) + 1;
}

/* @flags: DISPATCH_NAT_…. An RST is the end while its sender says nothing else. */
static inline int dispatch_has_ended(__u16 flags)
{
	const __u16 rsts = DISPATCH_NAT_RST_UP | DISPATCH_NAT_RST_DOWN;
	const __u16 fins = DISPATCH_NAT_FIN_UP | DISPATCH_NAT_FIN_DOWN;

	return flags & rsts || (flags & fins) == fins;
}

/* Below 0 is what another CPU has seen in the next second already. */
static inline __s32 dispatch_seconds_since(__u32 now_s, __u32 then_s)
{
	return (__s32)(now_s - then_s);
}

/*
 * Element of the array `dispatch_fronts`, at the same index as that of `dispatch_lines`: of open
 * flows of NAT over IPv4, what their clients' packets become. Good for an epoch, after which each
 * flow goes the whole way once, which says in its line and its element that it is in use.
 * Writers: the programs.
 *
 * key: {client's address 32 | its port 16 | the service's port 16}, as they stand in headers.
 * way: {epoch 22 | path 8 | source port 16, network order | run 3, of the real's | real 15}; 0:
 * empty. The path is a hash of the device and the link layer addresses that the flow's last packet
 * came by, which the element has: who comes by another one goes the whole way.
 */
#define DISPATCH_FRONT_PLACES     4
#define DISPATCH_FRONT_EPOCH_BITS 3
#define DISPATCH_FRONT_S          (1 << DISPATCH_FRONT_EPOCH_BITS) /* dispatch_seconds() */
#define DISPATCH_FRONT_RUN_AT     15
#define DISPATCH_FRONT_PORT_AT    18
#define DISPATCH_FRONT_PATH_AT    34
#define DISPATCH_FRONT_STAMP_AT   42

struct dispatch_front {
	__u64 key, way;
};

struct dispatch_front_line {
	struct dispatch_front place[DISPATCH_FRONT_PLACES];
};

_Static_assert(sizeof(struct dispatch_front_line) == 64, "a cache line");

/* @ports: the client's and the service's, as they stand in the header. */
static inline __u64 dispatch_front_key(__be32 client, __u32 ports)
{
	return (__u64)client << 32 | ports;
}

/* Not the way itself. @line: its index, for not all lines shall begin an epoch at once. @turn: of
 * the settings. Neither it nor the time goes back, so their sum says both: where the clock of one
 * CPU is a tick behind, it is one less, but never what an earlier turn had. */
static inline __u64 dispatch_front_stamp(__u32 now_s, __u32 line, __u32 turn, __u32 path)
{
	__u32 epoch = (now_s + line % DISPATCH_FRONT_S) >> DISPATCH_FRONT_EPOCH_BITS;

	return (__u64)(epoch + turn) << DISPATCH_FRONT_STAMP_AT | (__u64)path
									  << DISPATCH_FRONT_PATH_AT;
}

static inline int dispatch_front_is_of(__u64 way, __u64 stamp)
{
	return !((way ^ stamp) >> DISPATCH_FRONT_PATH_AT);
}

static inline int dispatch_front_is_as_old(__u64 way, __u64 other)
{
	return !((way ^ other) >> DISPATCH_FRONT_STAMP_AT);
}

static inline __u64 dispatch_front_way(__u64 stamp, __be16 source_port, __u32 run, __u32 real)
{
	return stamp | (__u64)source_port << DISPATCH_FRONT_PORT_AT |
	       (__u64)run << DISPATCH_FRONT_RUN_AT | real;
}

static inline __be16 dispatch_front_port(__u64 way)
{
	return (__be16)(way >> DISPATCH_FRONT_PORT_AT);
}

static inline __u32 dispatch_front_run(__u64 way)
{
	return (__u32)(way >> DISPATCH_FRONT_RUN_AT) % DISPATCH_SOURCES_MAX;
}

static inline __u32 dispatch_front_real(__u64 way)
{
	return (__u32)way & DISPATCH_ENDPOINTS_MAX;
}

/* Packets of an open flow may go by `dispatch_fronts`, which nothing is noted of here. */
static inline int dispatch_is_free(const union dispatch_claim *claim, __u32 now_s)
{
	__s32 kept_s = claim->timeout_s + (claim->flags & DISPATCH_NAT_OPEN ? DISPATCH_FRONT_S : 0);

	return !claim->word || dispatch_seconds_since(now_s, claim->seen_s) > kept_s;
}

/* --- SYN cookies -------------------------------------------------------------------------------*/

/*
 * Of NAT with TCP, while the guard says so: a SYN is answered with a number that says all that is
 * to be known of it, and no flow is entered before an ACK brings that number back. In it are, from
 * the highest bit on, one of the epoch, five of options, and 26 of a hash of the flow, the client's
 * number, and the epoch, which hides the options too. A SYN with data, and an ACK of no known flow
 * whose number is not ours, are dropped (NO_COOKIE).
 *
 * An epoch has a key of its own. The daemon renews the one of the epoch after next while its place
 * is nobody's; without a daemon keys come round again, but epochs do not.
 */
#define DISPATCH_COOKIE_EPOCH_BITS 36 /* ns: 69 s; a cookie is good for that and the next */
#define DISPATCH_COOKIE_KEYS       4
#define DISPATCH_COOKIE_LIFE_S     128 /* dispatch_seconds(): two epochs */
#define DISPATCH_COOKIE_HASH_BITS  26
#define DISPATCH_COOKIE_HOLD_S     5 /* that they are sent without a guard, while a daemon starts */
#define DISPATCH_NO_SCALE          15

struct dispatch_cookie_key {
	__u64 word[2]; /* of SipHash-2-4 */
};

/* Element of the array `dispatch_cookies`, by service. Writers: the programs. */
struct dispatch_cookie_use {
	__u32 sent_s;   /* dispatch_seconds() of the last cookie; 0: there was none */
	__u32 wanted_s; /* when the guard last wanted one */
};

static inline __u32 dispatch_cookie_epoch(__u64 now_ns)
{
	return (__u32)(now_ns >> DISPATCH_COOKIE_EPOCH_BITS);
}

/*
 * Options in a cookie: the code of the segment size above the three bits of one for SACK and the
 * window scale. Tables are numbers: of an array clang makes a section that libbpf 1.1 cannot load.
 *
 * Sizes that are met with (as the kernel's net/ipv4/syncookies.c has them, and net/ipv6's): the
 * largest that is not above the client's.
 */
#define DISPATCH_COOKIE_SIZES4 (536 | 1300 << 16 | 1440ULL << 32 | 1460ULL << 48)
#define DISPATCH_COOKIE_SIZES6 (1220 | 1420 << 16 | 1440ULL << 32 | 8940ULL << 48)

static inline __u16 dispatch_cookie_mss(int is_ipv6, __u32 options)
{
	return (__u16)((is_ipv6 ? DISPATCH_COOKIE_SIZES6 : DISPATCH_COOKIE_SIZES4) >>
		       16 * (options >> 3 & 3));
}

/* Scales likewise: a client that is taken to have a smaller one is sent less at a time. Codes 0
 * and 1: none; without SACK, and with it. */
#define DISPATCH_COOKIE_SCALES (4 << 12 | 6 << 16 | 7 << 20 | 8 << 24 | 10u << 28)

#define DISPATCH_COOKIE_CODE_SACK  1
#define DISPATCH_COOKIE_CODE_SCALE 2 /* the first of those with a scale, and SACK */
#define DISPATCH_COOKIE_CODE_LAST  7

static inline __u8 dispatch_cookie_scale(__u32 options)
{
	return DISPATCH_COOKIE_SCALES >> 4 * (options & 7) & 15;
}

static inline int dispatch_cookie_has_sack(__u32 options)
{
	return (options & 7) >= DISPATCH_COOKIE_CODE_SACK;
}

static inline int dispatch_cookie_has_scale(__u32 options)
{
	return (options & 7) >= DISPATCH_COOKIE_CODE_SCALE;
}

/*
 * Element of the array `dispatch_asked`: a flow whose endpoint was sent a SYN, for the daemon to
 * send it again if it was lost. At the flow's index modulo their number; a later flow takes the
 * place of an earlier one, which is not asked for again then. {index into `dispatch_nats` 32 |
 * number of the client's SYN 32}; 0: none. Writers: the programs add, the daemon takes off.
 */
#define DISPATCH_ASKED_PLACES 16384

static inline __u64 dispatch_asked_word(__u32 nat, __u32 seq)
{
	return (__u64)nat << 32 | seq;
}

/* --- Settings and counts -----------------------------------------------------------------------*/

#define DISPATCH_HALF_RETURNS (1u << 0) /* has services of form DNAT, whose answers come by us */

struct dispatch_half {
	__u32 vip_mask; /* places in use, less one */
	__u32 flags;    /* DISPATCH_HALF_… */
	__u32 nareas;   /* 0: no service goes by place */
	__u32 padding;
};

#define DISPATCH_SENDS_XDP (1u << 0) /* every device sends what XDP redirects to it */

/* The one element of `dispatch_settings`. Writer: the daemon. */
struct dispatch_settings {
	__u32 abi_version;
	__u32 is_on;
	__u32 half; /* in force */
	__u32 flags;
	struct dispatch_half halves[DISPATCH_HALVES];
	__u32 line_mask, run_mask;
	struct guard_rate new_flows;     /* of a CPU */
	struct dispatch_hash_key secret; /* of the tables: random */
	struct dispatch_hash_key ring;   /* of the choice: the same on every node */
	struct dispatch_cookie_key cookie_keys[DISPATCH_COOKIE_KEYS]; /* by epoch */
	__u32 front_turn; /* odd: a plan is being put in force, and none of `dispatch_fronts` is
			     good; even: those that have been put since */
	__u32 padding;
};

/* Element of the per-CPU array `dispatch_real_counts`. Writers: the programs. */
struct dispatch_real_count {
	__u64 packets, bytes; /* from clients, forwarded; bytes of frames */
	__u64 flows;
	__u64 returned_packets, returned_bytes;
};

/* Element of the per-CPU array `dispatch_service_counts`. */
struct dispatch_service_count {
	struct dispatch_real_count traffic;
	__u64 unlisted; /* new flows that went by the ring without an entry */
	__u64 cookies;  /* SYNs that were answered with one */
	__u64 cookie_flows;
	__u64 drops[DISPATCH_DROP_COUNT];
};

/* Record of the ring buffer `events`, as it is told of a packet that was too big for its way. */
struct dispatch_too_big {
	struct flow_event event; /* kind, mtu: what the packet may have had, and seq */
	struct flow_key key;     /* as it arrived */
	__u8 protocol;
	__u8 padding[3];
};

_Static_assert(sizeof(struct dispatch_too_big) == 64, "no hidden padding");

/* The same, of a segment whose flow is not known. */
struct dispatch_lost {
	struct flow_event event; /* kind; seq: of the RST that its sender believes */
	struct flow_key key;     /* as it arrived */
	__u32 ack;               /* of the RST */
};

_Static_assert(sizeof(struct dispatch_lost) == 64, "no hidden padding");

#endif
