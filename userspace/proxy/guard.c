// SPDX-License-Identifier: Apache-2.0
/*
 * The guard: what the configuration, people and the HTTP side want refused, brought to where it is
 * kept. guard/ makes the tables, fastpath/guard_maps.h takes them to the packet programs; without
 * those guard_admits() looks at connections.
 */
#include "proxy/guard.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/rng.h"
#include "fastpath/guard_maps.h"
#include "guard/limiter.h"
#include "guard/table.h"
#include "io/timer.h"
#include "proxy/guard_services.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEND_MS   1000
#define NS_PER_MS 1000000ULL
#define US_PER_S  1000000ULL
#define NS_PER_S  1000000000ULL

struct guard {
	struct io_loop *loop;
	const struct guard_maps *maps; /* NULL: there are no packet programs */
	struct io_timer tend;          /* what expires */
	_Atomic int mode;              /* enum guard_mode */

	/* Thread: control. */
	struct guard_list files, places;
	struct guard_live *live;
	size_t nlive;

	pthread_rwlock_t lock; /* of all below: workers look, and ban */
	struct guard_settings settings;
	struct guard_table *table;
	struct guard_bans *bans;
	struct guard_limiter *limiter; /* NULL: the packet programs have it */
	_Atomic uint64_t counts[GUARD_COUNTS];
};

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

static uint64_t wall_s(void)
{
	return clock_wall_us() / US_PER_S;
}

/* --- To where it is kept ---------------------------------------------------------------------- */

/* The lock is held. */
static int publish_settings(struct guard *guard)
{
	guard->settings.mode = (uint32_t)atomic_load(&guard->mode);
	if (guard_bans_count(guard->bans))
		guard->settings.flags |= GUARD_HAS_BANS;
	else
		guard->settings.flags &= ~GUARD_HAS_BANS;
	return guard->maps ? guard_maps_set(guard->maps, &guard->settings) : 0;
}

static void append(struct guard_list *all, const struct guard_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		guard_list_add(all, &list->entries[i]);
}

static int make_table(const struct guard *guard, const struct guard_list *files,
		      struct guard_table **ret)
{
	struct guard_list all = {};
	int err;

	append(&all, files);
	append(&all, &guard->places);
	for (size_t i = 0; i < guard->nlive; i++)
		guard_list_add(&all, &guard->live[i].entry);
	err = guard_table_new(&all, wall_s(), ret);
	guard_list_done(&all);
	return err;
}

/* Takes @table. */
static int publish_table(struct guard *guard, struct guard_table *table)
{
	const uint32_t lists = GUARD_HAS_LIST4 | GUARD_HAS_LIST6;
	struct guard_table *old = table;
	uint32_t flags = 0;
	int err = guard->maps ? guard_maps_set_lists(guard->maps, table, &flags) : 0;

	if (!err) {
		pthread_rwlock_wrlock(&guard->lock);
		old = guard->table;
		guard->table = table;
		guard->settings.flags = (guard->settings.flags & ~lists) | flags;
		err = publish_settings(guard);
		pthread_rwlock_unlock(&guard->lock);
	}
	guard_table_free(old);
	return err;
}

static int renew_table(struct guard *guard)
{
	struct guard_table *table;
	int err = make_table(guard, &guard->files, &table);

	return err ? err : publish_table(guard, table);
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
	uint64_t now_s = wall_s();
	size_t before;
	int err = 0;

	pthread_rwlock_wrlock(&guard->lock);
	before = guard_bans_count(guard->bans);
	guard_bans_expire(guard->bans, clock_monotonic_ns(), on_ban_over, guard);
	if (before && !guard_bans_count(guard->bans))
		err = publish_settings(guard);
	pthread_rwlock_unlock(&guard->lock);
	if (!err && expiry_s && expiry_s <= now_s) {
		forget_expired_live(guard, now_s);
		err = renew_table(guard);
	}
	if (err)
		log_error("guard: what has expired cannot be taken back: %s", strerror(-err));
	io_timer_start(guard->loop, &guard->tend, TEND_MS);
}

/* --- Start and end ---------------------------------------------------------------------------- */

int guard_new(struct io_loop *loop, const struct guard_maps *maps, struct guard **ret)
{
	struct guard *guard = calloc(1, sizeof(*guard));
	struct rng rng;

	if (!guard)
		return -ENOMEM;
	guard->loop = loop;
	guard->maps = maps;
	guard->tend.on_expire = on_tend;
	pthread_rwlock_init(&guard->lock, NULL);
	rng_seed_random(&rng);
	guard->settings.seed = rng_next(&rng);
	if (maps)
		guard->settings.bucket_mask = guard_maps_buckets(maps) - 1;
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
	free(guard->live);
	guard_table_free(guard->table);
	guard_bans_free(guard->bans);
	guard_limiter_free(guard->limiter);
	pthread_rwlock_destroy(&guard->lock);
	free(guard);
}

/* --- A configuration -------------------------------------------------------------------------- */

static int read_files(const struct config_guard *config, struct guard_list *list,
		      struct strbuf *errors)
{
	int err = 0;

