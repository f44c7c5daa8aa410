// SPDX-License-Identifier: Apache-2.0
/* Open descriptors by name, the least recently used let go first. */
#include "files/cache.h"

#include "core/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct file_cache {
	struct list_node recent; /* the latest first */
	uint32_t count, max;
	size_t mask;
	struct file_entry **buckets;
};

struct file_cache *file_cache_new(uint32_t max)
{
	struct file_cache *cache = calloc(1, sizeof(*cache));
	size_t buckets = 16;

	while (buckets < max)
		buckets *= 2;
	if (!cache)
		return NULL;
	cache->buckets = calloc(buckets, sizeof(struct file_entry *));
	if (!cache->buckets) {
		free(cache);
		return NULL;
	}
	cache->mask = buckets - 1;
	cache->max = max;
	list_init(&cache->recent);
	return cache;
}

struct file_entry *file_entry_ref(struct file_entry *entry)
{
	entry->refs++;
	return entry;
}

void file_entry_unref(struct file_entry *entry)
{
	if (!entry || --entry->refs)
		return;
	if (entry->err == 0 && entry->file.fd >= 0)
		close(entry->file.fd);
	free(entry);
}

static struct file_entry **find(struct file_cache *cache, uint64_t root, const char *name,
				uint64_t hash)
{
	struct file_entry **at = &cache->buckets[hash & cache->mask];

	while (*at &&
	       ((*at)->hash != hash || (*at)->root != root || strcmp((*at)->name, name) != 0))
		at = &(*at)->next;
	return at;
}

static void let_go(struct file_cache *cache, struct file_entry **at)
{
	struct file_entry *entry = *at;

	assert(entry);
	*at = entry->next;
	list_remove(&entry->recent);
	cache->count--;
	file_entry_unref(entry);
}

void file_cache_free(struct file_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i <= cache->mask; i++)
		while (cache->buckets[i])
			let_go(cache, &cache->buckets[i]);
	free(cache->buckets);
	free(cache);
}

static uint64_t hash_of(uint64_t root, const char *name)
{
	return hash_bytes(slice_from_str(name), root);
}

struct file_entry *file_cache_find(struct file_cache *cache, const struct file_root *root,
				   const char *name, uint64_t now_ms)
{
	uint64_t id = file_root_id(root);
	struct file_entry **at = find(cache, id, name, hash_of(id, name)), *entry = *at;

	if (!entry)
		return NULL;
	if (entry->valid_until_ms <= now_ms) {
		let_go(cache, at);
		return NULL;
	}
	list_remove(&entry->recent);
	list_push_front(&cache->recent, &entry->recent);
	return file_entry_ref(entry);
}

static struct file_entry *oldest_of(struct file_cache *cache)
{
	return list_entry(cache->recent.prev, struct file_entry, recent);
}

static void let_go_oldest(struct file_cache *cache)
{
	const struct file_entry *oldest = oldest_of(cache);

	let_go(cache, find(cache, oldest->root, oldest->name, oldest->hash));
}

static void make_room(struct file_cache *cache)
{
	while (cache->count >= cache->max && cache->count)
		let_go_oldest(cache);
}

/* One that is valid still may stand behind others that are not: their time comes. */
void file_cache_tend(struct file_cache *cache, uint64_t now_ms)
{
	while (cache->count && oldest_of(cache)->valid_until_ms <= now_ms)
		let_go_oldest(cache);
}

struct file_entry *file_cache_add(struct file_cache *cache, const struct file_root *root,
				  const char *name, int err, const struct file *file,
				  uint64_t valid_until_ms)
{
	uint64_t id = file_root_id(root), hash = hash_of(id, name);
	size_t size = strlen(name) + 1;
	struct file_entry *entry = calloc(1, sizeof(*entry) + size);
	struct file_entry **at;

	if (!entry) {
		if (!err && file->fd >= 0)
			close(file->fd);
		return NULL;
	}
	at = find(cache, id, name, hash);
	if (*at)
		let_go(cache, at);
	make_room(cache);
	entry->hash = hash;
	entry->root = id;
	entry->valid_until_ms = valid_until_ms;
	entry->err = err;
	if (!err)
		entry->file = *file;
	memcpy(entry->name, name, size);
	entry->refs = 2;
	at = find(cache, id, name, hash);
	*at = entry;
	list_push_front(&cache->recent, &entry->recent);
	cache->count++;
	return entry;
}
