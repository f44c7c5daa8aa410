/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_ROUTE_CONDITION_H
#define SLUICE_ROUTE_CONDITION_H

#include "config/config.h"
#include "core/arena.h"
#include "core/compiler.h"
#include "core/regex.h"
#include "http/message.h"

/* A condition on the values that a request has under a name: one of them has to pass. */
enum condition_kind {
	CONDITION_HEADER,
	CONDITION_QUERY,
	CONDITION_COOKIE,
};

struct condition {
	enum condition_kind kind;
	const struct config_value_match *match;
	struct regex *regex; /* NULL unless it tests by one */
};

struct condition_input {
	const struct http_request *request;
	struct arena *arena; /* where values are decoded that are encoded */
	struct regex_scratch *scratch;
};

/* @match outlives it. Return: 0; -ENOMEM; -EINVAL if config/ has let through what is no pattern. */
int condition_init(struct condition *condition, enum condition_kind kind,
		   const struct config_value_match *match) WARN_UNUSED;
void condition_done(struct condition *condition);

/* Return: 1: it holds; 0; -E2BIG: a pattern took too long to tell; -ENOMEM. */
int condition_holds(const struct condition *condition,
		    const struct condition_input *input) WARN_UNUSED;

#endif
