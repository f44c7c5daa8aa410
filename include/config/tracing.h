/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CONFIG_TRACING_H
#define SLUICE_CONFIG_TRACING_H

#include "core/address.h"

#include <stdint.h>

/* Spans of requests, for a collector that speaks OTLP over HTTP. */
struct config_tracing {
	struct address collector; /* no address: there is none (the default) */
	const char *path;         /* "/v1/traces" */
	const char *service;      /* "sluice" */
	uint32_t sample_percent;  /* 100: of traces that begin here */
};

#endif
