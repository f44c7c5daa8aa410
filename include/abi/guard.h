/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_ABI_GUARD_H
#define SLUICE_ABI_GUARD_H

#include <linux/types.h>

/*
 * The guard: what the packet programs refuse before anybody works for it. All addresses are IPv6 or
 * v4-mapped, network order. Owner and only writer of every table is the daemon, but for what is
 * said to be the programs'.
 */

enum guard_mode {
	GUARD_OFF,
	GUARD_MONITOR, /* counts what it would drop, and passes it */
	GUARD_ENFORCE,
};

/* Why a packet is refused: counted in `guard_counts`. */
#define GUARD_REASONS(X)                                                               \
	X(BLOCKED, "blocked")               /* a list says so */                       \
	X(GEO, "geo")                       /* a rule of places says so */             \
	X(BANNED, "banned")                 /* for a time, by hand or by the daemon */ \
	X(BAD_LENGTH, "bad_length")         /* a header says more than there is */     \
	X(BAD_FLAGS, "bad_flags")           /* TCP flags that nobody sends */          \
	X(LAND, "land")                     /* from where it goes to */                \
	X(MARTIAN, "martian")               /* a source that cannot be */              \
	X(AMPLIFICATION, "amplification")   /* UDP from a port that is abused */       \
	X(SOURCE_PACKETS, "source_packets") /* beyond a source's rate */               \
	X(SOURCE_SYNS, "source_syns")                                                  \
	X(SOURCE_UDP, "source_udp")                                                    \
	X(PREFIX_PACKETS, "prefix_packets") /* beyond the rate of a network */         \
	X(PREFIX_SYNS, "prefix_syns")                                                  \
	X(PREFIX_UDP, "prefix_udp")                                                    \
	X(SERVICE_PACKETS, "service_packets") /* beyond a listener's rate */           \
	X(SERVICE_SYNS, "service_syns")

enum guard_reason {
#define X(name, text) GUARD_REASON_##name,
	GUARD_REASONS(X)
#undef X
		GUARD_REASON_COUNT
};

/* What else is counted, behind the reasons. */
enum guard_count_index {
	GUARD_COUNT_DROPPED,                                               /* + reason */
	GUARD_COUNT_WOULD_DROP = GUARD_COUNT_DROPPED + GUARD_REASON_COUNT, /* + reason */
	GUARD_COUNT_SEEN = GUARD_COUNT_WOULD_DROP + GUARD_REASON_COUNT,
	GUARD_COUNT_ALLOWED,        /* passed by an allow list, unlooked at */
	GUARD_COUNT_COOKIES,        /* SYNs that were answered with a cookie */
	GUARD_COUNT_COOKIES_UNMADE, /* the kernel made none: left to the stack */
	GUARD_COUNTS,
};

/* Element of `guard_counts`, per-CPU array. Writers: the programs. */
struct guard_count {
	__u64 packets, bytes;
};

/* --- Lists ------------------------------------------------------------------------------------ */

/* What the lists say of an address: two bits. */
enum guard_why {
	GUARD_WHY_NONE,
	GUARD_WHY_GEO,
	GUARD_WHY_BLOCK,
	GUARD_WHY_ALLOW,
};

/*
 * IPv4: an array of lines, the one element of the array of maps `guard_list4`: a new list is filled
 * in and put there at once. The first GUARD_CELL_LINES hold two cells each, one for the 64 networks
 * of 24 bits that begin with the same 18; the others two bits for each address of a network that
 * its cell marks as detailed. So an address costs at most two cache lines, whatever the number of
 * entries: 8 MiB and 64 bytes for each network of 24 bits that has longer prefixes.
 */
struct guard_cell {
	__u64 detailed;   /* networks with a line of their own */
	__u32 first_line; /* of the first of them; the others follow */
	__u32 padding;
	__u64 networks[2]; /* two bits each, of those without */
};

#define GUARD_CELLS      (1u << 18)
#define GUARD_CELL_LINES (GUARD_CELLS / 2)

struct guard_line {
	union {
		struct guard_cell cells[2];
		__u64 addresses[8]; /* two bits each */
	};
};

_Static_assert(sizeof(struct guard_line) == 64, "a cache line");

static inline __u32 guard_count_bits(__u64 bits)
{
	bits -= bits >> 1 & 0x5555555555555555ULL;
	bits = (bits & 0x3333333333333333ULL) + (bits >> 2 & 0x3333333333333333ULL);
	bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (__u32)(bits * 0x0101010101010101ULL >> 56);
}

static inline __u32 guard_cell_line(__u32 address)
{
	return address >> 15;
}

static inline const struct guard_cell *guard_cell_of(const struct guard_line *line, __u32 address)
{
	return &line->cells[address >> 14 & 1];
}

