/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TESTS_FAKE_SERVER_H
#define SLUICE_TESTS_FAKE_SERVER_H

#include "core/address.h"
#include "geo/geo.h"
#include "proxy/dispatcher.h"
#include "proxy/guard.h"
#include "proxy/inspect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * A server with one listener, one pool of two endpoints, and three connections. It stands in for
 * the rooms proxy and upstream: everything that admin/ asks of them is defined here.
 */
struct pool {
	struct endpoint endpoints[2];
	unsigned touched;
};

struct server {
	struct config config;
	struct pool pool;
	struct histogram times;
	uint64_t ends[CONNECTION_END_COUNT];
	bool is_draining;
	unsigned refreshed; /* dispatch */
	const char *why_relay;
	uint32_t generation;
	struct connection_row rows[3];
	size_t limit_asked;
	/* server_list_connections() answers when the test says so, if it is to wait */
	bool is_slow;
	void (*on_done)(const struct connection_row *rows, size_t count, uint64_t total,
			void *context);
	void *context;
	struct geo *geo; /* NULL: no databases */
};

static void fake_endpoint_init(struct endpoint *endpoint, const char *name, const char *address)
{
	endpoint->name = (char *)name;
	if (address_parse(slice_from_str(address), &endpoint->address) < 0)
		abort();
	atomic_store(&endpoint->weight, 1);
	counter_add(&endpoint->load.connections, 7);
}

static void fake_row_init(struct connection_row *row, uint64_t id, const char *endpoint,
			  enum connection_state state)
{
	row->id = id;
	strcpy(row->listener, "web");
	strcpy(row->pool, "app");
	strcpy(row->endpoint, endpoint);
	row->state = state;
	row->rung = "relay";
	row->age_ms = 1500;
	strcpy(row->sni, "caf\xc3\xa9.example");
	if (address_parse(slice_from_str("192.0.2.1:4711"), &row->client) < 0)
		abort();
}

static void fake_server_init(struct server *server)
{
	memset(server, 0, sizeof(*server));
	server->config.path = "/etc/sluice.yaml";
	server->generation = 1;
	fake_endpoint_init(&server->pool.endpoints[0], "10.0.0.1:80", "10.0.0.1:80");
	fake_endpoint_init(&server->pool.endpoints[1], "b.internal:80", "10.0.0.2:80");
	histogram_observe(&server->times, 100);
	server->ends[CONNECTION_END_DONE] = 3;
	fake_row_init(&server->rows[0], 1, "10.0.0.1:80", CONNECTION_RELAY);
	fake_row_init(&server->rows[1], 2, "b.internal:80", CONNECTION_RELAY);
	fake_row_init(&server->rows[2], 3, "", CONNECTION_CLIENT_HELLO);
}

/* --- Mode dispatch: one address, and the server plays the dispatcher ------------------------- */

struct dispatcher *server_dispatcher(const struct server *server)
{
	return (struct dispatcher *)(uintptr_t)server;
}

void dispatcher_refresh(struct dispatcher *dispatcher)
{
	((struct server *)dispatcher)->refreshed++;
}

uint32_t dispatcher_max_flows(const struct dispatcher *dispatcher)
{
	return ((const struct server *)dispatcher)->config.dispatch.max_flows;
}

void dispatcher_for_each(const struct dispatcher *dispatcher,
			 void (*visit)(const struct dispatcher_service *service, void *context),
			 void *context)
{
	struct config_listener listener = {
		.name = "dns",
		.default_pool_name = "app",
	};
	struct config_bind bind = {.last_port = 54, .is_udp = true};

	(void)dispatcher;
	if (address_parse(slice_from_str("192.0.2.53:53"), &bind.address) < 0)
		abort();
	visit(&(struct dispatcher_service){5, &listener, &bind, DISPATCH_GUE}, context);
}

struct visiting {
	dispatcher_visit_endpoint *visit;
	void *context;
};

static void visit_endpoint(struct endpoint *endpoint, void *context)
{
	static const struct config_pool pool = {.name = "app"};
	const struct visiting *visiting = context;

	visiting->visit(endpoint, &pool, visiting->context);
}

