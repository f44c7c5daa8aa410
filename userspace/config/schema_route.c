// SPDX-License-Identifier: Apache-2.0
/* The part of the schema table that is about routes: what they match, and what is then done. */
#include "config/config_internal.h"

static const struct option value_match_options[] = {
	{.name = "name",
	 .type = &type_field_value,
	 FIELD(config_value_match, name),
	 .example = "X-Version",
	 .is_required = true,
	 .help = "Its name. Without anything else, that it is there is enough."},
	{.name = "value",
	 .type = &type_text,
	 LIST(config_value_match, value),
	 .example = "[\"2\"]",
	 .help = "Whole values."},
	{.name = "prefix",
	 .type = &type_text,
	 FIELD(config_value_match, prefix),
	 .example = "beta-",
	 .help = "What its value begins with."},
	{.name = "suffix",
	 .type = &type_text,
	 FIELD(config_value_match, suffix),
	 .example = "-beta",
	 .help = "What its value ends with."},
	{.name = "regex",
	 .type = &type_regex,
	 FIELD(config_value_match, regex),
	 .example = "\"^[0-9]+$\"",
	 .help = "A pattern that matches somewhere in its value, unless it is anchored."},
	{.name = "absent",
	 .type = &type_boolean,
	 FIELD(config_value_match, is_absent),
	 .default_text = "false",
	 .help = "That there must be none of this name."},
};

static const struct schema schema_value_match = {
	SCHEMA("a condition", value_match_options),
	.size = sizeof(struct config_value_match),
	.scalar = &value_match_options[0],
	.finish = finish_value_match,
};

static const struct option certificate_match_options[] = {
	{.name = "verified",
	 .type = &type_boolean,
	 FIELD(config_certificate_match, is_present),
	 .default_text = "true",
	 .help = "true: there is one, which is valid; false: there is none."},
	{.name = "subject",
	 .type = &type_text,
	 LIST(config_certificate_match, subject),
	 .example = "[\"CN=alice,O=Example\"]",
	 .help = "Whole subjects, in the form of RFC 2253."},
	{.name = "subject_regex",
	 .type = &type_regex,
	 FIELD(config_certificate_match, subject_regex),
	 .example = "\"(^|,)O=Example(,|$)\"",
	 .help = "A pattern that matches somewhere in the subject."},
	{.name = "fingerprint",
	 .type = &type_fingerprint,
	 LIST(config_certificate_match, fingerprint),
	 .example = "[9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08]",
	 .help = "SHA-256 of certificates."},
	{.name = "issuer",
	 .type = &type_text,
	 LIST(config_certificate_match, issuer),
	 .example = "[\"CN=People CA,O=Example\"]",
	 .help = "Whole subjects of the authority that has signed it, in the form of RFC 2253."},
	{.name = "issuer_regex",
	 .type = &type_regex,
	 FIELD(config_certificate_match, issuer_regex),
	 .example = "\"^CN=People CA,\"",
	 .help = "A pattern that matches somewhere in the issuer."},
	{.name = "serial",
	 .type = &type_serial,
	 LIST(config_certificate_match, serial),
	 .example = "[0a:1b:2c]",
	 .help = "Serial numbers in hexadecimal. They are unique within one issuer alone."},
	{.name = "dns",
	 .type = &type_sni,
	 LIST(config_certificate_match, dns),
	 .example = "[agent.example.com, \"*.agents.example.com\"]",
	 .help = "DNS names, one of which is among its alternative names; wildcards as with sni."},
	{.name = "uri",
	 .type = &type_text,
	 LIST(config_certificate_match, uri),
	 .example = "[\"spiffe://example.org/billing\"]",
	 .help = "URIs, one of which is among its alternative names."},
	{.name = "uri_regex",
	 .type = &type_regex,
	 FIELD(config_certificate_match, uri_regex),
	 .example = "\"^spiffe://example\\\\.org/\"",
	 .help = "A pattern that matches somewhere in one of its URIs."},
	{.name = "email",
	 .type = &type_text,
	 LIST(config_certificate_match, email),
	 .example = "[alice@example.org]",
	 .help = "E-mail addresses, one of which is among its alternative names."},
};

