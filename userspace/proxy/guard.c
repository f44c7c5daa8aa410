// SPDX-License-Identifier: Apache-2.0
/*
 * The guard: what the configuration, people and the HTTP side want refused, brought to where it is
 * kept. What a configuration asks is in guard_config.c, what people order in guard_hand.c; all
 * lists become tables in guard_tables.c. What is banned, and what connections are judged by without
 * packet programs, is in guard_ban.c.
 */
#include "core/clock.h"
#include "core/log.h"
#include "core/rng.h"
#include "fastpath/guard_maps.h"
#include "proxy/guard_internal.h"
#include "proxy/guard_services.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEND_MS  1000
#define US_PER_S 1000000ULL
#define NS_PER_S 1000000000ULL

static const char *const mode_names[] = {
	[GUARD_OFF] = "off",
	[GUARD_MONITOR] = "monitor",
	[GUARD_ENFORCE] = "enforce",
};

const char *guard_mode_name(enum guard_mode mode)
{
	return mode_names[mode];
}

int guard_mode_parse(const char *name, enum guard_mode *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(mode_names); i++) {
		if (strcmp(mode_names[i], name) != 0)
			continue;
		*ret = (enum guard_mode)i;
		return 0;
	}
	return -EINVAL;
}

const char *guard_reason_name(enum guard_reason reason)
{
	static const char *const names[] = {
#define X(name, text) [GUARD_REASON_##name] = text,
		GUARD_REASONS(X)
#undef X
	};

	return names[reason];
}

uint64_t guard_wall_s(void)
{
	return clock_wall_us() / US_PER_S;
}

/* --- To where it is kept ---------------------------------------------------------------------- */

int guard_publish_settings(struct guard *guard)
{
	guard->settings.mode = (uint32_t)atomic_load(&guard->mode);
	if (guard_bans_count(guard->bans))
		guard->settings.flags |= GUARD_HAS_BANS;
	else
		guard->settings.flags &= ~GUARD_HAS_BANS;
	return guard->maps ? guard_maps_set(guard->maps, &guard->settings) : 0;
}

/* --- What expires ------------------------------------------------------------------------------*/

static void on_ban_over(const struct guard_ban_entry *ban, void *context)
{
	const struct guard *guard = context;

	if (guard->maps)
		guard_maps_unban(guard->maps, ban->key);
}

static void forget_expired_live(struct guard *guard, uint64_t now_s)
{
	size_t kept = 0;

	for (size_t i = 0; i < guard->nlive; i++)
		if (!guard->live[i].entry.expires_s || guard->live[i].entry.expires_s > now_s)
			guard->live[kept++] = guard->live[i];
	guard->nlive = kept;
}

static void on_tend(struct io_timer *timer)
{
	struct guard *guard = container_of(timer, struct guard, tend);
	uint64_t expiry_s = guard->table ? guard_table_next_expiry(guard->table) : 0;
	uint64_t now_s = guard_wall_s();
	size_t before;
	int err = 0;

	pthread_rwlock_wrlock(&guard->lock);
	before = guard_bans_count(guard->bans);
	guard_bans_expire(guard->bans, clock_monotonic_ns(), on_ban_over, guard);
	if (before && !guard_bans_count(guard->bans))
		err = guard_publish_settings(guard);
	pthread_rwlock_unlock(&guard->lock);
	if (!err && expiry_s && expiry_s <= now_s) {
		forget_expired_live(guard, now_s);
		err = guard_renew_table(guard);
	}
	if (err)
		log_error("guard: what has expired cannot be taken back: %s", strerror(-err));
	io_timer_start(guard->loop, &guard->tend, TEND_MS);
}

void guard_begin_to_tend(struct guard *guard)
{
	if (!io_timer_is_pending(&guard->tend))
		io_timer_start(guard->loop, &guard->tend, TEND_MS);
}

/* --- Start and end ---------------------------------------------------------------------------- */

int guard_new(struct io_loop *loop, struct guard **ret)
{
	struct guard *guard = calloc(1, sizeof(*guard));
	struct rng rng;

	if (!guard)
		return -ENOMEM;
	guard->loop = loop;
	guard->tend.on_expire = on_tend;
	pthread_rwlock_init(&guard->lock, NULL);
	rng_seed_random(&rng);
	guard->settings.seed = rng_next(&rng);
	guard->bans = guard_bans_new();
	if (!guard->bans) {
		guard_free(guard);
		return -ENOMEM;
	}
	*ret = guard;
	return 0;
}