void dispatcher_for_each_endpoint(const struct dispatcher *dispatcher,
				  const struct dispatcher_service *service,
				  dispatcher_visit_endpoint *visit, void *context)
{
	struct server *server = (struct server *)(uintptr_t)dispatcher;
	struct visiting visiting = {visit, context};

	(void)service;
	pool_for_each(&server->pool, visit_endpoint, &visiting);
}

bool dispatcher_misses_answers(const struct dispatcher_service *service,
			       const struct endpoint *endpoint,
			       const struct machine_addresses *here)
{
	(void)service;
	(void)here;
	return endpoint->address.sa.sa_family == AF_INET;
}

void dispatcher_count(const struct dispatcher *dispatcher, const struct dispatcher_service *service,
		      struct dispatch_service_counts *ret)
{
	(void)dispatcher;
	(void)service;
	*ret = (struct dispatch_service_counts){
		.traffic = {.packets = 30, .bytes = 3000, .flows = 3},
		.drops = {[DISPATCH_DROP_RATE] = 8},
		.unlisted = 2,
		.cookies = 5,
		.cookie_flows = 4,
	};
}

void dispatcher_count_endpoint(const struct dispatcher *dispatcher,
			       const struct dispatcher_service *service,
			       const struct endpoint *endpoint, struct dispatch_traffic *ret)
{
	(void)dispatcher;
	(void)service;
	*ret = (struct dispatch_traffic){.packets = address_port(&endpoint->address), .flows = 1};
}

/* --- The guard ------------------------------------------------------------------------------- */

/* A real one, that is off: it wants nothing of the other rooms. */
struct guard *server_guard(const struct server *server)
{
	static struct guard *guard;

	(void)server;
	if (!guard && guard_new(NULL, &guard))
		abort();
	return guard;
}

int server_set_guard_mode(struct server *server, enum guard_mode mode)
{
	return guard_set_mode(server_guard(server), mode, server_config(server));
}

/* --- Where addresses are --------------------------------------------------------------------- */

const struct geo *server_geo(const struct server *server)
{
	return server->geo;
}

const char *connection_end_name(enum connection_end end)
{
	static const char *const names[] = {
#define X(name, text) text,
		CONNECTION_ENDS(X)
#undef X
	};

	return names[end];
}

const char *connection_state_name(enum connection_state state)
{
	static const char *const names[] = {
#define X(name, text) text,
		CONNECTION_STATES(X)
#undef X
	};

	return names[state];
}

const char *exchange_end_name(enum exchange_end end)
{
	static const char *const names[] = {
#define X(name, text) text,
		EXCHANGE_ENDS(X)
#undef X
	};

	return names[end];
}

const char *connection_rung_name(enum connection_rung rung)
{
	static const char *const names[] = {
#define X(name, text) text,
		CONNECTION_RUNGS(X)
#undef X
	};

	return names[rung];
}

const char *handover_result_name(enum handover_result result)
{
	static const char *const names[] = {
#define X(name, text) text,
		HANDOVER_RESULTS(X)
#undef X
	};

	return names[result];
}

void server_describe(struct server *server, struct server_facts *ret)
{
	*ret = (struct server_facts){
		.started_wall_us = 1764000000000000,
		.loaded_wall_us = 1764000060000000,
		.config_generation = server->generation,
		.workers = 2,
		.io_backend = "epoll",
		.connections_active = 3,
		.connections_total = 10,
	};
}

void server_describe_acceleration(struct server *server, struct acceleration_facts *ret)
{
	*ret = (struct acceleration_facts){
		.mode = "splice",
		.why = server->why_relay,
		.splice = {.pairs = 2, .max_pairs = 64, .verdicts = {[FLOW_VERDICT_SPLICED] = 9}},
		.untold = {[FLOW_EVENT_DISPATCH_LOST] = 6},
	};
}

void server_for_each_device(struct server *server,
			    void (*visit)(const struct splice_device *device, void *context),
			    void *context)
{
	(void)server;
	visit(&(struct splice_device){.name = "eth0", .driver = "ice", .hook = "xdp", .why = ""},
	      context);
	visit(&(struct splice_device){.name = "lo", .driver = "", .hook = "tc", .why = "slow"},
	      context);
}

