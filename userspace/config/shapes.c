// SPDX-License-Identifier: Apache-2.0
/* What the schema table cannot say of one mapping: options whose meaning hangs on each other. */
#include "config/config_internal.h"

#include <errno.h>

/* 0.0.0.0 and [::] of one "*:80": where [::] takes IPv4 too, 0.0.0.0 would be in its way. */
static bool is_pair(const struct config_bind *v4, const struct config_bind *v6)
{
	return v4->address.sa.sa_family == AF_INET && v6->address.sa.sa_family == AF_INET6 &&
	       v4->line == v6->line && v4->column == v6->column;
}

void finish_listener(struct decoder *decoder, const struct node *node, void *base)
{
	struct config_listener *listener = base;
	struct config_bind *binds = listener->binds;
	size_t kept = 0;

	(void)decoder;
	(void)node;
	if (listener->is_v6only)
		return;
	for (size_t i = 0; i < listener->nbinds; i++) {
		if (i + 1 < listener->nbinds && is_pair(&binds[i], &binds[i + 1]))
			continue;
		binds[kept++] = binds[i];
	}
	listener->nbinds = kept;
}

static const char *place_endpoint(struct config_endpoint *endpoint)
{
	struct slice text = slice_from_str(endpoint->name), host;
	struct address *address = &endpoint->address;
	int err = address_parse(text, address);
	uint16_t port;

	if (err == -EINVAL && !parse_host_port(text, &host, &port))
		return "is a host name without resolve: dns";
	if (err)
		return address_problem(err);
	return address_is_ip(address) && address_port(address) == 0 ? "has port 0" : NULL;
}

static const char *name_endpoint(struct decoder *decoder, struct config_endpoint *endpoint)
{
	struct slice host;
	const char *problem;

	problem = parse_host_port(slice_from_str(endpoint->name), &host, &endpoint->port);
	if (problem)
		return problem;
	endpoint->host = arena_strdup(decoder->arena, host);
	if (!endpoint->host)
		decoder->is_out_of_memory = true;
	return NULL;
}

void finish_endpoint(struct decoder *decoder, const struct node *node, void *base)
{
	struct config_endpoint *endpoint = base;
	const struct node *at = node_member_or_self(node, "address");
	bool is_dns = endpoint->resolve == CONFIG_RESOLVE_DNS;
	const char *problem;
	char quoted[QUOTE_SIZE];

	endpoint->has_location = node_member(node, "location") != NULL;
	if (node_member(node, "backup") && node_member(node, "tier"))
		diagnose(decoder->diagnostics, node_member(node, "tier"),
			 "tier stands beside backup; expected one of the two");
	if (!endpoint->name)
		return;
	problem = is_dns ? name_endpoint(decoder, endpoint) : place_endpoint(endpoint);
	if (problem)
		diagnose(decoder->diagnostics, at, "address: %s %s; expected %s",
			 node_quote(at, quoted), problem,
			 is_dns ? "a host name and port such as www.example.com:80"
				: "an address such as 10.0.0.1:8080, [2001:db8::1]:8080 or "
				  "unix:/run/x.sock");
}

void finish_health(struct decoder *decoder, const struct node *node, void *base)
{
	static const struct word kinds[] = {
		{"tcp", CONFIG_HEALTH_TCP},
		{"tls", CONFIG_HEALTH_TLS},
		{"http", CONFIG_HEALTH_HTTP},
	};
	struct config_health_check *health = base;
	size_t found = 0;

	if (node->kind == NODE_SCALAR)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!node_member(node, kinds[i].name))
			continue;
		health->kind = (enum config_health)kinds[i].value;
		found++;
	}
	if (found != 1)
		diagnose(decoder->diagnostics, node,
			 "health names %s check; expected one of tcp, tls, http",
			 found ? "more than one" : "no");
}
