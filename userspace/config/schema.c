// SPDX-License-Identifier: Apache-2.0
/*
 * Every option, once: name, type, range, default, help, and its place in the plain structs of
 * config.h. The parser, the JSON Schema, the reference file and the option tables all come from
 * here. Tables stand before those that refer to them, so the file reads from the inside out.
 */
#include "config_internal.h"

#define SECOND 1000u
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define KIB    1024u
#define MIB    (1024 * KIB)

#define CONNECTIONS_MAX 100000000u

/* Where the value goes: in the struct of the mapping that the option is in. */
#define FIELD(type, field) .offset = offsetof(struct type, field)
#define LIST(type, field)                                        \
	.is_list = true, .offset = offsetof(struct type, field), \
	.count_offset = offsetof(struct type, n##field)

#define RANGE(low, high) .min = (low), .max = (high)

#define SCHEMA(title, table) .name = (title), .options = (table), .count = ARRAY_SIZE(table)

/* --- Words --------------------------------------------------------------------- */

static const struct word io_words[] = {
	{"auto", CONFIG_IO_AUTO},
	{"io_uring", CONFIG_IO_URING},
	{"epoll", CONFIG_IO_EPOLL},
	{},
};

static const struct word switch_words[] = {{"auto", CONFIG_AUTO}, {"off", CONFIG_OFF}, {}};

static const struct word level_words[] = {
#define X(name, text) {text, LOG_##name},
	LOG_LEVELS(X)
#undef X
		{},
};

static const struct word log_format_words[] = {
	{"text", LOG_FORMAT_TEXT},
	{"json", LOG_FORMAT_JSON},
	{},
};

static const struct word access_format_words[] = {
	{"text", CONFIG_ACCESS_TEXT},
	{"json", CONFIG_ACCESS_JSON},
	{},
};

static const struct word mode_words[] = {{"tcp", CONFIG_MODE_TCP}, {}};

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

/* --- Pools --------------------------------------------------------------------- */

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
	 FIELD(config_health_check, http_status_first),
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
};

static const struct schema schema_health = {
	SCHEMA("health", health_options),
	.scalar = &health_kind_option,
	.finish = finish_health,
};

static const struct option outlier_options[] = {
	{.name = "consecutive_failures",
	 .type = &type_count,
	 FIELD(config_outlier, consecutive_failures),
	 RANGE(0, 1000),
	 .default_text = "5",
	 .help = "Failed connects or early resets in a row that eject an endpoint; 0 turns "
		 "ejection "
		 "off."},
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

static const struct schema schema_outlier = {SCHEMA("outlier", outlier_options)};

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
	{.name = "endpoints",
	 .type = &type_mapping,
	 .members = &schema_endpoint,
	 LIST(config_pool, endpoints),
	 .is_required = true,
	 .help = "Who serves the pool's connections."},
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
	{.name = "maglev",
	 .type = &type_mapping,
	 .members = &schema_maglev,
	 .help = "Of balance: maglev."},
	{.name = "source_prefix",
	 .type = &type_mapping,
	 .members = &schema_pool_prefix,
	 .help = "What balance: source and balance: maglev take for one client."},
};

static const struct schema schema_pool = {
	SCHEMA("a pool", pool_options),
	.size = sizeof(struct config_pool),
	.line_offset = offsetof(struct config_pool, line),
};

/* --- Listeners ----------------------------------------------------------------- */

static const struct option match_options[] = {
	{.name = "sni",
	 .type = &type_sni,
	 LIST(config_route, sni),
	 .example = "[\"www.example.com\", \"*.api.example.com\"]",
	 .help = "Server names in the TLS ClientHello; \"*.example.com\" stands for any labels in "
		 "front, \"*\" for any name."},
	{.name = "alpn",
	 .type = &type_alpn,
	 LIST(config_route, alpn),
	 .example = "[h2, http/1.1]",
	 .help = "ALPN protocols, one of which the ClientHello offers."},
	{.name = "source",
	 .type = &type_network,
	 LIST(config_route, source),
	 .example = "[10.0.0.0/8]",
	 .help = "Networks that the client is in, after the PROXY protocol."},
	{.name = "port",
	 .type = &type_port,
	 LIST(config_route, port),
	 RANGE(1, 65535),
	 .example = "[8443]",
	 .help = "Ports that the client connected to."},
};

