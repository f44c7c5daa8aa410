// SPDX-License-Identifier: Apache-2.0
/*
 * Flows by their key, in buckets of a cache line: a flow is in the first bucket of its hash or, for
 * want of room or because its tag is taken there, in the second. Two choices keep so small buckets
 * from filling up before the table does. The packet programs read while this writes.
 */
#include "fastpath/flow_table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FULLNESS 4 /* flows in a bucket of ten on average */

uint32_t flow_table_size(uint32_t nflows)
{
	uint32_t size = 2;

	while (size < UINT32_MAX / 2 && size * (uint64_t)FULLNESS < nflows)
		size *= 2;
	return size;
}

/* Where a key may be. */
struct choice {
	uint32_t bucket[2];
	uint16_t tag;
};

static struct choice choose(const struct flow_key *key, uint32_t nbuckets)
{
	uint64_t hash = flow_hash(key);
	struct choice choice = {.tag = flow_tag(hash)};

	choice.bucket[0] = flow_first_bucket(hash, nbuckets - 1);
	choice.bucket[1] = flow_other_bucket(choice.bucket[0], choice.tag, nbuckets - 1);
	return choice;
}

/* Return: the index of the flow with the tag; FLOW_BUCKET_PLACES: none. */
static uint32_t index_of_tag(const struct flow_bucket *bucket, uint16_t tag)
{
	uint32_t i = 0;

	while (i < FLOW_BUCKET_PLACES && (!bucket->place[i] || bucket->tag[i] != tag))
		i++;
	return i;
}

static const struct flow_key *key_at(const struct flow_pair *pairs, uint32_t place)
{
	return &pairs[(place - 1) / 2].in[(place - 1) % 2].key;
}

uint32_t flow_table_find(const struct flow_bucket *buckets, uint32_t nbuckets,
			 const struct flow_pair *pairs, const struct flow_key *key)
{
	struct choice choice = choose(key, nbuckets);

	for (int i = 0; i < 2; i++) {
		const struct flow_bucket *bucket = &buckets[choice.bucket[i]];
		uint32_t at = index_of_tag(bucket, choice.tag);

		if (at < FLOW_BUCKET_PLACES &&
		    memcmp(key_at(pairs, bucket->place[at]), key, sizeof(*key)) == 0)
			return bucket->place[at];
	}
	return 0;
}

/* A place whose tag was left behind by a flow that is gone must not become a second one with that
 * tag: the programs take the last. */
static uint32_t index_of_room(const struct flow_bucket *bucket, uint16_t tag)
{
	uint32_t room = FLOW_BUCKET_PLACES;

	for (uint32_t i = 0; i < FLOW_BUCKET_PLACES; i++) {
		if (bucket->tag[i] == tag)
			return bucket->place[i] ? FLOW_BUCKET_PLACES : i;
		if (!bucket->place[i])
			room = i;
	}
	return room;
}

static bool enter(struct flow_bucket *bucket, uint16_t tag, uint32_t place)
{
	uint32_t at = index_of_room(bucket, tag);

	if (at == FLOW_BUCKET_PLACES)
		return false;
	__atomic_store_n(&bucket->place[at], place, __ATOMIC_RELEASE);
	__atomic_store_n(&bucket->tag[at], tag, __ATOMIC_RELEASE);
	return true;
}

int flow_table_put(struct flow_bucket *buckets, uint32_t nbuckets, const struct flow_pair *pairs,
		   uint32_t pair, enum flow_direction direction)
{
	const struct flow_key *key = &pairs[pair].in[direction].key;
	struct choice choice = choose(key, nbuckets);
	uint32_t place = flow_place(pair, direction);

	if (flow_table_find(buckets, nbuckets, pairs, key))
		return -EEXIST;
	if (enter(&buckets[choice.bucket[0]], choice.tag, place))
		return 0;
	if (!enter(&buckets[choice.bucket[1]], choice.tag, place))
		return -ENOSPC;
	__atomic_add_fetch(&buckets[choice.bucket[0]].overflowed, 1, __ATOMIC_RELEASE);
	return 0;
}

static bool take_out(struct flow_bucket *bucket, uint32_t place)
{
	for (uint32_t i = 0; i < FLOW_BUCKET_PLACES; i++) {
		if (bucket->place[i] != place)
			continue;
		__atomic_store_n(&bucket->place[i], 0, __ATOMIC_RELEASE);
		return true;
	}
	return false;
}

void flow_table_remove(struct flow_bucket *buckets, uint32_t nbuckets,
		       const struct flow_pair *pairs, uint32_t pair, enum flow_direction direction)
{
	struct choice choice = choose(&pairs[pair].in[direction].key, nbuckets);
	uint32_t place = flow_place(pair, direction);

	if (take_out(&buckets[choice.bucket[0]], place))
		return;
	if (take_out(&buckets[choice.bucket[1]], place))
		__atomic_sub_fetch(&buckets[choice.bucket[0]].overflowed, 1, __ATOMIC_RELEASE);
}

static void sweep_bucket(struct flow_bucket *bucket, uint32_t npairs, const bool *is_alive)
{
	for (uint32_t i = 0; i < FLOW_BUCKET_PLACES; i++) {
		uint32_t pair = (bucket->place[i] - 1) / 2;

		if (bucket->place[i] && (pair >= npairs || !is_alive[pair]))
			__atomic_store_n(&bucket->place[i], 0, __ATOMIC_RELEASE);
	}
}

/* Of every bucket: how many of its flows are in their second one. */
static void count_overflowed(const struct flow_bucket *buckets, uint32_t nbuckets,
			     const struct flow_pair *pairs, uint16_t *counts)
{
	for (uint32_t b = 0; b < nbuckets; b++)
		for (uint32_t i = 0; i < FLOW_BUCKET_PLACES; i++) {
			uint32_t place = buckets[b].place[i], first;

			if (!place)
				continue;
			first = choose(key_at(pairs, place), nbuckets).bucket[0];
			if (first != b)
				counts[first]++;
		}
}

/* Counts that are too high cost a second look alone: so they stay where there is no memory. */
void flow_table_sweep(struct flow_bucket *buckets, uint32_t nbuckets, const struct flow_pair *pairs,
		      uint32_t npairs, const bool *is_alive)
{
	uint16_t *counts = calloc(nbuckets, sizeof(*counts));

	for (uint32_t b = 0; b < nbuckets; b++)
		sweep_bucket(&buckets[b], npairs, is_alive);
	if (!counts)
		return;
	count_overflowed(buckets, nbuckets, pairs, counts);
	for (uint32_t b = 0; b < nbuckets; b++)
		__atomic_store_n(&buckets[b].overflowed, counts[b], __ATOMIC_RELEASE);
	free(counts);
}
