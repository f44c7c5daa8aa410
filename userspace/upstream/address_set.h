/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_UPSTREAM_ADDRESS_SET_H
#define SLUICE_UPSTREAM_ADDRESS_SET_H

#include "core/address.h"

/*
 * IP addresses of one port, in an order of their own and each once, so that answers which name them
 * in another order are equal. A zeroed set is empty.
 */
struct address_set {
	struct address *items;
	size_t count, cap;
};

/* Return: 0, also where it is known; -ENOMEM. */
int address_set_add(struct address_set *set, const struct address *address) WARN_UNUSED;
int address_set_add_all(struct address_set *set, const struct address_set *from) WARN_UNUSED;
bool address_set_equal(const struct address_set *a, const struct address_set *b);

/* @to is freed and becomes @from, which is empty afterwards. */
void address_set_move(struct address_set *to, struct address_set *from);
void address_set_done(struct address_set *set);

#endif
