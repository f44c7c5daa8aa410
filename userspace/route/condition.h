/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_ROUTE_CONDITION_H
#define SLUICE_ROUTE_CONDITION_H

#include "config/config.h"
#include "core/arena.h"
#include "core/compiler.h"
#include "core/regex.h"
#include "http/message.h"
#include "route/value_names.h"

/* A condition on the values that a request has under a name: one of them has to pass. */
enum condition_kind {
	CONDITION_HEADER,
	CONDITION_QUERY,
	CONDITION_COOKIE,
};

/* What conditions of a table ask for under names that a request may have many values of. */
struct condition_names {
	struct value_names query, cookies;
};

/* Room for so many conditions of either kind. Return: 0; -ENOMEM. */
int condition_names_init(struct condition_names *names, size_t nquery, size_t ncookie) WARN_UNUSED;
void condition_names_done(struct condition_names *names); /* of a zeroed or half-built one too */

struct condition {
	enum condition_kind kind;
	const struct config_value_match *match;
	struct regex *regex; /* NULL unless it tests by one */
	uint32_t number;     /* of its name among those of its kind, but for headers */
};

/* A request that is compared with conditions, which share what one of them has read of it. */
struct condition_input {
	const struct condition_names *names;
	const struct http_request *request;
	struct arena *arena; /* where values are kept, and decoded that are encoded */
	struct regex_scratch *scratch;
	struct named_values query, cookies; /* read when they are first asked for */
	uint32_t work;                      /* done so far */
};

/* @match outlives it; @names get its name. Return: 0; -ENOMEM; -EINVAL if config/ has let through
 * what is no pattern. */
int condition_init(struct condition *condition, enum condition_kind kind,
		   const struct config_value_match *match,
		   struct condition_names *names) WARN_UNUSED;
void condition_done(struct condition *condition);

/* Return: 1: it holds; 0; -E2BIG: it took too long to tell, for a pattern or for too many values;
 * -ENOMEM. */
int condition_holds(const struct condition *condition, struct condition_input *input) WARN_UNUSED;

#endif