static const struct schema schema_certificate_match = {
	SCHEMA("certificate", certificate_match_options),
	.finish = finish_certificate_match,
};

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
		 "not for /apis. Together with path and path_regex one condition, of which one "
		 "member has to hold."},
	{.name = "path_regex",
	 .type = &type_regex,
	 LIST(config_route, path_regex),
	 .example = "[\"^/users/[0-9]+$\"]",
	 .help = "Mode http: patterns that match somewhere in the path, unless they are anchored."},
	{.name = "method",
	 .type = &type_method,
	 LIST(config_route, method),
	 .example = "[GET, HEAD]",
	 .help = "Mode http: methods."},
	{.name = "headers",
	 .type = &type_mapping,
	 .members = &schema_value_match,
	 LIST(config_route, header),
	 .help = "Mode http: header fields, all of which must hold."},
	{.name = "query",
	 .type = &type_mapping,
	 .members = &schema_value_match,
	 LIST(config_route, query),
	 .help = "Mode http: parameters of the query, decoded, all of which must hold."},
	{.name = "cookies",
	 .type = &type_mapping,
	 .members = &schema_value_match,
	 LIST(config_route, cookie),
	 .help = "Mode http: cookies, all of which must hold."},
	{.name = "certificate",
	 .type = &type_mapping,
	 .members = &schema_certificate_match,
	 .is_choice = true,
	 FIELD(config_route, certificate),
	 .help = "Mode http: the client's certificate, which tls.client_auth asks for."},
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
	{.name = "country",
	 .type = &type_country,
	 LIST(config_route, country),
	 .example = "[DE, FR]",
	 .help = "Countries that the client is in, by geo.databases: codes of ISO 3166."},
	{.name = "continent",
	 .type = &type_continent,
	 LIST(config_route, continent),
	 .example = "[EU]",
	 .help = "Continents that the client is on: AF, AN, AS, EU, NA, OC, SA."},
	{.name = "asn",
	 .type = &type_asn,
	 LIST(config_route, asn),
	 .example = "[64500]",
	 .help = "Autonomous systems that the client's address belongs to."},
	{.name = "port",
	 .type = &type_port,
	 LIST(config_route, port),
	 RANGE(1, 65535),
	 .example = "[8443]",
	 .help = "Ports that the client connected to."},
};

static const struct schema schema_match = {SCHEMA("match", match_options)};

static const struct option rewrite_options[] = {
	{.name = "path",
	 .type = &type_url_path,
	 FIELD(config_rewrite, path),
	 .example = "/index.html",
	 .help = "The whole path."},
	{.name = "prefix",
	 .type = &type_url_path,
	 FIELD(config_rewrite, prefix),
	 .example = "/",
	 .help = "In place of the path_prefix that the route matched; in front of the path if it "
		 "matched by none."},
	{.name = "regex",
	 .type = &type_regex,
	 FIELD(config_rewrite, regex),
	 .example = "\"^/users/([0-9]+)$\"",
	 .help = "A pattern for the path; where it does not match the path stays."},
	{.name = "to",
	 .type = &type_url_path,
	 FIELD(config_rewrite, to),
	 .example = "/user.php/$1",
	 .help = "The whole path where regex matches; $1 to $9 are its groups, $0 what it matched, "
		 "$$ a dollar."},
	{.name = "host",
	 .type = &type_host,
	 FIELD(config_rewrite, host),
	 .example = "www.internal",
	 .help = "The Host field that the backend gets; X-Forwarded-Host has the client's."},
};

static const struct schema schema_rewrite = {
	SCHEMA("rewrite", rewrite_options),
	.finish = finish_rewrite,
};

