/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TESTS_UNIT_UPSTREAM_VIEW_FIXTURE_H
#define SLUICE_TESTS_UNIT_UPSTREAM_VIEW_FIXTURE_H

/* One view of one pool, on a loop that is replaced by a clock of our own. */
#include "fake_loop.h"
#include "upstream/pool.h"
#include "upstream/pool_view_internal.h"
#include "upstream_fixture.h"

#include <errno.h>

#define ENDPOINTS_MAX 8

static struct config_endpoint endpoints[ENDPOINTS_MAX];
static struct config_pool config;
static struct pool *pool;
static struct pool_view *view;

/* Of the first @count endpoints, which are there already. */
static inline void configure(size_t count)
{
	config = fixture_pool(endpoints, count);
	fake_now_ms = 1000000;
	nposted = 0;
}

static inline void start(const char *zone)
{
	pool = pool_new(&config, zone, NULL);
	assert_non_null(pool);
	view = pool_view_new(pool, NULL);
	assert_non_null(view);
}

static inline int tear_down(void **state)
{
	(void)state;
	pool_view_free(view);
	deliver();
	pool_unref(pool);
	return 0;
}

/* Index of the endpoint that is picked, or the error. The connection is kept. */
static inline int pick_by(const struct pool_request *request)
{
	struct endpoint *endpoint;
	int err = pool_view_pick(view, request, &endpoint);

	if (err)
		return err;
	for (size_t i = 0; i < config.nendpoints; i++)
		if (address_equal(&endpoint->address, &endpoints[i].address))
			return (int)i;
	return -ENOENT;
}

static inline struct endpoint *find(size_t index)
{
	struct endpoint *endpoint = pool_find(pool, endpoints[index].name);

	assert_non_null(endpoint);
	endpoint_unref(endpoint); /* the pool's own reference is enough here */
	return endpoint;
}

#endif