static const struct schema schema_match = {SCHEMA("match", match_options)};

/* The pool of a route or a listener is a name: check.c turns it into an index. */
static const struct option route_options[] = {
	{.name = "match",
	 .type = &type_mapping,
	 .members = &schema_match,
	 .help = "Conditions, all of which must hold; a route without any always holds."},
	{.name = "pool",
	 .type = &type_name,
	 FIELD(config_route, pool_name),
	 .example = "web",
	 .is_required = true,
	 .help = "Where matching connections go."},
};

static const struct schema schema_route = {
	SCHEMA("a route", route_options),
	.size = sizeof(struct config_route),
	.line_offset = offsetof(struct config_route, line),
};

static const struct option proxy_accept_options[] = {
	{.name = "accept",
	 .type = &type_network,
	 LIST(config_listener, proxy_accept),
	 .example = "[10.0.0.0/8]",
	 .is_required = true,
	 .help = "Networks whose connections must begin with a PROXY header, version 1 or 2; it is "
		 "taken from nobody else."},
	{.name = "timeout",
	 .type = &type_duration,
	 FIELD(config_listener, proxy_timeout_ms),
	 RANGE(1, 5 * MINUTE),
	 .default_text = "5s",
	 .help = "How long the header may take to arrive."},
};

static const struct schema schema_proxy_accept = {SCHEMA("proxy_protocol", proxy_accept_options)};

static const struct option listener_options[] = {
	{.name = "name",
	 .type = &type_name,
	 FIELD(config_listener, name),
	 .example = "www",
	 .is_required = true,
	 .help = "Unique; metrics, logs and sluicectl use it."},
	{.name = "bind",
	 .type = &type_bind,
	 LIST(config_listener, binds),
	 .example = "[\"0.0.0.0:443\", \"[::]:443\"]",
	 .is_required = true,
	 .help = "Where to accept: address and port or range of ports, or unix:/path. \"*:80\" and "
		 "\":80\" are 0.0.0.0:80 and [::]:80."},
	{.name = "mode",
	 .type = &type_word,
	 FIELD(config_listener, mode),
	 .words = mode_words,
	 .problem = "is not supported by this version",
	 .default_text = "tcp",
	 .help = "What is done with connections; tcp joins each with one to an endpoint."},
	{.name = "v6only",
	 .type = &type_boolean,
	 FIELD(config_listener, is_v6only),
	 .default_text = "true",
	 .help = "true: [::] takes IPv6 alone; false: it takes IPv4 too."},
	{.name = "backlog",
	 .type = &type_count,
	 FIELD(config_listener, backlog),
	 RANGE(1, 65535),
	 .default_text = "4096",
	 .help = "Connections that the kernel holds until they are accepted; net.core.somaxconn is "
		 "its "
		 "upper bound."},
	{.name = "socket_mode",
	 .type = &type_mode,
	 FIELD(config_listener, socket_mode),
	 RANGE(0, 0777),
	 .default_text = "0666",
	 .help = "Permissions of unix sockets."},
	{.name = "proxy_protocol",
	 .type = &type_mapping,
	 .members = &schema_proxy_accept,
	 .help = "PROXY protocol from load balancers in front."},
	{.name = "max_connections",
	 .type = &type_count,
	 FIELD(config_listener, max_connections),
	 RANGE(0, CONNECTIONS_MAX),
	 .default_text = "0",
	 .help = "Open connections at once; accepting pauses there. 0: no limit."},
	{.name = "max_connections_per_source",
	 .type = &type_count,
	 FIELD(config_listener, max_connections_per_source),
	 RANGE(0, CONNECTIONS_MAX),
	 .default_text = "0",
	 .help = "The same for each source (limits.source_prefix); further ones are closed. 0: no "
		 "limit."},
	{.name = "client_hello_timeout",
	 .type = &type_duration,
	 FIELD(config_listener, client_hello_timeout_ms),
	 RANGE(1, 5 * MINUTE),
	 .default_text = "5s",
	 .help = "How long to wait for a ClientHello where routes ask for sni or alpn; then the "
		 "connection is routed without."},
	{.name = "idle_timeout",
	 .type = &type_duration,
	 FIELD(config_listener, idle_timeout_ms),
	 RANGE(0, 30 * DAY),
	 .default_text = "1h",
	 .help = "A connection without a byte either way for so long is closed; 0: never."},
	{.name = "keepalive",
	 .type = &type_duration,
	 FIELD(config_listener, keepalive_ms),
	 RANGE(0, HOUR * 9),
	 .default_text = "60s",
	 .help = "Idle time before TCP keep-alive probes, on both legs; 0: no probes."},
	{.name = "routes",
	 .type = &type_mapping,
	 .members = &schema_route,
	 LIST(config_listener, routes),
	 .help = "Which connections go to which pool; the most specific match wins."},
	{.name = "pool",
	 .type = &type_name,
	 FIELD(config_listener, default_pool_name),
	 .example = "web",
	 .is_shown = true,
	 .help = "Where connections go that no route matches; they are closed without it."},
};

