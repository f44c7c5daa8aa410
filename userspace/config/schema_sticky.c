// SPDX-License-Identifier: Apache-2.0
/* The part of the schema table that is about clients that come back to an endpoint. */
#include "config/config_internal.h"

#include <string.h>

#define KEY_LENGTH_MIN 16

static const struct word secure_words[] = {
	{"auto", CONFIG_SECURE_AUTO},
	{"on", CONFIG_SECURE_ON},
	{"off", CONFIG_SECURE_OFF},
	{},
};

static const struct word same_site_words[] = {
	{"lax", CONFIG_SAME_SITE_LAX},
	{"strict", CONFIG_SAME_SITE_STRICT},
	{"none", CONFIG_SAME_SITE_NONE},
	{},
};

static const struct option sticky_options[] = {
	{.name = "cookie",
	 .type = &type_name,
	 FIELD(config_sticky, cookie),
	 .example = "sluice",
	 .is_required = true,
	 .help = "Name of a cookie that names the client's endpoint, signed. It is not passed on."},
	{.name = "ttl",
	 .type = &type_duration,
	 FIELD(config_sticky, ttl_ms),
	 RANGE(0, 24 * DAY),
	 .default_text = "0",
	 .help = "How long the client keeps it; 0: until the browser ends."},
	{.name = "path",
	 .type = &type_url_path,
	 FIELD(config_sticky, path),
	 .default_text = "/",
	 .help = "Path of the cookie."},
	{.name = "secure",
	 .type = &type_word,
	 FIELD(config_sticky, secure),
	 .words = secure_words,
	 .default_text = "auto",
	 .help = "Whether it is for https alone; auto: where it is set by https."},
	{.name = "http_only",
	 .type = &type_boolean,
	 FIELD(config_sticky, is_http_only),
	 .default_text = "true",
	 .help = "Whether scripts are kept from it."},
	{.name = "same_site",
	 .type = &type_word,
	 FIELD(config_sticky, same_site),
	 .words = same_site_words,
	 .default_text = "lax",
	 .help = "Which requests from other sites carry it."},
	{.name = "key",
	 .type = &type_text,
	 FIELD(config_sticky, key),
	 .example = "${STICKY_KEY}",
	 .help = "What it is signed with, 16 bytes or more; the same on every proxy that shall "
		 "take it. Random for each start of the daemon if left out."},
};

static void finish_sticky(struct decoder *decoder, const struct node *node, void *base)
{
	const struct config_sticky *sticky = base;

	if (sticky->key && strlen(sticky->key) < KEY_LENGTH_MIN)
		diagnose(decoder->diagnostics, node_member_or_self(node, "key"),
			 "key: it is shorter than %d bytes; expected a secret that cannot be "
			 "guessed",
			 KEY_LENGTH_MIN);
	if (sticky->same_site == CONFIG_SAME_SITE_NONE && sticky->secure == CONFIG_SECURE_OFF)
		diagnose(decoder->diagnostics, node_member_or_self(node, "same_site"),
			 "same_site: browsers take none only with secure; expected secure: auto or "
			 "on");
}

const struct schema schema_sticky = {
	SCHEMA("sticky", sticky_options),
	.finish = finish_sticky,
};

static const struct option hash_key_options[] = {
	{.name = "header",
	 .type = &type_name,
	 FIELD(config_hash_key, header),
	 .example = "X-User",
	 .help = "A header field."},
	{.name = "cookie",
	 .type = &type_name,
	 FIELD(config_hash_key, cookie),
	 .example = "session",
	 .help = "A cookie."},
};

static void finish_hash_key(struct decoder *decoder, const struct node *node, void *base)
{
	const struct config_hash_key *key = base;

	if (!key->header == !key->cookie)
		diagnose(decoder->diagnostics, node,
			 "hash_key names %s; expected one of header, cookie",
			 key->header ? "both" : "nothing");
}

const struct schema schema_hash_key = {
	SCHEMA("hash_key", hash_key_options),
	.finish = finish_hash_key,
};