bool server_is_draining(const struct server *server)
{
	return server->is_draining;
}

const struct config *server_config(const struct server *server)
{
	return &server->config;
}

void server_for_each_listener(struct server *server,
			      void (*visit)(const struct listener_row *row, void *context),
			      void *context)
{
	static const struct listener_acceleration acceleration = {
		.rungs = {[CONNECTION_RUNG_SPLICE_XDP] = 4},
		.reasons = {[SPLICE_REASON_MSS] = 2},
		.handovers = {[HANDOVER_JOINED] = 4, [HANDOVER_NOT_QUIET] = 5},
		.packets_in = 77,
	};
	struct address bind;

	if (address_parse(slice_from_str("0.0.0.0:80"), &bind) < 0)
		abort();
	visit(&(struct listener_row){.name = "web",
				     .mode = "tcp",
				     .binds = &bind,
				     .nbinds = 1,
				     .active = 3,
				     .accepted = 10,
				     .bytes_in = 1000,
				     .bytes_out = 2000,
				     .ends = server->ends,
				     .acceleration = &acceleration,
				     .session_time = &server->times},
	      context);
}

void server_for_each_pool(struct server *server,
			  void (*visit)(const struct pool_row *row, void *context), void *context)
{
	visit(&(struct pool_row){.name = "app",
				 .balance = "p2c",
				 .pool = &server->pool,
				 .waiting = 4,
				 .requests = {.answers = {0, 30, 0, 2, 1}, .time = &server->times},
				 .connect_time = &server->times},
	      context);
}

void server_for_each_route(struct server *server,
			   void (*visit)(const struct route_row *row, void *context), void *context)
{
	visit(&(struct route_row){.listener = "web",
				  .name = "api",
				  .requests = {.answers = {0, 20, 0, 1, 0},
					       .time = &server->times}},
	      context);
}

struct pool *server_find_pool(struct server *server, const char *name)
{
	return strcmp(name, "app") == 0 ? &server->pool : NULL;
}

int server_list_connections(struct server *server, size_t limit,
			    void (*on_done)(const struct connection_row *rows, size_t count,
					    uint64_t total, void *context),
			    void *context)
{
	size_t count = limit < ARRAY_SIZE(server->rows) ? limit : ARRAY_SIZE(server->rows);

	server->limit_asked = limit;
	server->on_done = on_done;
	server->context = context;
	if (!server->is_slow)
		on_done(server->rows, count, ARRAY_SIZE(server->rows), context);
	return 0;
}

void pool_for_each(struct pool *pool, void (*visit)(struct endpoint *endpoint, void *context),
		   void *context)
{
	for (size_t i = 0; i < ARRAY_SIZE(pool->endpoints); i++)
		visit(&pool->endpoints[i], context);
}

void pool_for_each_place(const struct pool *pool,
			 void (*visit)(const struct pool_place *place, void *context),
			 void *context)
{
	(void)pool;
	visit(&(struct pool_place){.is_known = true,
				   .point = {50.11, 8.68},
				   .picks = {[POOL_NEAREST] = 7, [POOL_FURTHER] = 2}},
	      context);
	visit(&(struct pool_place){.picks = {[POOL_UNKNOWN] = 1}}, context);
}

const char *pool_nearness_name(enum pool_nearness nearness)
{
	static const char *const names[] = {"nearest", "further", "unknown"};

	return names[nearness];
}

void pool_touch(struct pool *pool)
{
	pool->touched++;
}

const char *endpoint_admin_name(enum endpoint_admin state)
{
	static const char *const names[] = {"ready", "drain", "maint"};

	return names[state];
}

const char *endpoint_health_name(enum endpoint_health state)
{
	static const char *const names[] = {"unknown", "up", "down"};

	return names[state];
}

bool endpoint_is_available(const struct endpoint *endpoint, uint64_t now_ms)
{
	return atomic_load(&endpoint->admin) == ENDPOINT_READY &&
	       atomic_load(&endpoint->ejected_until_ms) <= now_ms;
}

#endif
