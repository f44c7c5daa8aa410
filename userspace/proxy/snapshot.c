// SPDX-License-Identifier: Apache-2.0
/* From a checked configuration to one in force: sockets, pools, routes, counters, access log. */
#include "proxy/snapshot.h"
#include "core/clock.h"
#include "net/socket.h"
#include "proxy/file_roots.h"
#include "proxy/geography.h"
#include "proxy/places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* @first: where to look first: mostly little has changed, and ranges have thousands of ports. */
static struct binding *find_binding(const struct snapshot *previous, size_t first,
				    const struct config_listener *listener,
				    const struct address *address)
{
	for (size_t i = 0; previous && i < previous->nbindings; i++) {
		size_t at = (first + i) % previous->nbindings;

		if (binding_fits(previous->bindings[at].binding, listener, address))
			return previous->bindings[at].binding;
	}
	return NULL;
}

/* The packet programs take what is for a listener of mode dispatch. */
static size_t count_bound(const struct config_listener *config)
{
	return config->mode == CONFIG_MODE_DISPATCH ? 0 : config->nbinds;
}

static size_t count_bindings(const struct config *config)
{
	size_t count = 0;

	for (size_t i = 0; i < config->nlisteners; i++)
		for (size_t b = 0; b < count_bound(&config->listeners[i]); b++) {
			const struct config_bind *bind = &config->listeners[i].binds[b];

			count += (size_t)(bind->last_port - address_port(&bind->address)) + 1;
		}
	return count;
}

static int add_binding(struct snapshot *snapshot, const struct snapshot_options *options,
		       uint32_t listener, const struct address *address, struct strbuf *ret_errors)
{
	const struct config_listener *config = &snapshot->config->listeners[listener];
	struct binding *binding = find_binding(options->previous, snapshot->nbindings, config,
					       address);
	bool is_new = !binding;
	char text[ADDRESS_TEXT_SIZE];
	int err = 0;

	if (binding)
		binding_ref(binding);
	else
		err = binding_open(config, address, options->workers, options->loads, &binding);
	if (err) {
		strbuf_printf(ret_errors, "%s:%u: listener %s: cannot listen on %s: %s%s\n",
			      snapshot->config->path, config->line, config->name,
			      address_format(address, text), strerror(-err),
			      socket_listen_remedy(address, err));
		return err;
	}
	snapshot->bindings[snapshot->nbindings++] = (struct snapshot_binding){
		.binding = binding, .listener = listener, .is_new = is_new};
	return 0;
}

/* All addresses are tried, so that the operator sees every one that fails. */
static int add_binds(struct snapshot *snapshot, const struct snapshot_options *options,
		     uint32_t listener, struct strbuf *ret_errors)
{
	const struct config_listener *config = &snapshot->config->listeners[listener];
	int first_err = 0;

	for (size_t b = 0; b < count_bound(config); b++) {
		const struct config_bind *bind = &config->binds[b];
		uint32_t first = address_port(&bind->address);

		for (uint32_t port = first; port <= bind->last_port; port++) {
			struct address address = bind->address;
			int err;

			address_set_port(&address, (uint16_t)port);
			err = add_binding(snapshot, options, listener, &address, ret_errors);
			if (err && !first_err)
				first_err = err;
		}
	}
	return first_err;
}

static struct listener_stats *take_listener_stats(const struct snapshot_options *options,
						  const char *name)
{
	const struct snapshot *previous = options->previous;

	for (size_t i = 0; previous && i < previous->config->nlisteners; i++) {
		struct listener_stats *stats = previous->listeners[i].stats;

		if (strcmp(stats->head.name, name) == 0) {
			stats_ref(&stats->head);
			return stats;
		}
	}
	/* One part more, for the control thread: connections of an earlier daemon. */
	return listener_stats_new(name, options->workers + 1);
}

static struct pool_stats *take_pool_stats(const struct snapshot_options *options, const char *name)
{
	const struct snapshot *previous = options->previous;

	for (size_t i = 0; previous && i < previous->config->npools; i++) {
		struct pool_stats *stats = previous->pools[i];

		if (strcmp(stats->head.name, name) == 0) {
			stats_ref(&stats->head);
			return stats;
		}
	}
	return pool_stats_new(name, options->workers);
}

static void set_http_limits(struct snapshot_listener *listener)
{
	const struct config_http *config = &listener->config->http;

	listener->http_limits = h1_limits_default;
	listener->http_limits.line = config->max_line_bytes;
	listener->http_limits.head = config->max_head_bytes;
	listener->http_limits.fields = config->max_fields;
	listener->body_limits = h1_body_limits_default;
	listener->body_limits.payload = config->max_body_bytes;
}

static int add_listeners(struct snapshot *snapshot, const struct snapshot_options *options,
			 struct strbuf *ret_errors)
{
	const struct config *config = snapshot->config;
	uint32_t backlog_limit = socket_backlog_limit();
	int first_err = 0;

