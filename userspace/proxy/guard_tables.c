// SPDX-License-Identifier: Apache-2.0
/*
 * All lists of the guard as one table, on its way to where packets and connections are judged by
 * it.
 */
#include "proxy/guard_tables.h"

#include "fastpath/guard_maps.h"
#include "proxy/guard_internal.h"

static void append(struct guard_list *all, const struct guard_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		guard_list_add(all, &list->entries[i]);
}

static int make_table(const struct guard *guard, const struct guard_list *files,
		      struct guard_table **ret)
{
	struct guard_list all = {};
	int err;

	append(&all, files);
	append(&all, &guard->places);
	for (size_t i = 0; i < guard->nlive; i++)
		guard_list_add(&all, &guard->live[i].entry);
	err = guard_table_new(&all, guard_wall_s(), ret);
	guard_list_done(&all);
	return err;
}

void guard_tables_done(struct guard_tables *tables)
{
	guard_table_free(tables->table);
	if (tables->is_in_packets)
		guard_map_lists_done(&tables->lists);
	*tables = (struct guard_tables){};
}

/* While the guard is off the packet programs have no lists: they take memory. */
int guard_tables_make(const struct guard *guard, const struct guard_list *files,
		      enum guard_mode mode, struct guard_tables *ret)
{
	struct guard_tables tables = {.mode = mode};
	int err = make_table(guard, files, &tables.table);

	if (!err && guard->maps && mode != GUARD_OFF) {
		err = guard_map_lists_make(tables.table, &tables.lists);
		tables.is_in_packets = !err;
	}
	if (err)
		guard_tables_done(&tables);
	else
		*ret = tables;
	return err;
}

int guard_tables_use(struct guard *guard, struct guard_tables *tables)
{
	int err = tables->is_in_packets ? guard_maps_use_lists(guard->maps, &tables->lists) : 0;

	if (!err) {
		struct guard_table *old = guard->table;

		pthread_rwlock_wrlock(&guard->lock);
		guard->table = tables->table;
		guard->settings.flags = (guard->settings.flags & ~GUARD_LIST_FLAGS) |
					tables->lists.flags;
		atomic_store(&guard->mode, (int)tables->mode);
		err = guard_publish_settings(guard);
		pthread_rwlock_unlock(&guard->lock);
		tables->table = old;
	}
	guard_tables_done(tables);
	return err;
}

int guard_tables_renew(struct guard *guard, enum guard_mode mode)
{
	struct guard_tables tables;
	int err = guard_tables_make(guard, &guard->files, mode, &tables);

	return err ? err : guard_tables_use(guard, &tables);
}

int guard_renew_table(struct guard *guard)
{
	return guard_tables_renew(guard, guard_current_mode(guard));
}
