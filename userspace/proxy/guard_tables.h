/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_GUARD_TABLES_H
#define SLUICE_PROXY_GUARD_TABLES_H

/* Lists → one table. Thread: control. */
#include "fastpath/guard_maps.h"
#include "guard/table.h"
#include "proxy/guard.h"

/* Of the settings' flags, those that a table decides. */
#define GUARD_LIST_FLAGS (GUARD_HAS_LIST4 | GUARD_HAS_LIST6)

/* What is in force together: all lists as one table, here and, in a mode that has them there, for
 * the packet programs; and what those are told beside. */
struct guard_tables {
	enum guard_mode mode;
	struct guard_settings settings;
	struct guard_table *table;
	bool is_in_packets;
	struct guard_map_lists lists;    /* where they are in packets */
	struct guard_services *services; /* NULL: those before stay */
};

/* Of @files, and of the guard's places and live entries, with its settings. Nothing is in force
 * yet. Return: 0; -ENOMEM; -E2BIG: more than the packet programs have room for; -errno. */
int guard_tables_make(struct guard *guard, const struct guard_list *files, enum guard_mode mode,
		      struct guard_tables *ret) WARN_UNUSED;

/* Puts them in force. Takes @tables, also on failure. Return: 0; -errno: those before are in force,
 * unless the log says that they cannot be. */
int guard_tables_use(struct guard *guard, struct guard_tables *tables) WARN_UNUSED;

/* Fine with a zeroed structure. */
void guard_tables_done(struct guard_tables *tables);

/* Makes those of the lists as they are, and puts them in force. Return: as guard_tables_make(). */
int guard_tables_renew(struct guard *guard, enum guard_mode mode) WARN_UNUSED;

#endif
