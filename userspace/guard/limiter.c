// SPDX-License-Identifier: Apache-2.0
/* Rates of sources in userspace: what the packet programs do, for connections. */
#include "guard/limiter.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_SECOND 1000000000ULL
#define NS_PER_MS     1000000ULL
#define BURST_MAX     ((1u << 30) - 1)

struct guard_limiter {
	pthread_mutex_t lock;
	uint64_t seed;
	uint32_t mask;
	struct guard_bucket *buckets;
};

static uint32_t ticks(uint64_t ns)
{
	ns >>= GUARD_TICK_BITS;
	return ns > BURST_MAX ? BURST_MAX : (uint32_t)ns;
}

/* One packet must always fit into a burst. */
struct guard_rate guard_rate_of(uint32_t per_second, uint32_t burst_ms)
{
	struct guard_rate rate = {};

	if (!per_second)
		return rate;
	rate.cost = ticks(NS_PER_SECOND / per_second);
	if (rate.cost == 0)
		rate.cost = 1;
	rate.burst = ticks(burst_ms * NS_PER_MS);
	if (rate.burst < rate.cost)
		rate.burst = rate.cost;
	return rate;
}

struct guard_limiter *guard_limiter_new(uint32_t sources, uint64_t seed)
{
	struct guard_limiter *limiter = calloc(1, sizeof(*limiter));
	uint32_t nbuckets = 1;

	if (!limiter)
		return NULL;
	while (nbuckets * GUARD_BUCKET_PLACES < sources)
		nbuckets *= 2;
	limiter->buckets = calloc(nbuckets, sizeof(*limiter->buckets));
	if (!limiter->buckets) {
		free(limiter);
		return NULL;
	}
	pthread_mutex_init(&limiter->lock, NULL);
	limiter->seed = seed;
	limiter->mask = nbuckets - 1;
	return limiter;
}

void guard_limiter_free(struct guard_limiter *limiter)
{
	if (!limiter)
		return;
	pthread_mutex_destroy(&limiter->lock);
	free(limiter->buckets);
	free(limiter);
}

int guard_limiter_take(struct guard_limiter *limiter, const uint8_t key[16],
		       const struct guard_rate *rate, uint64_t now_ns)
{
	uint32_t now = (uint32_t)(now_ns >> GUARD_TICK_BITS), place;
	struct guard_bucket *bucket;
	__u64 half[2], hash;
	int keeps;

	memcpy(half, key, sizeof(half));
	hash = guard_hash(half, limiter->seed);
	bucket = &limiter->buckets[(uint32_t)hash & limiter->mask];
	pthread_mutex_lock(&limiter->lock);
	place = guard_bucket_place(bucket, (uint32_t)(hash >> 32) | 1, now);
	keeps = guard_rate_take(rate, &bucket->full[GUARD_SYNS][place], now, 1);
	bucket->full[GUARD_PACKETS][place] = now;
	pthread_mutex_unlock(&limiter->lock);
	return keeps;
}
