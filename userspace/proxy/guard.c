// SPDX-License-Identifier: Apache-2.0
/*
 * The guard: what the configuration, people and the HTTP side want refused, brought to where it is
 * kept. guard/ makes the tables, fastpath/guard_maps.h takes them to the packet programs. What is
 * banned, and what connections are judged by without those, is in guard_ban.c; what people order in
 * guard_hand.c.
 */
#include "core/clock.h"
#include "core/log.h"
#include "core/rng.h"
#include "fastpath/guard_maps.h"
#include "proxy/guard_internal.h"
#include "proxy/guard_services.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEND_MS  1000
#define US_PER_S 1000000ULL
#define NS_PER_S 1000000000ULL

#define LIST_FLAGS (GUARD_HAS_LIST4 | GUARD_HAS_LIST6)

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

static enum guard_mode current_mode(const struct guard *guard)
{
	return (enum guard_mode)atomic_load(&guard->mode);
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
	err = guard_table_new(&all, guard_wall_s(), ret);
	guard_list_done(&all);
	return err;
}

/* All lists as one table, here and, in a mode that has them there, for the packet programs. */
struct tables {
	enum guard_mode mode;
	struct guard_table *table;
	bool is_in_packets;
	struct guard_map_lists lists;
};

static void tables_done(struct tables *tables)
{
	guard_table_free(tables->table);
	if (tables->is_in_packets)
		guard_map_lists_done(&tables->lists);
	*tables = (struct tables){};
}

/* While the guard is off the packet programs have no lists: they take memory. */
static int make_tables(const struct guard *guard, const struct guard_list *files,
		       enum guard_mode mode, struct tables *ret)
{
	struct tables tables = {.mode = mode};
	int err = make_table(guard, files, &tables.table);

	if (!err && guard->maps && mode != GUARD_OFF) {
		err = guard_map_lists_make(tables.table, &tables.lists);
		tables.is_in_packets = !err;
	}
	if (err)
		tables_done(&tables);
	else
		*ret = tables;
	return err;
}

/* Takes @tables. */
static int use_tables(struct guard *guard, struct tables *tables)
{
	int err = tables->is_in_packets ? guard_maps_use_lists(guard->maps, &tables->lists) : 0;

	if (!err) {
		struct guard_table *old = guard->table;

		pthread_rwlock_wrlock(&guard->lock);
		guard->table = tables->table;
		guard->settings.flags = (guard->settings.flags & ~LIST_FLAGS) | tables->lists.flags;
		atomic_store(&guard->mode, (int)tables->mode);
		err = guard_publish_settings(guard);
		pthread_rwlock_unlock(&guard->lock);
		tables->table = old;
	}
	tables_done(tables);
	return err;
}

static int renew_tables(struct guard *guard, enum guard_mode mode)
{
	struct tables tables;
	int err = make_tables(guard, &guard->files, mode, &tables);

	return err ? err : use_tables(guard, &tables);
}