static inline __u32 guard_network_of(__u32 address)
{
	return address >> 8 & 63;
}

static inline enum guard_why guard_pair_of_bits(__u64 bits, __u32 place)
{
	return (enum guard_why)(bits >> 2 * (place & 31) & 3);
}

/* Return: the line of a detailed network; 0: it has none, and *@ret_why is set. */
static inline __u32 guard_line_of(const struct guard_cell *cell, __u32 address,
				  enum guard_why *ret_why)
{
	__u32 network = guard_network_of(address);

	if (cell->detailed >> network & 1)
		return cell->first_line +
		       guard_count_bits(cell->detailed & ((1ULL << network) - 1));
	*ret_why = guard_pair_of_bits(cell->networks[network >> 5], network);
	return 0;
}

static inline enum guard_why guard_why_in(const struct guard_line *line, __u32 address)
{
	return guard_pair_of_bits(line->addresses[address >> 5 & 7], address);
}

/* IPv6: key of the trie that is the one element of `guard_list6`; its value is an enum guard_why in
 * 32 bits. No entry lies in another one of the same value. */
struct guard_key6 {
	__u32 bits;
	__u8 address[16];
};

/* Element of the hash map `guard_bans`, by guard_source_key(). */
struct guard_ban {
	__u64 until_ns; /* CLOCK_MONOTONIC */
};

/* --- Rates ------------------------------------------------------------------------------------ */

enum guard_kind {
	GUARD_PACKETS,
	GUARD_SYNS,
	GUARD_UDP,
	GUARD_KINDS,
};

/*
 * A token bucket as one moment: the time at which it will be full again (the generic cell rate
 * algorithm, ITU-T I.371). A packet moves it on by its cost, and is beyond the rate if that would
 * be more than the burst ahead of now. Times are in GUARD_TICKs, which wrap after 18 minutes.
 */
#define GUARD_TICK_BITS 8 /* 256 ns */

struct guard_rate {
	__u32 cost;  /* ticks a packet; 0: no limit */
	__u32 burst; /* ticks; below 2^30 */
};

/* Whether a packet at @now keeps the rate: *@full is moved on. A time that cannot be is from before
 * the clock wrapped, and stands for a full bucket. */
static inline int guard_rate_take(const struct guard_rate *rate, __u32 *full, __u32 now,
				  __u32 packets)
{
	__u32 ahead = *full - now;
	__u64 after;

	if (ahead > rate->burst)
		ahead = 0;
	after = ahead + (__u64)rate->cost * packets;
	if (after > rate->burst)
		return 0;
	*full = now + (__u32)after;
	return 1;
}

/*
 * Element of the array that is the one element of `guard_sources`, a power of two of them: four
 * sources whose hash leads here. The array is made when the guard is turned on. Writers: the
 * programs, without locks: a lost update lets a packet more pass. A new source takes the place
 * whose packets were last seen longest ago, so the table never grows and is never full.
 */
#define GUARD_BUCKET_PLACES 4

struct guard_bucket {
	__u32 tag[GUARD_BUCKET_PLACES]; /* 0: empty */
	__u32 full[GUARD_KINDS][GUARD_BUCKET_PLACES];
};

_Static_assert(sizeof(struct guard_bucket) == 64, "a cache line");

static inline __u32 guard_quietest_place(const struct guard_bucket *bucket, __u32 now)
{
	__u32 place = 0, most = 0;

	for (__u32 i = 0; i < GUARD_BUCKET_PLACES; i++) {
		/* A burst is below 2^30: what lies further ahead is long ago. */
		__u32 quiet = bucket->tag[i] ? now - bucket->full[GUARD_PACKETS][i] + (1u << 30)
					     : ~0u;

		if (quiet > most) {
			most = quiet;
			place = i;
		}
	}
	return place & (GUARD_BUCKET_PLACES - 1);
}

/* The place of @tag, or that of whoever was quiet for longest, emptied. */
static inline __u32 guard_bucket_place(struct guard_bucket *bucket, __u32 tag, __u32 now)
{
	__u32 place;

	for (__u32 i = 0; i < GUARD_BUCKET_PLACES; i++)
		if (bucket->tag[i] == tag)
			return i;
	place = guard_quietest_place(bucket, now);
	bucket->tag[place] = tag;
	for (__u32 kind = 0; kind < GUARD_KINDS; kind++)
		bucket->full[kind][place] = now;
	return place;
}

/* Who is one source: an IPv4 address, and the /64 of an IPv6 address. */
static inline void guard_source_key(const __u8 address[16], __u8 ret[16])
{
	__u64 half[2];

	__builtin_memcpy(half, address, sizeof(half));
	if (half[0])
		half[1] = 0;
	__builtin_memcpy(ret, half, sizeof(half));
}

