/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_ABI_FLOW_H
#define SLUICE_ABI_FLOW_H

#include <linux/types.h>

/*
 * Packet splice: two TCP connections joined packet by packet.
 *
 *   client ──leg C── proxy ──leg B── backend
 *
 * A pair is one joined connection. The map `flows` leads from the 5-tuple of an arriving packet to
 * its pair and direction; the array `pairs` holds all that a packet reads and writes. The array is
 * mapped into the daemon: a hand-off costs two updates of `flows`, the rest are stores.
 *
 * This layout is the ABI between a daemon and the programs and maps that an earlier daemon has left
 * pinned: any change of it, or of what a field means, raises FLOW_ABI_VERSION.
 */
#define FLOW_ABI_VERSION 2

enum flow_direction {
	FLOW_UP,   /* arrives from the client, goes to the backend */
	FLOW_DOWN, /* arrives from the backend, goes to the client */
	FLOW_DIRECTIONS,
};

/* As the packet arrives. IPv4 addresses are v4-mapped IPv6 (::ffff:a.b.c.d). Network byte order. */
struct flow_key {
	__u8 source[16], destination[16];
	__be16 source_port, destination_port;
};

_Static_assert(sizeof(struct flow_key) == 36, "no padding: it is hashed");

/* Value of `flows`. Map type hash, preallocated; owner and only writer: the daemon; when full, the
 * connection stays with the relay. */
struct flow_slot {
	__u32 pair;      /* index into `pairs` */
	__u32 direction; /* enum flow_direction */
};

/*
 * The gate: the upper 16 bits are the state, the lower 48 count packets that were passed to the
 * stack in state OBSERVE, of both directions. The programs change it by an atomic add of 1, the
 * daemon by compare-and-swap from the very word that it read: if a packet came in between, the swap
 * fails.
 */
#define GATE_COUNT_BITS 48
#define GATE_COUNT_MASK ((1ULL << GATE_COUNT_BITS) - 1)

enum gate_state {
	GATE_FREE,    /* not in use: pass */
	GATE_OBSERVE, /* sockets carry it; what passes is recorded: pass */
	GATE_SPLICED, /* translate and redirect */
	GATE_PASS,    /* was spliced; is being ended, or gave way to a new connection: pass */
};

static inline __u64 gate_word(enum gate_state state, __u64 count)
{
	return (__u64)state << GATE_COUNT_BITS | (count & GATE_COUNT_MASK);
}

static inline enum gate_state gate_state_of(__u64 word)
{
	return (enum gate_state)(word >> GATE_COUNT_BITS);
}

/* What a packet of one direction becomes. Written by the daemon before the gate opens, then
 * constant but for `nexthop`. */
struct flow_translation {
	__u8 source[16], destination[16]; /* outgoing; v4-mapped for IPv4; network order */
	__be16 source_port, destination_port;
	__u32 seq_delta;   /* host order, modulo 2^32: added to seq */
	__u32 ack_delta;   /* added to ack and to each SACK edge */
	__u32 tsval_delta; /* added to TSval */
	__u32 tsecr_delta; /* added to TSecr unless it is 0 */
	__u8 scale_in;     /* window scale of who sent the packet */
	__u8 scale_out;    /* window scale that the receiver believes */
	__u8 flags;        /* FLOW_HAS_… */
	__u8 padding;
	__u32 nexthop; /* index into `nexthops` */
} __attribute__((aligned(64)));

#define FLOW_HAS_TIMESTAMPS (1u << 0) /* both legs agreed on them */
#define FLOW_HAS_ECN        (1u << 1) /* both legs agreed; otherwise ECT is cleared */

_Static_assert(sizeof(struct flow_translation) == 64, "a cache line");

/* What was seen of one direction. Writers: the programs, by plain stores (one flow's packets of a
 * direction arrive on one CPU; a lost update costs a count, never a byte). */
struct flow_record {
	__u64 packets, bytes; /* spliced only; bytes of TCP payload */
	__u64 last_seen_ns;   /* bpf_ktime_get_coarse_ns(): CLOCK_MONOTONIC, tick resolution */
	__u32 seq_end;        /* highest seq + payload + SYN + FIN that was seen; host order */
	__u32 ack;            /* highest ack */
	__u32 tsval;          /* last TSval; 0: none */
	__u16 window;         /* last, as sent */
	__u8 flags;           /* FLOW_SEEN_… */
	__u8 padding;
	__u32 fin_seq;          /* seq behind the FIN, if FLOW_SEEN_FIN */
} __attribute__((aligned(64))); /* the directions' packets arrive on different CPUs */

