// SPDX-License-Identifier: Apache-2.0
/* `top`'s panels of packets: services of mode dispatch, and what the guard sees. */
#include "ctl/top_internal.h"

/* --- Services ----------------------------------------------------------------------------------*/

static uint64_t sum_of(const json_t *counts)
{
	uint64_t sum = 0;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)counts, key, value)
		sum += (uint64_t)json_integer_value(value);
	return sum;
}

/* Of all reasons. */
static double drop_rate(const struct top_frame *frame, const json_t *before, const json_t *now)
{
	if (!before)
		return 0;
	return top_rate_between(frame, sum_of(json_object_get(before, "drops")),
				sum_of(json_object_get(now, "drops")));
}

/* A service, or with @endpoint one of its endpoints. */
static void add_traffic(struct top_rows *rows, const struct top_frame *frame, const json_t *before,
			const json_t *now, const char *service, const char *endpoint)
{
	struct top_row *row = top_row_add(rows);

	if (!row)
		return;
	*row = (struct top_row){
		.group = service,
		.name = endpoint,
		.row = now,
		.rate = top_rate_of(frame, before, now, "packets_in"),
		.bytes_in_rate = top_rate_of(frame, before, now, "bytes_in"),
		.bytes_out_rate = top_rate_of(frame, before, now, "bytes_out"),
		.dropped_rate = drop_rate(frame, before, now),
		.active = member_count(now, "flows"),
		.bytes = member_count(now, "bytes_in") + member_count(now, "bytes_out"),
	};
}

static void collect_services(struct top_rows *rows, const struct top_frame *frame)
{
	const json_t *services = json_object_get(frame->before->services, "services");
	const json_t *service, *endpoint;

	for (size_t i = 0; (service = member_element(frame->now->services, "services", i)); i++) {
		const char *address = member_text(service, "address");
		const json_t *before = top_find(services, "address", address);
		const json_t *endpoints = json_object_get(before, "endpoints");

		add_traffic(rows, frame, before, service, address, "");
		for (size_t j = 0; (endpoint = member_element(service, "endpoints", j)); j++) {
			const char *name = member_text(endpoint, "name");

			add_traffic(rows, frame, top_find(endpoints, "name", name), endpoint,
				    address, name);
		}
	}
}

static void fill_service(struct table *table, const struct top_row *row)
{
	enum table_colour colour = TABLE_PLAIN;
	char state[TEXT_VALUE_SIZE];

	table_add(table, TABLE_BOLD, row->group);
	table_add(table, TABLE_PLAIN, *row->name ? row->name : "(all)");
	table_add(table, colour, *row->name ? view_endpoint_state(row->row, state, &colour) : "");
	table_add_count(table, row->active);
	top_add_rate(table, row->rate);
	top_add_byte_rates(table, row);
	top_add_rate(table, row->dropped_rate);
}

static const struct table_column service_columns[] = {
	{.title = "SERVICE", .is_shrinkable = true},
	{.title = "ENDPOINT", .is_shrinkable = true},
	{.title = "STATE"},
	{.title = "FLOWS", .is_right = true},
	{.title = "PACKETS/S", .is_right = true},
	{.title = "IN", .is_right = true},
	{.title = "OUT", .is_right = true},
	{.title = "DROPPED/S", .is_right = true},
};

const struct top_panel_shape top_services_panel = {
	"services", service_columns, ARRAY_SIZE(service_columns), collect_services, fill_service};

/* --- The guard ---------------------------------------------------------------------------------*/

static void add_counted(struct top_rows *rows, const struct top_frame *frame, const json_t *before,
			const json_t *now, const char *what, const char *name)
{
	struct top_row *row = member_count(now, "packets") ? top_row_add(rows) : NULL;

	if (!row)
		return;
	*row = (struct top_row){
		.group = what,
		.name = name,
		.row = now,
		.rate = top_rate_of(frame, before, now, "packets"),
		.bytes_in_rate = top_rate_of(frame, before, now, "bytes"),
		.active = member_count(now, "packets"),
		.bytes = member_count(now, "bytes"),
	};
}

static void collect_reasons(struct top_rows *rows, const struct top_frame *frame)
{
	static const struct {
		const char *key, *what;
	} counts[] = {{"dropped", "dropped"}, {"would_drop", "would drop"}};
	const json_t *reasons = json_object_get(frame->before->guard, "reasons"), *reason;

	for (size_t i = 0; (reason = member_element(frame->now->guard, "reasons", i)); i++) {
		const char *name = member_text(reason, "reason");
		const json_t *before = top_find(reasons, "reason", name);

		for (size_t j = 0; j < ARRAY_SIZE(counts); j++)
			add_counted(rows, frame, json_object_get(before, counts[j].key),
				    json_object_get(reason, counts[j].key), counts[j].what, name);
	}
}

/* The daemon says how fast they are. */
static void collect_talkers(struct top_rows *rows, const struct top_frame *frame)
{
	const json_t *talker;

	for (size_t i = 0; (talker = member_element(frame->now->talkers, "talkers", i)); i++) {
		struct top_row *row = top_row_add(rows);

		if (row)
			*row = (struct top_row){
				.group = "source",
				.name = member_text(talker, "source"),
				.row = talker,
				.rate = (double)member_count(talker, "packets_per_second"),
			};
	}
}

static void collect_guard(struct top_rows *rows, const struct top_frame *frame)
{
	static const char *const counts[] = {"seen", "allowed", "cookies"};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		add_counted(rows, frame, json_object_get(frame->before->guard, counts[i]),
			    json_object_get(frame->now->guard, counts[i]), counts[i], "");
	collect_reasons(rows, frame);
	collect_talkers(rows, frame);
}

static void fill_guard(struct table *table, const struct top_row *row)
{
	const json_t *refused = json_object_get(row->row, "refused_percent");
	char text[TEXT_VALUE_SIZE];

	table_add(table, TABLE_BOLD, row->group);
	table_add(table, TABLE_PLAIN, row->name);
	top_add_rate(table, row->rate);
	table_add(table, TABLE_PLAIN, refused ? "" : text_byte_rate(row->bytes_in_rate, text));
	table_add(table, TABLE_PLAIN, refused ? "" : text_count(row->active, text));
	snprintf(text, sizeof(text), "%lld%%", (long long)json_integer_value(refused));
	table_add(table, TABLE_PLAIN, refused ? text : "");
}

static const struct table_column guard_columns[] = {
	{.title = "WHAT"},
	{.title = "REASON OR SOURCE", .is_shrinkable = true},
	{.title = "PACKETS/S", .is_right = true},
	{.title = "RATE", .is_right = true},
	{.title = "PACKETS", .is_right = true},
	{.title = "REFUSED", .is_right = true},
};

const struct top_panel_shape top_guard_panel = {"guard", guard_columns, ARRAY_SIZE(guard_columns),
						collect_guard, fill_guard};
