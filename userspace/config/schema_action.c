// SPDX-License-Identifier: Apache-2.0
/* The part of the schema table that is about what routes do, and what its options ask of each
 * other. */
#include "config/config_internal.h"

#include <stdio.h>

static const struct option share_options[] = {
	{.name = "pool",
	 .type = &type_name,
	 FIELD(config_share, pool.name),
	 .example = "web",
	 .is_required = true,
	 .help = "One of the pools."},
	{.name = "weight",
	 .type = &type_count,
	 FIELD(config_share, weight),
	 RANGE(0, 10000),
	 .default_text = "1",
	 .help = "Its part of the sum of all weights; 0: nothing goes there."},
};

const struct schema schema_share = {
	SCHEMA("split", share_options),
	.size = sizeof(struct config_share),
};

static const struct option mirror_options[] = {
	{.name = "pool",
	 .type = &type_name,
	 FIELD(config_mirror, pool.name),
	 .example = "shadow",
	 .is_required = true,
	 .help = "Who gets the copies."},
	{.name = "share",
	 .type = &type_percent,
	 FIELD(config_mirror, share_percent),
	 RANGE(0, 100),
	 .default_text = "100%",
	 .help = "How many of the requests are copied, drawn at random."},
	{.name = "max_body",
	 .type = &type_size,
	 FIELD(config_mirror, max_body_bytes),
	 RANGE(0, 16 * MIB),
	 .default_text = "64KiB",
	 .help = "A request whose body is longer is not copied."},
};

const struct schema schema_mirror = {
	SCHEMA("mirror", mirror_options),
	.scalar = &mirror_options[0],
};

static const struct word redirect_words[] = {
	{"301", 301}, {"302", 302}, {"303", 303}, {"307", 307}, {"308", 308}, {},
};

static const struct word scheme_words[] = {{"http", 0}, {"https", 1}, {}};

static const struct option redirect_options[] = {
	{.name = "status",
	 .type = &type_word,
	 FIELD(config_redirect, status),
	 .words = redirect_words,
	 .default_text = "302",
	 .help = "301 and 308 are for ever and cached; 307 and 308 keep method and body; 303 is "
		 "fetched by GET."},
	{.name = "scheme",
	 .type = &type_scheme,
	 FIELD(config_redirect, scheme),
	 .words = scheme_words,
	 .example = "https",
	 .help = "The scheme."},
	{.name = "host",
	 .type = &type_host,
	 FIELD(config_redirect, host),
	 .example = "www.example.com",
	 .help = "The host, without port."},
	{.name = "port",
	 .type = &type_port,
	 FIELD(config_redirect, port),
	 RANGE(1, 65535),
	 .example = "8443",
	 .help = "The port; the scheme's own where scheme or host is given."},
	{.name = "path",
	 .type = &type_url_path,
	 FIELD(config_redirect, path),
	 .example = "/new",
	 .help = "The whole path."},
	{.name = "keep_query",
	 .type = &type_boolean,
	 FIELD(config_redirect, keeps_query),
	 .default_text = "true",
	 .help = "Whether the query goes along."},
};

const struct schema schema_redirect = {SCHEMA("redirect", redirect_options)};

static const struct option respond_options[] = {
	{.name = "status",
	 .type = &type_count,
	 FIELD(config_respond, status),
	 RANGE(200, 599),
	 .default_text = "200",
	 .help = "The status."},
	{.name = "type",
	 .type = &type_field_value,
	 FIELD(config_respond, type),
	 .default_text = "text/plain; charset=utf-8",
	 .help = "Content-Type of the body."},
	{.name = "body",
	 .type = &type_text,
	 FIELD(config_respond, body),
	 .example = "\"gone fishing\"",
	 .help = "The body."},
};

const struct schema schema_respond = {
	SCHEMA("respond", respond_options),
	.finish = finish_respond,
};

void finish_respond(struct decoder *decoder, const struct node *node, void *base)
{
	const struct config_respond *respond = base;

	if (respond->body && (respond->status == 204 || respond->status == 304))
		diagnose(decoder->diagnostics, node_member_or_self(node, "body"),
			 "body: an answer of status %u has none; expected another status",
			 respond->status);
}

static const struct word actions[] = {
	{"pool", CONFIG_ACTION_POOL},
	{"split", CONFIG_ACTION_SPLIT},
	{"redirect", CONFIG_ACTION_REDIRECT},
	{"respond", CONFIG_ACTION_RESPOND},
	{"files", CONFIG_ACTION_FILES},
	{"deny", CONFIG_ACTION_DENY},
	{},
};

const struct node *route_action_node(const struct node *route, const char **ret_name)
{
	for (const struct word *action = actions; action->name; action++) {
		const struct node *found = node_member(route, action->name);

		if (!found)
			continue;
		*ret_name = action->name;
		return found;
	}
	return NULL;
}

static void append_actions(char *ret, size_t size)
{
	size_t len = 0;

	for (const struct word *action = actions; action->name; action++)
		len += (size_t)snprintf(ret + len, size - len, "%s%s", len ? ", " : "",
					action->name);
}

void finish_route(struct decoder *decoder, const struct node *node, void *base)
{
	struct config_action *chosen = &((struct config_route *)base)->action;
	const struct word *first = NULL;
	char all[160];

	append_actions(all, sizeof(all));
	for (const struct word *action = actions; action->name; action++) {
		const struct node *found = node_member(node, action->name);

		if (found && first)
			diagnose(decoder->diagnostics, found,
				 "%s stands beside %s; expected one of the two", action->name,
				 first->name);
		else if (found)
			first = action;
	}
	if (!first)
		diagnose(decoder->diagnostics, node, "a route has no action; expected one of %s",
			 all);
	else
		chosen->kind = (enum config_action_kind)first->value;
}
