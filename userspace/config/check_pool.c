// SPDX-License-Identifier: Apache-2.0
/* What holds between the options of one pool. */
#include "config/config_internal.h"

#include <string.h>

/* One way to write each address, so that "[::1]:80" and "[0::1]:80" are seen to be the same. */
static const char *canonical_name(struct checker *checker, const struct config_endpoint *endpoint)
{
	char text[ADDRESS_TEXT_SIZE];
	char *copy;

	if (endpoint->address.len == 0)
		return endpoint->name;
	address_format(&endpoint->address, text);
	copy = arena_strdup(checker->arena, slice_from_str(text));
	if (!copy)
		checker->is_out_of_memory = true;
	return copy;
}

static void check_endpoint_names(struct checker *checker, const struct config_pool *pool,
				 const struct node *endpoints)
{
	struct site *sites = new_sites(checker, pool->nendpoints);
	const struct node *item = endpoints->first;
	size_t count = 0;

	for (size_t i = 0; sites && item && i < pool->nendpoints; i++, item = item->next) {
		const char *name = canonical_name(checker, &pool->endpoints[i]);

		if (name)
			sites[count++] = (struct site){name, node_member_or_self(item, "address"),
						       i};
	}
	if (sites)
		check_unique(checker, sites, count, "address");
}

static void check_weights(struct checker *checker, const struct config_pool *pool,
			  const struct node *endpoints)
{
	for (size_t i = 0; i < pool->nendpoints; i++) {
		if (pool->endpoints[i].weight > 0)
			return;
	}
	if (pool->nendpoints)
		diagnose(checker->diagnostics, endpoints,
			 "every endpoint has weight 0; expected one that takes connections");
}

static void check_source(struct checker *checker, const struct config_pool *pool,
			 const struct node *node)
{
	const struct node *at = node_member(node, "source_address");
	sa_family_t family = pool->source_address.sa.sa_family;
	char quoted[QUOTE_SIZE];

	if (pool->source_address.len == 0)
		return;
	if (pool->is_transparent)
		diagnose(checker->diagnostics, node_member_or_self(node, "transparent"),
			 "transparent stands beside source_address; expected one of the two");
	for (size_t i = 0; i < pool->nendpoints; i++) {
		const struct address *address = &pool->endpoints[i].address;

		if (!address_is_ip(address) || address->sa.sa_family == family)
			continue;
		diagnose(checker->diagnostics, at,
			 "source_address: %s is of another family than the endpoint on line %u; "
			 "expected an %s address",
			 node_quote(at, quoted), pool->endpoints[i].line,
			 address->sa.sa_family == AF_INET ? "IPv4" : "IPv6");
		return;
	}
}

static bool is_prime(uint32_t number)
{
	for (uint32_t divisor = 2; (uint64_t)divisor * divisor <= number; divisor++) {
		if (number % divisor == 0)
			return false;
	}
	return number > 1;
}

static void check_maglev(struct checker *checker, const struct config_pool *pool,
			 const struct node *node)
{
	const struct node *at = node_member_or_self(node_member_or_self(node, "maglev"),
						    "table_size");
	uint32_t size = pool->maglev_table_size, prime = size;
	char quoted[QUOTE_SIZE];

	while (!is_prime(prime))
		prime++;
	if (prime != size)
		diagnose(checker->diagnostics, at,
			 "table_size: %s is not a prime; expected a prime such as %u",
			 node_quote(at, quoted), at->is_from_environment ? 65537 : prime);
	if (pool->balance == CONFIG_BALANCE_MAGLEV && pool->nendpoints > size)
		diagnose(checker->diagnostics, at,
			 "table_size is below the number of endpoints; expected at least %zu",
			 pool->nendpoints);
}

/* What a check needs of an endpoint and a unix socket does not have. */
static void check_unix_health(struct checker *checker, const struct config_pool *pool,
			      const struct node *health)
{
	const struct config_health_check *check = &pool->health;
	const struct node *port = node_member(health, "port");

	for (size_t i = 0; i < pool->nendpoints; i++) {
		const struct address *address = &pool->endpoints[i].address;

		if (address->len == 0 || address_is_ip(address))
			continue;
		if (check->kind == CONFIG_HEALTH_HTTP &&
		    !node_member(node_member(health, "http"), "host"))
			diagnose(checker->diagnostics, health,
				 "http check of the unix socket on line %u has no host; expected "
				 "host, for its Host header",
				 pool->endpoints[i].line);
		if (port)
			diagnose(checker->diagnostics, port,
				 "port stands beside the unix socket on line %u, which has none; "
				 "expected IP endpoints alone",
				 pool->endpoints[i].line);
		return;
	}
}

