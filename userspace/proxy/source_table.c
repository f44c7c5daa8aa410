// SPDX-License-Identifier: Apache-2.0
/* Connections by client network: a hash table in shards, each with its lock. */
#include "proxy/source_table.h"
#include "core/hash.h"
#include "core/rng.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS          64
#define BUCKETS_A_SHARD 1024

struct source_key {
	const void *scope;
	struct prefix network;
};

struct source_entry {
	struct source_entry *next;
	struct source_key key;
	uint32_t count;
	uint32_t shard, bucket;
};

struct shard {
	pthread_mutex_t lock;
	struct source_entry *buckets[BUCKETS_A_SHARD];
} CACHE_ALIGNED;

struct source_table {
	uint64_t seed; /* so that nobody can choose addresses that collide */
	struct shard shards[SHARDS];
};

struct source_table *source_table_new(void)
{
	struct source_table *table = NULL;
	struct rng rng;

	if (posix_memalign((void **)&table, _Alignof(struct shard), sizeof(*table)) != 0)
		return NULL;
	memset(table, 0, sizeof(*table));
	rng_seed_random(&rng);
	table->seed = rng_next(&rng);
	for (size_t i = 0; i < SHARDS; i++)
		pthread_mutex_init(&table->shards[i].lock, NULL);
	return table;
}

void source_table_free(struct source_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < SHARDS; i++)
		pthread_mutex_destroy(&table->shards[i].lock);
	free(table);
}

static bool key_equal(const struct source_key *a, const struct source_key *b)
{
	return a->scope == b->scope && a->network.family == b->network.family &&
	       a->network.bits == b->network.bits &&
	       memcmp(a->network.ip, b->network.ip, sizeof(a->network.ip)) == 0;
}

static struct source_entry *find(struct source_entry *entry, const struct source_key *key)
{
	while (entry && !key_equal(&entry->key, key))
		entry = entry->next;
	return entry;
}

static struct source_entry *add(struct shard *shard, uint32_t bucket, const struct source_key *key)
{
	struct source_entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	memcpy(&entry->key, key, sizeof(*key));
	entry->bucket = bucket;
	entry->next = shard->buckets[bucket];
	shard->buckets[bucket] = entry;
	return entry;
}

int source_table_take(struct source_table *table, const void *scope, const struct prefix *network,
		      uint32_t limit, struct source_entry **ret)
{
	struct source_key key;
	struct source_entry *entry;
	struct shard *shard;
	uint64_t hash;
	int err = 0;

	memset(&key, 0, sizeof(key)); /* padding is hashed, too */
	key.scope = scope;
	key.network.family = network->family;
	key.network.bits = network->bits;
	memcpy(key.network.ip, network->ip, sizeof(network->ip));
	hash = hash_bytes(slice_of(&key, sizeof(key)), table->seed);
	shard = &table->shards[hash % SHARDS];

	pthread_mutex_lock(&shard->lock);
	entry = find(shard->buckets[hash / SHARDS % BUCKETS_A_SHARD], &key);
	if (entry && entry->count >= limit) {
		err = -EUSERS;
		goto unlock;
	}
	if (!entry)
		entry = add(shard, (uint32_t)(hash / SHARDS % BUCKETS_A_SHARD), &key);
	if (!entry) {
		err = -ENOMEM;
		goto unlock;
	}
	entry->shard = (uint32_t)(hash % SHARDS);
	entry->count++;
	*ret = entry;
unlock:
	pthread_mutex_unlock(&shard->lock);
	return err;
}

void source_table_give(struct source_table *table, struct source_entry *entry)
{
	struct source_entry **link;
	struct shard *shard;

	if (!entry)
		return;
	shard = &table->shards[entry->shard];
	pthread_mutex_lock(&shard->lock);
	if (--entry->count == 0) {
		link = &shard->buckets[entry->bucket];
		while (*link != entry)
			link = &(*link)->next;
		*link = entry->next;
		free(entry);
	}
	pthread_mutex_unlock(&shard->lock);
}