void guard_free(struct guard *guard)
{
	if (!guard)
		return;
	if (io_timer_is_pending(&guard->tend))
		io_timer_stop(guard->loop, &guard->tend);
	guard_list_done(&guard->files);
	guard_list_done(&guard->places);
	free(guard->places_problem);
	free(guard->live);
	guard_table_free(guard->table);
	if (guard->has_lists)
		guard_map_lists_done(&guard->lists);
	guard_services_free(guard->services);
	guard_bans_free(guard->bans);
	guard_limiter_free(guard->limiter);
	pthread_rwlock_destroy(&guard->lock);
	free(guard);
}

/* --- Packet programs -------------------------------------------------------------------------- */

static void take_ban(const struct guard_ban_entry *ban, void *context)
{
	const struct guard *guard = context;
	int err = guard_maps_ban(guard->maps, ban->key, ban->until_ns);

	if (err)
		log_error("guard: a ban does not hold for packets: %s", strerror(-err));
}

void guard_use_packets(struct guard *guard, const struct guard_maps *maps)
{
	pthread_rwlock_wrlock(&guard->lock);
	guard->maps = maps;
	guard->settings.bucket_mask = guard_maps_buckets(maps) - 1;
	guard->no_packets[0] = '\0';
	guard_bans_for_each(guard->bans, take_ban, guard);
	guard_limiter_free(guard->limiter);
	guard->limiter = NULL;
	pthread_rwlock_unlock(&guard->lock);
}

void guard_note_no_packets(struct guard *guard, const char *why)
{
	snprintf(guard->no_packets, sizeof(guard->no_packets), "%s", why);
}

/* --- Places, and what is shown ------------------------------------------------------------------
 */

int guard_set_places(struct guard *guard, struct guard_list *places)
{
	struct guard_list before = guard->places;
	int err;

	guard->places = *places;
	err = guard_renew_table(guard);
	if (err) {
		guard->places = before;
		return err;
	}
	guard_list_done(&before);
	*places = (struct guard_list){};
	guard_note_places(guard, "");
	return 0;
}

void guard_note_places(struct guard *guard, const char *problem)
{
	size_t len = strcspn(problem, "\n");

	free(guard->places_problem);
	guard->places_problem = len ? strndup(problem, len) : NULL;
}

void guard_for_each_live(const struct guard *guard,
			 void (*visit)(const struct guard_live *live, void *context), void *context)
{
	for (size_t i = 0; i < guard->nlive; i++)
		visit(&guard->live[i], context);
}

void guard_for_each_ban(struct guard *guard,
			void (*visit)(const struct guard_ban_entry *ban, void *context),
			void *context)
{
	pthread_rwlock_rdlock(&guard->lock);
	guard_bans_for_each(guard->bans, visit, context);
	pthread_rwlock_unlock(&guard->lock);
}

void guard_describe(struct guard *guard, struct guard_facts *ret)
{
	*ret = (struct guard_facts){
		.mode = (enum guard_mode)atomic_load(&guard->mode),
		.is_in_kernel = guard->maps,
		.why_not = guard->no_packets,
		.listed = guard->files.count,
		.live = guard->nlive,
		.places = guard->places.count,
		.places_problem = guard->places_problem ? guard->places_problem : "",
		.has_cookies = guard->maps && guard_kernel_syncookies() == 2,
	};
	pthread_rwlock_rdlock(&guard->lock);
	ret->bans = guard_bans_count(guard->bans);
	pthread_rwlock_unlock(&guard->lock);
	if (guard->maps)
		guard_maps_counts(guard->maps, ret->counts);
	for (size_t i = 0; i < GUARD_COUNTS; i++) {
		ret->counts[i].packets += atomic_load(&guard->counts[i]);
		ret->seen.packets += ret->counts[i].packets;
		ret->seen.bytes += ret->counts[i].bytes;
	}
}

size_t guard_talkers(const struct guard *guard, struct guard_talker *ret, size_t cap)
{
	return guard->maps ? guard_maps_talkers(guard->maps, ret, cap) : 0;
}

int guard_capture(struct guard *guard, uint32_t seconds, uint32_t per_second)
{
	uint64_t until_ns = clock_monotonic_ns() + seconds * NS_PER_S;
	int err;

	if (guard_current_mode(guard) == GUARD_OFF)
		return -EOPNOTSUPP;
	if (!guard->maps)
		return -ENODEV;
	pthread_rwlock_wrlock(&guard->lock);
	if (guard->settings.capture_until_ns < until_ns) /* or somebody else's lasts longer */
		guard->settings.capture_until_ns = until_ns;
	guard->settings.capture_cost = (uint32_t)(NS_PER_S / per_second);
	err = guard_publish_settings(guard);
	pthread_rwlock_unlock(&guard->lock);
	return err;
}

size_t guard_read_captured(const struct guard *guard,
			   void (*on_packet)(const struct guard_capture *packet, void *context),
			   void *context)
{
	return guard->maps ? guard_maps_read_captured(guard->maps, on_packet, context) : 0;
}
