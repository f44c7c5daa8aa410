/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_ABI_GUARD_LIST6_H
#define SLUICE_ABI_GUARD_LIST6_H

#include <linux/types.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/*
 * What the lists say of IPv6: an array of pages, the one element of the array of maps
 * `guard_list6`: a new list is filled in and put there at once.
 *
 * The longest listed network that an address is in has its answer. It is found by binary search
 * over the lengths that are listed (Waldvogel, Varghese, Turner, Plattner 1997): an address, cut to
 * the length in the middle, is a key of a hash table. Where longer networks begin with it, the key
 * is there for their sake, listed or not, and says so; where it is not, only shorter ones are left.
 * Each key has the answer that holds there, so search never goes back.
 *
 * Halving ends at GUARD_LENGTHS_IN_TURN lengths, that are asked for one after another, the longest
 * first: none of these keys is there for longer ones, and the first one found is the answer. Before
 * a key's line is fetched a filter (Bloom 1970, the bits of a key in one word) is asked, that a
 * cache can hold when the lines are too many for it: it rules out nearly all keys that are not
 * there.
 *
 * So who is in a network costs a word of the filter for each length down to its own and one line,
 * two where the line is full; who is in none seldom costs a line. Keys of up to 64 bits take 8
 * bytes, longer ones 16, and lines are between five sixteenths and five eighths full, but for those
 * of the first page.
 *
 * Nothing is guessed: what a key is hashed to can be turned back into it, given its length, and is
 * kept whole, a part of it by where it is kept.
 */
#define GUARD_PAGE_LINES      16384u
#define GUARD_LINE_WORDS      8
#define GUARD_HEAD_LINES      4
#define GUARD_FILTER_WORDS    65536u
#define GUARD_LENGTHS_MAX     128
#define GUARD_LENGTHS_IN_TURN 8  /* are asked for one after another, more are halved */
#define GUARD_LOOKS_MAX       12 /* four halvings of all lengths, and the rest in turn */
#define GUARD_KEY_LINES       11 /* log2: as few as leave room in a slot */
#define GUARD_KEY_LINES_MAX   22 /* log2 */

/* A slot: from below what is left of a key, its length (1 to 64, of long ones less 64), and flags
 * and an enum guard_why. 0: empty. Slots of a line are filled from the first one on. */
#define GUARD_SLOT_LENGTH 53           /* bits of the rest */
#define GUARD_SLOT_GUEST  (1ULL << 60) /* its own line is full: this is its other one */
#define GUARD_SLOT_WHY    61
#define GUARD_SLOT_LONGER (1ULL << 63) /* networks that begin with it are listed */
#define GUARD_SLOT_KEY    ((1ULL << GUARD_SLOT_WHY) - 1)

static __always_inline __u64 guard_slot_rest(__u64 slot)
{
	return slot & ((1ULL << GUARD_SLOT_LENGTH) - 1);
}

static __always_inline __u32 guard_slot_why(__u64 slot)
{
	return slot >> GUARD_SLOT_WHY & 3;
}

struct guard_region6 {
	__u32 first; /* line */
	__u32 bits;  /* log2 of how many; 0: none */
};

/* The beginning of the first page. */
struct guard_head6 {
	__u64 seed;
	struct guard_region6 regions[2]; /* of short keys, of long ones */
	__u32 nlengths;
	__u32 filter_mask; /* words of the filter, less one */
	__u8 why;          /* enum guard_why, of who is in none of the networks below */
	__u8 padding[95];
	__u8 lengths[GUARD_LENGTHS_MAX]; /* in order */
};

/* The first page: below the filter there is room for the lines of a few keys, that take no second
 * look into the array. */
#define GUARD_FIRST_LINES (GUARD_PAGE_LINES - GUARD_FILTER_WORDS / GUARD_LINE_WORDS)

union guard_page6 {
	struct {
		struct guard_head6 head;
		__u64 few[GUARD_FIRST_LINES - GUARD_HEAD_LINES][GUARD_LINE_WORDS];
		__u64 filter[GUARD_FILTER_WORDS];
	};
	/* Eight slots; of long keys four, and then the upper half of each. */
	__u64 lines[GUARD_PAGE_LINES][GUARD_LINE_WORDS];
};

_Static_assert(sizeof(struct guard_head6) == 256 && sizeof(union guard_page6) == 1 << 20,
	       "four cache lines, and a MiB");

/* Where to look for an address, cut to a length. */
struct guard_key6 {
	__u64 upper; /* of a long one */
	__u64 slot;  /* without flags and answer */
	__u64 hash;  /* of which a line takes low bits, the filter high ones */
	__u32 line, other;
	__u32 is_long;
};

