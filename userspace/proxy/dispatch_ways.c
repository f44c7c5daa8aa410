// SPDX-License-Identifier: Apache-2.0
/* From listeners of mode dispatch to the ways that health checks of their endpoints take. */
#include "proxy/dispatch_ways.h"
#include "proxy/dispatch_plan.h"

#include <errno.h>
#include <stdlib.h>

/* NAT sends to an endpoint's own address, as a check does by itself. */
static bool leads_through(const struct config_listener *listener, size_t pool)
{
	enum dispatch_form form;

	if (!config_dispatch_asks(listener, pool))
		return false;
	form = dispatch_plan_form(listener);
	return form == DISPATCH_IPIP || form == DISPATCH_GUE || form == DISPATCH_L2;
}

static struct dispatch_way way_of(const struct config_listener *listener,
				  const struct config_bind *bind)
{
	const struct config_listener_dispatch *options = &listener->dispatch;
	struct dispatch_way way = {
		.form = dispatch_plan_form(listener),
		.service = bind->address,
		.gue_port = options->gue_port,
	};

	address_set_port(&way.service, 0);
	if (options->nsources)
		way.source = options->sources[0];
	return way;
}

/* Of one pool. */
struct ways {
	struct dispatch_way *all; /* as many as there are binds */
	size_t count;
};

static bool is_listed(const struct ways *ways, const struct dispatch_way *way)
{
	for (size_t i = 0; i < ways->count; i++)
		if (ways->all[i].form == way->form &&
		    address_equal(&ways->all[i].service, &way->service))
			return true;
	return false;
}

/* An address that is served on several ports is checked once. */
static void add_listener(struct ways *ways, const struct config_listener *listener)
{
	for (size_t b = 0; b < listener->nbinds; b++) {
		struct dispatch_way way = way_of(listener, &listener->binds[b]);

		if (!is_listed(ways, &way))
			ways->all[ways->count++] = way;
	}
}

static size_t count_binds(const struct config *config)
{
	size_t count = 0;

	for (size_t i = 0; i < config->nlisteners; i++)
		count += config->listeners[i].nbinds;
	return count;
}

int dispatch_ways_set(const struct config *config, struct dispatch_checks *checks,
		      struct upstream *upstream)
{
	struct ways ways = {.all = calloc(count_binds(config) + 1, sizeof(*ways.all))};
	int err = ways.all ? 0 : -ENOMEM;

	for (size_t p = 0; !err && p < config->npools; p++) {
		ways.count = 0;
		for (size_t i = 0; i < config->nlisteners; i++)
			if (leads_through(&config->listeners[i], p))
				add_listener(&ways, &config->listeners[i]);
		if (config->pools[p].health.through == CONFIG_THROUGH_TUNNEL)
			err = pool_set_ways(upstream_pool(upstream, p), checks, ways.all,
					    ways.count);
	}
	free(ways.all);
	return err;
}
