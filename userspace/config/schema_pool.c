// SPDX-License-Identifier: Apache-2.0
/* The part of the schema table that is about pools; schema.c says how to read it. */
#include "config/config_internal.h"

static const struct word balance_words[] = {
#define X(name, text) {text, CONFIG_BALANCE_##name},
	CONFIG_BALANCES(X)
#undef X
		{},
};

static const struct word resolve_words[] = {
	{"none", CONFIG_RESOLVE_NONE},
	{"dns", CONFIG_RESOLVE_DNS},
	{},
};

static const struct word proxy_words[] = {
	{"off", CONFIG_PROXY_OFF},
	{"v1", CONFIG_PROXY_V1},
	{"v2", CONFIG_PROXY_V2},
	{},
};

static const struct word health_words[] = {
	{"off", CONFIG_HEALTH_OFF},
	{"tcp", CONFIG_HEALTH_TCP},
	{"tls", CONFIG_HEALTH_TLS},
	{"http", CONFIG_HEALTH_HTTP},
	{},
};

static const struct option location_options[] = {
	{.name = "latitude",
	 .type = &type_degrees,
	 FIELD(earth_point, latitude),
	 RANGE(0, 90),
	 .example = "52.52",
	 .is_required = true,
	 .help = "Degrees north of the equator; south of it they are negative."},
	{.name = "longitude",
	 .type = &type_degrees,
	 FIELD(earth_point, longitude),
	 RANGE(0, 180),
	 .example = "13.40",
	 .is_required = true,
	 .help = "Degrees east of Greenwich; west of it they are negative."},
};

static const struct schema schema_location = {SCHEMA("a location", location_options)};

static const struct option endpoint_options[] = {
	{.name = "address",
	 .type = &type_endpoint,
	 FIELD(config_endpoint, name),
	 .example = "\"10.0.0.1:8080\"",
	 .is_required = true,
	 .help = "Where to connect: IP address and port, unix:/path, or with resolve: dns a host "
		 "name "
		 "and port. A bare string in the list of endpoints is an address too."},
	{.name = "resolve",
	 .type = &type_word,
	 FIELD(config_endpoint, resolve),
	 .words = resolve_words,
	 .default_text = "none",
	 .help = "dns: the address is a name; each of its addresses becomes an endpoint, looked up "
		 "again when the answer expires."},
	{.name = "resolve_hold",
	 .type = &type_duration,
	 FIELD(config_endpoint, resolve_hold_ms),
	 RANGE(0, 7 * DAY),
	 .default_text = "30s",
	 .help = "With resolve: dns, how long the addresses of a name stay that servers say does "
		 "not exist any more. Servers that fail or do not answer take none away."},
	{.name = "weight",
	 .type = &type_count,
	 FIELD(config_endpoint, weight),
	 RANGE(0, 256),
	 .default_text = "1",
	 .help = "Share of connections, relative to the other endpoints; 0 takes none."},
	{.name = "zone",
	 .type = &type_name,
	 FIELD(config_endpoint, zone),
	 .example = "rack1",
	 .help = "Endpoints in the proxy's own zone are preferred while any of them is available."},
	{.name = "location",
	 .type = &type_mapping,
	 .members = &schema_location,
	 FIELD(config_endpoint, location),
	 .help = "Where the endpoint is, for pools with nearest: true. Endpoints of one place have "
		 "the same."},
	{.name = "backup",
	 .type = &type_flag,
	 FIELD(config_endpoint, tier),
	 .example = "true",
	 .help = "true is the same as tier: 1. Not together with tier."},
	{.name = "tier",
	 .type = &type_count,
	 FIELD(config_endpoint, tier),
	 RANGE(0, 15),
	 .example = "1",
	 .help = "A tier is used when no endpoint of a lower one is available; 0 is the first and "
		 "the "
		 "default."},
	{.name = "max_connections",
	 .type = &type_count,
	 FIELD(config_endpoint, max_connections),
	 RANGE(0, CONNECTIONS_MAX),
	 .default_text = "0",
	 .help = "Connections at once, over all workers; further ones wait in the pool's queue. 0: "
		 "no "
		 "limit."},
	{.name = "quic_server_id",
	 .type = &type_server_id,
	 FIELD(config_endpoint, quic_server_id),
	 .example = "0a01",
	 .help = "Mode dispatch: what the endpoint's connection ids of QUIC have behind their "
		 "first "
		 "byte, in hexadecimal, as long as those of the pool's other endpoints. A client "
		 "that moves to another address stays with it."},
};

