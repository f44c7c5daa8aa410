// SPDX-License-Identifier: Apache-2.0
/* The options of databases of places: schema.c has the way of the tables. */
#include "config/config_internal.h"

static const struct option geo_options[] = {
	{.name = "databases",
	 .type = &type_file,
	 LIST(config_geo, databases),
	 .example = "[/var/lib/GeoIP/GeoLite2-City.mmdb, /var/lib/GeoIP/GeoLite2-ASN.mmdb]",
	 .help = "Files in MaxMind's format, eight at most. What two of them tell, the first one "
		 "does. Loaded anew when a file changes."},
};

const struct schema schema_geo = {SCHEMA("geo", geo_options)};
