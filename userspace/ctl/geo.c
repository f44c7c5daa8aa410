// SPDX-License-Identifier: Apache-2.0
/* sluicectl geo: its arguments, and where addresses are as people read it. */
#include "core/address.h"
#include "ctl/ctl_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int geo_read_arguments(char **arguments, int count, struct ctl_options *options,
		       struct strbuf *error)
{
	struct address address;

	if (count > CTL_ADDRESSES_MAX) {
		strbuf_printf(error, "geo takes at most %d addresses", CTL_ADDRESSES_MAX);
		return -EINVAL;
	}
	for (int i = 0; i < count; i++)
		if (address_parse_ip(slice_from_str(arguments[i]), 0, &address) < 0) {
			strbuf_printf(error,
				      "geo: '%s' is not an address such as 192.0.2.1 or "
				      "2001:db8::1",
				      arguments[i]);
			return -EINVAL;
		}
	options->addresses = arguments;
	options->naddresses = (size_t)count;
	return 0;
}

/* --- What comes back ------------------------------------------------------------ */

static void add_known(struct table *table, enum table_colour colour, const char *text)
{
	table_add(table, *text ? colour : TABLE_DIM, *text ? text : "-");
}

/* The day is what matters of it. */
static void add_built(struct table *table, const json_t *database)
{
	char day[sizeof("2026-12-31")];

	snprintf(day, sizeof(day), "%s", member_text(database, "built"));
	table_add(table, TABLE_DIM, day);
}

/* As precise as databases are. */
void view_add_location(struct table *table, enum table_colour colour, const json_t *location)
{
	char text[TEXT_VALUE_SIZE] = "";

	if (location)
		snprintf(text, sizeof(text), "%.2f %.2f", member_number(location, "latitude"),
			 member_number(location, "longitude"));
	add_known(table, colour, text);
}

static void add_facts(struct table *table, enum table_colour colour, const json_t *row)
{
	uint64_t asn = member_count(row, "asn");
	char number[TEXT_VALUE_SIZE] = "";

	if (asn)
		snprintf(number, sizeof(number), "AS%lu", (unsigned long)asn);
	add_known(table, colour, member_text(row, "country"));
	add_known(table, colour, member_text(row, "continent"));
	view_add_location(table, colour, json_object_get(row, "location"));
	add_known(table, colour, number);
	add_known(table, colour, member_text(row, "organisation"));
}

/* What holds, then who says so. */
static void add_address(struct table *table, const json_t *row)
{
	const json_t *database;

	table_add(table, TABLE_BOLD, member_text(row, "address"));
	add_facts(table, TABLE_BOLD, row);
	table_add(table, TABLE_PLAIN, "");
	table_add(table, TABLE_PLAIN, "");
	for (size_t i = 0; (database = member_element(row, "databases", i)); i++) {
		table_add(table, TABLE_PLAIN, "");
		add_facts(table, TABLE_PLAIN, database);
		table_add(table, TABLE_DIM, member_text(database, "path"));
		add_built(table, database);
	}
}

static void view_addresses(const json_t *result, const struct ctl_screen *screen,
			   struct strbuf *out)
{
	static const struct table_column columns[] = {
		{.title = "ADDRESS"},
		{.title = "COUNTRY"},
		{.title = "CONTINENT"},
		{.title = "LOCATION"},
		{.title = "AS"},
		{.title = "ORGANISATION", .is_shrinkable = true},
		{.title = "DATABASE", .is_shrinkable = true},
		{.title = "BUILT"},
	};
	const json_t *row;
	struct table table;

	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; (row = member_element(result, "addresses", i)); i++)
		add_address(&table, row);
	table_render(&table, screen, 0, out);
	table_done(&table);
}

static void add_contents(struct table *table, const json_t *database)
{
	static const struct {
		const char *key, *word;
	} contents[] = {
		{"has_country", "country"},
		{"has_continent", "continent"},
		{"has_asn", "asn"},
		{"has_point", "point"},
	};
	char text[64] = "";
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_SIZE(contents); i++)
		if (json_is_true(json_object_get(database, contents[i].key)))
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
						len ? ", " : "", contents[i].word);
	add_known(table, TABLE_PLAIN, text);
}

static void view_databases(const json_t *result, const struct ctl_screen *screen,
			   struct strbuf *out)
{
	static const struct table_column columns[] = {
		{.title = "DATABASE", .is_shrinkable = true},
		{.title = "TYPE", .is_shrinkable = true},
		{.title = "BUILT"},
		{.title = "TELLS"},
	};
	const json_t *row;
	struct table table;

	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; (row = member_element(result, "databases", i)); i++) {
		table_add(&table, TABLE_BOLD, member_text(row, "path"));
		table_add(&table, TABLE_PLAIN, member_text(row, "type"));
		add_built(&table, row);
		add_contents(&table, row);
	}
	table_render(&table, screen, 0, out);
	table_done(&table);
}

void view_geo(const json_t *result, const struct ctl_screen *screen, struct strbuf *out)
{
	if (member_element(result, "addresses", 0))
		view_addresses(result, screen, out);
	else
		view_databases(result, screen, out);
}