static const struct schema schema_endpoint = {
	SCHEMA("an endpoint", endpoint_options),
	.size = sizeof(struct config_endpoint),
	.line_offset = offsetof(struct config_endpoint, line),
	.scalar = &endpoint_options[0],
	.finish = finish_endpoint,
};

static const struct option health_tls_options[] = {
	{.name = "sni",
	 .type = &type_host,
	 FIELD(config_health_check, tls_sni),
	 .example = "www.example.com",
	 .help = "Server name to send in the handshake; none is sent without it."},
};

static const struct schema schema_health_tls = {SCHEMA("a tls check", health_tls_options)};

static const struct schema schema_health_tcp = {.name = "a tcp check"};

static const struct option health_http_options[] = {
	{.name = "path",
	 .type = &type_url_path,
	 FIELD(config_health_check, http_path),
	 .default_text = "/",
	 .help = "What to GET."},
	{.name = "host",
	 .type = &type_host,
	 FIELD(config_health_check, http_host),
	 .example = "www.example.com",
	 .help = "The Host header; the endpoint's address without it."},
	{.name = "expect",
	 .type = &type_status,
	 FIELDS(config_health_check, http_status_first, http_status_last),
	 RANGE(100, 599),
	 .default_text = "200-399",
	 .help = "The status, or the range of statuses, of a healthy answer."},
	{.name = "body",
	 .type = &type_text,
	 FIELD(config_health_check, http_body),
	 .example = "ready",
	 .help = "Text that the first 64 KiB of the body must contain."},
};

static const struct schema schema_health_http = {SCHEMA("an http check", health_http_options)};

static const struct option health_kind_option = {
	.name = "health",
	.type = &type_word,
	FIELD(config_health_check, kind),
	.words = health_words,
	.default_text = "off",
};

static const struct word through_words[] = {
	{"tunnel", CONFIG_THROUGH_TUNNEL},
	{"address", CONFIG_THROUGH_ADDRESS},
	{},
};

static const struct option health_options[] = {
	{.name = "tcp",
	 .type = &type_mapping,
	 .members = &schema_health_tcp,
	 .is_choice = true,
	 .help = "Healthy is who accepts a connection. One of tcp, tls and http is named."},
	{.name = "tls",
	 .type = &type_mapping,
	 .members = &schema_health_tls,
	 .is_choice = true,
	 .help = "Healthy is who completes a TLS handshake; the certificate is not verified."},
	{.name = "http",
	 .type = &type_mapping,
	 .members = &schema_health_http,
	 .is_choice = true,
	 .help = "Healthy is who answers an HTTP/1.1 GET as expected."},
	{.name = "interval",
	 .type = &type_duration,
	 FIELD(config_health_check, interval_ms),
	 RANGE(100, HOUR),
	 .default_text = "2s",
	 .help = "From the beginning of one check to that of the next."},
	{.name = "timeout",
	 .type = &type_duration,
	 FIELD(config_health_check, timeout_ms),
	 RANGE(10, 5 * MINUTE),
	 .default_text = "1s",
	 .help = "How long a check may take in all; at most the interval."},
	{.name = "jitter",
	 .type = &type_percent,
	 FIELD(config_health_check, jitter_percent),
	 RANGE(0, 50),
	 .default_text = "10%",
	 .help = "Part of the interval by which checks are moved at random, so that they spread."},
	{.name = "rise",
	 .type = &type_count,
	 FIELD(config_health_check, rise),
	 RANGE(1, 100),
	 .default_text = "2",
	 .help = "Checks in a row that must succeed before an endpoint counts as up."},
	{.name = "fall",
	 .type = &type_count,
	 FIELD(config_health_check, fall),
	 RANGE(1, 100),
	 .default_text = "3",
	 .help = "Checks in a row that must fail before an endpoint counts as down."},
	{.name = "port",
	 .type = &type_port,
	 FIELD(config_health_check, port),
	 RANGE(1, 65535),
	 .example = "8081",
	 .help = "Port to check, where it is not the endpoint's own."},
	{.name = "through",
	 .type = &type_word,
	 FIELD(config_health_check, through),
	 .words = through_words,
	 .default_text = "tunnel",
	 .help = "Of mode dispatch with forward: ipip, gue or l2. tunnel: checks go as packets of "
		 "the "
		 "service do, so an endpoint that is without the listener's address, or does not "
		 "take the tunnel's header off, is down. address: to the endpoint's own address, "
		 "as "
		 "everywhere else."},
};

