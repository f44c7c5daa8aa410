/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CONFIG_SCHEMA_FILTER_H
#define SLUICE_CONFIG_SCHEMA_FILTER_H

#include "config/config_internal.h"

/* The options of each filter; schema_filter.c puts them together. */
extern const struct schema schema_filter_headers, schema_filter_compression, schema_filter_access,
	schema_filter_limits, schema_filter_cors, schema_filter_rate_limit,
	schema_filter_basic_auth;

#endif
