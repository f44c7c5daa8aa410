/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_GUARD_TABLE_H
#define SLUICE_GUARD_TABLE_H

#include "abi/guard.h"
#include "core/address.h"
#include "core/compiler.h"
#include "guard/list.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Lists made one: every address has exactly one answer. An allowed network is allowed whatever else
 * is said about it, a blocked one is blocked unless it is allowed, and of the rules of places that
 * of the longest prefix counts. Immutable.
 */
struct guard_table;

/**
 * Sorts @list. @now_s: entries that have expired by then are left out.
 * Return: 0; -ENOMEM.
 */
int guard_table_new(struct guard_list *list, uint64_t now_s, struct guard_table **ret) WARN_UNUSED;
void guard_table_free(struct guard_table *table); /* NULL is allowed */

/* Anything but an IP address is NONE. Thread: any. */
enum guard_why guard_table_look(const struct guard_table *table, const struct address *address);

/* When the next entry expires, since 1970; 0: none does. */
uint64_t guard_table_next_expiry(const struct guard_table *table);

/* --- For the packet programs: abi/guard.h ------------------------------------------------------*/

/* 0: no IPv4 network has an answer. */
size_t guard_table_lines(const struct guard_table *table);
/* @lines: guard_table_lines() of them, zeroed. */
void guard_table_fill(const struct guard_table *table, struct guard_line *lines);

/* A network and its answer. */
struct guard_network6 {
	__u64 address[2]; /* host order */
	uint8_t bits, why;
};

/* Those with another answer than what is around them, each before those in it. Borrowed. */
const struct guard_network6 *guard_table_networks6(const struct guard_table *table,
						   size_t *ret_count);

#endif
