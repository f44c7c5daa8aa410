// SPDX-License-Identifier: Apache-2.0
/* Remembers what databases say of addresses: a table with one place for each hash. */
#include "geo/cache.h"
#include "core/hash.h"
#include "geo/geo_internal.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES 2048

struct entry {
	struct prefix address; /* family 0: none */
	struct geo_facts facts;
};

struct geo_cache {
	uint64_t geo; /* whose facts they are */
	struct entry entries[ENTRIES];
};

struct geo_cache *geo_cache_new(void)
{
	return calloc(1, sizeof(struct geo_cache));
}

void geo_cache_free(struct geo_cache *cache)
{
	free(cache);
}

static struct entry *entry_of(struct geo_cache *cache, const struct prefix *address)
{
	uint64_t hash = hash_bytes(slice_of(address->ip, sizeof(address->ip)), address->family);

	return &cache->entries[hash % ENTRIES];
}

static bool is_of(const struct entry *entry, const struct prefix *address)
{
	return entry->address.family == address->family &&
	       memcmp(entry->address.ip, address->ip, sizeof(address->ip)) == 0;
}

void geo_cache_look(struct geo_cache *cache, const struct geo *geo, const struct address *address,
		    struct geo_facts *ret)
{
	struct address plain = *address;
	struct prefix key;
	struct entry *entry;

	*ret = (struct geo_facts){};
	address_unmap(&plain);
	if (!geo || !prefix_of(&plain, plain.sa.sa_family == AF_INET6 ? 128 : 32, &key))
		return;
	if (cache->geo != geo->id)
		memset(cache, 0, sizeof(*cache));
	cache->geo = geo->id;
	entry = entry_of(cache, &key);
	if (!is_of(entry, &key)) {
		geo_look(geo, &plain, &entry->facts);
		entry->address = key;
	}
	*ret = entry->facts;
}
