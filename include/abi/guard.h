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

/* What became of a packet: each is counted once, so that all of them are those that were seen. */
enum guard_count_index {
	GUARD_COUNT_DROPPED,                                               /* + reason */
	GUARD_COUNT_WOULD_DROP = GUARD_COUNT_DROPPED + GUARD_REASON_COUNT, /* + reason */
	GUARD_COUNT_PASSED = GUARD_COUNT_WOULD_DROP + GUARD_REASON_COUNT,
	GUARD_COUNT_ALLOWED,        /* passed by an allow list, unlooked at */
	GUARD_COUNT_COOKIES,        /* SYNs that were answered with a cookie */
	GUARD_COUNT_COOKIES_UNMADE, /* monitored, or the kernel made none */
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
 * in and put there at once. The first GUARD_CELL_LINES hold sixteen cells each, one for each
 * network of 18 bits. In it answers change at some of its 16384 addresses: a change is 14 bits of
 * its address, and in two more the answer from there on. A cell of one answer says it; the changes
 * of any other, of which the first is at its first address, stand in order in a line, beside those
 * of others. More than fit into a line are the leaves of a tree of lines, in whose nodes are the
 * addresses at which the lines below begin. (Ranges behind an index: DXR; Zec, Rizzo, Mikuc 2012.)
 *
 * So an address costs two cache lines, and one or two more where its cell has more than 32 or 1024
 * changes; and a list 1 MiB, and 4 to 12 bytes for each entry that is longer than 18 bits.
 */
#define GUARD_CELLS        (1u << 18)
#define GUARD_CELL_BITS    14 /* of an address in its cell */
#define GUARD_LINE_CELLS   16
#define GUARD_LINE_CHANGES 32
#define GUARD_CELL_LINES   (GUARD_CELLS / GUARD_LINE_CELLS)
#define GUARD_LEVELS_MAX   3          /* of a tree */
#define GUARD_LINES_MAX    (1u << 20) /* a cell has 20 bits for a line */
#define GUARD_NO_CHILD     0xffff     /* in a node: behind the last one */

struct guard_line {
	union {
		__u32 cells[GUARD_LINE_CELLS];
		__u16 changes[GUARD_LINE_CHANGES];
	};
};

_Static_assert(sizeof(struct guard_line) == 64, "a cache line");

/* @depth: lines from here to the changes, 1 to 3. @at, @count: of what is the cell's in the line.
 */
static inline __u32 guard_cell(__u32 line, __u32 at, __u32 count, __u32 depth)
{
	return line | at << 20 | (count - 1) << 25 | depth << 30;
}

static inline __u32 guard_cell_line(__u32 address)
{
	return address >> GUARD_CELL_BITS >> 4;
}

static inline __u32 guard_cell_of(const struct guard_line *line, __u32 address)
{
	return line->cells[address >> GUARD_CELL_BITS & (GUARD_LINE_CELLS - 1)];
}

static inline __u16 guard_change(__u32 address, enum guard_why why)
{
	return (__u16)((address & ((1u << GUARD_CELL_BITS) - 1)) << 2 | why);
}

static inline enum guard_why guard_why_from(__u32 change)
{
	return (enum guard_why)(change & 3);
}

/* Down a cell's tree: ->line is to be looked at. */
struct guard_search {
	__u32 line, at, count, depth;
	__u32 below;  /* line of the first child's line */
	__u32 change; /* that is looked for, without an answer */
};

/* Return: whether there is anything to look for; otherwise the cell is the answer. */
static inline int guard_search_begin(struct guard_search *search, __u32 cell, __u32 address)
{
	search->line = cell & (GUARD_LINES_MAX - 1);
	search->at = cell >> 20 & 31;
	search->count = (cell >> 25 & 31) + 1;
	search->depth = cell >> 30;
	search->below = search->line + 1;
	search->change = guard_change(address, GUARD_WHY_NONE);
	return search->depth != 0;
}

/* The last of @count changes from @at on that is not behind @change: the first is not. Only @count
 * makes branches: half of those that the changes would make are guessed wrongly. */
static inline __u32 guard_last_change(const struct guard_line *line, __u32 at, __u32 count,
				      __u32 change)
{
	__s64 found = at, last = (__s64)at + count - 1;

	for (__s64 step = GUARD_LINE_CHANGES / 2; step; step /= 2) {
		__s64 next = found + step, left, ahead;

		if (step >= count)
			continue;
		left = last - next;
		ahead = (__s64)change - line->changes[next & (GUARD_LINE_CHANGES - 1)];
		found += step & ~((left | ahead) >> 63);
	}
	return (__u32)found & (GUARD_LINE_CHANGES - 1);
}

/* @line: ->line. Return: whether *@ret_why is the answer; otherwise ->line is the next. */
static inline int guard_search_step(struct guard_search *search, const struct guard_line *line,
				    enum guard_why *ret_why)
{
	int is_leaf = search->depth <= 1;
	__u32 place = guard_last_change(line, search->at, search->count,
					search->change | (is_leaf ? 3 : 0));

	if (is_leaf) {
		*ret_why = guard_why_from(line->changes[place]);
		return 1;
	}
	/* Behind a level's lines are those below; all but the last have as many as they can. */
	search->line = search->below + place;
	search->below += search->count + place * GUARD_LINE_CHANGES;
	search->at = 0;
	search->count = GUARD_LINE_CHANGES;
	search->depth--;
	return 0;
}

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
#define GUARD_CHAIN_MAX    8 /* addresses of one port: others the daemon leaves out, and says so */

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

#define GUARD_SERVICE_DISPATCHED (1u << 0) /* cookies are dispatch's to send */

/* Element of the array `guard_services`. The programs write from ->full on. */
struct guard_service {
	struct guard_rate packets, syns;
	struct guard_rate cookies; /* SYNs beyond it are answered with cookies; cost 0: never */
	__u32 flags;               /* GUARD_SERVICE_… */
	__u32 padding[9];
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

/*
 * What XDP leaves in a packet's metadata for TC of the same device, where the guard has passed it.
 * Of what a tunnel has taken out of a packet the kernel shows that packet's bytes there, which
 * anybody can send: the seed tells ours.
 */
struct guard_stamp {
	__u64 seed; /* of guard_settings */
	__u32 ifindex;
	__u32 action; /* enum guard_action of the programs */
};

_Static_assert(sizeof(struct guard_stamp) == 16, "struct guard_stamp");

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

/* Packets a second of one that sends evenly: its counts of the epochs before have halved to one
 * epoch's worth, to which comes what has passed of this one. */
static inline __u64 guard_talker_rate(__u32 samples, __u64 now_ns)
{
	const __u64 epoch_ns = 1ULL << GUARD_TALKER_EPOCH_BITS;

	return (__u64)samples * GUARD_TALKER_SAMPLE * 1000000000ULL /
	       (epoch_ns + now_ns % epoch_ns);
}

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
