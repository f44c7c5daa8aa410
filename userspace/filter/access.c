// SPDX-License-Identifier: Apache-2.0
/* The filter access: lets clients in by their network. */
#include "filter/filter_internal.h"

/* One more than the bits of the longest network that holds @address; 0: none does. */
static unsigned longest(const struct prefix *networks, size_t count, const struct address *address)
{
	unsigned best = 0;

	for (size_t i = 0; i < count; i++)
		if (networks[i].bits + 1u > best && prefix_contains(&networks[i], address))
			best = networks[i].bits + 1u;
	return best;
}

static bool may_pass(const struct config_access *config, const struct address *client)
{
	unsigned allowed = longest(config->allow, config->nallow, client);
	unsigned denied = longest(config->deny, config->ndeny, client);

	if (!allowed && !denied)
		return config->nallow == 0;
	return allowed > denied;
}

static enum filter_verdict on_request_head(const struct filter *filter,
					   struct filter_exchange *exchange, void *own)
{
	const struct config_access *config = &filter->config->access;

	(void)own;
	if (may_pass(config, exchange->client))
		return FILTER_CONTINUE;
	return filter_answer(exchange, config->status);
}

const struct filter_kind filter_access = {
	.id = CONFIG_FILTER_ACCESS,
	.size = sizeof(struct filter),
	.on_request_head = on_request_head,
};
