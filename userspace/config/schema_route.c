// SPDX-License-Identifier: Apache-2.0
/* The part of the schema table that is about routes: what they match, and what is then done. */
#include "config/config_internal.h"

static const struct option match_options[] = {
	{.name = "host",
	 .type = &type_sni,
	 LIST(config_route, host),
	 .example = "[\"www.example.com\", \"*.shop.example\"]",
	 .help = "Mode http: names in the Host field, without port; wildcards as with sni."},
	{.name = "path",
	 .type = &type_url_path,
	 LIST(config_route, path),
	 .example = "[/login]",
	 .help = "Mode http: whole paths, without query."},
	{.name = "path_prefix",
	 .type = &type_url_path,
	 LIST(config_route, path_prefix),
	 .example = "[/api]",
	 .help = "Mode http: beginnings of paths that end at a slash: /api holds for /api and "
		 "/api/x, "
		 "not for /apis. Together with path one condition, of which one member has to "
		 "hold."},
	{.name = "method",
	 .type = &type_method,
	 LIST(config_route, method),
	 .example = "[GET, HEAD]",
	 .help = "Mode http: methods."},
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

static const struct option route_options[] = {
	{.name = "match",
	 .type = &type_mapping,
	 .members = &schema_match,
	 .help = "Conditions, all of which must hold; a route without any always holds."},
	{.name = "pool",
	 .type = &type_name,
	 FIELD(config_route, action.pool.name),
	 .example = "web",
	 .is_shown = true,
	 .help = "Action: to a pool."},
	{.name = "split",
	 .type = &type_mapping,
	 .members = &schema_share,
	 LIST_AT(config_route, action.split, action.nsplit),
	 .help = "Action, mode http: to several pools by weight."},
	{.name = "redirect",
	 .type = &type_mapping,
	 .members = &schema_redirect,
	 .is_choice = true,
	 FIELD(config_route, action.redirect),
	 .help = "Action, mode http: tells the client to ask elsewhere. What is left out stays as "
		 "the request has it."},
	{.name = "respond",
	 .type = &type_mapping,
	 .members = &schema_respond,
	 .is_choice = true,
	 FIELD(config_route, action.respond),
	 .help = "Action, mode http: an answer of our own."},
	{.name = "deny",
	 .type = &type_count,
	 FIELD(config_route, action.deny_status),
	 RANGE(400, 599),
	 .zero_word = "close",
	 .example = "403",
	 .help = "Action, mode http: a status with its error page, or the connection's end without "
		 "an answer."},
};

const struct schema schema_route = {
	SCHEMA("a route", route_options),
	.size = sizeof(struct config_route),
	.line_offset = offsetof(struct config_route, line),
	.finish = finish_route,
};