static const struct word split_words[] = {
	{"request", CONFIG_SPLIT_BY_REQUEST},
	{"client", CONFIG_SPLIT_BY_CLIENT},
	{},
};

static const struct option route_options[] = {
	{.name = "name",
	 .type = &type_name,
	 FIELD(config_route, name),
	 .example = "api",
	 .help = "Mode http: counts and times its requests apart, under this name. Unique in its "
		 "listener."},
	{.name = "match",
	 .type = &type_mapping,
	 .members = &schema_match,
	 .help = "Conditions, all of which must hold; a route without any always holds."},
	{.name = "rewrite",
	 .type = &type_mapping,
	 .members = &schema_rewrite,
	 .is_choice = true,
	 FIELD(config_route, rewrite),
	 .help = "Mode http: the path and host with which the request goes on to its action; the "
		 "query stays."},
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
	{.name = "split_by",
	 .type = &type_word,
	 FIELD(config_route, action.split_by),
	 .words = split_words,
	 .default_text = "request",
	 .help = "request: each request is drawn; client: a client's address stays with its pool "
		 "as long as pools and weights do."},
	{.name = "mirror",
	 .type = &type_mapping,
	 .members = &schema_mirror,
	 .is_choice = true,
	 FIELD(config_route, mirror),
	 .help = "Beside pool or split: a copy of requests goes to another pool too, whose answers "
		 "are thrown away."},
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
	{.name = "files",
	 .type = &type_mapping,
	 .members = &schema_files,
	 .is_choice = true,
	 FIELD(config_route, action.files),
	 .help = "Action, mode http: a file of a directory, by the path."},
	{.name = "deny",
	 .type = &type_count,
	 FIELD(config_route, action.deny_status),
	 RANGE(400, 599),
	 .zero_word = "close",
	 .example = "403",
	 .help = "Action, mode http: a status with its error page, or the connection's end without "
		 "an answer."},
	{.name = "filters",
	 .type = &type_mapping,
	 .members = &schema_filter,
	 LIST(config_route, filters),
	 .same_as = "listeners[].filters[]",
	 .help = "Mode http: filters of this route alone, behind those of the listener."},
};

const struct schema schema_route = {
	SCHEMA("a route", route_options),
	.size = sizeof(struct config_route),
	.line_offset = offsetof(struct config_route, line),
	.finish = finish_route,
};

void finish_value_match(struct decoder *decoder, const struct node *node, void *base)
{
	static const struct word tests[] = {
		{"value", CONFIG_VALUE_EXACT},   {"prefix", CONFIG_VALUE_PREFIX},
		{"suffix", CONFIG_VALUE_SUFFIX}, {"regex", CONFIG_VALUE_REGEX},
		{"absent", CONFIG_VALUE_ABSENT}, {},
	};
	struct config_value_match *match = base;
	const char *first = NULL;

	for (const struct word *test = tests; test->name; test++) {
		const struct node *found = node_member(node, test->name);

		if (!found)
			continue;
		if (first)
			diagnose(decoder->diagnostics, found,
				 "%s stands beside %s; expected one of the two", test->name, first);
		first = test->name;
		match->test = (enum config_value_test)test->value;
	}
	if (match->test == CONFIG_VALUE_ABSENT && !match->is_absent)
		match->test = CONFIG_VALUE_PRESENT;
	match->text = match->prefix ? match->prefix : match->suffix ? match->suffix : match->regex;
}

void finish_certificate_match(struct decoder *decoder, const struct node *node, void *base)
{
	struct config_certificate_match *match = base;
	bool has_more = node && node->count > 1;

	match->is_asked = true;
	if (!match->is_present && has_more)
		diagnose(decoder->diagnostics, node_member_or_self(node, "verified"),
			 "verified: a certificate that is not there says nothing; expected "
			 "verified alone");
}
