// SPDX-License-Identifier: Apache-2.0
/*
 * Who listens where: no two may ask for what the kernel gives only once. Sluice's own sockets share
 * ports by SO_REUSEPORT, so that the kernel would not refuse two listeners on one address; it would
 * deal connections to either at random.
 */
#include "config/config_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Each is a socket a worker, and each is compared with every other on its port. */
#define BINDS_MAX 16384u

struct claim {
	struct address address;
	struct prefix host; /* the same without the port, quick to compare */
	uint16_t first_port, last_port;
	bool is_ip, is_any, is_v6only, is_udp;
	bool is_dispatched;      /* taken from packets before any socket sees them */
	const struct node *node; /* NULL: a default */
	const char *option;      /* "bind" */
	size_t order;            /* in the file */
	bool is_reported;
};

struct claims {
	struct claim *all;
	size_t count, cap;
};

static void add_claim(struct claims *claims, const struct claim *claim)
{
	struct claim *added = &claims->all[claims->count];

	assert(claims->count < claims->cap);
	*added = *claim;
	added->order = claims->count++;
	added->first_port = address_port(&claim->address);
	address_unmap(&added->address);
	added->is_ip = prefix_of(&added->address, 128, &added->host);
	added->is_any = added->is_ip && address_is_any(&added->address);
}

