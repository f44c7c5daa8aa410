/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TESTS_UPSTREAM_FIXTURE_H
#define SLUICE_TESTS_UPSTREAM_FIXTURE_H

/* Small configurations of pools, written down as tests need them. */
#include "core/compiler.h"
#include "upstream/pool.h"

#include <assert.h>
#include <stdlib.h>

static inline struct config_endpoint fixture_endpoint(const char *address)
{
	struct config_endpoint endpoint = {.name = address, .weight = 1};
	int err = address_parse(slice_from_str(address), &endpoint.address);

	if (err)
		abort();
	return endpoint;
}

static inline struct config_pool fixture_pool(struct config_endpoint *endpoints, size_t count)
{
	return (struct config_pool){
		.name = "pool",
		.balance = CONFIG_BALANCE_ROUND_ROBIN,
		.maglev_table_size = 251,
		.source_prefix_v4 = 32,
		.source_prefix_v6 = 64,
		.endpoints = endpoints,
		.nendpoints = count,
		.outlier = {.base_ejection_ms = 1000,
			    .max_ejection_ms = 8000,
			    .max_ejected_percent = 50},
		.queue_size = 4,
		.queue_timeout_ms = 5000,
	};
}

static inline struct address fixture_address(const char *text)
{
	struct address address;

	if (address_parse(slice_from_str(text), &address))
		abort();
	return address;
}

#endif
