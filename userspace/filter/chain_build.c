// SPDX-License-Identifier: Apache-2.0
/* From the configuration's lists to a chain of filters, and back to nothing. */
#include "filter/filter_internal.h"

#include <errno.h>
#include <stdlib.h>

_Static_assert(2 * CONFIG_FILTERS_MAX <= 32, "a chain's filters are bits of a uint32_t");

static const struct filter_kind *const kinds[CONFIG_FILTER_COUNT] = {
#define X(name, text, member) [CONFIG_FILTER_##name] = &filter_##member,
	CONFIG_FILTERS(X)
#undef X
};

static void free_filter(struct filter *filter)
{
	if (filter->kind->done)
		filter->kind->done(filter);
	free(filter);
}

static bool is_same(const struct config_filter *a, const struct config_filter *b)
{
	return a->kind == b->kind && kinds[a->kind]->is_same(a, b);
}

/* Of several that are the same each goes on from its own: the first from the first. */
static const struct filter *find_before(const struct filter_chain *previous,
					const struct filter_list *list, size_t index)
{
	const struct config_filter *config = &list->items[index];
	size_t skipped = 0;

	if (!previous || !kinds[config->kind]->is_same)
		return NULL;
	for (size_t i = 0; i < index; i++)
		skipped += is_same(config, &list->items[i]);
	for (uint32_t i = previous->shared; i < previous->count; i++)
		if (is_same(config, previous->filters[i]->config) && skipped-- == 0)
			return previous->filters[i];
	return NULL;
}

static int add_filter(struct filter_chain *chain, const struct filter_setup *setup)
{
	const struct filter_kind *kind = kinds[setup->config->kind];
	struct filter *filter = calloc(1, kind->size);
	int err;

	if (!filter)
		return -ENOMEM;
	filter->kind = kind;
	filter->config = setup->config;
	err = kind->build ? kind->build(filter, setup) : 0;
	if (err < 0) {
		free_filter(filter);
		return err;
	}
	chain->filters[chain->count++] = filter;
	chain->exchange_size += filter_round_up(kind->exchange_size);
	return 0;
}

static struct filter_chain *begin(const struct filter_chain *base, size_t count)
{
	size_t shared = base ? base->count : 0;
	struct filter_chain *chain = calloc(1, sizeof(*chain) +
						       (shared + count) * sizeof(struct filter *));

	if (!chain || !base)
		return chain;
	memcpy(chain->filters, base->filters, shared * sizeof(struct filter *));
	chain->count = chain->shared = base->count;
	chain->exchange_size = base->exchange_size;
	return chain;
}

int filter_chain_new(const struct filter_chain *base, const struct filter_list *list,
		     const struct filter_setup *setup, struct filter_chain **ret)
{
	struct filter_setup each = *setup;
	struct filter_chain *chain;
	int first_err = 0;

	if (!base && list->count == 0) {
		*ret = NULL;
		return 0;
	}
	chain = begin(base, list->count);
	if (!chain)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++) {
		int err;

		each.config = &list->items[i];
		each.before = find_before(setup->previous, list, i);
		err = add_filter(chain, &each);
		first_err = first_err ? first_err : err;
	}
	if (first_err) {
		filter_chain_free(chain);
		return first_err;
	}
	*ret = chain;
	return 0;
}

void filter_chain_free(struct filter_chain *chain)
{
	if (!chain)
		return;
	for (uint32_t i = chain->shared; i < chain->count; i++)
		free_filter(chain->filters[i]);
	free(chain);
}
