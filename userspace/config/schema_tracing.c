// SPDX-License-Identifier: Apache-2.0
/* Spans of requests for a collector: the options of tracing. */
#include "config/config_internal.h"

static const struct option tracing_options[] = {
	{.name = "collector",
	 .type = &type_address,
	 FIELD(config_tracing, collector),
	 .zero_word = "off",
	 .default_text = "off",
	 .example = "127.0.0.1:4318",
	 .help = "Where spans of requests (mode http) are sent, as OTLP in JSON over plain HTTP. A "
		 "collector that does not answer costs spans, never requests."},
	{.name = "path",
	 .type = &type_url_path,
	 FIELD(config_tracing, path),
	 .default_text = "/v1/traces",
	 .help = "The path that they are posted to."},
	{.name = "service",
	 .type = &type_name,
	 FIELD(config_tracing, service),
	 .default_text = "sluice",
	 .help = "What they are sent as: the resource attribute service.name."},
	{.name = "sample",
	 .type = &type_percent,
	 FIELD(config_tracing, sample_percent),
	 RANGE(0, 100),
	 .default_text = "100%",
	 .help = "The share of traces that begin here of which spans are sent. A traceparent field "
		 "of a proxy in forwarding.trust goes on, and decides for its trace."},
};

const struct schema schema_tracing = {SCHEMA("tracing", tracing_options)};
