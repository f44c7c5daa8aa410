/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_SOURCE_TABLE_H
#define SLUICE_PROXY_SOURCE_TABLE_H

#include "core/address.h"
#include "core/compiler.h"

#include <stdint.h>

/*
 * Open connections by client network, for the limits per source. Shared by all workers; an entry
 * exists only while it counts at least one connection, so the table is no larger than the number of
 * open connections. Thread: any; a shard's lock is held for a few instructions.
 */
struct source_table;
struct source_entry;

/* Return: NULL: out of memory. */
struct source_table *source_table_new(void) WARN_UNUSED;
void source_table_free(struct source_table *table); /* NULL is allowed */

/**
 * Counts one more connection from @network, within @scope: each listener has one of its own, and
 * NULL is the whole daemon's.
 * @ret: give it back with source_table_give().
 * Return: 0; -EUSERS if @limit are open already; -ENOMEM.
 */
int source_table_take(struct source_table *table, const void *scope, const struct prefix *network,
		      uint32_t limit, struct source_entry **ret) WARN_UNUSED;

void source_table_give(struct source_table *table,
		       struct source_entry *entry); /* NULL is allowed */

#endif
