// SPDX-License-Identifier: Apache-2.0
/* The part of the schema table that is about mode dispatch; schema.c says how to read it. */
#include "config/config_internal.h"

/* What a flow's time of day in the packet programs can tell apart. */
#define TIMEOUT_MAX (32767 * SECOND)

static const struct word forward_words[] = {
#define X(name, text) {text, CONFIG_FORWARD_##name},
	CONFIG_FORWARDS(X)
#undef X
		{},
};

static const struct word lost_words[] = {
	{"reset", CONFIG_LOST_RESET}, {"drop", CONFIG_LOST_DROP}, {}};

static const struct option listener_dispatch_options[] = {
	{.name = "forward",
	 .type = &type_word,
	 FIELD(config_listener_dispatch, forward),
	 .words = forward_words,
	 .default_text = "nat",
	 .help = "How a packet gets to its endpoint. nat: with source and destination changed, and "
		 "the answer back by us. dnat: the same with the client's address kept, for "
		 "endpoints whose gateway we are. The others leave it as it is, and the endpoint, "
		 "which has the listener's address, answers the client itself: ipip and gue put a "
		 "header in front, l2 sends it to the endpoint's link layer address."},
	{.name = "source",
	 .type = &type_ip,
	 LIST(config_listener_dispatch, sources),
	 .example = "[192.0.2.9]",
	 .help = "Addresses of ours towards the endpoints: of nat one to eight, which the flows "
		 "share; of ipip and gue none or one, for the header in front."},
	{.name = "source_ports",
	 .type = &type_port_range,
	 FIELD(config_listener_dispatch, source_ports),
	 .default_text = "10000-32767",
	 .help = "Of nat: nobody else may use them from those addresses towards the endpoints "
		 "(net.ipv4.ip_local_reserved_ports, where they are within "
		 "net.ipv4.ip_local_port_range)."},
	{.name = "gue_port",
	 .type = &type_port,
	 FIELD(config_listener_dispatch, gue_port),
	 RANGE(1, 65535),
	 .default_text = "6080",
	 .help = "Of gue: the UDP port that endpoints take it at."},
	{.name = "tcp_timeout",
	 .type = &type_duration,
	 FIELD(config_listener_dispatch, tcp_timeout_ms),
	 RANGE(SECOND, TIMEOUT_MAX),
	 .default_text = "1h",
	 .help = "A TCP flow without a packet from its client for so long is forgotten."},
	{.name = "udp_timeout",
	 .type = &type_duration,
	 FIELD(config_listener_dispatch, udp_timeout_ms),
	 RANGE(SECOND, TIMEOUT_MAX),
	 .default_text = "1m",
	 .help = "The same for UDP."},
	{.name = "lost_flows",
	 .type = &type_word,
	 FIELD(config_listener_dispatch, lost_flows),
	 .words = lost_words,
	 .default_text = "reset",
	 .help = "Of nat, a TCP segment of a flow that is not known, because its endpoint is gone "
		 "or it was forgotten. reset: its client is told, and can begin anew at once; "
		 "drop: it has to find out."},
};

const struct schema schema_listener_dispatch = {
	SCHEMA("dispatch of a listener", listener_dispatch_options),
};

static const struct option dispatch_options[] = {
	{.name = "max_flows",
	 .type = &type_count,
	 FIELD(config_dispatch, max_flows),
	 RANGE(1024, 16777216),
	 .default_text = "262144",
	 .help = "Flows that are known at once, 96 bytes each; beyond, those that were "
		 "quiet for longest are forgotten. With forward: nat half of them have ports "
		 "at once, shared by pairs of endpoint and source."},
	{.name = "new_flow_rate",
	 .type = &type_count,
	 FIELD(config_dispatch, new_flow_rate),
	 RANGE(1, 100000000),
	 .default_text = "125000",
	 .help = "New flows a second and CPU that get an entry. Beyond, nobody else's is taken: "
		 "those of nat are dropped, others follow the ring."},
	{.name = "ring_seed",
	 .type = &type_count,
	 FIELD(config_dispatch, ring_seed),
	 RANGE(0, UINT32_MAX),
	 .default_text = "0",
	 .help = "Which endpoint is whose. Nodes with one seed choose alike. A secret one keeps "
		 "others from knowing the choice; 0 does not."},
};

const struct schema schema_dispatch = {SCHEMA("dispatch", dispatch_options)};