static inline __u64 guard_hash(const __u64 half[2], __u64 seed)
{
	__u64 hash = (half[0] ^ seed) * 0x9e3779b97f4a7c15ULL;

	hash ^= hash >> 32;
	hash = (hash ^ half[1]) * 0xd6e8feb86659fd93ULL;
	hash ^= hash >> 32;
	hash = (hash ^ seed) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}

/* --- Services: what we listen on ---------------------------------------------------------------*/

#define GUARD_SERVICES_MAX 1024
#define GUARD_PLACES_MAX   4096
#define GUARD_CHAIN_MAX    8 /* addresses of one port */

#define GUARD_PORT_AMPLIFIES (1u << 0) /* as a source */
#define GUARD_PORT_ANSWERS   (1u << 1) /* as a destination: of what we have asked */

/* Element of the array `guard_ports`, by port. Places: 0: nobody listens. */
struct guard_port {
	__u16 tcp_place, udp_place;
	__u32 flags; /* GUARD_PORT_… */
};

#define GUARD_PLACE_ANY4 (1u << 0)
#define GUARD_PLACE_ANY6 (1u << 1)

/* Element of the array `guard_places`: one address and port of a service. */
struct guard_place {
	__u8 address[16];
	__u32 flags; /* GUARD_PLACE_…; 0: the address */
	__u16 service;
	__u16 next; /* place with the same port; 0: none */
};

/* Element of the array `guard_services`. The programs write from ->full on. */
struct guard_service {
	struct guard_rate packets, syns;
	struct guard_rate cookies; /* SYNs beyond it are answered with cookies; cost 0: never */
	__u32 padding[10];
	__u32 full_packets, full_syns, full_cookies;
	__u32 padding2;
	__u64 cookies_until_ns; /* CLOCK_MONOTONIC: until then they are */
	__u64 padding3[5];
};

_Static_assert(sizeof(struct guard_service) == 128, "two cache lines");

#define GUARD_COOKIES_HOLD_NS 5000000000ULL

/* --- The one element of `guard_settings`
 * --------------------------------------------------------*/

#define GUARD_HAS_LIST4     (1u << 0)
#define GUARD_HAS_LIST6     (1u << 1)
#define GUARD_HAS_BANS      (1u << 2)
#define GUARD_HAS_MALFORMED (1u << 3)
#define GUARD_HAS_PORTS     (1u << 4) /* amplification */
#define GUARD_HAS_RATES     (1u << 5) /* of sources or prefixes */
#define GUARD_HAS_SERVICES  (1u << 6) /* rates of any kind, or cookies */
#define GUARD_HAS_TALKERS   (1u << 7)
#define GUARD_HAS_ALL_UDP   (1u << 8) /* rates of sources hold for what is for no service too */

struct guard_settings {
	__u32 mode;  /* enum guard_mode */
	__u32 flags; /* GUARD_HAS_… */
	__u64 seed;  /* of guard_hash(); secret */
	struct guard_rate source[GUARD_KINDS], prefix[GUARD_KINDS];
	__u32 bucket_mask;
	__u32 capture_cost;     /* ns between two captured packets */
	__u64 capture_until_ns; /* CLOCK_MONOTONIC; 0: no capture */
};

/* --- Top talkers
 * --------------------------------------------------------------------------------*/

/*
 * A sketch of the heaviest sources (HeavyKeeper: Yang et al., 2018, with aging): of every
 * GUARD_TALKER_SAMPLE packets of a CPU one is counted, in two slots of its source. A source that
 * finds another one's name there takes one off its count, and the slot when that is used up. Counts
 * halve with each epoch that passes, so they are about packets of the last seconds.
 * Element of the per-CPU array `guard_talkers`; writers: the programs.
 */
#define GUARD_TALKER_SLOTS      512 /* a row */
#define GUARD_TALKER_ROWS       2
#define GUARD_TALKER_SAMPLE     16
#define GUARD_TALKER_EPOCH_BITS 31 /* ns: 2.1 s */

struct guard_talker {
	__u8 source[16]; /* guard_source_key() */
	__u32 count;     /* samples */
	__u32 dropped;   /* of them */
	__u32 epoch;
	__u32 padding;
};

/* --- Capture
 * ------------------------------------------------------------------------------------*/

#define GUARD_CAPTURE_BYTES 192

/* Record of the ring buffer `guard_captured`. When full, a record is lost. */
struct guard_capture {
	__u64 at_ns; /* CLOCK_MONOTONIC */
	__u32 ifindex;
	__u32 len;      /* of the frame */
	__u32 captured; /* bytes of it below */
	__u8 reason, is_dropped;
	__u8 padding[2];
	__u8 frame[GUARD_CAPTURE_BYTES];
};

#endif
