// SPDX-License-Identifier: Apache-2.0
/* What backends learn of a request's way: the options of forwarding. */
#include "config/config_internal.h"

static const struct word fields_words[] = {
	{"x_forwarded", CONFIG_FORWARDED_X},
	{"forwarded", CONFIG_FORWARDED_STANDARD},
	{"both", CONFIG_FORWARDED_BOTH},
	{"off", CONFIG_FORWARDED_OFF},
	{},
};

static const struct word believe_words[] = {
	{"x_forwarded", CONFIG_FORWARDED_X},
	{"forwarded", CONFIG_FORWARDED_STANDARD},
	{"both", CONFIG_FORWARDED_BOTH},
	{},
};

static const struct word client_cert_words[] = {
	{"off", CONFIG_CLIENT_CERT_OFF},
	{"leaf", CONFIG_CLIENT_CERT_LEAF},
	{"chain", CONFIG_CLIENT_CERT_CHAIN},
	{},
};

static const struct option forwarding_options[] = {
	{.name = "trust",
	 .type = &type_network,
	 LIST(config_forwarding, trust),
	 .example = "[10.0.0.0/8]",
	 .help = "Networks of proxies in front of this one. What they say of the way before them "
		 "is "
		 "kept, and the client is the last address on it that is not theirs: for routes, "
		 "balancing, filters and logs. What others say is removed."},
	{.name = "believe",
	 .type = &type_word,
	 FIELD(config_forwarding, believe),
	 .words = believe_words,
	 .default_text = "x_forwarded",
	 .help = "Which fields the proxies in trust write: X-Forwarded-For, -Proto and -Host, or "
		 "Forwarded. The others are removed, for such a proxy may let pass what a client "
		 "wrote there. both: Forwarded goes before X-Forwarded-For; only where the proxies "
		 "see to both."},
	{.name = "fields",
	 .type = &type_word,
	 FIELD(config_forwarding, fields),
	 .words = fields_words,
	 .default_text = "x_forwarded",
	 .help = "What tells backends of the client: X-Forwarded-For, -Proto and -Host, or "
		 "Forwarded "
		 "(RFC 7239), or both."},
	{.name = "request_id",
	 .type = &type_field,
	 FIELD(config_forwarding, request_id),
	 .example = "X-Request-ID",
	 .help = "A field that carries ${request_id} to backends, and to the log. One that a "
		 "trusted "
		 "proxy sent is kept."},
	{.name = "client_cert",
	 .type = &type_word,
	 FIELD(config_forwarding, client_cert),
	 .words = client_cert_words,
	 .default_text = "off",
	 .help = "The client's certificate for backends (RFC 9440). leaf: in Client-Cert; chain: "
		 "the authorities behind it in Client-Cert-Chain too. Fields of these names that a "
		 "client sends are removed in any case."},
};

const struct schema schema_forwarding = {SCHEMA("forwarding", forwarding_options)};