static void check_health(struct checker *checker, const struct config_pool *pool,
			 const struct node *node)
{
	const struct node *health = node_member(node, "health");

	if (!health || pool->health.kind == CONFIG_HEALTH_OFF)
		return;
	check_at_most(checker, health, "timeout", pool->health.timeout_ms, "interval",
		      pool->health.interval_ms);
	check_unix_health(checker, pool, health);
}

/* A unix socket has no name to be found in its certificate. */
static void check_tls(struct checker *checker, const struct config_pool *pool,
		      const struct node *node)
{
	const struct config_pool_tls *tls = &pool->tls;

	if (!tls->is_enabled || !tls->is_verified || tls->server_name)
		return;
	for (size_t i = 0; i < pool->nendpoints; i++) {
		const struct address *address = &pool->endpoints[i].address;

		if (address->len == 0 || address_is_ip(address))
			continue;
		diagnose(checker->diagnostics, node_member_or_self(node, "tls"),
			 "tls to the unix socket on line %u has no server_name; expected the name "
			 "in its certificate, or verify: false",
			 pool->endpoints[i].line);
		return;
	}
}

/* What would never be sent is not asked for. */
static void check_hedge(struct checker *checker, const struct config_pool *pool,
			const struct node *node)
{
	const struct node *http = node_member(node, "http");
	const struct node *at = node_member(http, "hedge_delay");
	const struct config_pool_http *config = &pool->http;

	if (!at || !config->hedge_delay_ms)
		return;
	check_at_most(checker, http, "hedge_delay", config->hedge_delay_ms, "response_timeout",
		      config->response_timeout_ms);
	if (pool->connect_retries == 0)
		diagnose(checker->diagnostics, at,
			 "hedge_delay stands beside connect_retries: 0; expected one at least, for "
			 "a hedge is one of them");
	if (config->retry.budget_percent == 0)
		diagnose(checker->diagnostics, at,
			 "hedge_delay stands beside a retry budget of 0%%; expected a share that "
			 "may be sent another time");
}

/* NULL: nothing. */
static const char *why_server_id_cannot_be(const struct config_pool *pool, size_t index)
{
	const struct config_endpoint *endpoints = pool->endpoints;
	const struct config_server_id *id = &endpoints[index].quic_server_id;

	if (id->len != endpoints[0].quic_server_id.len)
		return "of another length than the first endpoint's; expected all or none to have "
		       "one, of one length";
	if (id->len && endpoints[index].resolve == CONFIG_RESOLVE_DNS)
		return "of a name, which may have several addresses; expected an address";
	for (size_t i = 0; id->len && i < index; i++)
		if (memcmp(id, &endpoints[i].quic_server_id, sizeof(*id)) == 0)
			return "another endpoint's too; expected one of its own";
	return NULL;
}

static void check_server_ids(struct checker *checker, const struct config_pool *pool,
			     const struct node *endpoints)
{
	const struct node *item = node_first(endpoints);

	for (size_t i = 0; item && i < pool->nendpoints; i++, item = item->next) {
		const char *why = why_server_id_cannot_be(pool, i);

		if (!why)
			continue;
		diagnose(checker->diagnostics, node_member_or_self(item, "quic_server_id"),
			 "quic_server_id is %s", why);
		return;
	}
}

static void check_pool(struct checker *checker, const struct config_pool *pool,
		       const struct node *node)
{
	const struct node *endpoints = node_member(node, "endpoints");

	if (endpoints && endpoints->kind == NODE_LIST) {
		check_endpoint_names(checker, pool, endpoints);
		check_weights(checker, pool, endpoints);
		check_server_ids(checker, pool, endpoints);
	}
	check_source(checker, pool, node);
	check_maglev(checker, pool, node);
	check_health(checker, pool, node);
	check_tls(checker, pool, node);
	check_hedge(checker, pool, node);
	check_nearest(checker, pool, node);
	check_at_most(checker, node_member_or_self(node, "outlier"), "base_ejection",
		      pool->outlier.base_ejection_ms, "max_ejection",
		      pool->outlier.max_ejection_ms);
}

void check_pools(struct checker *checker)
{
	const struct config *config = checker->config;
	const struct node *item = node_first(node_member(checker->root, "pools"));

	for (size_t i = 0; item && i < config->npools; i++, item = item->next)
		check_pool(checker, &config->pools[i], item);
}