int guard_renew_table(struct guard *guard)
{
	return renew_tables(guard, current_mode(guard));
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

/* --- A configuration -------------------------------------------------------------------------- */

static int read_files(const struct config_guard *config, struct guard_list *list,
		      struct strbuf *errors)
{
	int err = 0;

	for (size_t i = 0; i < config->nblock; i++)
		if (guard_list_read(list, config->block[i].path, GUARD_WHY_BLOCK, errors))
			err = -EINVAL;
	for (size_t i = 0; i < config->nallow; i++)
		if (guard_list_read(list, config->allow[i].path, GUARD_WHY_ALLOW, errors))
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
	if (guard->udp_to == CONFIG_UDP_TO_ALL)
		flags |= GUARD_HAS_ALL_UDP;
	if (guard->syn_cookies == CONFIG_SYN_COOKIES_AUTO || limits_a_listener(config))
		flags |= GUARD_HAS_SERVICES;
	return flags;
}

static int make_limiter(struct guard *guard, const struct config_guard *config)
{
	struct guard_limiter *limiter;

	if (guard->limiter)
		return 0;
	limiter = guard_limiter_new(config->max_sources, guard->settings.seed);
	pthread_rwlock_wrlock(&guard->lock);
	guard->limiter = limiter;
	pthread_rwlock_unlock(&guard->lock);
	return limiter ? 0 : -ENOMEM;
}

/* What @mode takes beside lists, wherever the guard is kept. *@ret_services: of the packet
 * programs; NULL: they need none. */
static int make_ready(struct guard *guard, enum guard_mode mode, const struct config *config,
		      struct guard_services **ret_services)
{
	int err;

	*ret_services = NULL;
	if (mode == GUARD_OFF)
		return 0;
	if (!guard->maps)
		return make_limiter(guard, &config->guard);
	err = guard_maps_make_sources(guard->maps);
	if (!err)
		*ret_services = guard_services_new(config);
	return err ? err : *ret_services ? 0 : -ENOMEM;
}

int guard_set_mode(struct guard *guard, enum guard_mode mode, const struct config *config)
{
	struct guard_services *services;
	int err = make_ready(guard, mode, config, &services);

	if (!err && services)
		err = guard_maps_set_services(guard->maps, services);
	guard_services_free(services);
	return err ? err : renew_tables(guard, mode);
}

int guard_hand_over(struct guard *guard, const struct config *config)
{
	return guard_set_mode(guard, current_mode(guard), config);
}

static enum guard_mode mode_of(const struct config *config)
{
	static const enum guard_mode modes[] = {
		[CONFIG_GUARD_OFF] = GUARD_OFF,
		[CONFIG_GUARD_MONITOR] = GUARD_MONITOR,
		[CONFIG_GUARD_ENFORCE] = GUARD_ENFORCE,
	};

	return modes[config->guard.mode];
}

/* Return: those before. */
static struct guard_settings put_settings(struct guard *guard, const struct config *config)
{
	struct guard_settings before;

	pthread_rwlock_wrlock(&guard->lock);
	before = guard->settings;
	guard->settings.flags = (before.flags & LIST_FLAGS) | flags_of(config);
	set_rates(&config->guard.source, config->guard.burst_ms, guard->settings.source);
	set_rates(&config->guard.prefix, config->guard.burst_ms, guard->settings.prefix);
	pthread_rwlock_unlock(&guard->lock);
	return before;
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

static bool has_tcp(const struct config_listener *listener)
{
	for (size_t b = 0; b < listener->nbinds; b++)
		if (!listener->binds[b].is_udp)
			return true;
	return false;
}

static bool asks_kernel_for_cookies(const struct config *config)
{
	for (size_t i = 0; i < config->nlisteners; i++)
		if (config->listeners[i].mode != CONFIG_MODE_DISPATCH)
			return true;
	return false;
}

static void say_without_cookies(const struct config *config)
{
	for (size_t i = 0; i < config->nlisteners; i++)
		if (!guard_services_take_cookies(&config->listeners[i]) &&
		    has_tcp(&config->listeners[i]))
			log_info("guard: no SYN cookies for listener %s: its endpoints answer "
				 "clients without us; guard.syns of the listener limits its SYNs",
				 config->listeners[i].name);
}

static void say(const struct guard *guard, const struct config *config)
{
	const struct config_guard *guard_config = &config->guard;
	int syncookies = read_syncookies();

	if (guard_config->mode == CONFIG_GUARD_OFF)
		return;
	log_info("guard: %s: %zu networks are listed; %s",
		 guard_mode_name(atomic_load(&guard->mode)), guard->files.count,
		 guard->maps ? "packets are judged by the packet programs"
			     : "without packet programs lists, bans and the sources' rates of SYNs "
			       "hold for connections as they are accepted, and nothing else does");
	if (!guard->maps || guard_config->syn_cookies != CONFIG_SYN_COOKIES_AUTO)
		return;
	say_without_cookies(config);
	if (syncookies != 2 && asks_kernel_for_cookies(config))
		log_warn(
			"guard: net.ipv4.tcp_syncookies is %d: SYN cookies are sent only while a "
			"listener's queue is full; 'sysctl -w net.ipv4.tcp_syncookies=2' lets them "
			"be sent from the threshold on",
			syncookies);
}

struct guard_change {
	const struct config *config;
	struct guard_list files;
	struct tables tables;
	struct guard_services *services; /* NULL: the packet programs need none */
};

void guard_change_free(struct guard_change *change)
{
	if (!change)
		return;
	guard_list_done(&change->files);
	tables_done(&change->tables);
	guard_services_free(change->services);
	free(change);
}

static void say_why(int err, struct strbuf *errors)
{
	strbuf_printf(errors, "guard: the lists cannot be loaded: %s\n",
		      err == -E2BIG ? "more networks than the packet programs have room for"
				    : strerror(-err));
}

int guard_prepare(struct guard *guard, const struct config *config, struct guard_change **ret,
		  struct strbuf *ret_errors)
{
	struct guard_change *change = calloc(1, sizeof(*change));
	int err;

	if (!change)
		return -ENOMEM;
	change->config = config;
	err = read_files(&config->guard, &change->files, ret_errors);
	if (!err) {
		err = make_tables(guard, &change->files, mode_of(config), &change->tables);
		if (err)
			say_why(err, ret_errors);
	}
	if (!err)
		err = make_ready(guard, mode_of(config), config, &change->services);
	if (err)
		guard_change_free(change);
	else
		*ret = change;
	return err;
}

/* Rates and flags go with the tables, or stay with those before. */
static int use_settings_and_tables(struct guard *guard, struct guard_change *change)
{
	const struct guard_settings before = put_settings(guard, change->config);
	int err = use_tables(guard, &change->tables);

	if (err) {
		pthread_rwlock_wrlock(&guard->lock);
		guard->settings = before;
		pthread_rwlock_unlock(&guard->lock);
	}
	return err;
}

int guard_commit(struct guard *guard, struct guard_change *change)
{
	int err = change->services ? guard_maps_set_services(guard->maps, change->services) : 0;

	if (!err)
		err = use_settings_and_tables(guard, change);
	if (!err) {
		guard_list_done(&guard->files);
		guard->files = change->files;
		change->files = (struct guard_list){};
		say(guard, change->config);
		if (!io_timer_is_pending(&guard->tend))
			io_timer_start(guard->loop, &guard->tend, TEND_MS);
	}
	guard_change_free(change);
	return err;
}

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
		.has_cookies = guard->maps && read_syncookies() == 2,
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
	int err;

	if (current_mode(guard) == GUARD_OFF)
		return -EOPNOTSUPP;
	if (!guard->maps)
		return -ENODEV;
	pthread_rwlock_wrlock(&guard->lock);
	guard->settings.capture_until_ns = clock_monotonic_ns() + seconds * NS_PER_S;
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