static const struct schema schema_health = {
	SCHEMA("health", health_options),
	.scalar = &health_kind_option,
	.finish = finish_health,
};

static const struct option queue_options[] = {
	{.name = "size",
	 .type = &type_count,
	 FIELD(config_pool, queue_size),
	 RANGE(0, 1000000),
	 .default_text = "1024",
	 .help = "Connections that may wait while every endpoint is at its max_connections; "
		 "further "
		 "ones are closed."},
	{.name = "timeout",
	 .type = &type_duration,
	 FIELD(config_pool, queue_timeout_ms),
	 RANGE(1, 10 * MINUTE),
	 .default_text = "5s",
	 .help = "The longest wait; then the connection is closed."},
};

static const struct schema schema_queue = {SCHEMA("queue", queue_options)};

static const struct option maglev_options[] = {
	{.name = "table_size",
	 .type = &type_count,
	 FIELD(config_pool, maglev_table_size),
	 RANGE(5, 5000011),
	 .default_text = "65537",
	 .help = "Slots of the look-up table: a prime, best 100 times the number of endpoints or "
		 "more. "
		 "A larger one spreads more evenly and moves fewer connections on changes."},
};

static const struct schema schema_maglev = {SCHEMA("maglev", maglev_options)};

static const struct option pool_prefix_options[] = {
	{.name = "v4",
	 .type = &type_count,
	 FIELD(config_pool, source_prefix_v4),
	 RANGE(1, 32),
	 .default_text = "32",
	 .help = "Bits of an IPv4 client's address that count."},
	{.name = "v6",
	 .type = &type_count,
	 FIELD(config_pool, source_prefix_v6),
	 RANGE(1, 128),
	 .default_text = "64",
	 .help = "Bits of an IPv6 client's address that count."},
};

static const struct schema schema_pool_prefix = {SCHEMA("source_prefix", pool_prefix_options)};

