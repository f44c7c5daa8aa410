// SPDX-License-Identifier: Apache-2.0
/* Listeners of mode dispatch as people read them. */
#include "ctl/ctl_internal.h"

#include <stdio.h>

static void add_traffic(struct table *table, const json_t *row)
{
	table_add_count(table, member_count(row, "flows"));
	table_add_count(table, member_count(row, "packets_in"));
	table_add_bytes(table, member_count(row, "bytes_in"));
	table_add_count(table, member_count(row, "packets_out"));
	table_add_bytes(table, member_count(row, "bytes_out"));
}

void view_add_reasons(struct table *table, const json_t *reasons)
{
	uint64_t sum = 0, most = 0;
	const char *key, *reason = "";
	json_t *value;
	char count[TEXT_VALUE_SIZE], text[2 * TEXT_VALUE_SIZE];

	json_object_foreach((json_t *)(uintptr_t)reasons, key, value)
	{
		uint64_t times = (uint64_t)json_integer_value(value);

		sum += times;
		if (times > most) {
			most = times;
			reason = key;
		}
	}
	snprintf(text, sizeof(text), "%s %.20s", text_count(sum, count), reason);
	table_add(table, sum ? TABLE_WARN : TABLE_PLAIN, sum ? text : "0");
}

static void add_endpoint(struct table *table, const json_t *endpoint, bool has_places)
{
	enum table_colour colour;
	char state[TEXT_VALUE_SIZE];

	view_endpoint_state(endpoint, state, &colour);
	table_add(table, TABLE_PLAIN, "");
	table_add(table, TABLE_PLAIN, member_text(endpoint, "name"));
	table_add(table, colour, state);
	add_traffic(table, endpoint);
	table_add(table, TABLE_PLAIN, "");
	table_add(table, TABLE_PLAIN, "");
	if (has_places)
		view_add_location(table, TABLE_PLAIN, json_object_get(endpoint, "location"));
}

/* Whether an endpoint of any of them is at a place. */
static bool have_places(const json_t *result)
{
	const json_t *service, *endpoint;

	for (size_t i = 0; (service = member_element(result, "services", i)); i++)
		for (size_t j = 0; (endpoint = member_element(service, "endpoints", j)); j++)
			if (json_object_get(endpoint, "location"))
				return true;
	return false;
}

void view_services(const json_t *result, const struct ctl_screen *screen, struct strbuf *out)
{
	static const struct table_column columns[] = {
		{.title = "LISTENER", .is_shrinkable = true},
		{.title = "ADDRESS", .is_shrinkable = true},
		{.title = "FORWARD"},
		{.title = "FLOWS", .is_right = true},
		{.title = "PACKETS IN", .is_right = true},
		{.title = "IN", .is_right = true},
		{.title = "PACKETS OUT", .is_right = true},
		{.title = "OUT", .is_right = true},
		{.title = "COOKIES", .is_right = true},
		{.title = "DROPPED", .is_shrinkable = true},
		{.title = "LOCATION"},
	};
	bool has_places = have_places(result);
	const json_t *service, *endpoint;
	struct table table;

	table_init(&table, columns, ARRAY_SIZE(columns) - !has_places);
	for (size_t i = 0; (service = member_element(result, "services", i)); i++) {
		table_add(&table, TABLE_BOLD, member_text(service, "listener"));
		table_add(&table, TABLE_BOLD, member_text(service, "address"));
		table_add(&table, TABLE_DIM, member_text(service, "forward"));
		add_traffic(&table, service);
		table_add_count(&table, member_count(service, "cookies"));
		view_add_reasons(&table, json_object_get(service, "drops"));
		if (has_places)
			table_add(&table, TABLE_PLAIN, "");
		for (size_t j = 0; (endpoint = member_element(service, "endpoints", j)); j++)
			add_endpoint(&table, endpoint, has_places);
	}
	table_render(&table, screen, 0, out);
	table_done(&table);
}
