// SPDX-License-Identifier: Apache-2.0
/* Token buckets in a table of sets, with a lock for each part of it. */
#include "filter/buckets.h"

#include "core/hash.h"
#include "core/rng.h"

#include <pthread.h>
#include <stdlib.h>

/* A set is a cache line. */
#define SET_SIZE 4
#define LOCKS    64

struct bucket {
	uint64_t key;     /* its hash */
	uint64_t full_ns; /* when it will be full; in the past: free */
};

struct set {
	struct bucket buckets[SET_SIZE];
} CACHE_ALIGNED;

struct buckets {
	uint32_t refs;
	uint64_t seed; /* so that nobody can choose keys that collide */
	uint32_t mask; /* sets, less one */
	struct set *sets;
	pthread_mutex_t locks[LOCKS];
};

struct buckets *buckets_new(uint32_t keys)
{
	struct buckets *buckets = calloc(1, sizeof(*buckets));
	uint32_t sets = 1;
	struct rng rng;

	if (!buckets)
		return NULL;
	while ((uint64_t)sets * SET_SIZE < keys)
		sets *= 2;
	if (posix_memalign((void **)&buckets->sets, _Alignof(struct set),
			   sets * sizeof(struct set)) != 0) {
		free(buckets);
		return NULL;
	}
	memset(buckets->sets, 0, sets * sizeof(struct set));
	buckets->refs = 1;
	buckets->mask = sets - 1;
	rng_seed_random(&rng);
	buckets->seed = rng_next(&rng);
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_init(&buckets->locks[i], NULL);
	return buckets;
}

struct buckets *buckets_ref(struct buckets *buckets)
{
	buckets->refs++;
	return buckets;
}

void buckets_unref(struct buckets *buckets)
{
	if (!buckets || --buckets->refs)
		return;
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_destroy(&buckets->locks[i]);
	free(buckets->sets);
	free(buckets);
}

/* The bucket of @key, or the place for it: the one that is full first, which forgets its own. */
static struct bucket *find(struct set *set, uint64_t key)
{
	struct bucket *oldest = &set->buckets[0];

	for (size_t i = 0; i < SET_SIZE; i++) {
		struct bucket *bucket = &set->buckets[i];

		if (bucket->key == key)
			return bucket;
		if (bucket->full_ns < oldest->full_ns)
			oldest = bucket;
	}
	*oldest = (struct bucket){.key = key};
	return oldest;
}

static struct bucket_state take(struct bucket *bucket, const struct bucket_rate *rate,
				uint64_t now_ns)
{
	uint64_t capacity_ns = rate->interval_ns * rate->burst;
	uint64_t full_ns = bucket->full_ns > now_ns ? bucket->full_ns : now_ns;
	uint64_t owed_ns = full_ns - now_ns + rate->interval_ns;

	if (owed_ns > capacity_ns)
		return (struct bucket_state){.full_ns = full_ns - now_ns,
					     .wait_ns = owed_ns - capacity_ns};
	bucket->full_ns = full_ns + rate->interval_ns;
	return (struct bucket_state){
		.remaining = (uint32_t)((capacity_ns - owed_ns) / rate->interval_ns),
		.full_ns = owed_ns,
	};
}

struct bucket_state buckets_take(struct buckets *buckets, struct slice key,
				 const struct bucket_rate *rate, uint64_t now_ns)
{
	uint64_t hash = hash_bytes(key, buckets->seed);
	uint32_t set = (uint32_t)hash & buckets->mask;
	pthread_mutex_t *lock = &buckets->locks[set % LOCKS];
	struct bucket_state state;

	pthread_mutex_lock(lock);
	state = take(find(&buckets->sets[set], hash), rate, now_ns);
	pthread_mutex_unlock(lock);
	return state;
}
