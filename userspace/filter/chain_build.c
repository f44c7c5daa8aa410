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

int filter_chain_new(const struct filter_lists *lists, const struct filter_setup *setup,
		     struct filter_chain **ret)
{
	size_t count = lists->counts[0] + lists->counts[1];
	struct filter_setup each = *setup;
	struct filter_chain *chain;
	int first_err = 0;

	if (count == 0) {
		*ret = NULL;
		return 0;
	}
	chain = calloc(1, sizeof(*chain) + count * sizeof(struct filter *));
	if (!chain)
		return -ENOMEM;
	for (size_t l = 0; l < 2; l++)
		for (size_t i = 0; i < lists->counts[l]; i++) {
			int err;

			each.config = &lists->lists[l][i];
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
	for (uint32_t i = 0; i < chain->count; i++)
		free_filter(chain->filters[i]);
	free(chain);
}
