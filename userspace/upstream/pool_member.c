// SPDX-License-Identifier: Apache-2.0
/*
 * What one configured endpoint stands for: how its endpoints are made, taken over by a reload, and
 * replaced when its DNS name has other addresses. Callers hold the pool's lock where it is shared.
 */
#include "upstream/upstream_internal.h"

#include "core/clock.h"

#include <errno.h>
#include <stdlib.h>

void pool_member_done(struct pool_member *member)
{
	for (size_t i = 0; i < member->count; i++)
		endpoint_unref(member->endpoints[i]);
	free(member->endpoints);
	*member = (struct pool_member){};
}

static int member_reserve(struct pool_member *member, size_t count)
{
	member->endpoints = count ? calloc(count, sizeof(struct endpoint *)) : NULL;
	return count && !member->endpoints ? -ENOMEM : 0;
}

struct endpoint *pool_member_find(const struct pool_member *member, const struct address *address)
{
	for (size_t i = 0; i < member->count; i++)
		if (address_equal(&member->endpoints[i]->address, address))
			return member->endpoints[i];
	return NULL;
}

/*
 * The endpoint of the configuration before stays, unless its name, zone or location is another
 * one now: then a new one goes on with what was known of it. Its open connections are counted to
 * the old one.
 */
static struct endpoint *take_over(struct endpoint *before, const struct config_endpoint *config)
{
	struct endpoint *endpoint;

	if (endpoint_is_same(before, config))
		return endpoint_ref(before);
	endpoint = endpoint_new(config, &before->address);
	if (endpoint)
		endpoint_inherit(endpoint, before);
	return endpoint;
}

int pool_member_take_over(struct pool_member *member, const struct config_endpoint *config,
			  const struct pool_member *before,
			  const struct config_endpoint *config_before)
{
	if (member_reserve(member, before->count))
		return -ENOMEM;
	for (size_t i = 0; i < before->count; i++) {
		struct endpoint *endpoint = take_over(before->endpoints[i], config);

		if (!endpoint)
			return -ENOMEM;
		member->endpoints[member->count++] = endpoint;
	}
	member->is_taken_over = true;
	member->is_reweighted = config->weight != config_before->weight;
	return 0;
}

int pool_member_make(struct pool_member *member, const struct config_endpoint *config)
{
	/* A DNS name has no endpoints before its first answer. */
	if (config->resolve == CONFIG_RESOLVE_DNS)
		return 0;
	if (member_reserve(member, 1))
		return -ENOMEM;
	member->endpoints[0] = endpoint_new(config, &config->address);
	if (!member->endpoints[0])
		return -ENOMEM;
	member->count = 1;
	return 0;
}

int pool_member_replace(struct pool_member *ret, const struct config_endpoint *config,
			const struct pool_member *before, const struct address *addresses,
			size_t count)
{
	if (member_reserve(ret, count))
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct endpoint *endpoint;

		if (pool_member_find(ret, &addresses[i]))
			continue;
		endpoint = pool_member_find(before, &addresses[i]);
		endpoint = endpoint ? endpoint_ref(endpoint) : endpoint_new(config, &addresses[i]);
		if (!endpoint)
			return -ENOMEM;
		ret->endpoints[ret->count++] = endpoint;
	}
	return 0;
}

void pool_member_start_newcomers(const struct pool_member *member, const struct pool_member *before)
{
	uint64_t now_ms = clock_monotonic_ms();

	for (size_t i = 0; before->count > 0 && i < member->count; i++)
		if (!pool_member_find(before, &member->endpoints[i]->address))
			atomic_store(&member->endpoints[i]->up_since_ms, now_ms);
}

void pool_member_start_slowly(const struct pool_member *member)
{
	uint64_t now_ms = clock_monotonic_ms();

	for (size_t i = 0; i < member->count; i++)
		atomic_store(&member->endpoints[i]->up_since_ms, now_ms);
}
