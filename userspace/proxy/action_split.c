// SPDX-License-Identifier: Apache-2.0
/* The request goes to one of several pools, drawn by weight. */
#include "core/hash.h"
#include "proxy/action.h"
#include "proxy/worker.h"

#include <assert.h>

/* Another hash than that which balances endpoints. */
#define SEED 0x73706c6974

/* The weights' sum is not 0, and fits: config/ has seen to it. */
static const struct config_share *draw(const struct exchange *exchange)
{
	const struct config_action *action = &exchange->route->action;
	const struct config_share *share = action->split;
	uint32_t sum = 0, at;

	for (size_t i = 0; i < action->nsplit; i++)
		sum += action->split[i].weight;
	assert(sum);
	if (action->split_by == CONFIG_SPLIT_BY_CLIENT)
		at = (uint32_t)(hash_bytes(exchange_source_text(exchange), SEED) % sum);
	else
		at = rng_below(&exchange_worker(exchange)->rng, sum);
	while (at >= share->weight)
		at -= share++->weight;
	return share;
}

void action_split(struct exchange *exchange)
{
	action_forward(exchange, draw(exchange)->pool.index);
}
