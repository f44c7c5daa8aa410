/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FILTER_BUCKETS_H
#define SLUICE_FILTER_BUCKETS_H

#include "core/compiler.h"
#include "core/slice.h"

#include <stdint.h>

/*
 * Token buckets by key, shared by all workers, in a table that never grows. A bucket is the moment
 * at which it will be full again, which needs no tending; one that is full is as good as none, and
 * its place is free. Where a key finds all places of its set taken, the bucket that is nearest to
 * being full goes. Keys are hashed with a secret seed.
 * Source: the virtual scheduling algorithm of ITU-T I.371 (GCRA).
 */
struct buckets;

struct bucket_rate {
	uint64_t interval_ns; /* one token comes in so long; at least 1 */
	uint32_t burst;       /* tokens that a bucket holds; at least 1 */
};

struct bucket_state {
	uint32_t remaining; /* whole tokens left */
	uint64_t full_ns;   /* until it is full */
	uint64_t wait_ns;   /* until there is a token; 0: there was one, and it was taken */
};

/* @keys: how many at least. Return: one reference; NULL: out of memory. Thread: control, as for all
 * references. */
struct buckets *buckets_new(uint32_t keys) WARN_UNUSED;
struct buckets *buckets_ref(struct buckets *buckets);
void buckets_unref(struct buckets *buckets); /* NULL is allowed */

/* Takes a token of @key at @now_ns. Thread: any. */
struct bucket_state buckets_take(struct buckets *buckets, struct slice key,
				 const struct bucket_rate *rate, uint64_t now_ns);

#endif