	for (size_t i = 0; i < config->nblock; i++)
		if (guard_list_read(list, config->block[i], GUARD_WHY_BLOCK, errors))
			err = -EINVAL;
	for (size_t i = 0; i < config->nallow; i++)
		if (guard_list_read(list, config->allow[i], GUARD_WHY_ALLOW, errors))
			err = -EINVAL;
	return err ? err : list->is_failed ? -ENOMEM : 0;
}

int guard_check_files(const struct config *config, struct strbuf *ret_errors)
{
	struct guard_list list = {};
	int err = read_files(&config->guard, &list, ret_errors);

	guard_list_done(&list);
	return err;
}

static void set_rates(const struct config_guard_rates *rates, uint32_t burst_ms,
		      struct guard_rate ret[GUARD_KINDS])
{
	ret[GUARD_PACKETS] = guard_rate_of(rates->packets, burst_ms);
	ret[GUARD_SYNS] = guard_rate_of(rates->syns, burst_ms);
	ret[GUARD_UDP] = guard_rate_of(rates->udp, burst_ms);
}

static bool has_any(const struct config_guard_rates *rates)
{
	return rates->packets || rates->syns || rates->udp;
}

static bool limits_a_listener(const struct config *config)
{
	for (size_t i = 0; i < config->nlisteners; i++)
		if (config->listeners[i].guard.packets || config->listeners[i].guard.syns)
			return true;
	return false;
}

static uint32_t flags_of(const struct config *config)
{
	const struct config_guard *guard = &config->guard;
	uint32_t flags = GUARD_HAS_TALKERS;

	if (guard->drops_malformed)
		flags |= GUARD_HAS_MALFORMED;
	if (guard->namplification)
		flags |= GUARD_HAS_PORTS;
	if (has_any(&guard->source) || has_any(&guard->prefix))
		flags |= GUARD_HAS_RATES | GUARD_HAS_SERVICES;
	if (guard->syn_cookies == CONFIG_SYN_COOKIES_AUTO || limits_a_listener(config))
		flags |= GUARD_HAS_SERVICES;
	return flags;
}

static int set_services(struct guard *guard, const struct config *config)
{
	struct guard_services *services;
	int err;

	if (!guard->maps)
		return 0;
	services = guard_services_new(config);
	err = services ? guard_maps_set_services(guard->maps, services) : -ENOMEM;
	guard_services_free(services);
	return err;
}

/* One of a mode that was off, and is not any more. */
static int make_limiter(struct guard *guard, const struct config_guard *config)
{
	if (guard->maps || guard->limiter || config->mode == CONFIG_GUARD_OFF)
		return 0;
	guard->limiter = guard_limiter_new(config->max_sources, guard->settings.seed);
	return guard->limiter ? 0 : -ENOMEM;
}

static void put_settings(struct guard *guard, const struct config *config)
{
	static const enum guard_mode modes[] = {
		[CONFIG_GUARD_OFF] = GUARD_OFF,
		[CONFIG_GUARD_MONITOR] = GUARD_MONITOR,
		[CONFIG_GUARD_ENFORCE] = GUARD_ENFORCE,
	};

	pthread_rwlock_wrlock(&guard->lock);
	guard->settings.flags = flags_of(config);
	set_rates(&config->guard.source, config->guard.burst_ms, guard->settings.source);
	set_rates(&config->guard.prefix, config->guard.burst_ms, guard->settings.prefix);
	atomic_store(&guard->mode, (int)modes[config->guard.mode]);
	pthread_rwlock_unlock(&guard->lock);
}

/* Return: the setting; -1: it cannot be read. */
static int read_syncookies(void)
{
	int fd = open("/proc/sys/net/ipv4/tcp_syncookies", O_RDONLY | O_CLOEXEC), value = -1;
	char digit;

	if (fd < 0)
		return -1;
	if (read(fd, &digit, 1) == 1)
		value = digit - '0';
	close(fd);
	return value;
}

static void say(const struct guard *guard, const struct config_guard *config)
{
	int syncookies = read_syncookies();

	if (config->mode == CONFIG_GUARD_OFF)
		return;
	log_info("guard: %s: %zu networks are listed; %s",
		 guard_mode_name(atomic_load(&guard->mode)), guard->files.count,
		 guard->maps ? "packets are judged by the packet programs"
			     : "without packet programs lists, bans and the sources' rates of SYNs "
			       "hold for connections as they are accepted, and nothing else does");
	if (guard->maps && config->syn_cookies == CONFIG_SYN_COOKIES_AUTO && syncookies != 2)
		log_warn(
			"guard: net.ipv4.tcp_syncookies is %d: SYN cookies are sent only while a "
			"listener's queue is full; 'sysctl -w net.ipv4.tcp_syncookies=2' lets them "
			"be sent from the threshold on",
			syncookies);
}