static const struct schema schema_listener = {
	SCHEMA("a listener", listener_options),
	.size = sizeof(struct config_listener),
	.line_offset = offsetof(struct config_listener, line),
	.finish = finish_listener,
};

/* --- The file ------------------------------------------------------------------ */

static const struct option acceleration_options[] = {
	{.name = "mode",
	 .type = &type_word,
	 FIELD(config, acceleration),
	 .words = switch_words,
	 .default_text = "auto",
	 .help = "off: forward in the daemon alone."},
};

static const struct schema schema_acceleration = {SCHEMA("acceleration", acceleration_options)};

static const struct option log_options[] = {
	{.name = "level",
	 .type = &type_word,
	 FIELD(config_log, level),
	 .words = level_words,
	 .default_text = "info",
	 .help = "Lines more talkative than this are left out."},
	{.name = "format",
	 .type = &type_word,
	 FIELD(config_log, format),
	 .words = log_format_words,
	 .default_text = "text",
	 .help = "One line an event, as text or as JSON."},
};

static const struct schema schema_log = {SCHEMA("log", log_options)};

static const struct option access_log_options[] = {
	{.name = "path",
	 .type = &type_path,
	 FIELD(config_access_log, path),
	 .zero_word = "off",
	 .default_text = "off",
	 .help = "A file, stdout, or off."},
	{.name = "format",
	 .type = &type_word,
	 FIELD(config_access_log, format),
	 .words = access_format_words,
	 .default_text = "text",
	 .help = "One line a connection, as text or as JSON."},
};

static const struct schema schema_access_log = {SCHEMA("access_log", access_log_options)};

static const struct option admin_options[] = {
	{.name = "socket",
	 .type = &type_path,
	 FIELD(config_admin, socket),
	 .zero_word = "off",
	 .default_text = "/run/sluice/sluice.sock",
	 .help = "Control socket for sluicectl, or off."},
	{.name = "socket_mode",
	 .type = &type_mode,
	 FIELD(config_admin, socket_mode),
	 RANGE(0, 0777),
	 .default_text = "0600",
	 .help = "Permissions of the control socket: who may steer the daemon."},
	{.name = "socket_group",
	 .type = &type_name,
	 FIELD(config_admin, socket_group),
	 .example = "adm",
	 .help = "Group of the control socket; the daemon's own without it."},
	{.name = "listen",
	 .type = &type_address,
	 FIELD(config_admin, listen),
	 .zero_word = "off",
	 .default_text = "off",
	 .help = "Address of the HTTP server for /metrics, or off. It has no access control: keep "
		 "it "
		 "on a private address."},
};

static const struct schema schema_admin = {SCHEMA("admin", admin_options)};

static const struct option limit_prefix_options[] = {
	{.name = "v4",
	 .type = &type_count,
	 FIELD(config_limits, source_prefix_v4),
	 RANGE(1, 32),
	 .default_text = "32",
	 .help = "Bits of an IPv4 address that make one source."},
	{.name = "v6",
	 .type = &type_count,
	 FIELD(config_limits, source_prefix_v6),
	 RANGE(1, 128),
	 .default_text = "64",
	 .help = "Bits of an IPv6 address that make one source."},
};

static const struct schema schema_limit_prefix = {SCHEMA("source_prefix", limit_prefix_options)};