/* One to one. */
static __always_inline __u64 guard_mix6(__u64 value)
{
	value = (value ^ value >> 32) * 0x9e3779b97f4a7c15ULL;
	value = (value ^ value >> 29) * 0xd6e8feb86659fd93ULL;
	return value ^ value >> 32;
}

/* A line's other one, for a key with this rest: the line is that one's other one. */
static __always_inline __u32 guard_other_line(const struct guard_region6 *region, __u32 line,
					      __u64 rest)
{
	__u32 mask = (1u << (region->bits & 31)) - 1;

	return region->first + (((line - region->first) ^ ((__u32)rest | 1)) & mask);
}

/* @address: in host order. @length: 1 to 128. */
static __always_inline void guard_key6(const struct guard_head6 *head, const __u64 address[2],
				       __u32 length, struct guard_key6 *ret)
{
	__u32 is_long = length > 64, kept = is_long ? length - 64 : length;
	const struct guard_region6 *region = &head->regions[is_long];
	__u64 half = (is_long ? address[1] : address[0]) & ~0ULL << (64 - kept);
	__u64 tweak = head->seed + length * 0x9e3779b97f4a7c15ULL;
	__u32 mask = (1u << (region->bits & 31)) - 1;
	__u64 hash, rest;

	if (is_long)
		tweak = guard_mix6(tweak ^ address[0]);
	hash = guard_mix6(half ^ tweak);
	rest = hash >> (region->bits & 31);
	ret->upper = is_long ? address[0] : 0;
	ret->slot = rest | (__u64)kept << GUARD_SLOT_LENGTH;
	ret->line = region->first + ((__u32)hash & mask);
	ret->other = guard_other_line(region, ret->line, rest);
	ret->is_long = is_long;
	ret->hash = hash;
}

/* Which of the lengths from @low to below @high to look for next. */
static __always_inline __u32 guard_turn6(__u32 low, __u32 high)
{
	return high - low > GUARD_LENGTHS_IN_TURN ? (low + high) / 2 : high - 1;
}

/* Which word of the filter has a key's bits. */
static __always_inline __u32 guard_filter_word(const struct guard_head6 *head,
					       const struct guard_key6 *key)
{
	return key->hash >> 40 & head->filter_mask & (GUARD_FILTER_WORDS - 1);
}

static __always_inline __u64 guard_filter_bits(const struct guard_key6 *key)
{
	return 1ULL << (key->hash >> 34 & 63) | 1ULL << (key->hash >> 28 & 63) |
	       1ULL << (key->hash >> 22 & 63);
}

/* Return: 0: the key is not there; or else it may be. */
static __always_inline __u32 guard_filter_has(const union guard_page6 *first,
					      const struct guard_key6 *key)
{
	__u64 bits = guard_filter_bits(key);

	return (first->filter[guard_filter_word(&first->head, key)] & bits) == bits;
}

/* What the compiler knows of a value: clang would make a branch of each mask, and all ways through
 * them are more than the verifier of 6.18 follows. */
#define guard_forget(value) __asm__("" : "+r"(value))

/* @difference: below 2^63. Return: all bits if there is none, or none of them. */
static __always_inline __u64 guard_if_none(__u64 difference)
{
	guard_forget(difference);
	return (__u64)((__s64)(difference - 1) >> 63);
}

/* Without branches: none of them could be guessed. Return: the slot; 0: it is not there. */
static __always_inline __u64 guard_slot_of(const __u64 *line, const struct guard_key6 *key,
					   __u64 flags)
{
	__u64 wanted = key->slot | flags, found = 0;

	if (key->is_long) {
		for (int i = 0; i < GUARD_LINE_WORDS / 2; i++) {
			__u64 upper = line[GUARD_LINE_WORDS / 2 + i] ^ key->upper;

			found |= line[i] & guard_if_none(((line[i] ^ wanted) & GUARD_SLOT_KEY) |
							 upper >> 1 | (upper & 1));
		}
		return found;
	}
	for (int i = 0; i < GUARD_LINE_WORDS; i++)
		found |= line[i] & guard_if_none((line[i] ^ wanted) & GUARD_SLOT_KEY);
	return found;
}

/* Return: all bits, or if @value is 0 none of them. */
static __always_inline __u64 guard_if_some(__u64 value)
{
	guard_forget(value);
	return (__u64)((__s64)(value | -value) >> 63);
}

/* 0: the line is not full, and none of its keys is a guest elsewhere. */
static __always_inline __u64 guard_last_slot(const __u64 *line, __u32 is_long)
{
	return line[is_long ? GUARD_LINE_WORDS / 2 - 1 : GUARD_LINE_WORDS - 1];
}

#endif
