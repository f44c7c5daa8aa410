// SPDX-License-Identifier: Apache-2.0
/* The request goes to one of several pools, drawn by weight. */
#include "proxy/action.h"
#include "proxy/worker.h"

/* The weights' sum is not 0, and fits: config/ has seen to it. */
static const struct config_share *draw(const struct config_action *action, struct rng *rng)
{
	const struct config_share *share = action->split;
	uint32_t sum = 0, at;

	for (size_t i = 0; i < action->nsplit; i++)
		sum += action->split[i].weight;
	at = rng_below(rng, sum);
	while (at >= share->weight)
		at -= share++->weight;
	return share;
}

void action_split(struct exchange *exchange)
{
	const struct config_share *share = draw(&exchange->route->action,
						&exchange_worker(exchange)->rng);

	action_forward(exchange, share->pool.index);
}
