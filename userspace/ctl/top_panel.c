// SPDX-License-Identifier: Apache-2.0
/*
 * `top` drawn from two samples: rates are differences of counters over the time between them. Rows
 * are found again in the earlier sample by their keys, since both lists may have changed.
 */
#include "ctl/top_internal.h"

#include <stdlib.h>

#define SUMMARY_LINES 3 /* two of text, one empty */

static double elapsed_seconds(const struct top_frame *frame)
{
	if (!frame->before->taken_us || frame->now->taken_us <= frame->before->taken_us)
		return 0;
	return (double)(frame->now->taken_us - frame->before->taken_us) / 1e6;
}

double top_rate_between(const struct top_frame *frame, uint64_t before, uint64_t now)
{
	double seconds = elapsed_seconds(frame);

	return seconds > 0 && now > before ? (double)(now - before) / seconds : 0;
}

double top_rate_of(const struct top_frame *frame, const json_t *before, const json_t *now,
		   const char *key)
{
	if (!before)
		return 0;
	return top_rate_between(frame, member_count(before, key), member_count(now, key));
}

const json_t *top_find(const json_t *array, const char *key, const char *text)
{
	const json_t *row;

	for (size_t i = 0; (row = json_array_get(array, i)); i++)
		if (strcmp(member_text(row, key), text) == 0)
			return row;
	return NULL;
}

struct top_row *top_row_add(struct top_rows *rows)
{
	if (rows->count == rows->cap) {
		size_t cap = rows->cap ? rows->cap * 2 : 64;
		struct top_row *grown = realloc(rows->rows, cap * sizeof(*grown));

		if (!grown)
			return NULL;
		rows->rows = grown;
		rows->cap = cap;
	}
	return &rows->rows[rows->count++];
}

static void collect(struct top_rows *rows, const struct top_frame *frame, const json_t *before,
		    const json_t *now, const char *total_key, struct top_row key)
{
	struct top_row *row = top_row_add(rows);

	if (!row)
		return;
	*row = key;
	row->row = now;
	row->bytes_in_rate = top_rate_of(frame, before, now, "bytes_in");
	row->bytes_out_rate = top_rate_of(frame, before, now, "bytes_out");
	row->rate = total_key ? top_rate_of(frame, before, now, total_key)
			      : row->bytes_in_rate + row->bytes_out_rate;
	row->active = member_count(now, "active");
	row->bytes = member_count(now, "bytes_in") + member_count(now, "bytes_out");
}

static void collect_listeners(struct top_rows *rows, const struct top_frame *frame)
{
	const json_t *before = json_object_get(frame->before->listeners, "listeners"), *row;

	for (size_t i = 0; (row = member_element(frame->now->listeners, "listeners", i)); i++) {
		const char *name = member_text(row, "name");

		collect(rows, frame, top_find(before, "name", name), row, "accepted",
			(struct top_row){.group = "", .name = name});
	}
}

static void collect_endpoints(struct top_rows *rows, const struct top_frame *frame)
{
	const json_t *pools_before = json_object_get(frame->before->pools, "pools");
	const json_t *pool, *endpoint;

	for (size_t i = 0; (pool = member_element(frame->now->pools, "pools", i)); i++) {
		const char *name = member_text(pool, "name");
		const json_t *before = json_object_get(top_find(pools_before, "name", name),
						       "endpoints");

		for (size_t j = 0; (endpoint = member_element(pool, "endpoints", j)); j++) {
			const char *address = member_text(endpoint, "address");

			collect(rows, frame, top_find(before, "address", address), endpoint,
				"connections", (struct top_row){.group = name, .name = address});
		}
	}
}

/* A connection of the earlier sample. */
struct earlier {
	uint64_t id;
	const json_t *row;
};

static int compare_ids(const void *a, const void *b)
{
	const struct earlier *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* The earlier connections, ordered by id: there may be a thousand. Return: free() it; NULL: none.
 */
static struct earlier *index_by_id(const json_t *array)
{
	size_t count = json_array_size(array);
	struct earlier *index = count ? calloc(count, sizeof(*index)) : NULL;

	if (!index)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		index[i].row = json_array_get(array, i);
		index[i].id = member_count(index[i].row, "id");
	}
	qsort(index, count, sizeof(*index), compare_ids);
	return index;
}

