/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_ABI_FLOW_H
#define SLUICE_ABI_FLOW_H

#include <linux/types.h>

/*
 * Packet splice: two TCP connections joined packet by packet.
 *
 *   client ──leg C── proxy ──leg B── backend
 *
 * A pair is one joined connection. The table `buckets` leads from the 5-tuple of an arriving packet
 * to its pair and direction; the array `pairs` holds all that a packet reads and writes. Both are
 * mapped into the daemon, which enters and removes flows by stores, without a system call.
 *
 * What counts with many flows is how many cold cache lines and pages a packet touches: here a line
 * of `buckets`, and three lines of one element of `pairs` that are asked for at once.
 *
 * This layout is the ABI between a daemon and the programs and maps that an earlier daemon has left
 * pinned: any change of it, or of what a field means, raises FLOW_ABI_VERSION.
 */
#define FLOW_ABI_VERSION 5

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

/*
 * Element of `buckets`. Array, BPF_F_MMAPABLE, a power of two of them; owner and only writer: the
 * daemon. A flow is in the first bucket of its hash or, where that had no room, in the second; when
 * neither has, the connection stays with the relay. Tags within a bucket differ, so a look-up
 * compares one key at most. A place is written before its tag, and its flow's key before both; what
 * is read in between fails to compare.
 */
#define FLOW_BUCKET_PLACES 10

struct flow_bucket {
	__u16 tag[FLOW_BUCKET_PLACES];
	__u16 overflowed; /* flows that are in their second bucket for want of room in this one */
	__u16 padding;
	__u32 place[FLOW_BUCKET_PLACES]; /* flow_place(); 0: none */
};

_Static_assert(sizeof(struct flow_bucket) == 64, "a cache line");

/* @direction: enum flow_direction. */
static inline __u32 flow_place(__u32 pair, __u32 direction)
{
	return 1 + 2 * pair + direction;
}

/* Not keyed: who can choose tuples that collide gains no more than the relay for them. */
static inline __u64 flow_hash(const struct flow_key *key)
{
	__u64 words[4], hash;
	__u32 ports;

	__builtin_memcpy(words, key, sizeof(words));
	__builtin_memcpy(&ports, &key->source_port, sizeof(ports));
	hash = ports;
	for (int i = 0; i < 4; i++) {
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 32;
	}
	return hash * 0xd6e8feb86659fd93ULL;
}

/* Never 0, which is the tag of a place that was never used. */
static inline __u16 flow_tag(__u64 hash)
{
	__u16 tag = (__u16)(hash >> 48);

	return tag ? tag : 1;
}

static inline __u32 flow_first_bucket(__u64 hash, __u32 mask)
{
	return (__u32)(hash >> 16) & mask;
}

/* From either bucket to the other. */
static inline __u32 flow_other_bucket(__u32 bucket, __u16 tag, __u32 mask)
{
	return (bucket ^ tag * 0x5bd1e995u) & mask;
}

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
	GATE_TAIL,    /* as SPLICED, but a socket has bytes of before: it hears of their acks too */
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
	__u64 last_seen_ns;   /* CLOCK_MONOTONIC, tick resolution */
	__u32 seq_end;        /* highest seq + payload + SYN + FIN that was seen; host order */
	__u32 ack;            /* highest ack, as claimed: flow_ack() */
	__u32 tsval;          /* last TSval; 0: none */
	__u16 window;         /* last, as sent */
	__u8 flags;           /* FLOW_SEEN_… */
	__u8 peer_flags;      /* FLOW_PEER_…: written by the other direction */
	__u32 fin_seq;        /* seq behind the FIN, if FLOW_SEEN_FIN */
	__u32 peer_fin;       /* the ack that acknowledges the other side's FIN */
	__u32 seq_limit;      /* what the other side allowed when it was last looked at */
	__u32 has_seq_limit;
	__u32 told;             /* in GATE_TAIL: the highest ack that the socket has heard of */
} __attribute__((aligned(64))); /* the directions' packets arrive on different CPUs */

#define FLOW_SEEN_FIN       (1u << 0) /* a FIN went through while spliced */
#define FLOW_SEEN_FIN_ACKED (1u << 1) /* the other side has acknowledged it */
#define FLOW_SEEN_RST       (1u << 2) /* an RST went through */
#define FLOW_SEEN_ANY       (1u << 3) /* seq_end and ack are valid */

#define FLOW_PEER_FIN (1u << 0) /* peer_fin is valid */

/* What a packet is found by, and the short way past the gate. */
struct flow_arrival {
	struct flow_key key;
	__u32 is_spliced; /* says so while the gate does; changed just after it */
} __attribute__((aligned(64)));

/* Element of `pairs`. Array, BPF_F_MMAPABLE; owner: the daemon. */
struct flow_pair {
	__u64 gate;          /* first in every version: see struct flow_meta */
	__u64 id;            /* the daemon's connection id, for logs */
	__u64 spliced_ns;    /* when the gate opened, CLOCK_MONOTONIC */
	__u32 listener_hash; /* hash of the listener's name: who adopts it finds its counters */
	__u32 pool_hash;
	__u64 relayed[FLOW_DIRECTIONS];    /* bytes of payload that the daemon itself has carried */
	__u64 accepted_us;                 /* when the client came, since 1970; 0: nobody asked */
	__u32 joined_seq[FLOW_DIRECTIONS]; /* of what arrives: the first that the sockets lack */
	struct flow_arrival in[FLOW_DIRECTIONS];
	struct flow_translation out[FLOW_DIRECTIONS];
	struct flow_record seen[FLOW_DIRECTIONS];
};

