// SPDX-License-Identifier: Apache-2.0
/* The options of what the edge refuses: schema.c has the way of the tables. */
#include "config/config_internal.h"

#define RATE_MAX 100000000u

static const struct word mode_words[] = {
	{"off", CONFIG_GUARD_OFF},
	{"monitor", CONFIG_GUARD_MONITOR},
	{"enforce", CONFIG_GUARD_ENFORCE},
	{},
};

static const struct word syn_cookie_words[] = {
	{"auto", CONFIG_SYN_COOKIES_AUTO},
	{"off", CONFIG_SYN_COOKIES_OFF},
	{},
};

static const struct word udp_to_words[] = {
	{"listeners", CONFIG_UDP_TO_LISTENERS},
	{"all", CONFIG_UDP_TO_ALL},
	{},
};

static const struct option rate_options[] = {
	{.name = "packets",
	 .type = &type_count,
	 FIELD(config_guard_rates, packets),
	 RANGE(0, RATE_MAX),
	 .default_text = "0",
	 .help = "Packets a second to our listeners. 0: no limit."},
	{.name = "syns",
	 .type = &type_count,
	 FIELD(config_guard_rates, syns),
	 RANGE(0, RATE_MAX),
	 .default_text = "0",
	 .help = "Connections that are begun a second. 0: no limit."},
	{.name = "udp",
	 .type = &type_count,
	 FIELD(config_guard_rates, udp),
	 RANGE(0, RATE_MAX),
	 .default_text = "0",
	 .help = "UDP packets a second. 0: no limit."},
};

static const struct schema schema_rates = {SCHEMA("rates of the guard", rate_options)};

static const struct option place_options[] = {
	{.name = "country",
	 .type = &type_country,
	 LIST(config_places, country),
	 .example = "[KP]",
	 .help = "Countries, by geo.databases: codes of ISO 3166."},
	{.name = "continent",
	 .type = &type_continent,
	 LIST(config_places, continent),
	 .example = "[AN]",
	 .help = "Continents: AF, AN, AS, EU, NA, OC, SA."},
	{.name = "asn",
	 .type = &type_asn,
	 LIST(config_places, asn),
	 .example = "[64500]",
	 .help = "Autonomous systems."},
};

static const struct schema schema_places = {
	SCHEMA("places of the guard", place_options),
	.finish = finish_places,
};

void finish_places(struct decoder *decoder, const struct node *node, void *base)
{
	struct config_places *places = base;

	(void)decoder;
	places->line = node->line;
	places->column = node->column;
}

static const struct option guard_geo_options[] = {
	{.name = "block",
	 .type = &type_mapping,
	 .members = &schema_places,
	 FIELD(config_guard_geo, block),
	 .help = "Nothing is taken from who is in any of these places. Where nobody knows, "
		 "everything passes."},
	{.name = "allow",
	 .type = &type_mapping,
	 .members = &schema_places,
	 FIELD(config_guard_geo, allow),
	 .help = "Exceptions from block. Lists of networks, bans and rates hold for them too."},
};

static const struct schema schema_guard_geo = {SCHEMA("geo of the guard", guard_geo_options)};

