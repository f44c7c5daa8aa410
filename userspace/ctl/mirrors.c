// SPDX-License-Identifier: Apache-2.0
/* What became of mirrored requests, as people read it: below the pools. */
#include "ctl/ctl_internal.h"

static void add_mirror(struct table *table, const json_t *pool)
{
	const json_t *results = json_object_get(pool, "mirrors");
	json_t *others = json_copy((json_t *)(uintptr_t)results);
	const char *key;
	json_t *value;
	uint64_t sum = 0;

	json_object_foreach(others, key, value) sum += (uint64_t)json_integer_value(value);
	(void)json_object_del(others, "answered");
	table_add(table, TABLE_BOLD, member_text(pool, "name"));
	table_add_count(table, sum);
	table_add_count(table, member_count(results, "answered"));
	view_add_reasons(table, others);
	json_decref(others);
}

void view_mirrors(const json_t *result, const struct ctl_screen *screen, struct strbuf *out)
{
	static const struct table_column columns[] = {
		{.title = "MIRROR", .is_shrinkable = true},
		{.title = "COPIES", .is_right = true},
		{.title = "ANSWERED", .is_right = true},
		{.title = "OTHERWISE", .is_shrinkable = true},
	};
	const json_t *pool;
	struct table table;
	bool has_any = false;

	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; (pool = member_element(result, "pools", i)); i++) {
		if (!json_object_size(json_object_get(pool, "mirrors")))
			continue;
		add_mirror(&table, pool);
		has_any = true;
	}
	if (has_any) {
		strbuf_printf(out, "\n");
		table_render(&table, screen, 0, out);
	}
	table_done(&table);
}
