// SPDX-License-Identifier: Apache-2.0
/*
 * Weighted random choice by the alias method: O(n) to build, O(1) a draw, exact in integers.
 * Source: Walker 1977, built as Vose 1991. Targets whose weight fell to 0 since the build are drawn
 * past; where most have, one O(n) walk over the weights of the moment decides.
 */
#include "balance/balance_internal.h"

#include <errno.h>
#include <stdlib.h>

/* Draws that may miss before the walk: it is needed only where few of the targets are left. */
#define DRAWS_MAX 8

/* Of the total, the first @cutoff belong to the column's own target and the rest to @alias. */
struct sampler_column {
	uint64_t cutoff;
	uint32_t alias;
};

/*
 * Each column holds the same amount, the total; a weight times the count is what a target has to
 * spread. Targets that do not fill their column are topped up by those that have too much.
 */
static void fill_columns(struct sampler *sampler, uint32_t *small, uint32_t *large)
{
	struct sampler_column *columns = sampler->columns;
	size_t nsmall = 0, nlarge = 0;

	for (uint32_t i = 0; i < sampler->count; i++) {
		if (columns[i].cutoff < sampler->total)
			small[nsmall++] = i;
		else
			large[nlarge++] = i;
	}
	while (nsmall > 0 && nlarge > 0) {
		uint32_t poor = small[--nsmall], rich = large[nlarge - 1];

		columns[poor].alias = rich;
		columns[rich].cutoff -= sampler->total - columns[poor].cutoff;
		if (columns[rich].cutoff < sampler->total)
			small[nsmall++] = large[--nlarge];
	}
}

int sampler_build(struct sampler *sampler, const struct balance_target *targets, size_t count)
{
	struct sampler fresh = {.count = count};
	uint32_t *lists = NULL;

	if (count > 0) {
		fresh.columns = calloc(count, sizeof(*fresh.columns));
		lists = calloc(count, 2 * sizeof(*lists));
		if (!fresh.columns || !lists) {
			free(fresh.columns);
			free(lists);
			return -ENOMEM;
		}
	}
	for (uint32_t i = 0; i < count; i++) {
		fresh.total += targets[i].weight;
		fresh.columns[i] = (struct sampler_column){
			.cutoff = (uint64_t)targets[i].weight * count,
			.alias = i,
		};
	}
	if (count > 0)
		fill_columns(&fresh, lists, lists + count);
	free(lists);
	sampler_done(sampler);
	*sampler = fresh;
	return 0;
}

static size_t draw_column(const struct sampler *sampler, struct rng *rng)
{
	size_t i = (size_t)balance_below(rng, sampler->count);
	const struct sampler_column *column = &sampler->columns[i];

	return balance_below(rng, sampler->total) < column->cutoff ? i : column->alias;
}

static int walk(const struct balance_target *targets, size_t count, size_t exclude, struct rng *rng)
{
	uint64_t total = 0, at;

	for (size_t i = 0; i < count; i++)
		total += i == exclude ? 0 : targets[i].weight;
	if (total == 0)
		return -EHOSTUNREACH;
	at = balance_below(rng, total);
	for (size_t i = 0; i < count; i++) {
		uint64_t weight = i == exclude ? 0 : targets[i].weight;

		if (at < weight)
			return (int)i;
		at -= weight;
	}
	return -EHOSTUNREACH;
}

int sampler_draw(const struct sampler *sampler, const struct balance_target *targets,
		 size_t exclude, struct rng *rng)
{
	if (sampler->total == 0)
		return -EHOSTUNREACH;
	for (unsigned n = 0; n < DRAWS_MAX; n++) {
		size_t i = draw_column(sampler, rng);

		if (i != exclude && targets[i].weight > 0)
			return (int)i;
	}
	return walk(targets, sampler->count, exclude, rng);
}

void sampler_done(struct sampler *sampler)
{
	free(sampler->columns);
	*sampler = (struct sampler){};
}
