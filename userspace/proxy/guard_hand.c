// SPDX-License-Identifier: Apache-2.0
/* What people order while the daemon runs: networks listed for a while, bans taken back. */
#include "fastpath/guard_maps.h"
#include "proxy/guard_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_same(const struct prefix *a, const struct prefix *b)
{
	return a->family == b->family && a->bits == b->bits && memcmp(a->ip, b->ip, 16) == 0;
}

static struct guard_live *find_live(const struct guard *guard, const struct prefix *prefix)
{
	for (size_t i = 0; i < guard->nlive; i++)
		if (is_same(&guard->live[i].entry.prefix, prefix))
			return &guard->live[i];
	return NULL;
}

/* Return: where the next one goes; NULL: out of memory. */
static struct guard_live *make_room(struct guard *guard)
{
	struct guard_live *all = realloc(guard->live, (guard->nlive + 1) * sizeof(*guard->live));

	if (!all)
		return NULL;
	guard->live = all;
	return &all[guard->nlive];
}

int guard_list_live(struct guard *guard, const struct prefix *prefix, enum guard_why why,
		    uint64_t ttl_s, const char *reason)
{
	struct guard_live *live = find_live(guard, prefix), before = {};
	bool is_new = !live;
	int err;

	if (is_new && guard->nlive == GUARD_LIVE_MAX)
		return -ENOSPC;
	if (is_new)
		live = make_room(guard);
	else
		before = *live;
	if (!live)
		return -ENOMEM;
	*live = (struct guard_live){.entry = {
					    .prefix = *prefix,
					    .why = (uint8_t)why,
					    .expires_s = ttl_s ? guard_wall_s() + ttl_s : 0,
				    }};
	snprintf(live->reason, sizeof(live->reason), "%s", reason);
	guard->nlive += is_new;
	err = guard_renew_table(guard);
	if (err) {
		*live = before;
		guard->nlive -= is_new;
	}
	return err;
}

static bool unban(struct guard *guard, const struct prefix *prefix)
{
	uint8_t key[16] = {[10] = 0xff, [11] = 0xff};
	bool was_banned;

	if (prefix->family == AF_INET && prefix->bits == 32)
		memcpy(key + 12, prefix->ip, 4);
	else if (prefix->family == AF_INET6 && prefix->bits >= 64)
		guard_source_key(prefix->ip, key);
	else
		return false;
	pthread_rwlock_wrlock(&guard->lock);
	was_banned = guard_bans_remove(guard->bans, key);
	if (was_banned && guard->maps)
		guard_maps_unban(guard->maps, key);
	pthread_rwlock_unlock(&guard->lock);
	return was_banned;
}

int guard_unlist(struct guard *guard, const struct prefix *prefix)
{
	struct guard_live *live = find_live(guard, prefix), before;
	bool was_banned = unban(guard, prefix);
	int err;

	if (!live)
		return was_banned ? 0 : -ENOENT;
	before = *live;
	*live = guard->live[--guard->nlive];
	err = guard_renew_table(guard);
	if (err) {
		guard->live[guard->nlive++] = *live;
		*live = before;
	}
	return err;
}