static const struct option guard_options[] = {
	{.name = "mode",
	 .type = &type_word,
	 FIELD(config_guard, mode),
	 .words = mode_words,
	 .default_text = "off",
	 .help = "monitor: count what would be dropped; enforce: drop it."},
	{.name = "block",
	 .type = &type_file,
	 LIST(config_guard, block),
	 .example = "[/etc/sluice/block.txt]",
	 .help = "Files of networks that nothing is taken from: one a line, perhaps \"until "
		 "2026-12-31\", comments after \"#\"."},
	{.name = "allow",
	 .type = &type_file,
	 LIST(config_guard, allow),
	 .example = "[/etc/sluice/allow.txt]",
	 .help = "Files of networks that no list, ban or rate holds for, whatever else is said of "
		 "them."},
	{.name = "geo",
	 .type = &type_mapping,
	 .members = &schema_guard_geo,
	 FIELD(config_guard, geo),
	 .help = "Whom to refuse by where they are. Lists of networks win over places."},
	{.name = "source",
	 .type = &type_mapping,
	 .members = &schema_rates,
	 FIELD(config_guard, source),
	 .help = "What one source may send: an IPv4 address, or a /64 of IPv6."},
	{.name = "prefix",
	 .type = &type_mapping,
	 .members = &schema_rates,
	 FIELD(config_guard, prefix),
	 .help = "What a network may send: a /24 of IPv4, or a /48 of IPv6."},
	{.name = "udp_to",
	 .type = &type_word,
	 FIELD(config_guard, udp_to),
	 .words = udp_to_words,
	 .default_text = "listeners",
	 .help = "all: UDP that no listener is for keeps the rates of source and prefix too, but "
		 "for ports where answers come to: the kernel's ephemeral ones, and those of "
		 "forward: nat."},
	{.name = "burst",
	 .type = &type_duration,
	 FIELD(config_guard, burst_ms),
	 RANGE(10, MINUTE),
	 .default_text = "1s",
	 .help = "So much of a rate may come at once."},
	{.name = "malformed",
	 .type = &type_flag,
	 FIELD(config_guard, drops_malformed),
	 .default_text = "true",
	 .help = "Whether packets are refused that nobody sends in earnest: wrong lengths, "
		 "impossible flags and sources."},
	{.name = "amplification",
	 .type = &type_port,
	 LIST(config_guard, amplification),
	 RANGE(1, 65535),
	 .example = "[19, 111, 389, 1900, 11211]",
	 .help = "UDP source ports from which nothing is taken. Mind that 53 and 123 are also "
		 "where answers to this machine's own questions come from."},
	{.name = "syn_cookies",
	 .type = &type_word,
	 FIELD(config_guard, syn_cookies),
	 .words = syn_cookie_words,
	 .default_text = "auto",
	 .help = "auto: SYNs beyond the threshold are answered by the packet program, with nothing "
		 "kept; wants net.ipv4.tcp_syncookies = 2, but for listeners of mode dispatch."},
	{.name = "syn_cookie_threshold",
	 .type = &type_count,
	 FIELD(config_guard, syn_cookie_threshold),
	 RANGE(1, RATE_MAX),
	 .default_text = "1000",
	 .help = "SYNs a second to one listener from which on cookies are sent."},
	{.name = "max_sources",
	 .type = &type_count,
	 FIELD(config_guard, max_sources),
	 RANGE(1024, 16777216),
	 .default_text = "262144",
	 .help = "Sources and networks whose rate is known at once, 16 bytes each; beyond, those "
		 "that were quiet for longest are forgotten."},
};

const struct schema schema_guard = {SCHEMA("guard", guard_options)};

static const struct option listener_guard_options[] = {
	{.name = "packets",
	 .type = &type_count,
	 FIELD(config_listener_guard, packets),
	 RANGE(0, RATE_MAX),
	 .default_text = "0",
	 .help = "Packets a second from all sources together. 0: no limit."},
	{.name = "syns",
	 .type = &type_count,
	 FIELD(config_listener_guard, syns),
	 RANGE(0, RATE_MAX),
	 .default_text = "0",
	 .help = "Connections that are begun a second, likewise. 0: no limit."},
	{.name = "syn_cookie_threshold",
	 .type = &type_count,
	 FIELD(config_listener_guard, syn_cookie_threshold),
	 RANGE(0, RATE_MAX),
	 .default_text = "0",
	 .help = "SYNs a second from which on cookies are sent for this listener. 0: what the "
		 "guard's own option says. In mode dispatch with forward: nat alone."},
};

const struct schema schema_listener_guard = {SCHEMA("guard of a listener", listener_guard_options)};