/* One scalar of a bind list; those that cannot be read were reported when they were decoded. */
static void add_bind(struct claims *claims, const struct config_listener *listener,
		     const struct node *node)
{
	struct config_bind binds[BINDS_PER_TEXT] = {};
	size_t count = 0;

	if (node->kind != NODE_SCALAR || parse_bind(node->text, binds, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		struct claim claim = {.address = binds[i].address,
				      .last_port = binds[i].last_port,
				      .is_v6only = listener->is_v6only,
				      .is_udp = binds[i].is_udp,
				      .is_dispatched = listener->mode == CONFIG_MODE_DISPATCH,
				      .node = node,
				      .option = "bind"};

		/* "*:80" is [::]:80 alone where that takes IPv4 too. */
		if (i + 1 < count && !listener->is_v6only)
			continue;
		add_claim(claims, &claim);
	}
}

static void add_listeners(struct checker *checker, struct claims *claims)
{
	const struct node *item = node_first(node_member(checker->root, "listeners"));
	const struct config *config = checker->config;

	for (size_t i = 0; item && i < config->nlisteners; i++, item = item->next) {
		const struct node *bind = node_member(item, "bind");

		if (!bind)
			continue;
		if (bind->kind == NODE_SCALAR)
			add_bind(claims, &config->listeners[i], bind);
		/* What is neither was refused when it was decoded. */
		for (const struct node *text = bind->kind == NODE_LIST ? bind->first : NULL; text;
		     text = text->next)
			add_bind(claims, &config->listeners[i], text);
	}
}

static void add_admin(struct checker *checker, struct claims *claims)
{
	const struct config_admin *admin = &checker->config->admin;
	const struct node *node = node_member(checker->root, "admin");
	struct claim listen = {.address = admin->listen,
			       .last_port = address_port(&admin->listen),
			       .is_v6only = true,
			       .node = node_member(node, "listen"),
			       .option = "admin.listen"};
	struct claim control = {.node = node_member(node, "socket"), .option = "admin.socket"};
	char *text = NULL;

	if (admin->listen.len)
		add_claim(claims, &listen);
	if (!admin->socket)
		return;
	text = arena_printf(checker->arena, "unix:%s", admin->socket);
	if (!text)
		checker->is_out_of_memory = true;
	else if (address_parse(slice_from_str(text), &control.address) == 0)
		add_claim(claims, &control);
	else
		diagnose(checker->diagnostics, control.node,
			 "admin.socket has a path of more than 107 bytes; expected a shorter one");
}

static bool is_dual(const struct claim *claim)
{
	return claim->host.family == AF_INET6 && claim->is_any && !claim->is_v6only;
}

/* The address in full tells link-local ones of two interfaces apart. */
static bool is_same_host(const struct claim *a, const struct claim *b)
{
	struct address left, right;

	if (memcmp(a->host.ip, b->host.ip, sizeof(a->host.ip)) != 0)
		return false;
	left = a->address;
	right = b->address;
	address_set_port(&left, 0);
	address_set_port(&right, 0);
	return address_equal(&left, &right);
}

static bool clash(const struct claim *a, const struct claim *b)
{
	if (!a->is_ip || !b->is_ip)
		return a->is_ip == b->is_ip && address_equal(&a->address, &b->address);
	/* Port 0 is any that is free. */
	if (a->first_port == 0 || b->first_port == 0)
		return false;
	if (a->first_port > b->last_port || b->first_port > a->last_port || a->is_udp != b->is_udp)
		return false;
	/* Beside a socket at every address, a service has its own. */
	if (a->is_dispatched || b->is_dispatched)
		return is_same_host(a, b);
	if (a->host.family != b->host.family)
		return is_dual(a) || is_dual(b);
	return a->is_any || b->is_any || is_same_host(a, b);
}

/* "bind "0.0.0.0:80" on line 3" */
static const char *describe(struct checker *checker, const struct claim *claim)
{
	char quoted[QUOTE_SIZE];
	const char *text;

	if (!claim->node)
		return "the default of admin.socket";
	text = arena_printf(checker->arena, "%s %s on line %u", claim->option,
			    node_quote(claim->node, quoted), claim->node->line);
	if (!text)
		checker->is_out_of_memory = true;
	return text ? text : "";
}

/* Told at the later of the two, once however many it clashes with. */
static void report_clash(struct checker *checker, struct claim *a, struct claim *b)
{
	bool is_later = !b->node || (a->node && a->order > b->order);
	struct claim *later = is_later ? a : b, *earlier = is_later ? b : a;
	bool is_mixed = a->host.family != b->host.family;
	char quoted[QUOTE_SIZE];

	if (later->is_reported)
		return;
	later->is_reported = true;
	diagnose(checker->diagnostics, later->node,
		 "%s: %s clashes with %s%s; expected an address that nothing else listens on",
		 later->option, node_quote(later->node, quoted), describe(checker, earlier),
		 is_mixed ? ", as [::] takes IPv4 too with v6only: false" : "");
}

static int compare_claims(const void *left, const void *right)
{
	const struct claim *a = left, *b = right;

	if (a->first_port != b->first_port)
		return a->first_port < b->first_port ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

static size_t count_binds(const struct config *config)
{
	size_t count = 0;

	for (size_t i = 0; i < config->nlisteners; i++)
		count += config->listeners[i].nbinds;
	return count;
}

static void check_claims(struct checker *checker, struct claims *claims)
{
	struct claim *all = claims->all;

	qsort(all, claims->count, sizeof(*all), compare_claims);
	for (size_t i = 0; i < claims->count; i++) {
		/* Sorted by port: after the first that is beyond, nothing can overlap. */
		for (size_t j = i + 1; j < claims->count && all[j].first_port <= all[i].last_port;
		     j++) {
			if (clash(&all[i], &all[j]))
				report_clash(checker, &all[i], &all[j]);
		}
	}
}

void check_binds(struct checker *checker)
{
	size_t count = count_binds(checker->config);
	/* Two more for the administrator's. */
	struct claims claims = {.cap = count + 2};

	if (count > BINDS_MAX) {
		diagnose(checker->diagnostics, node_member_or_self(checker->root, "listeners"),
			 "%zu binds in all; expected at most %u", count, BINDS_MAX);
		return;
	}
	claims.all = arena_alloc_array(checker->arena, claims.cap, sizeof(struct claim));
	if (!claims.all) {
		checker->is_out_of_memory = true;
		return;
	}
	add_listeners(checker, &claims);
	add_admin(checker, &claims);
	check_claims(checker, &claims);
}
