// SPDX-License-Identifier: Apache-2.0
/* The part of the schema table that is about listeners; schema.c says how to read it. */
#include "config/config_internal.h"

static const struct word mode_words[] = {{"tcp", CONFIG_MODE_TCP}, {}};

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
	{.name = "tls",
	 .type = &type_mapping,
	 .members = &schema_listener_tls,
	 .is_choice = true,
	 FIELD(config_listener, tls),
	 .help = "TLS with clients; what goes on to the pool is plain, unless the pool has tls "
		 "too."},
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

const struct schema schema_listener = {
	SCHEMA("a listener", listener_options),
	.size = sizeof(struct config_listener),
	.line_offset = offsetof(struct config_listener, line),
	.finish = finish_listener,
};
