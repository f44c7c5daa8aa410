// SPDX-License-Identifier: Apache-2.0
/* The counters of a snapshot's routes that have names; a route of the same name in a listener of
 * the same name takes them over. */
#include "proxy/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct snapshot_listener *snapshot_find_listener(const struct snapshot *snapshot,
						       const char *name)
{
	for (size_t i = 0; snapshot && i < snapshot->config->nlisteners; i++)
		if (strcmp(snapshot->config->listeners[i].name, name) == 0)
			return &snapshot->listeners[i];
	return NULL;
}

static struct route_stats *find(const struct snapshot_listener *listener, const char *name)
{
	if (!listener || !listener->route_stats)
		return NULL;
	for (size_t i = 0; i < listener->config->nroutes; i++) {
		struct route_stats *stats = listener->route_stats[i];

		if (stats && strcmp(stats->head.name, name) == 0)
			return stats;
	}
	return NULL;
}

static struct route_stats *take(const struct snapshot_listener *before, const char *name,
				uint32_t workers)
{
	struct route_stats *stats = find(before, name);

	if (!stats)
		return route_stats_new(name, workers);
	stats_ref(&stats->head);
	return stats;
}

static bool has_names(const struct config_listener *config)
{
	for (size_t i = 0; i < config->nroutes; i++)
		if (config->routes[i].name)
			return true;
	return false;
}

int snapshot_count_routes(struct snapshot_listener *listener,
			  const struct snapshot_options *options)
{
	const struct config_listener *config = listener->config;
	const struct snapshot_listener *before = snapshot_find_listener(options->previous,
									config->name);

	if (!has_names(config))
		return 0;
	listener->route_stats = calloc(config->nroutes, sizeof(struct route_stats *));
	if (!listener->route_stats)
		return -ENOMEM;
	for (size_t i = 0; i < config->nroutes; i++) {
		if (!config->routes[i].name)
			continue;
		listener->route_stats[i] = take(before, config->routes[i].name, options->workers);
		if (!listener->route_stats[i])
			return -ENOMEM;
	}
	return 0;
}

void snapshot_forget_routes(struct snapshot_listener *listener)
{
	for (size_t i = 0; listener->route_stats && i < listener->config->nroutes; i++)
		if (listener->route_stats[i])
			stats_unref(&listener->route_stats[i]->head);
	free(listener->route_stats);
}
