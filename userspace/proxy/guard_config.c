// SPDX-License-Identifier: Apache-2.0
/*
 * What a configuration asks of the guard: its files of networks, rates, mode. It is made whole
 * before anything of it is in force (guard_prepare), and then put there (guard_commit).
 */
#include "core/log.h"
#include "fastpath/guard_maps.h"
#include "proxy/guard_internal.h"
#include "proxy/guard_services.h"
#include "proxy/guard_tables.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	struct guard_tables tables;
	int err = guard_tables_make(guard, &guard->files, mode, &tables);

	if (err)
		return err;
	err = make_ready(guard, mode, config, &tables.services);
	if (!err)
		return guard_tables_use(guard, &tables);
	guard_tables_done(&tables);
	return err;
}

int guard_hand_over(struct guard *guard, const struct config *config)
{
	return guard_set_mode(guard, guard_current_mode(guard), config);
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

static void set_settings(const struct config *config, struct guard_settings *settings)
{
	settings->flags = (settings->flags & GUARD_LIST_FLAGS) | flags_of(config);
	set_rates(&config->guard.source, config->guard.burst_ms, settings->source);
	set_rates(&config->guard.prefix, config->guard.burst_ms, settings->prefix);
}

int guard_kernel_syncookies(void)
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
	int syncookies = guard_kernel_syncookies();

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
	struct guard_tables tables;
};

void guard_change_free(struct guard_change *change)
{
	if (!change)
		return;
	guard_list_done(&change->files);
	guard_tables_done(&change->tables);
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
		err = guard_tables_make(guard, &change->files, mode_of(config), &change->tables);
		if (err)
			say_why(err, ret_errors);
	}
	if (!err)
		err = make_ready(guard, mode_of(config), config, &change->tables.services);
	if (err) {
		guard_change_free(change);
		return err;
	}
	set_settings(config, &change->tables.settings);
	*ret = change;
	return 0;
}

int guard_commit(struct guard *guard, struct guard_change *change)
{
	int err = guard_tables_use(guard, &change->tables);

	if (!err) {
		guard_list_done(&guard->files);
		guard->files = change->files;
		change->files = (struct guard_list){};
		say(guard, change->config);
		guard_begin_to_tend(guard);
	}
	guard_change_free(change);
	return err;
}