_Static_assert(sizeof(struct flow_pair) == 448, "no hidden padding");

/*
 * The highest ack of @direction that can be meant: a forged one beyond what the other side has sent
 * is not believed. Both numbers are as they arrive in @direction.
 */
static inline __u32 flow_ack(const struct flow_pair *pair, enum flow_direction direction)
{
	__u32 ack = pair->seen[direction].ack;
	__u32 sent = pair->seen[direction ^ 1].seq_end - pair->out[direction].ack_delta;

	return (__s32)(ack - sent) > 0 ? sent : ack;
}

/* Whether nobody has anything left to say: both FINs acknowledged, or an RST went through. */
static inline int flow_is_over(const struct flow_pair *pair)
{
	const __u8 ended = FLOW_SEEN_FIN | FLOW_SEEN_FIN_ACKED;
	__u8 up = pair->seen[FLOW_UP].flags, down = pair->seen[FLOW_DOWN].flags;

	return (up | down) & FLOW_SEEN_RST || (up & down & ended) == ended;
}

/*
 * OVER: the pair is over, or has given way; told once but for a race.
 * TOO_BIG: a packet of it was dropped: its sender wants to know the way's MTU.
 * DISPATCH_TOO_BIG: the same of dispatch: a struct dispatch_too_big.
 * DISPATCH_LOST: a struct dispatch_lost.
 */
#define FLOW_EVENTS(X)                          \
	X(OVER, "over")                         \
	X(TOO_BIG, "too_big")                   \
	X(DISPATCH_TOO_BIG, "dispatch_too_big") \
	X(DISPATCH_LOST, "dispatch_lost")

enum flow_event_kind {
#define X(name, text) FLOW_EVENT_##name,
	FLOW_EVENTS(X)
#undef X
		FLOW_EVENT_KINDS
};

/* Record of the ring buffer `events`. Writers: the programs; reader: the daemon. When full, a
 * record is lost: the daemon also looks at its pairs now and then, and a sender sends again. */
struct flow_event {
	__u64 id; /* of the pair when it was told: its element may serve another one since */
	__u32 pair;
	__u16 kind;      /* enum flow_event_kind */
	__u16 direction; /* of the packet that was too big, */
	__u32 mtu;       /* of the way that it should have taken, */
	__u32 seq;       /* and its number as it arrived; host order */
};

/*
 * Element of the per-CPU array `event_uses`, by kind. Ends are as many as connections. The others
 * come with packets that anybody may send, and the daemon answers a thousand a second: a CPU tells
 * of no more, so that the ring has room for ends. Writers: the programs.
 */
#define FLOW_EVENTS_A_SECOND 1000
#define FLOW_EVENTS_AT_ONCE  100

struct flow_event_use {
	__u64 untold; /* beyond the rate, or for want of room in the ring */
	__u32 full;   /* as guard_rate_take() has it */
	__u32 padding;
};

/*
 * The one element of `meta`, pinned beside the other maps: what is in them. Written by the daemon
 * that made them. A daemon of another version reads this much, and nothing else: it adopts nothing,
 * but can tell how many pairs are spliced and which of the backends' connections they are.
 */
struct flow_meta {
	__u32 abi_version; /* FLOW_ABI_VERSION of who made the maps */
	__u32 max_flows;   /* elements of `pairs` */
	__u64 netns;       /* cookie of the network namespace that the tuples are of */
	__u32 backend_key; /* where in an element of `pairs` the struct flow_key of what comes
			      from the backend is */
	__u32 padding;
};

_Static_assert(__builtin_offsetof(struct flow_pair, gate) == 0, "other versions look there");
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
/* Of the socket of a joined pair that delivers its tail: tc_egress renews what it acknowledges. */
#define FLOW_MARK_TAIL (1u << 27)
/* Of the socket of a health check: tc_egress sends its packets the way of dispatch's. */
#define FLOW_MARK_CHECK (1u << 28)
/* Of a packet that a program has made for a socket: no program looks at it again. */
#define FLOW_MARK_COPY (1u << 26)

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
	X(NO_HEADROOM, "no_headroom")   /* dropped: it cannot be rewritten, as fragments */        \
	X(ICMP_SPLICED, "icmp_spliced") /* an ICMP error that quotes a spliced flow, translated */ \
	X(LEFT_TO_TC, "left_to_tc")     /* passed at XDP: the program at TC can forward it */      \
	X(TAIL, "tail")                 /* passed: it acknowledges what a socket had sent */       \
	X(TOO_BIG, "too_big")           /* dropped: its sender is told what fits */

enum flow_verdict {
#define X(name, text) FLOW_VERDICT_##name,
	FLOW_VERDICTS(X)
#undef X
		FLOW_VERDICT_COUNT
};

#endif