#define FLOW_SEEN_FIN       (1u << 0) /* a FIN went through while spliced */
#define FLOW_SEEN_FIN_ACKED (1u << 1) /* the other side has acknowledged it */
#define FLOW_SEEN_RST       (1u << 2) /* an RST went through */
#define FLOW_SEEN_ANY       (1u << 3) /* seq_end and ack are valid */

/* Element of `pairs`. Array, BPF_F_MMAPABLE; owner: the daemon. */
struct flow_pair {
	__u64 gate;
	__u64 id;            /* the daemon's connection id, for logs */
	__u64 spliced_ns;    /* when the gate opened, CLOCK_MONOTONIC */
	__u32 listener_hash; /* hash of the listener's name: who adopts it finds its counters */
	__u32 pool_hash;
	__u64 relayed[FLOW_DIRECTIONS];    /* bytes of payload that the daemon itself has carried */
	__u64 accepted_us;                 /* when the client came, since 1970; 0: nobody asked */
	__u32 joined_seq[FLOW_DIRECTIONS]; /* of what arrives: the first that the sockets lack */
	struct flow_translation out[FLOW_DIRECTIONS];
	struct flow_record seen[FLOW_DIRECTIONS];
};

_Static_assert(sizeof(struct flow_pair) == 320, "no hidden padding");

/* Whether nobody has anything left to say: both FINs acknowledged, or an RST went through. */
static inline int flow_is_over(const struct flow_pair *pair)
{
	const __u8 ended = FLOW_SEEN_FIN | FLOW_SEEN_FIN_ACKED;
	__u8 up = pair->seen[FLOW_UP].flags, down = pair->seen[FLOW_DOWN].flags;

	return (up | down) & FLOW_SEEN_RST || (up & down & ended) == ended;
}

/* Record of the ring buffer `ends`: a pair is over, or has given way since. Writers: the programs,
 * once a pair but for a race of its directions; reader: the daemon. When full, a record is lost:
 * the daemon also looks at its pairs now and then. */
struct flow_event {
	__u64 id; /* of the pair when it was over: its element may serve another one since */
	__u32 pair;
	__u32 padding;
};

/* Element of `nexthops`. Array, written by the daemon alone, from rtnetlink. */
struct flow_nexthop {
	__u32 ifindex; /* 0: gone: packets pass to the stack */
	__u32 mtu;
	__u8 gateway[16]; /* whose link-layer address is asked for; v4-mapped for IPv4 */
	__u8 destination_mac[6], source_mac[6]; /* for XDP, which cannot ask the neighbour table */
	__u16 flags;                            /* NEXTHOP_… */
	__u16 padding;
};

#define NEXTHOP_MAC_VALID (1u << 0) /* both are right, and the device sends what XDP redirects */
#define NEXTHOP_LOCAL     (1u << 1) /* the device is `lo`: to a socket of this machine */

/*
 * Marks (SO_MARK) of a backend's socket before it connects: the SYN goes out without these options,
 * for the client's leg lacks them. Set by the daemon, read by tc_egress; the mark stays on the
 * socket, so fwmark rules that look at these bits see it.
 */
#define FLOW_MARK_NO_TIMESTAMPS (1u << 24)
#define FLOW_MARK_NO_SACK       (1u << 25)

/* Why a packet was passed, dropped or redirected: counted in `verdicts` (per-CPU array). */
#define FLOW_VERDICTS(X)                                                                           \
	X(NOT_TCP, "not_tcp")           /* passed: not TCP, or a fragment */                       \
	X(MALFORMED, "malformed")       /* passed: the stack judges */                             \
	X(NO_FLOW, "no_flow")           /* passed: nobody's, or not handed over */                 \
	X(OBSERVED, "observed")         /* passed: counted at the gate */                          \
	X(SPLICED, "spliced")           /* translated and redirected */                            \
	X(NEW_SYN, "new_syn")           /* passed: a SYN on a tuple that was spliced   */          \
	X(NEXTHOP_GONE, "nexthop_gone") /* dropped: its next hop is not usable */                  \
	X(TTL_EXPIRED, "ttl_expired")   /* dropped: the hop limit ran out */                       \
	X(NO_HEADROOM, "no_headroom")   /* dropped: the packet could not be rewritten */           \
	X(ICMP_SPLICED, "icmp_spliced") /* an ICMP error that quotes a spliced flow, translated */ \
	X(LEFT_TO_TC, "left_to_tc")     /* passed at XDP: the program at TC can forward it */

enum flow_verdict {
#define X(name, text) FLOW_VERDICT_##name,
	FLOW_VERDICTS(X)
#undef X
		FLOW_VERDICT_COUNT
};

#endif
