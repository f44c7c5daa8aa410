// SPDX-License-Identifier: Apache-2.0
/*
 * Listeners with dispatch.forward: dnat. What comes from an endpoint's port has to be the answer of
 * one service, for nothing else says whose it is. Of names that are resolved later, nothing is
 * known here; the packet programs' plan is checked again.
 */
#include "config/config_internal.h"

#include <stdlib.h>
#include <string.h>

struct answer {
	struct prefix host; /* the endpoint's address */
	uint16_t first_port, last_port;
	const struct config_bind *bind;
	const struct node *node; /* the listener's pool */
};

struct answers {
	struct answer *all;
	size_t count;
};

static bool answers_by_us(const struct config_listener *listener)
{
	return listener->mode == CONFIG_MODE_DISPATCH &&
	       listener->dispatch.forward == CONFIG_FORWARD_DNAT && listener->has_default_pool;
}

static size_t count_answers(const struct config *config)
{
	size_t count = 0, pool;

	for (size_t i = 0; i < config->nlisteners; i++) {
		const struct config_listener *listener = &config->listeners[i];

		for (size_t n = 0; answers_by_us(listener) && n <= listener->nroutes; n++)
			if (config_dispatch_pool(listener, n, &pool))
				count += listener->nbinds * config->pools[pool].nendpoints;
	}
	return count;
}

static void add_endpoint(struct answers *answers, const struct config_endpoint *endpoint,
			 const struct config_bind *bind, const struct node *node)
{
	struct answer *added = &answers->all[answers->count];
	uint16_t first = address_port(&bind->address);
	bool is_range = bind->last_port != first;
	uint16_t port = address_port(&endpoint->address);

	if (!endpoint->address.len || !prefix_of(&endpoint->address, 128, &added->host))
		return;
	added->first_port = is_range ? first : port;
	added->last_port = is_range ? bind->last_port : port;
	added->bind = bind;
	added->node = node;
	answers->count++;
}

static void add_pool(struct answers *answers, const struct config_listener *listener,
		     const struct config_pool *pool, const struct node *node)
{
	for (size_t b = 0; b < listener->nbinds; b++)
		for (size_t i = 0; i < pool->nendpoints; i++)
			add_endpoint(answers, &pool->endpoints[i], &listener->binds[b], node);
}

static void add_listener(struct answers *answers, const struct config *config,
			 const struct config_listener *listener, const struct node *node)
{
	size_t pool;

	for (size_t n = 0; n <= listener->nroutes; n++)
		if (config_dispatch_pool(listener, n, &pool))
			add_pool(answers, listener, &config->pools[pool], node);
}

/* By address, protocol and port; then as they stand in the file. */
static int compare(const void *left, const void *right)
{
	const struct answer *a = left, *b = right;
	int order = memcmp(a->host.ip, b->host.ip, sizeof(a->host.ip));

	if (order)
		return order;
	if (a->bind->is_udp != b->bind->is_udp)
		return a->bind->is_udp ? 1 : -1;
	if (a->first_port != b->first_port)
		return a->first_port < b->first_port ? -1 : 1;
	return a->bind->line < b->bind->line ? -1 : a->bind->line > b->bind->line;
}

static bool clash(const struct answer *a, const struct answer *b)
{
	return a->bind != b->bind && a->bind->is_udp == b->bind->is_udp &&
	       memcmp(a->host.ip, b->host.ip, sizeof(a->host.ip)) == 0 &&
	       b->first_port <= a->last_port;
}

/* Once a listener. */
static void report(struct checker *checker, const struct answers *answers)
{
	const struct node *told = NULL;
	char quoted[QUOTE_SIZE];

	for (size_t i = 1; i < answers->count; i++) {
		const struct answer *answer = &answers->all[i];

		if (!clash(answer - 1, answer) || answer->node == told)
			continue;
		told = answer->node;
		diagnose(checker->diagnostics, told,
			 "pool: %s has an endpoint of which two services of forward: dnat would "
			 "get answers from one port; expected another port for each, or another "
			 "forward",
			 node_quote(told, quoted));
	}
}

void check_answers(struct checker *checker)
{
	const struct node *item = node_first(node_member(checker->root, "listeners"));
	const struct config *config = checker->config;
	size_t count = count_answers(config);
	struct answers answers = {};

	if (!count)
		return;
	answers.all = arena_alloc_array(checker->arena, count + 1, sizeof(*answers.all));
	if (!answers.all) {
		checker->is_out_of_memory = true;
		return;
	}
	for (size_t i = 0; item && i < config->nlisteners; i++, item = item->next) {
		const struct config_listener *listener = &config->listeners[i];

		if (answers_by_us(listener))
			add_listener(&answers, config, listener, node_member_or_self(item, "pool"));
	}
	qsort(answers.all, answers.count, sizeof(*answers.all), compare);
	report(checker, &answers);
}