int guard_apply(struct guard *guard, const struct config *config, struct strbuf *ret_errors)
{
	struct guard_list files = {};
	struct guard_table *table = NULL;
	int err = read_files(&config->guard, &files, ret_errors);

	if (!err)
		err = make_table(guard, &files, &table);
	if (!err)
		err = make_limiter(guard, &config->guard);
	if (!err)
		err = set_services(guard, config);
	if (err) {
		guard_table_free(table);
		guard_list_done(&files);
		return err;
	}
	guard_list_done(&guard->files);
	guard->files = files;
	put_settings(guard, config);
	err = publish_table(guard, table);
	if (err) {
		strbuf_printf(ret_errors, "guard: the lists cannot be loaded: %s\n",
			      strerror(-err));
		return err;
	}
	say(guard, &config->guard);
	if (!io_timer_is_pending(&guard->tend))
		io_timer_start(guard->loop, &guard->tend, TEND_MS);
	return 0;
}

int guard_set_places(struct guard *guard, struct guard_list *places)
{
	guard_list_done(&guard->places);
	guard->places = *places;
	*places = (struct guard_list){};
	return renew_table(guard);
}

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
		err = publish_settings(guard);
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
	bool is_allowed = false;
	int mode;

	if (!guard_looks_at_connections(guard))
		return true;
	mode = atomic_load(&guard->mode);
	pthread_rwlock_rdlock(&guard->lock);
	if (guard->table)
		reason = judge(guard, address, &is_allowed);
	pthread_rwlock_unlock(&guard->lock);
	atomic_fetch_add(&guard->counts[GUARD_COUNT_SEEN], 1);
	if (is_allowed)
		atomic_fetch_add(&guard->counts[GUARD_COUNT_ALLOWED], 1);
	if (reason == GUARD_REASON_COUNT)
		return true;
	atomic_fetch_add(&guard->counts[(mode == GUARD_ENFORCE ? GUARD_COUNT_DROPPED
							       : GUARD_COUNT_WOULD_DROP) +
					reason],
			 1);
	return mode != GUARD_ENFORCE;
}

/* --- By hand ---------------------------------------------------------------------------------- */

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

int guard_list_live(struct guard *guard, const struct prefix *prefix, enum guard_why why,
		    uint64_t ttl_s, const char *reason)
{
	struct guard_live *live = find_live(guard, prefix);

	if (!live && guard->nlive == GUARD_LIVE_MAX)
		return -ENOSPC;
	if (!live) {
		struct guard_live *all = realloc(guard->live,
						 (guard->nlive + 1) * sizeof(*guard->live));

		if (!all)
			return -ENOMEM;
		guard->live = all;
		live = &all[guard->nlive++];
	}
	*live = (struct guard_live){.entry = {
					    .prefix = *prefix,
					    .why = (uint8_t)why,
					    .expires_s = ttl_s ? wall_s() + ttl_s : 0,
				    }};
	snprintf(live->reason, sizeof(live->reason), "%s", reason);
	return renew_table(guard);
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
	struct guard_live *live = find_live(guard, prefix);
	bool was_banned = unban(guard, prefix);

	if (!live)
		return was_banned ? 0 : -ENOENT;
	*live = guard->live[--guard->nlive];
	return renew_table(guard);
}

void guard_set_mode(struct guard *guard, enum guard_mode mode)
{
	int err;

	pthread_rwlock_wrlock(&guard->lock);
	atomic_store(&guard->mode, (int)mode);
	err = publish_settings(guard);
	pthread_rwlock_unlock(&guard->lock);
	if (err)
		log_error("guard: the mode cannot be set: %s", strerror(-err));
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
		.listed = guard->files.count,
		.live = guard->nlive,
		.places = guard->places.count,
		.has_cookies = guard->maps && read_syncookies() == 2,
	};
	pthread_rwlock_rdlock(&guard->lock);
	ret->bans = guard_bans_count(guard->bans);
	pthread_rwlock_unlock(&guard->lock);
	if (guard->maps) {
		guard_maps_counts(guard->maps, ret->counts);
		return;
	}
	for (size_t i = 0; i < GUARD_COUNTS; i++)
		ret->counts[i].packets = atomic_load(&guard->counts[i]);
}

size_t guard_talkers(const struct guard *guard, struct guard_talker *ret, size_t cap)
{
	return guard->maps ? guard_maps_talkers(guard->maps, ret, cap) : 0;
}

int guard_capture(struct guard *guard, uint32_t seconds, uint32_t per_second)
{
	int err;

	if (!guard->maps)
		return -EOPNOTSUPP;
	pthread_rwlock_wrlock(&guard->lock);
	guard->settings.capture_until_ns = clock_monotonic_ns() + seconds * NS_PER_S;
	guard->settings.capture_cost = (uint32_t)(NS_PER_S / per_second);
	err = publish_settings(guard);
	pthread_rwlock_unlock(&guard->lock);
	return err;
}

size_t guard_read_captured(const struct guard *guard,
			   void (*on_packet)(const struct guard_capture *packet, void *context),
			   void *context)
{
	return guard->maps ? guard_maps_read_captured(guard->maps, on_packet, context) : 0;
}
