// SPDX-License-Identifier: Apache-2.0
/* Listeners of mode dispatch as people read them. */
#include "ctl/ctl_internal.h"

#include <stdio.h>
#include <string.h>

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

/* Columns that only some configurations have something for. */
struct options {
	bool has_pools;  /* of more than one to a service */
	bool has_places; /* of endpoints */
};

static void add_endpoint(struct table *table, const json_t *endpoint, const struct options *options)
{
	enum table_colour colour;
	char state[TEXT_VALUE_SIZE];
	bool is_mute = json_is_true(json_object_get(endpoint, "misses_answers"));

	view_endpoint_state(endpoint, state, &colour);
	table_add(table, TABLE_PLAIN, "");
	table_add(table, TABLE_PLAIN, member_text(endpoint, "name"));
	table_add(table, colour, state);
	add_traffic(table, endpoint);
	table_add(table, TABLE_PLAIN, "");
	table_add(table, is_mute ? TABLE_WARN : TABLE_PLAIN,
		  is_mute ? "answers: is this machine" : "");
	if (options->has_pools)
		table_add(table, TABLE_PLAIN, member_text(endpoint, "pool"));
	if (options->has_places)
		view_add_location(table, TABLE_PLAIN, json_object_get(endpoint, "location"));
}

static struct options look_at(const json_t *result)
{
	const json_t *service, *endpoint;
	struct options options = {};

	for (size_t i = 0; (service = member_element(result, "services", i)); i++)
		for (size_t j = 0; (endpoint = member_element(service, "endpoints", j)); j++) {
			const char *pool = member_text(endpoint, "pool");

			options.has_pools |= *pool &&
					     strcmp(pool, member_text(service, "pool")) != 0;
			options.has_places |= json_object_get(endpoint, "location") != NULL;
		}
	return options;
}

static void add_service(struct table *table, const json_t *service, const struct options *options)
{
	const json_t *endpoint;

	table_add(table, TABLE_BOLD, member_text(service, "listener"));
	table_add(table, TABLE_BOLD, member_text(service, "address"));
	table_add(table, TABLE_DIM, member_text(service, "forward"));
	add_traffic(table, service);
	table_add_count(table, member_count(service, "cookies"));
	view_add_reasons(table, json_object_get(service, "drops"));
	if (options->has_pools)
		table_add(table, TABLE_PLAIN, member_text(service, "pool"));
	if (options->has_places)
		table_add(table, TABLE_PLAIN, "");
	for (size_t i = 0; (endpoint = member_element(service, "endpoints", i)); i++)
		add_endpoint(table, endpoint, options);
}

void view_services(const json_t *result, const struct ctl_screen *screen, struct strbuf *out)
{
	struct table_column columns[] = {
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
		{},
		{},
	};
	const struct options options = look_at(result);
	size_t count = ARRAY_SIZE(columns) - 2;
	const json_t *service;
	struct table table;

	if (options.has_pools)
		columns[count++].title = "POOL";
	if (options.has_places)
		columns[count++].title = "LOCATION";
	table_init(&table, columns, count);
	for (size_t i = 0; (service = member_element(result, "services", i)); i++)
		add_service(&table, service, &options);
	table_render(&table, screen, 0, out);
	table_done(&table);
}