static const struct option limits_options[] = {
	{.name = "max_connections",
	 .type = &type_count,
	 FIELD(config_limits, max_connections),
	 RANGE(0, CONNECTIONS_MAX),
	 .default_text = "0",
	 .help = "Open connections of the whole daemon; accepting pauses there. 0: as many as file "
		 "descriptors allow."},
	{.name = "max_connections_per_source",
	 .type = &type_count,
	 FIELD(config_limits, max_connections_per_source),
	 RANGE(0, CONNECTIONS_MAX),
	 .default_text = "0",
	 .help = "The same for each source; further ones are closed. 0: no limit."},
	{.name = "source_prefix",
	 .type = &type_mapping,
	 .members = &schema_limit_prefix,
	 .help = "What counts as one source."},
	{.name = "receive_buffer_size",
	 .type = &type_size,
	 FIELD(config_limits, receive_buffer_bytes),
	 RANGE(KIB, MIB),
	 .default_text = "16KiB",
	 .help = "The most that one read takes."},
	{.name = "receive_buffer_count",
	 .type = &type_count,
	 FIELD(config_limits, receive_buffers),
	 RANGE(16, 32768),
	 .default_text = "1024",
	 .help = "Receive buffers of a worker, shared by its connections."},
	{.name = "relay_buffer_size",
	 .type = &type_size,
	 FIELD(config_limits, relay_buffer_bytes),
	 RANGE(4 * KIB, 64 * MIB),
	 .default_text = "256KiB",
	 .help = "Bytes that may wait in each direction of a connection before reading pauses."},
};

static const struct schema schema_limits = {SCHEMA("limits", limits_options)};

static const struct option config_options[] = {
	{.name = "workers",
	 .type = &type_count,
	 FIELD(config, workers),
	 RANGE(1, 1024),
	 .zero_word = "auto",
	 .default_text = "auto",
	 .help = "Worker threads; auto: one a CPU."},
	{.name = "io",
	 .type = &type_word,
	 FIELD(config, io),
	 .words = io_words,
	 .default_text = "auto",
	 .help = "The engine; auto takes io_uring where the kernel has what it needs, else epoll."},
	{.name = "acceleration",
	 .type = &type_mapping,
	 .members = &schema_acceleration,
	 .help = "Forwarding inside the kernel."},
	{.name = "user",
	 .type = &type_name,
	 FIELD(config, user),
	 .example = "sluice",
	 .help = "User to become after start; without it the daemon stays who it is."},
	{.name = "group",
	 .type = &type_name,
	 FIELD(config, group),
	 .example = "sluice",
	 .help = "Group to become; the user's own group without it."},
	{.name = "zone",
	 .type = &type_name,
	 FIELD(config, zone),
	 .example = "rack1",
	 .help = "Where this proxy is; see zone of endpoints."},
	{.name = "drain_timeout",
	 .type = &type_duration,
	 FIELD(config, drain_timeout_ms),
	 RANGE(0, DAY),
	 .default_text = "30s",
	 .help = "How long open connections may go on after SIGTERM."},
	{.name = "log",
	 .type = &type_mapping,
	 .members = &schema_log,
	 FIELD(config, log),
	 .help = "The daemon's own log, on standard error."},
	{.name = "access_log",
	 .type = &type_mapping,
	 .members = &schema_access_log,
	 FIELD(config, access_log),
	 .help = "A line for each connection that has ended."},
	{.name = "admin",
	 .type = &type_mapping,
	 .members = &schema_admin,
	 FIELD(config, admin),
	 .help = "Control and metrics."},
	{.name = "limits",
	 .type = &type_mapping,
	 .members = &schema_limits,
	 FIELD(config, limits),
	 .help = "Bounds of the whole daemon."},
	{.name = "listeners",
	 .type = &type_mapping,
	 .members = &schema_listener,
	 LIST(config, listeners),
	 .is_required = true,
	 .help = "Where connections come from."},
	{.name = "pools",
	 .type = &type_mapping,
	 .members = &schema_pool,
	 LIST(config, pools),
	 .is_required = true,
	 .help = "Where connections go."},
};

const struct schema schema_config = {SCHEMA("the file", config_options)};
