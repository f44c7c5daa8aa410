/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FILTER_FILTER_INTERNAL_H
#define SLUICE_FILTER_FILTER_INTERNAL_H

#include "filter/filter.h"

#include <stdalign.h>

struct filter_chain {
	size_t exchange_size;   /* of all that its filters keep of an exchange */
	uint32_t count, shared; /* filters; the first @shared are another chain's */
	struct filter *filters[];
};

static inline size_t filter_round_up(size_t size)
{
	return (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

/* Where an exchange's states begin, behind the pointers to them. */
static inline size_t filter_own_offset(const struct filter_chain *chain)
{
	return filter_round_up(sizeof(struct filter_exchange) + chain->count * sizeof(void *));
}

/* Whether one of the fields, which are lists, has the member @token; case does not matter. */
bool filter_field_has(const struct http_fields *fields, enum http_field_id id, const char *token);

/* The answer depends on the request's field @name, static. Return: 0; -ENOMEM. */
int filter_add_vary(struct http_fields *fields, const char *name) WARN_UNUSED;

/* The kinds. */
#define X(name, text, member) extern const struct filter_kind filter_##member;
CONFIG_FILTERS(X)
#undef X

#endif