static const struct option pool_options[] = {
	{.name = "name",
	 .type = &type_name,
	 FIELD(config_pool, name),
	 .example = "web",
	 .is_required = true,
	 .help = "Unique; routes, metrics and sluicectl use it."},
	{.name = "balance",
	 .type = &type_word,
	 FIELD(config_pool, balance),
	 .words = balance_words,
	 .default_text = "round_robin",
	 .help = "How an endpoint is chosen: in turns by weight, at random, fewest connections, "
		 "the "
		 "better of two by connections and latency, or by a hash of the client's address "
		 "(maglev moves few clients when endpoints change; source is cheapest)."},
	{.name = "hash_key",
	 .type = &type_mapping,
	 .members = &schema_hash_key,
	 .is_choice = true,
	 FIELD(config_pool, hash_key),
	 .help = "Mode http: what maglev and source hash in place of the client's address, where "
		 "the request has it."},
	{.name = "sticky",
	 .type = &type_mapping,
	 .members = &schema_sticky,
	 .is_choice = true,
	 FIELD(config_pool, sticky),
	 .help = "Mode http: a client comes back to the endpoint that has served it, for as long "
		 "as that is available."},
	{.name = "endpoints",
	 .type = &type_mapping,
	 .members = &schema_endpoint,
	 LIST(config_pool, endpoints),
	 .is_required = true,
	 .help = "Who serves the pool's connections."},
	{.name = "nearest",
	 .type = &type_boolean,
	 FIELD(config_pool, is_nearest),
	 .default_text = "false",
	 .help = "Clients go to the endpoints whose location is nearest to where geo.databases "
		 "have them, then to the next nearest; to those without a location last. Without "
		 "effect on clients that no database has a place of."},
	{.name = "health",
	 .type = &type_mapping,
	 .members = &schema_health,
	 .is_choice = true,
	 FIELD(config_pool, health),
	 .help = "Active checks. A bare word is a check with defaults."},
	{.name = "outlier",
	 .type = &type_mapping,
	 .members = &schema_outlier,
	 FIELD(config_pool, outlier),
	 .help = "Ejection of endpoints that fail on real connections."},
	{.name = "proxy_protocol",
	 .type = &type_word,
	 FIELD(config_pool, proxy_protocol),
	 .words = proxy_words,
	 .default_text = "off",
	 .help = "Version of the PROXY header to send to endpoints, health checks included."},
	{.name = "connect_timeout",
	 .type = &type_duration,
	 FIELD(config_pool, connect_timeout_ms),
	 RANGE(1, 5 * MINUTE),
	 .default_text = "2s",
	 .help = "How long one try to connect may take."},
	{.name = "connect_retries",
	 .type = &type_count,
	 FIELD(config_pool, connect_retries),
	 RANGE(0, 7),
	 .default_text = "2",
	 .help = "Further tries after the first fails, on other endpoints while there are any."},
	{.name = "http",
	 .type = &type_mapping,
	 .members = &schema_pool_http,
	 FIELD(config_pool, http),
	 .help = "For listeners of mode: http."},
	{.name = "breaker",
	 .type = &type_mapping,
	 .members = &schema_breaker,
	 FIELD(config_pool, breaker),
	 .help = "Limits of mode: http beyond which requests are turned away at once."},
	{.name = "queue",
	 .type = &type_mapping,
	 .members = &schema_queue,
	 .help = "Where connections wait for an endpoint below its max_connections."},
	{.name = "slow_start",
	 .type = &type_duration,
	 FIELD(config_pool, slow_start_ms),
	 RANGE(0, HOUR),
	 .default_text = "0",
	 .help = "Time over which the weight of an endpoint that has come up grows to its full "
		 "value; "
		 "0: at once."},
	{.name = "source_address",
	 .type = &type_ip,
	 FIELD(config_pool, source_address),
	 .example = "192.0.2.10",
	 .help = "Local address to connect from; the kernel chooses without it."},
	{.name = "transparent",
	 .type = &type_boolean,
	 FIELD(config_pool, is_transparent),
	 .default_text = "false",
	 .help = "Connect from the client's own address (IP_TRANSPARENT). Needs CAP_NET_ADMIN, and "
		 "the "
		 "endpoints' answers routed through this host."},
	{.name = "tls",
	 .type = &type_mapping,
	 .members = &schema_pool_tls,
	 .is_choice = true,
	 FIELD(config_pool, tls),
	 .help = "TLS to endpoints, health checks included. \"tls:\" without a value verifies them "
		 "against the system's authorities."},
	{.name = "maglev",
	 .type = &type_mapping,
	 .members = &schema_maglev,
	 .help = "Of balance: maglev."},
	{.name = "source_prefix",
	 .type = &type_mapping,
	 .members = &schema_pool_prefix,
	 .help = "What balance: source and balance: maglev take for one client."},
};

const struct schema schema_pool = {
	SCHEMA("a pool", pool_options),
	.size = sizeof(struct config_pool),
	.line_offset = offsetof(struct config_pool, line),
};