	for (uint32_t i = 0; i < config->nlisteners; i++) {
		struct snapshot_listener *listener = &snapshot->listeners[i];
		int err;

		listener->config = &config->listeners[i];
		listener->backlog = listener->config->backlog < backlog_limit
					    ? listener->config->backlog
					    : backlog_limit;
		listener->routes = tcp_route_table_new(listener->config);
		listener->http_routes = http_route_table_new(listener->config);
		listener->stats = take_listener_stats(options, listener->config->name);
		if (!listener->routes || !listener->http_routes || !listener->stats ||
		    snapshot_count_routes(listener, options) < 0)
			return -ENOMEM;
		set_http_limits(listener);
		err = error_pages_load(config, listener->config, &listener->error_pages,
				       ret_errors);
		first_err = first_err ? first_err : err;
		err = file_roots_open(config, listener->config, &listener->roots, ret_errors);
		first_err = first_err ? first_err : err;
		err = add_binds(snapshot, options, i, ret_errors);
		if (err && !first_err)
			first_err = err;
	}
	return first_err;
}

static bool sends_long_files(const struct config_listener *listener)
{
	for (size_t i = 0; i < listener->nroutes; i++)
		if (listener->routes[i].action.kind == CONFIG_ACTION_FILES)
			return true;
	return false;
}

static int make_listener_tls(const struct config_listener *listener, const char *path,
			     const struct snapshot_options *options,
			     struct tls_server_context **ret, struct strbuf *ret_errors)
{
	int err = tls_server_context_new(&listener->tls, listener->name, path, options->ticket_keys,
					 ret, ret_errors);

	if (err)
		return err;
	if (listener->tls.fetches_ocsp && options->staples)
		tls_server_context_fetch_staples(*ret, options->staples);
	if (listener->forwarding.client_cert == CONFIG_CLIENT_CERT_CHAIN)
		tls_server_context_keep_chains(*ret);
	if (listener->tls.ktls == CONFIG_KTLS_AUTO && sends_long_files(listener))
		tls_server_context_use_kernel(*ret);
	return 0;
}

/* All files are read, so that every complaint comes at once. */
static int add_tls(struct snapshot *snapshot, const struct snapshot_options *options,
		   struct strbuf *ret_errors)
{
	const struct config *config = snapshot->config;
	int first_err = 0;

	for (size_t i = 0; i < config->nlisteners; i++) {
		const struct config_listener *listener = &config->listeners[i];
		int err = 0;

		if (listener->tls.ncertificates)
			err = make_listener_tls(listener, config->path, options,
						&snapshot->listeners[i].tls, ret_errors);
		first_err = first_err ? first_err : err;
	}
	for (size_t i = 0; i < config->npools; i++) {
		int err = 0;

		if (config->pools[i].tls.is_enabled)
			err = tls_client_context_new(&config->pools[i].tls, config->path,
						     &snapshot->pool_tls[i], ret_errors);
		first_err = first_err ? first_err : err;
	}
	return first_err;
}

static int add_pools(struct snapshot *snapshot, const struct snapshot_options *options)
{
	struct upstream *previous = options->previous ? options->previous->upstream : NULL;
	int err;

	for (size_t i = 0; i < snapshot->config->npools; i++) {
		snapshot->pools[i] = take_pool_stats(options, snapshot->config->pools[i].name);
		if (!snapshot->pools[i])
			return -ENOMEM;
	}
	err = upstream_new(snapshot->config, previous, options->control, &snapshot->upstream);
	if (err)
		return err;
	upstream_set_events(snapshot->upstream, options->events);
	for (size_t i = 0; i < snapshot->config->npools; i++)
		pool_set_tls(upstream_pool(snapshot->upstream, i), snapshot->pool_tls[i]);
	return 0;
}

static int add_access_log(struct snapshot *snapshot, const struct snapshot_options *options,
			  struct strbuf *ret_errors)
{
	const struct config_access_log *config = &snapshot->config->access_log;
	struct access_log *old = options->previous ? options->previous->access_log : NULL;
	int err;

	if (!config->path)
		return 0;
	if (old && old->format == config->format && strcmp(old->path, config->path) == 0) {
		snapshot->access_log = access_log_ref(old);
		return 0;
	}
	err = access_log_open(config, &snapshot->access_log);
	if (err)
		strbuf_printf(ret_errors, "access_log: cannot open %s: %s\n", config->path,
			      strerror(-err));
	return err;
}

