// SPDX-License-Identifier: Apache-2.0
/* From a route to what it does. */
#include "proxy/action.h"

typedef void action_fn(struct exchange *exchange);

static action_fn *const actions[] = {
	[CONFIG_ACTION_POOL] = action_pool,         [CONFIG_ACTION_SPLIT] = action_split,
	[CONFIG_ACTION_REDIRECT] = action_redirect, [CONFIG_ACTION_RESPOND] = action_respond,
	[CONFIG_ACTION_FILES] = action_files,       [CONFIG_ACTION_DENY] = action_deny,
};

void action_begin(struct exchange *exchange)
{
	actions[exchange->route->action.kind](exchange);
}
