// SPDX-License-Identifier: Apache-2.0
/* Bans with a time to live: a hash table with chains, of bounded size. */
#include "guard/bans.h"
#include "core/hash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096

struct guard_bans {
	struct guard_ban_entry *buckets[BUCKETS];
	size_t count;
};

struct guard_bans *guard_bans_new(void)
{
	return calloc(1, sizeof(struct guard_bans));
}

void guard_bans_free(struct guard_bans *bans)
{
	guard_bans_expire(bans, UINT64_MAX, NULL, NULL);
	free(bans);
}

static struct guard_ban_entry **bucket_of(const struct guard_bans *bans, const uint8_t key[16])
{
	uint64_t hash = hash_bytes(slice_of(key, 16), 0);

	return (struct guard_ban_entry **)&bans->buckets[hash % BUCKETS];
}

static struct guard_ban_entry **find(const struct guard_bans *bans, const uint8_t key[16])
{
	struct guard_ban_entry **at = bucket_of(bans, key);

	while (*at && memcmp((*at)->key, key, 16) != 0)
		at = &(*at)->next;
	return at;
}

int guard_bans_put(struct guard_bans *bans, const uint8_t key[16], uint64_t until_ns,
		   const char *reason)
{
	struct guard_ban_entry *ban = *find(bans, key), **bucket = bucket_of(bans, key);

	if (ban && ban->until_ns >= until_ns)
		return -EEXIST;
	if (!ban && bans->count >= GUARD_BANS_MAX)
		return -ENOSPC;
	if (!ban) {
		ban = calloc(1, sizeof(*ban));
		if (!ban)
			return -ENOMEM;
		memcpy(ban->key, key, 16);
		ban->next = *bucket;
		*bucket = ban;
		bans->count++;
	}
	ban->until_ns = until_ns;
	snprintf(ban->reason, sizeof(ban->reason), "%s", reason);
	return 0;
}

static void take_out(struct guard_bans *bans, struct guard_ban_entry **at)
{
	struct guard_ban_entry *ban = *at;

	*at = ban->next;
	free(ban);
	bans->count--;
}

bool guard_bans_remove(struct guard_bans *bans, const uint8_t key[16])
{
	struct guard_ban_entry **at = find(bans, key);

	if (!*at)
		return false;
	take_out(bans, at);
	return true;
}

bool guard_bans_has(const struct guard_bans *bans, const uint8_t key[16], uint64_t now_ns)
{
	const struct guard_ban_entry *ban = bans->count ? *find(bans, key) : NULL;

	return ban && ban->until_ns > now_ns;
}

size_t guard_bans_count(const struct guard_bans *bans)
{
	return bans->count;
}

void guard_bans_expire(struct guard_bans *bans, uint64_t now_ns,
		       void (*on_over)(const struct guard_ban_entry *ban, void *context),
		       void *context)
{
	for (size_t i = 0; bans && bans->count && i < BUCKETS; i++) {
		struct guard_ban_entry **at = &bans->buckets[i];

		while (*at) {
			if ((*at)->until_ns > now_ns) {
				at = &(*at)->next;
				continue;
			}
			if (on_over)
				on_over(*at, context);
			take_out(bans, at);
		}
	}
}

void guard_bans_for_each(const struct guard_bans *bans,
			 void (*visit)(const struct guard_ban_entry *ban, void *context),
			 void *context)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct guard_ban_entry *ban = bans->buckets[i]; ban; ban = ban->next)
			visit(ban, context);
}
