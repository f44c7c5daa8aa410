// SPDX-License-Identifier: Apache-2.0
/* Records of databases, in the shape that MaxMind's and those of others that follow it have. */
#include "geo/geo_internal.h"

/* Of a large database so many nodes are looked at to learn what its records tell. */
#define SAMPLES 4096

static const char *const country_path[] = {"country", "iso_code", NULL};
/* Of what no country uses: satellites, anycast, military bases. */
static const char *const registered_path[] = {"registered_country", "iso_code", NULL};
static const char *const continent_path[] = {"continent", "code", NULL};
static const char *const asn_path[] = {"autonomous_system_number", NULL};
static const char *const organisation_path[] = {"autonomous_system_organization", NULL};
static const char *const latitude_path[] = {"location", "latitude", NULL};
static const char *const longitude_path[] = {"location", "longitude", NULL};

/* Return: whether the record has a value of that type there. */
static bool find(MMDB_entry_s *record, const char *const *path, uint32_t type,
		 MMDB_entry_data_s *ret)
{
	return MMDB_aget_value(record, ret, path) == MMDB_SUCCESS && ret->has_data &&
	       ret->type == type;
}

static earth_code read_code(MMDB_entry_s *record, const char *const *path)
{
	MMDB_entry_data_s value;

	if (!find(record, path, MMDB_DATA_TYPE_UTF8_STRING, &value))
		return 0;
	return earth_code_parse(slice_of(value.utf8_string, value.data_size));
}

static uint32_t read_number(MMDB_entry_s *record, const char *const *path)
{
	MMDB_entry_data_s value;

	return find(record, path, MMDB_DATA_TYPE_UINT32, &value) ? value.uint32 : 0;
}

/* Not a number is in no range. */
static bool read_degrees(MMDB_entry_s *record, const char *const *path, double most, double *ret)
{
	MMDB_entry_data_s value;

	if (!find(record, path, MMDB_DATA_TYPE_DOUBLE, &value) ||
	    !(value.double_value >= -most && value.double_value <= most))
		return false;
	*ret = value.double_value;
	return true;
}

void geo_record_read(MMDB_entry_s *record, uint32_t contents, struct geo_facts *ret)
{
	if ((contents & GEO_COUNTRY) && !ret->country)
		ret->country = read_code(record, country_path);
	if ((contents & GEO_COUNTRY) && !ret->country)
		ret->country = read_code(record, registered_path);
	if ((contents & GEO_CONTINENT) && !ret->continent)
		ret->continent = read_code(record, continent_path);
	if ((contents & GEO_ASN) && !ret->asn)
		ret->asn = read_number(record, asn_path);
	if ((contents & GEO_POINT) && !ret->has_point)
		ret->has_point = read_degrees(record, latitude_path, 90, &ret->point.latitude) &&
				 read_degrees(record, longitude_path, 180, &ret->point.longitude);
}

struct slice geo_record_organisation(MMDB_entry_s *record)
{
	MMDB_entry_data_s value;

	if (!find(record, organisation_path, MMDB_DATA_TYPE_UTF8_STRING, &value))
		return (struct slice){};
	return slice_of(value.utf8_string, value.data_size);
}

static uint32_t contents_of(MMDB_entry_s *record)
{
	struct geo_facts facts = {};

	geo_record_read(record, ~0u, &facts);
	return (facts.country ? GEO_COUNTRY : 0) | (facts.continent ? GEO_CONTINENT : 0) |
	       (facts.asn ? GEO_ASN : 0) | (facts.has_point ? GEO_POINT : 0);
}

uint32_t geo_record_contents(const MMDB_s *file)
{
	uint32_t nodes = file->metadata.node_count, contents = 0;
	uint32_t step = nodes / SAMPLES + 1;
	MMDB_search_node_s node;

	for (uint64_t at = 0; at < nodes; at += step) {
		if (MMDB_read_node(file, (uint32_t)at, &node) != MMDB_SUCCESS)
			continue;
		if (node.left_record_type == MMDB_RECORD_TYPE_DATA)
			contents |= contents_of(&node.left_record_entry);
		if (node.right_record_type == MMDB_RECORD_TYPE_DATA)
			contents |= contents_of(&node.right_record_entry);
	}
	return contents;
}
