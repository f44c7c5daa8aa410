// SPDX-License-Identifier: Apache-2.0
/* What the databases of places in force say of addresses. */
#include "admin/admin_internal.h"
#include "core/clock.h"
#include "geo/geo.h"

#define US_PER_S 1000000ULL

static void append_built(const struct geo_description *database, struct strbuf *out)
{
	char text[CLOCK_RFC3339_SIZE];

	reply_text(out, "built", clock_format_rfc3339(database->built_s * US_PER_S, text));
}

static void append_database(const struct geo_description *database, struct strbuf *out)
{
	reply_begin(out, NULL, '{');
	reply_text(out, "path", database->path);
	reply_text(out, "type", database->type);
	append_built(database, out);
	reply_bool(out, "has_country", database->contents & GEO_COUNTRY);
	reply_bool(out, "has_continent", database->contents & GEO_CONTINENT);
	reply_bool(out, "has_asn", database->contents & GEO_ASN);
	reply_bool(out, "has_point", database->contents & GEO_POINT);
	reply_end(out, '{');
}

static void append_databases(const struct geo *geo, struct strbuf *out)
{
	struct geo_description database;

	reply_begin(out, "databases", '[');
	for (size_t i = 0; i < geo_count(geo); i++) {
		geo_describe(geo, i, &database);
		append_database(&database, out);
	}
	reply_end(out, '[');
}

static void append_facts(const struct geo_facts *facts, struct slice organisation,
			 struct strbuf *out)
{
	char code[EARTH_CODE_SIZE];
	struct strbuf name = {0};

	strbuf_append(&name, organisation);
	reply_text(out, "country", earth_code_format(facts->country, code));
	reply_text(out, "continent", earth_code_format(facts->continent, code));
	reply_count(out, "asn", facts->asn);
	reply_text(out, "organisation", name.text);
	if (facts->has_point)
		reply_point(out, "location", &facts->point);
	out->is_failed |= name.is_failed;
	strbuf_done(&name);
}

/* Each that knows the address, in the order in which they are believed. */
static void append_sources(const struct geo *geo, const struct address *address, struct strbuf *out)
{
	struct geo_description database;
	struct slice organisation;
	struct geo_facts facts;

	reply_begin(out, "databases", '[');
	for (size_t i = 0; i < geo_count(geo); i++) {
		if (!geo_look_in(geo, i, address, &facts, &organisation))
			continue;
		geo_describe(geo, i, &database);
		reply_begin(out, NULL, '{');
		reply_text(out, "path", database.path);
		append_built(&database, out);
		append_facts(&facts, organisation, out);
		reply_end(out, '{');
	}
	reply_end(out, '[');
}

static void append_address(const struct geo *geo, const char *text, struct strbuf *out)
{
	struct address address;
	struct geo_facts facts;

	if (address_parse_ip(slice_from_str(text), 0, &address) < 0)
		return; /* cannot be: the request has been checked */
	geo_look(geo, &address, &facts);
	reply_begin(out, NULL, '{');
	reply_text(out, "address", text);
	append_facts(&facts, geo_organisation(geo, &address), out);
	append_sources(geo, &address, out);
	reply_end(out, '{');
}

void control_geo(struct server *server, const struct control_request *request, struct strbuf *out)
{
	const struct geo *geo = server_geo(server);
	const json_t *address;
	size_t i;

	if (!geo) {
		reply_error(out, CONTROL_ERROR_NOT_FOUND,
			    "there are no databases of places: the configuration has no "
			    "geo.databases");
		return;
	}
	reply_ok_begin(out);
	append_databases(geo, out);
	reply_begin(out, "addresses", '[');
	json_array_foreach(request->addresses, i, address)
		append_address(geo, json_string_value(address), out);
	reply_end(out, '[');
	reply_ok_end(out);
}
