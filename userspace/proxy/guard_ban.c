// SPDX-License-Identifier: Apache-2.0
/* Bans, from whatever thread; and the judgement of connections where no packet program keeps the
 * guard. */
#include "core/clock.h"
#include "fastpath/guard_maps.h"
#include "proxy/guard_internal.h"

#include <errno.h>
#include <string.h>

#define NS_PER_MS 1000000ULL

/* --- Bans ------------------------------------------------------------------------------------- */

/* Return: 0; -EAFNOSUPPORT. */
static int key_of(const struct address *address, uint8_t ret[16])
{
	struct address plain = *address;
	uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff};

	address_unmap(&plain);
	if (plain.sa.sa_family == AF_INET)
		memcpy(mapped + 12, &plain.v4.sin_addr, 4);
	else if (plain.sa.sa_family == AF_INET6)
		memcpy(mapped, &plain.v6.sin6_addr, 16);
	else
		return -EAFNOSUPPORT;
	guard_source_key(mapped, ret);
	return 0;
}

int guard_ban(struct guard *guard, const struct address *address, uint64_t ttl_ms,
	      const char *reason)
{
	uint64_t until_ns = clock_monotonic_ns() + ttl_ms * NS_PER_MS;
	uint8_t key[16];
	int err;

	if (!guard || atomic_load(&guard->mode) == GUARD_OFF)
		return -EOPNOTSUPP;
	err = key_of(address, key);
	if (err)
		return err;
	pthread_rwlock_wrlock(&guard->lock);
	err = guard_bans_put(guard->bans, key, until_ns, reason);
	if (!err && guard->maps)
		err = guard_maps_ban(guard->maps, key, until_ns);
	if (!err && !(guard->settings.flags & GUARD_HAS_BANS))
		err = guard_publish_settings(guard);
	pthread_rwlock_unlock(&guard->lock);
	return err;
}

/* --- Connections, where no packet program keeps the guard --------------------------------------*/

/* The lock is held for reading. Return: GUARD_REASON_COUNT: nothing is wrong. */
static enum guard_reason judge(struct guard *guard, const struct address *address,
			       bool *ret_is_allowed)
{
	enum guard_why why = guard_table_look(guard->table, address);
	const struct guard_rate *rate = &guard->settings.source[GUARD_SYNS];
	uint64_t now_ns = clock_monotonic_ns();
	uint8_t key[16];

	if (key_of(address, key))
		return GUARD_REASON_COUNT;
	*ret_is_allowed = why == GUARD_WHY_ALLOW;
	if (*ret_is_allowed)
		return GUARD_REASON_COUNT;
	if (why)
		return why == GUARD_WHY_BLOCK ? GUARD_REASON_BLOCKED : GUARD_REASON_GEO;
	if (guard_bans_has(guard->bans, key, now_ns))
		return GUARD_REASON_BANNED;
	if (rate->cost && guard->limiter && !guard_limiter_take(guard->limiter, key, rate, now_ns))
		return GUARD_REASON_SOURCE_SYNS;
	return GUARD_REASON_COUNT;
}

bool guard_looks_at_connections(const struct guard *guard)
{
	return guard && !guard->maps && atomic_load(&guard->mode) != GUARD_OFF;
}

bool guard_admits(struct guard *guard, const struct address *address)
{
	enum guard_reason reason = GUARD_REASON_COUNT;
	enum guard_count_index fate;
	bool is_allowed = false;
	int mode;

	if (!guard_looks_at_connections(guard))
		return true;
	mode = atomic_load(&guard->mode);
	pthread_rwlock_rdlock(&guard->lock);
	if (guard->table)
		reason = judge(guard, address, &is_allowed);
	pthread_rwlock_unlock(&guard->lock);
	if (reason == GUARD_REASON_COUNT)
		fate = is_allowed ? GUARD_COUNT_ALLOWED : GUARD_COUNT_PASSED;
	else
		fate = (mode == GUARD_ENFORCE ? GUARD_COUNT_DROPPED : GUARD_COUNT_WOULD_DROP) +
		       reason;
	atomic_fetch_add(&guard->counts[fate], 1);
	return reason == GUARD_REASON_COUNT || mode != GUARD_ENFORCE;
}
