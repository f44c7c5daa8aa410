// SPDX-License-Identifier: Apache-2.0
/*
 * An endpoint's life and what is asked of it on every pick. Pools own references; a connection
 * holds one as well, so an endpoint that left its pool ends with its last connection.
 */
#include "upstream/upstream_internal.h"

#include "core/hash.h"

#include <stdlib.h>
#include <string.h>

static const char *const admin_names[] = {
#define X(name, text) [ENDPOINT_##name] = text,
	ENDPOINT_ADMIN_STATES(X)
#undef X
};

static const char *const health_names[] = {
#define X(name, text) [ENDPOINT_HEALTH_##name] = text,
	ENDPOINT_HEALTH_STATES(X)
#undef X
};

const char *endpoint_admin_name(enum endpoint_admin state)
{
	return admin_names[state];
}

const char *endpoint_health_name(enum endpoint_health state)
{
	return health_names[state];
}

static void endpoint_free(struct endpoint *endpoint)
{
	free(endpoint->name);
	free(endpoint->zone);
	free(endpoint);
}

/* The load part sits on cache lines of its own, which malloc() alone does not promise. */
static struct endpoint *endpoint_alloc(void)
{
	struct endpoint *endpoint = aligned_alloc(_Alignof(struct endpoint), sizeof(*endpoint));

	if (endpoint)
		memset(endpoint, 0, sizeof(*endpoint));
	return endpoint;
}

struct endpoint *endpoint_new(const struct config_endpoint *config, const struct address *address)
{
	struct endpoint *endpoint = endpoint_alloc();
	char text[ADDRESS_TEXT_SIZE];

	if (!endpoint)
		return NULL;
	endpoint->name = strdup(config->name);
	endpoint->zone = config->zone ? strdup(config->zone) : NULL;
	if (!endpoint->name || (config->zone && !endpoint->zone)) {
		endpoint_free(endpoint);
		return NULL;
	}
	endpoint->has_location = config->has_location;
	endpoint->location = config->location;
	endpoint->address = *address;
	endpoint->id = hash_bytes(slice_from_str(address_format(address, text)), 0);
	atomic_init(&endpoint->refs, 1);
	atomic_init(&endpoint->weight, config->weight);
	atomic_init(&endpoint->tier, config->tier);
	atomic_init(&endpoint->max_connections, config->max_connections);
	return endpoint;
}

struct endpoint *endpoint_ref(struct endpoint *endpoint)
{
	atomic_fetch_add_explicit(&endpoint->refs, 1, memory_order_relaxed);
	return endpoint;
}

void endpoint_unref(struct endpoint *endpoint)
{
	if (!endpoint)
		return;
	if (atomic_fetch_sub_explicit(&endpoint->refs, 1, memory_order_acq_rel) == 1)
		endpoint_free(endpoint);
}

const char *endpoint_host(const struct endpoint *endpoint, char ret[ENDPOINT_HOST_SIZE])
{
	const char *colon = strrchr(endpoint->name, ':');
	size_t len = colon ? (size_t)(colon - endpoint->name) : 0;
	struct address address;

	if (!address_is_ip(&endpoint->address))
		return NULL;
	if (address_parse(slice_from_str(endpoint->name), &address) == 0)
		return address_format_ip(&endpoint->address, ret);
	if (len == 0 || len >= ENDPOINT_HOST_SIZE)
		return NULL;
	memcpy(ret, endpoint->name, len);
	ret[len] = '\0';
	return ret;
}

static bool zone_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool location_equal(const struct endpoint *endpoint, const struct config_endpoint *config)
{
	if (!endpoint->has_location || !config->has_location)
		return endpoint->has_location == config->has_location;
	return endpoint->location.latitude == config->location.latitude &&
	       endpoint->location.longitude == config->location.longitude;
}

bool endpoint_is_same(const struct endpoint *endpoint, const struct config_endpoint *config)
{
	return strcmp(endpoint->name, config->name) == 0 &&
	       zone_equal(endpoint->zone, config->zone) && location_equal(endpoint, config);
}

void endpoint_inherit(struct endpoint *endpoint, const struct endpoint *from)
{
	atomic_store(&endpoint->admin, atomic_load(&from->admin));
	atomic_store(&endpoint->health, atomic_load(&from->health));
	atomic_store(&endpoint->ejected_until_ms, atomic_load(&from->ejected_until_ms));
	atomic_store(&endpoint->ejections, atomic_load(&from->ejections));
	atomic_store(&endpoint->up_since_ms, atomic_load(&from->up_since_ms));
	atomic_store(&endpoint->latency_us, atomic_load(&from->latency_us));
}

bool endpoint_is_available(const struct endpoint *endpoint, uint64_t now_ms)
{
	return atomic_load_explicit(&endpoint->admin, memory_order_relaxed) == ENDPOINT_READY &&
	       atomic_load_explicit(&endpoint->health, memory_order_relaxed) !=
		       ENDPOINT_HEALTH_DOWN &&
	       atomic_load_explicit(&endpoint->weight, memory_order_relaxed) > 0 &&
	       atomic_load_explicit(&endpoint->ejected_until_ms, memory_order_relaxed) <= now_ms;
}
