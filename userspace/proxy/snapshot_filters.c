// SPDX-License-Identifier: Apache-2.0
/* The filters of a snapshot's listeners and routes. What filters remember goes on from those that
 * stood in the same place before: in the listener of that name, in its route of that name, or,
 * where it has none, in that place of a list that has become neither longer nor shorter. */
#include "proxy/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int add_chain(const struct snapshot *snapshot, const struct snapshot_options *options,
		     const struct filter_chain *base, const struct filter_list *list,
		     const struct filter_chain *previous, struct filter_chain **ret,
		     struct strbuf *ret_errors)
{
	const struct filter_setup setup = {
		.config_path = snapshot->config->path,
		.events = options->filter_events,
		.errors = ret_errors,
		.previous = previous,
	};

	return filter_chain_new(base, list, &setup, ret);
}

/* --- Routes --------------------------------------------------------------------------- */

static bool has_route_filters(const struct config_listener *listener)
{
	for (size_t i = 0; i < listener->nroutes; i++)
		if (listener->routes[i].nfilters)
			return true;
	return false;
}

/* Return: its index; the number of routes if there is none. */
static size_t find_route(const struct config_listener *config, const char *name)
{
	size_t i = 0;

	while (i < config->nroutes &&
	       (!config->routes[i].name || strcmp(config->routes[i].name, name) != 0))
		i++;
	return i;
}

/* NULL: it had none of its own, or was not there. */
static const struct filter_chain *route_chain_before(const struct snapshot_listener *before,
						     const struct config_listener *config,
						     size_t route)
{
	const char *name = config->routes[route].name;
	const struct config_listener *old;
	size_t at = route;

	if (!before || !before->route_filters)
		return NULL;
	old = before->config;
	if (name)
		at = find_route(old, name);
	else if (old->nroutes != config->nroutes || old->routes[route].name)
		return NULL;
	return at < old->nroutes && old->routes[at].nfilters ? before->route_filters[at] : NULL;
}

/* A route has the listener's filters, or those and its own behind them. */
static int add_route_chains(struct snapshot *snapshot, const struct snapshot_options *options,
			    size_t index, const struct snapshot_listener *before,
			    struct strbuf *ret_errors)
{
	struct snapshot_listener *listener = &snapshot->listeners[index];
	const struct config_listener *config = &snapshot->config->listeners[index];
	int first_err = 0;

	if (!has_route_filters(config))
		return 0;
	listener->route_filters = calloc(config->nroutes, sizeof(struct filter_chain *));
	if (!listener->route_filters)
		return -ENOMEM;
	for (size_t i = 0; i < config->nroutes; i++) {
		const struct filter_list list = {config->routes[i].filters,
						 config->routes[i].nfilters};
		int err = 0;

		listener->route_filters[i] = listener->filters;
		if (list.count)
			err = add_chain(snapshot, options, listener->filters, &list,
					route_chain_before(before, config, i),
					&listener->route_filters[i], ret_errors);
		first_err = first_err ? first_err : err;
	}
	return first_err;
}

/* --- Listeners ------------------------------------------------------------------------ */

int snapshot_add_filters(struct snapshot *snapshot, const struct snapshot_options *options,
			 struct strbuf *ret_errors)
{
	int first_err = 0;

	for (size_t i = 0; i < snapshot->config->nlisteners; i++) {
		struct snapshot_listener *listener = &snapshot->listeners[i];
		const struct config_listener *config = &snapshot->config->listeners[i];
		const struct snapshot_listener *before = snapshot_find_listener(options->previous,
										config->name);
		const struct filter_list list = {config->filters, config->nfilters};
		int err = add_chain(snapshot, options, NULL, &list, before ? before->filters : NULL,
				    &listener->filters, ret_errors);

		if (!err)
			err = add_route_chains(snapshot, options, i, before, ret_errors);
		first_err = first_err ? first_err : err;
	}
	return first_err;
}

void snapshot_free_filters(struct snapshot_listener *listener, const struct config_listener *config)
{
	for (size_t i = 0; listener->route_filters && i < config->nroutes; i++)
		if (listener->route_filters[i] != listener->filters)
			filter_chain_free(listener->route_filters[i]);
	free(listener->route_filters);
	filter_chain_free(listener->filters);
}
