// SPDX-License-Identifier: Apache-2.0
/* The part of the schema table that is about endpoints that fail; schema.c says how to read it. */
#include "config/config_internal.h"

static const struct option outlier_options[] = {
	{.name = "consecutive_failures",
	 .type = &type_count,
	 FIELD(config_outlier, consecutive_failures),
	 RANGE(0, 1000),
	 .default_text = "5",
	 .help = "Failed connects or early resets in a row that eject an endpoint; 0 turns this "
		 "off."},
	{.name = "consecutive_errors",
	 .type = &type_count,
	 FIELD(config_outlier, consecutive_errors),
	 RANGE(0, 1000),
	 .default_text = "0",
	 .help = "Answers of 5xx or none within response_timeout, in a row, that eject an "
		 "endpoint; "
		 "0 turns this off. Of mode: http."},
	{.name = "error_share",
	 .type = &type_percent,
	 FIELD(config_outlier, error_share_percent),
	 RANGE(0, 100),
	 .default_text = "0%",
	 .help = "Share of such answers within error_window that ejects an endpoint; 0% turns this "
		 "off."},
	{.name = "error_window",
	 .type = &type_duration,
	 FIELD(config_outlier, error_window_ms),
	 RANGE(100, HOUR),
	 .default_text = "10s",
	 .help = "How long answers are counted for error_share before counting begins anew."},
	{.name = "error_minimum",
	 .type = &type_count,
	 FIELD(config_outlier, error_minimum),
	 RANGE(1, 1000000),
	 .default_text = "20",
	 .help = "Answers within error_window below which error_share says nothing."},
	{.name = "base_ejection",
	 .type = &type_duration,
	 FIELD(config_outlier, base_ejection_ms),
	 RANGE(100, DAY),
	 .default_text = "30s",
	 .help = "How long the first ejection lasts; each further one lasts twice as long."},
	{.name = "max_ejection",
	 .type = &type_duration,
	 FIELD(config_outlier, max_ejection_ms),
	 RANGE(100, DAY),
	 .default_text = "5m",
	 .help = "The longest ejection."},
	{.name = "max_ejected",
	 .type = &type_percent,
	 FIELD(config_outlier, max_ejected_percent),
	 RANGE(0, 100),
	 .default_text = "50%",
	 .help = "Part of the pool that may be ejected at once; one endpoint may always go."},
};

const struct schema schema_outlier = {SCHEMA("outlier", outlier_options)};

static const struct option breaker_options[] = {
	{.name = "max_pending",
	 .type = &type_count,
	 FIELD(config_breaker, max_pending),
	 RANGE(0, 1000000),
	 .default_text = "0",
	 .help = "Requests that may wait for a connection at once, over all workers; further ones "
		 "are "
		 "answered 503 at once. 0: no limit."},
	{.name = "max_requests",
	 .type = &type_count,
	 FIELD(config_breaker, max_requests),
	 RANGE(0, 1000000),
	 .default_text = "0",
	 .help = "Requests at once, over all workers; further ones are answered 503. 0: no limit."},
	{.name = "max_retries",
	 .type = &type_count,
	 FIELD(config_breaker, max_retries),
	 RANGE(0, 1000000),
	 .default_text = "0",
	 .help = "Requests at once that are sent another time; further ones are not. 0: no limit."},
};

const struct schema schema_breaker = {SCHEMA("breaker", breaker_options)};

static const struct option retry_options[] = {
	{.name = "on_reset",
	 .type = &type_boolean,
	 FIELD(config_retry, on_reset),
	 .default_text = "true",
	 .help = "Send it again if the endpoint closes or resets before it answers."},
	{.name = "on_timeout",
	 .type = &type_boolean,
	 FIELD(config_retry, on_timeout),
	 .default_text = "false",
	 .help = "Send it again if there is no answer within response_timeout."},
	{.name = "on_unavailable",
	 .type = &type_boolean,
	 FIELD(config_retry, on_unavailable),
	 .default_text = "false",
	 .help = "Send it again if the answer is 502, 503 or 504."},
	{.name = "budget",
	 .type = &type_percent,
	 FIELD(config_retry, budget_percent),
	 RANGE(0, 100),
	 .default_text = "20%",
	 .help = "Share of each worker's requests that may be sent again; ten may in any "
		 "case. 0%: none."},
};

static const struct schema schema_retry = {SCHEMA("retry", retry_options)};

static const struct option pool_http_options[] = {
	{.name = "response_timeout",
	 .type = &type_duration,
	 FIELD(config_pool_http, response_timeout_ms),
	 RANGE(1, DAY),
	 .default_text = "60s",
	 .help = "From the end of a request to the head of its answer, for each try; then 504."},
	{.name = "total_timeout",
	 .type = &type_duration,
	 FIELD(config_pool_http, total_timeout_ms),
	 RANGE(0, DAY),
	 .default_text = "0",
	 .help = "From a request's head to the head of its answer, over all tries, queue and body; "
		 "then 504, or 408 while buffer_request waits for the body. 0: no limit of its "
		 "own."},
	{.name = "retry",
	 .type = &type_mapping,
	 .members = &schema_retry,
	 FIELD(config_pool_http, retry),
	 .help = "When a request that may be repeated (RFC 9110 9.2.2) and had no body goes to "
		 "another "
		 "endpoint, at most connect_retries times."},
	{.name = "hedge_delay",
	 .type = &type_duration,
	 FIELD(config_pool_http, hedge_delay_ms),
	 RANGE(0, HOUR),
	 .default_text = "0",
	 .help = "A request that may be sent again and has had no head of an answer for so long, "
		 "connecting included, goes to one more endpoint; the first answer counts. Within "
		 "connect_retries, retry.budget and breaker. 0: off."},
	{.name = "buffer_request",
	 .type = &type_size,
	 FIELD(config_pool_http, buffer_request),
	 RANGE(0, 16777216),
	 .default_text = "0",
	 .help = "Bytes of a request's body that are read before an endpoint is chosen, so that a "
		 "slow client holds none; of what is longer, so many. 0: none."},
	{.name = "idle_timeout",
	 .type = &type_duration,
	 FIELD(config_pool_http, idle_timeout_ms),
	 RANGE(1, DAY),
	 .default_text = "30s",
	 .help = "How long a connection is kept for the next request. Best less than what the "
		 "endpoints allow."},
	{.name = "idle_connections",
	 .type = &type_count,
	 FIELD(config_pool_http, idle_connections),
	 RANGE(0, 65536),
	 .default_text = "256",
	 .help = "Connections that each worker keeps, to all endpoints together; 0: none."},
};

const struct schema schema_pool_http = {SCHEMA("http", pool_http_options)};