static void collect_connections(struct top_rows *rows, const struct top_frame *frame)
{
	const json_t *before = json_object_get(frame->before->connections, "connections");
	const json_t *now = json_object_get(frame->now->connections, "connections"), *row;
	struct earlier *index = index_by_id(before);

	for (size_t i = 0; (row = json_array_get(now, i)); i++) {
		struct earlier key = {.id = member_count(row, "id")}, *found = NULL;

		if (index)
			found = bsearch(&key, index, json_array_size(before), sizeof(*index),
					compare_ids);
		collect(rows, frame, found ? found->row : NULL, row, NULL,
			(struct top_row){.group = member_text(row, "listener"),
					 .name = member_text(row, "client")});
	}
	free(index);
}

static int compare_names(const struct top_row *a, const struct top_row *b)
{
	int order = strcmp(a->group, b->group);

	return order ? order : strcmp(a->name, b->name);
}

static int compare_rates(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;

	return x->rate != y->rate ? (x->rate < y->rate) - (x->rate > y->rate) : compare_names(x, y);
}

static int compare_active(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;

	return x->active != y->active ? (x->active < y->active) - (x->active > y->active)
				      : compare_names(x, y);
}

static int compare_bytes(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;

	return x->bytes != y->bytes ? (x->bytes < y->bytes) - (x->bytes > y->bytes)
				    : compare_names(x, y);
}

static int compare_by_name(const void *a, const void *b)
{
	return compare_names(a, b);
}

static void sort_rows(struct top_rows *rows, enum top_sort sort)
{
	static int (*const compare[])(const void *, const void *) = {
		[TOP_SORT_NAME] = compare_by_name,
		[TOP_SORT_RATE] = compare_rates,
		[TOP_SORT_ACTIVE] = compare_active,
		[TOP_SORT_BYTES] = compare_bytes,
	};

	if (rows->count)
		qsort(rows->rows, rows->count, sizeof(*rows->rows), compare[sort]);
}

void top_add_rate(struct table *table, double rate)
{
	char text[TEXT_VALUE_SIZE];

	table_add(table, TABLE_PLAIN, text_rate(rate, text));
}

void top_add_byte_rates(struct table *table, const struct top_row *row)
{
	char text[TEXT_VALUE_SIZE];

	table_add(table, TABLE_PLAIN, text_byte_rate(row->bytes_in_rate, text));
	table_add(table, TABLE_PLAIN, text_byte_rate(row->bytes_out_rate, text));
}

static void fill_endpoint(struct table *table, const struct top_row *row)
{
	char state[TEXT_VALUE_SIZE];
	enum table_colour colour;

	table_add(table, TABLE_BOLD, row->group);
	table_add(table, TABLE_PLAIN, row->name);
	view_endpoint_state(row->row, state, &colour);
	table_add(table, colour, state);
	table_add_count(table, row->active);
	top_add_rate(table, row->rate);
	top_add_byte_rates(table, row);
	table_add_count(table, member_count(row->row, "connect_failures"));
	table_add_duration(table, member_number(row->row, "latency_seconds"));
}

static void fill_listener(struct table *table, const struct top_row *row)
{
	table_add(table, TABLE_BOLD, row->name);
	table_add_count(table, row->active);
	top_add_rate(table, row->rate);
	top_add_byte_rates(table, row);
	table_add_count(table, member_count(row->row, "refused"));
	table_add_duration(table,
			   member_number(json_object_get(row->row, "session_seconds"), "p50"));
}

static void fill_connection(struct table *table, const struct top_row *row)
{
	const char *endpoint = member_text(row->row, "endpoint");

	table_add(table, TABLE_PLAIN, row->name);
	table_add(table, TABLE_BOLD, row->group);
	table_add(table, TABLE_PLAIN, *endpoint ? endpoint : "-");
	table_add(table, TABLE_PLAIN, member_text(row->row, "state"));
	table_add_duration(table, member_number(row->row, "age_seconds"));
	top_add_byte_rates(table, row);
	table_add_bytes(table, row->bytes);
}

static const struct table_column endpoint_columns[] = {
	{.title = "POOL", .is_shrinkable = true},
	{.title = "ENDPOINT", .is_shrinkable = true},
	{.title = "STATE"},
	{.title = "ACTIVE", .is_right = true},
	{.title = "CONN/S", .is_right = true},
	{.title = "IN", .is_right = true},
	{.title = "OUT", .is_right = true},
	{.title = "FAILED", .is_right = true},
	{.title = "TIME", .is_right = true},
};

