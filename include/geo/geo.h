/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_GEO_GEO_H
#define SLUICE_GEO_GEO_H

#include "core/address.h"
#include "core/compiler.h"
#include "core/earth.h"
#include "core/patience.h"
#include "core/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Where addresses are, by databases in MaxMind's format (DB file format specification 2.0).
 * Immutable and counted by reference; each file is copied into memory, so that who writes over one
 * takes nothing away from under a look-up.
 */
struct geo;

#define GEO_DATABASES_MAX 8

/* What databases tell. */
#define GEO_COUNTRY   (1u << 0)
#define GEO_CONTINENT (1u << 1)
#define GEO_ASN       (1u << 2)
#define GEO_POINT     (1u << 3)

struct geo_facts {
	earth_code country, continent; /* 0: unknown */
	bool has_point;
	uint32_t asn;             /* 0: unknown */
	struct earth_point point; /* where @has_point */
};

/**
 * @paths: what two of them tell, the first one does. At most GEO_DATABASES_MAX.
 * @ret_errors: "path: …", a line for each that cannot be used.
 * Return: 0 with one reference; -EINVAL with errors; -ENOMEM. Thread: any. Blocks on the files.
 */
int geo_open(const char *const *paths, size_t count, struct geo **ret,
	     struct strbuf *ret_errors) WARN_UNUSED;

/* Thread: any. */
struct geo *geo_ref(struct geo *geo);
void geo_unref(struct geo *geo); /* NULL is allowed */

/* GEO_…, of all databases together. */
uint32_t geo_contents(const struct geo *geo);

/* v4-mapped IPv6 counts as IPv4. What nobody knows is 0, as is all of anything but an IP address,
 * and all where @geo is NULL. Thread: any, without locks. */
void geo_look(const struct geo *geo, const struct address *address, struct geo_facts *ret);

/* What one of them says by itself; @ret_organisation lives as long as @geo. Return: whether it
 * knows the address. */
bool geo_look_in(const struct geo *geo, size_t index, const struct address *address,
		 struct geo_facts *ret, struct slice *ret_organisation);

/* The name of the autonomous system; empty: unknown. Lives as long as @geo. */
struct slice geo_organisation(const struct geo *geo, const struct address *address);

/**
 * The networks whose facts @judge holds for, none within another, as few as can be. Those of IPv4
 * come as such, not where IPv6 databases have them too (6to4, Teredo).
 * @judge: asked of what is unknown too.
 * @visit: 0; -errno ends it all.
 * Return: 0; what @visit returned; -EINVAL: a database is damaged; -ECANCELED: @patience is over;
 * -ENOMEM.
 */
int geo_for_each(const struct geo *geo, bool (*judge)(const struct geo_facts *facts, void *context),
		 int (*visit)(const struct prefix *network, void *context), void *context,
		 const struct patience *patience) WARN_UNUSED;

/**
 * All networks that databases tell apart, with what they tell: in order, first those of IPv4, then
 * all others, and those that nobody knows too. Two beside each other may be told the same of.
 * @visit: 0; anything else ends it all.
 * Return: as above.
 */
int geo_walk(const struct geo *geo,
	     int (*visit)(const struct prefix *network, const struct geo_facts *facts,
			  void *context),
	     void *context, const struct patience *patience) WARN_UNUSED;

/* A number that changes when one of the files does; blocks on them as stat() does. */
uint64_t geo_stamp(const char *const *paths, size_t count);
/* The one from before they were opened. */
uint64_t geo_opened_stamp(const struct geo *geo);

struct geo_description {
	const char *path, *type; /* @type: as the file calls itself */
	uint64_t built_s;        /* since 1970 */
	uint32_t contents;
};

size_t geo_count(const struct geo *geo);
void geo_describe(const struct geo *geo, size_t index, struct geo_description *ret);

#endif
