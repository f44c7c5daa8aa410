// SPDX-License-Identifier: Apache-2.0
/* Any bytes are a configuration or errors, each on a line of its own with its place. */
#include "config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

/* A configuration that was let through is whole: indices and names can be relied on. */
static void walk(const struct config *config)
{
	expect(config->nlisteners > 0 && config->npools > 0);
	for (size_t i = 0; i < config->nlisteners; i++) {
		const struct config_listener *listener = &config->listeners[i];

		expect(listener->name && listener->nbinds > 0);
		expect(listener->nroutes > 0 || listener->has_default_pool);
		expect(!listener->has_default_pool || listener->default_pool < config->npools);
		for (size_t j = 0; j < listener->nroutes; j++)
			expect(listener->routes[j].action.pool.index < config->npools);
		for (size_t j = 0; j < listener->nbinds; j++)
			expect(listener->binds[j].address.len > 0);
	}
	for (size_t i = 0; i < config->npools; i++) {
		const struct config_pool *pool = &config->pools[i];

		expect(pool->name && pool->is_bound && pool->nendpoints > 0);
		for (size_t j = 0; j < pool->nendpoints; j++)
			expect(pool->endpoints[j].name &&
			       (pool->endpoints[j].address.len > 0 || pool->endpoints[j].host));
	}
}

static void check_errors(const struct strbuf *errors)
{
	expect(errors->len > 0 && errors->text[errors->len - 1] == '\n');
	for (const char *line = errors->text; *line; line = strchr(line, '\n') + 1)
		expect(strncmp(line, "fuzz:", 5) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct config *config = NULL;
	struct strbuf errors = {};
	int err = config_parse("fuzz", slice_of(bytes, size), &config, &errors);

	expect(err == 0 || err == -EINVAL);
	if (err)
		check_errors(&errors);
	else
		walk(config);
	config_free(config);
	strbuf_done(&errors);
	return 0;
}
