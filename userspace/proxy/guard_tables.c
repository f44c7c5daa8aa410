// SPDX-License-Identifier: Apache-2.0
/*
 * All lists of the guard as one table, on its way to where packets and connections are judged by
 * it.
 */
#include "proxy/guard_tables.h"

#include "core/log.h"
#include "fastpath/guard_maps.h"
#include "proxy/guard_internal.h"
#include "proxy/guard_services.h"

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
	guard_services_free(tables->services);
	*tables = (struct guard_tables){};
}

static struct guard_settings current_settings(struct guard *guard)
{
	struct guard_settings settings;

	pthread_rwlock_rdlock(&guard->lock);
	settings = guard->settings;
	pthread_rwlock_unlock(&guard->lock);
	return settings;
}

/* While the guard is off the packet programs have no lists: they take memory. */
int guard_tables_make(struct guard *guard, const struct guard_list *files, enum guard_mode mode,
		      struct guard_tables *ret)
{
	struct guard_tables tables = {.mode = mode, .settings = current_settings(guard)};
	int err = make_table(guard, files, &tables.table);

	if (!err && guard->maps && mode != GUARD_OFF) {
		err = guard_map_lists_make(tables.table, &tables.lists);
		tables.is_in_packets = !err;
	}
	tables.settings.flags = (tables.settings.flags & ~GUARD_LIST_FLAGS) | tables.lists.flags;
	if (err)
		guard_tables_done(&tables);
	else
		*ret = tables;
	return err;
}

/* Return: 0; -errno, with some of it there. */
static int give_to_packets(const struct guard_maps *maps, const struct guard_tables *tables)
{
	int err = 0;

	if (tables->services)
		err = guard_maps_set_services(maps, tables->services);
	if (!err && tables->is_in_packets)
		err = guard_maps_use_lists(maps, &tables->lists);
	return err;
}

/* @tables has what was in force before: of what it brought, and nothing else. */
static void change_places(struct guard *guard, struct guard_tables *tables)
{
	const struct guard_tables next = *tables;

	*tables = (struct guard_tables){
		.mode = guard_current_mode(guard),
		.settings = guard->settings,
		.table = guard->table,
		.is_in_packets = next.is_in_packets && guard->has_lists,
		.lists = guard->lists,
		.services = next.services ? guard->services : NULL,
	};
	atomic_store(&guard->mode, (int)next.mode);
	guard->settings = next.settings;
	guard->table = next.table;
	if (next.is_in_packets) {
		guard->lists = next.lists;
		guard->has_lists = true;
	}
	if (next.services)
		guard->services = next.services;
}

/* Return: 0; -errno, with some of it in force. */
static int exchange(struct guard *guard, struct guard_tables *tables)
{
	int err = guard->maps ? give_to_packets(guard->maps, tables) : 0;

	pthread_rwlock_wrlock(&guard->lock);
	change_places(guard, tables);
	if (!err)
		err = guard_publish_settings(guard);
	pthread_rwlock_unlock(&guard->lock);
	return err;
}

int guard_tables_use(struct guard *guard, struct guard_tables *tables)
{
	int err = exchange(guard, tables);

	if (err && exchange(guard, tables) < 0)
		log_error("guard: the packet programs' tables are not whole until the next change");
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