void snapshot_discard(struct snapshot *snapshot)
{
	const struct config *config = snapshot->config;

	for (size_t i = 0; i < snapshot->nbindings; i++)
		binding_unref(snapshot->bindings[i].binding);
	for (size_t i = 0; snapshot->listeners && i < config->nlisteners; i++) {
		error_pages_free(snapshot->listeners[i].error_pages);
		file_roots_close(snapshot->listeners[i].config, snapshot->listeners[i].roots);
		tcp_route_table_free(snapshot->listeners[i].routes);
		http_route_table_free(snapshot->listeners[i].http_routes);
		snapshot_forget_routes(&snapshot->listeners[i]);
		if (snapshot->listeners[i].stats)
			stats_unref(&snapshot->listeners[i].stats->head);
		tls_server_context_free(snapshot->listeners[i].tls);
		snapshot_free_filters(&snapshot->listeners[i], &config->listeners[i]);
	}
	for (size_t i = 0; snapshot->pools && i < config->npools; i++)
		if (snapshot->pools[i])
			stats_unref(&snapshot->pools[i]->head);
	upstream_free(snapshot->upstream);
	for (size_t i = 0; snapshot->pool_tls && i < config->npools; i++)
		tls_client_context_free(snapshot->pool_tls[i]);
	access_log_unref(snapshot->access_log);
	geography_done(&snapshot->places);
	free(snapshot->bindings);
	free(snapshot->listeners);
	free(snapshot->pools);
	free(snapshot->pool_tls);
	free(snapshot);
}

static void on_released(struct io_message *message)
{
	struct snapshot *snapshot = container_of(message, struct snapshot, released);
	void (*on_freed)(void *context) = snapshot->on_freed;
	void *context = snapshot->on_freed_context;
	struct config *config = snapshot->config;

	snapshot_discard(snapshot);
	config_free(config);
	on_freed(context);
}

static struct snapshot *snapshot_alloc(struct config *config, struct io_loop *control)
{
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (!snapshot)
		return NULL;
	snapshot->refs = 1;
	snapshot->released.on_message = on_released;
	snapshot->control = control;
	snapshot->config = config;
	snapshot->loaded_wall_us = clock_wall_us();
	snapshot->listeners = calloc(config->nlisteners + 1, sizeof(*snapshot->listeners));
	snapshot->pools = calloc(config->npools + 1, sizeof(struct pool_stats *));
	snapshot->pool_tls = calloc(config->npools + 1, sizeof(struct tls_client_context *));
	snapshot->bindings = calloc(count_bindings(config) + 1, sizeof(*snapshot->bindings));
	return snapshot;
}

static bool is_complete(const struct snapshot *snapshot)
{
	return snapshot->listeners && snapshot->pools && snapshot->pool_tls && snapshot->bindings;
}

/* Whether what guard.geo blocks fits. */
static int check_places(const struct config *config, const struct geo *geo,
			struct strbuf *ret_errors)
{
	struct guard_list places = {};
	int err = 0;

	if (places_are_ruled(config))
		err = places_gather(config, geo, GUARD_LIST_MAX, NULL, &places, ret_errors);
	guard_list_done(&places);
	return err;
}

int snapshot_check_files(const struct config *config, struct strbuf *ret_errors)
{
	struct config *borrowed = (struct config *)(uintptr_t)config;
	struct snapshot *snapshot = snapshot_alloc(borrowed, NULL);
	const struct snapshot_options options = {};
	int err = -ENOMEM;

	if (!snapshot)
		return -ENOMEM;
	if (is_complete(snapshot))
		err = add_tls(snapshot, &options, ret_errors);
	if (!err)
		err = snapshot_add_filters(snapshot, &options, ret_errors);
	if (!err)
		err = geography_gather(config, NULL, NULL, &snapshot->places, ret_errors);
	if (!err)
		err = check_places(config, snapshot->places.geo, ret_errors);
	snapshot_discard(snapshot);
	return err;
}

int snapshot_new(struct config *config, const struct snapshot_options *options,
		 struct snapshot **ret, struct strbuf *ret_errors)
{
	struct snapshot *snapshot = snapshot_alloc(config, options->control);
	int err = -ENOMEM;

	if (!snapshot)
		return -ENOMEM;
	if (!is_complete(snapshot))
		goto fail;
	snapshot->on_freed = options->on_freed;
	snapshot->on_freed_context = options->on_freed_context;
	snapshot->generation = options->previous ? options->previous->generation + 1 : 1;
	snapshot->places = geography_ref(options->places);
	err = add_tls(snapshot, options, ret_errors);
	if (err)
		goto fail;
	err = snapshot_add_filters(snapshot, options, ret_errors);
	if (err)
		goto fail;
	err = add_listeners(snapshot, options, ret_errors);
	if (err)
		goto fail;
	err = add_access_log(snapshot, options, ret_errors);
	if (err)
		goto fail;
	err = add_pools(snapshot, options);
	if (err)
		goto fail;
	*ret = snapshot;
	return 0;
fail:
	snapshot_discard(snapshot);
	return err;
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
	atomic_fetch_add(&snapshot->refs, 1);
	return snapshot;
}

void snapshot_unref(struct snapshot *snapshot)
{
	if (atomic_fetch_sub(&snapshot->refs, 1) == 1)
		io_loop_post(snapshot->control, &snapshot->released);
}

static void on_upstream_stopped(struct upstream *upstream, void *context)
{
	(void)upstream;
	snapshot_unref(context);
}

void snapshot_retire(struct snapshot *snapshot)
{
	upstream_stop(snapshot->upstream, on_upstream_stopped, snapshot);
}
