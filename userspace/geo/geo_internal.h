/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_GEO_INTERNAL_H
#define SLUICE_GEO_INTERNAL_H

#include "geo/geo.h"

#include <maxminddb.h>
#include <stdatomic.h>

struct geo_database {
	MMDB_s file;
	char *path;
	uint32_t contents;
};

struct geo {
	_Atomic uint32_t refs;
	size_t count;
	uint32_t contents;
	uint64_t id;    /* no other one ever has it */
	uint64_t stamp; /* before they were opened */
	struct geo_database databases[];
};

/* --- record.c ----------------------------------------------------------------- */

/* Fills in what @ret lacks and the record has, of @contents. What is damaged is unknown. */
void geo_record_read(MMDB_entry_s *record, uint32_t contents, struct geo_facts *ret);
struct slice geo_record_organisation(MMDB_entry_s *record);

/* What records of the database have, by a sample of them. */
uint32_t geo_record_contents(const MMDB_s *file);

#endif