static const struct table_column listener_columns[] = {
	{.title = "LISTENER", .is_shrinkable = true}, {.title = "ACTIVE", .is_right = true},
	{.title = "CONN/S", .is_right = true},        {.title = "IN", .is_right = true},
	{.title = "OUT", .is_right = true},           {.title = "REFUSED", .is_right = true},
	{.title = "P50", .is_right = true},
};

static const struct table_column connection_columns[] = {
	{.title = "CLIENT", .is_shrinkable = true},   {.title = "LISTENER", .is_shrinkable = true},
	{.title = "ENDPOINT", .is_shrinkable = true}, {.title = "STATE"},
	{.title = "AGE", .is_right = true},           {.title = "IN", .is_right = true},
	{.title = "OUT", .is_right = true},           {.title = "BYTES", .is_right = true},
};

static const struct top_panel_shape pools_panel = {
	"pools", endpoint_columns, ARRAY_SIZE(endpoint_columns), collect_endpoints, fill_endpoint};
static const struct top_panel_shape listeners_panel = {"listeners", listener_columns,
						       ARRAY_SIZE(listener_columns),
						       collect_listeners, fill_listener};
static const struct top_panel_shape connections_panel = {"connections", connection_columns,
							 ARRAY_SIZE(connection_columns),
							 collect_connections, fill_connection};

static const struct top_panel_shape *const panels[] = {
	[TOP_POOLS] = &pools_panel,
	[TOP_LISTENERS] = &listeners_panel,
	[TOP_CONNECTIONS] = &connections_panel,
	[TOP_SERVICES] = &top_services_panel,
	[TOP_GUARD] = &top_guard_panel,
};

bool top_panel_find(const char *name, enum top_panel *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(panels); i++)
		if (strcmp(panels[i]->title, name) == 0) {
			*ret = (enum top_panel)i;
			return true;
		}
	return false;
}

static void append_line(struct strbuf *out, const struct ctl_screen *screen, struct strbuf *line)
{
	if (!line->is_failed)
		text_append_fitted(out, line->text, screen->width ? screen->width : SIZE_MAX);
	strbuf_append_str(out, "\n");
	strbuf_done(line);
}

static void append_summary(const struct top_frame *frame, const struct ctl_screen *screen,
			   struct strbuf *out)
{
	static const char *const sorts[] = {
#define X(name, key, text) [TOP_SORT_##name] = text,
		TOP_SORTS(X)
#undef X
	};
	const json_t *status = frame->now->status;
	const json_t *before = frame->before->status;
	char uptime[TEXT_VALUE_SIZE], active[TEXT_VALUE_SIZE], rate[TEXT_VALUE_SIZE];
	struct strbuf line = {0};

	strbuf_printf(&line, "sluiced %s, %s for %s, generation %u", member_text(status, "version"),
		      member_text(status, "state"),
		      text_duration(member_number(status, "uptime_seconds"), uptime),
		      (unsigned)member_count(json_object_get(status, "config"), "generation"));
	append_line(out, screen, &line);
	strbuf_printf(&line, "%s connections, %s/s new; %s by %s",
		      text_count(member_count(status, "connections_active"), active),
		      text_rate(top_rate_of(frame, before, status, "connections_total"), rate),
		      panels[frame->panel]->title, sorts[frame->sort]);
	append_line(out, screen, &line);
	strbuf_append_str(out, "\n");
}

void top_render(const struct top_frame *frame, const struct ctl_screen *screen, struct strbuf *out)
{
	struct top_rows rows = {0};
	struct table table;
	size_t max_rows = screen->height > SUMMARY_LINES + 2 ? screen->height - SUMMARY_LINES - 2
							     : 0;

	append_summary(frame, screen, out);
	panels[frame->panel]->collect(&rows, frame);
	sort_rows(&rows, frame->sort);
	table_init(&table, panels[frame->panel]->columns, panels[frame->panel]->ncolumns);
	for (size_t i = 0; i < rows.count && (max_rows == 0 || i < max_rows); i++)
		panels[frame->panel]->fill(&table, &rows.rows[i]);
	table_render(&table, screen, max_rows, out);
	table_done(&table);
	free(rows.rows);
}
