/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FASTPATH_GUARD_MAPS_H
#define SLUICE_FASTPATH_GUARD_MAPS_H

#include "abi/guard.h"
#include "core/compiler.h"
#include "guard/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The guard's tables in the packet programs (abi/guard.h). All functions return 0 or -errno where
 * they can fail. Thread: control.
 */
struct guard_maps;
struct splice;

/* Borrowed. */
struct guard_maps *splice_guard_maps(const struct splice *splice);

int guard_maps_set(const struct guard_maps *maps,
		   const struct guard_settings *settings) WARN_UNUSED;

/* How many buckets sources have: a power of two. */
uint32_t guard_maps_buckets(const struct guard_maps *maps);
/* Without them no rate of a source or a prefix is kept. */
int guard_maps_make_sources(const struct guard_maps *maps) WARN_UNUSED;

/* A table's lists as the packet programs want them, which do not know of them yet. */
struct guard_map_lists {
	int lines, pages6; /* descriptors; below 0: empty */
	uint32_t flags;    /* GUARD_HAS_LIST… */
};

/* @ret: for guard_map_lists_done(). Return: 0; -E2BIG: too many networks; -ENOMEM; -errno. */
int guard_map_lists_make(const struct guard_table *table, struct guard_map_lists *ret) WARN_UNUSED;
void guard_map_lists_done(struct guard_map_lists *lists);
/* Puts them in the place of those before, of which no packet sees one half. On failure one of them
 * may be there: those before are to be put back. */
int guard_maps_use_lists(const struct guard_maps *maps,
			 const struct guard_map_lists *lists) WARN_UNUSED;

struct guard_services {
	struct guard_port *ports; /* 65536 */
	struct guard_place places[GUARD_PLACES_MAX];
	uint32_t nplaces; /* the first is not used */
	struct guard_service services[GUARD_SERVICES_MAX];
	uint32_t nservices;
};

/* What is known of running rates starts anew. On failure some of it may be there, likewise. */
int guard_maps_set_services(const struct guard_maps *maps,
			    const struct guard_services *services) WARN_UNUSED;

/* @key: guard_source_key(). -E2BIG: too many. */
int guard_maps_ban(const struct guard_maps *maps, const uint8_t key[16],
		   uint64_t until_ns) WARN_UNUSED;
void guard_maps_unban(const struct guard_maps *maps, const uint8_t key[16]);

void guard_maps_counts(const struct guard_maps *maps, struct guard_count ret[GUARD_COUNTS]);

/* The heaviest first, each once, aged to now. Return: how many, at most @cap. */
size_t guard_maps_talkers(const struct guard_maps *maps, struct guard_talker *ret, size_t cap);

/* Calls back for each captured packet that waits. Return: how many. */
size_t guard_maps_read_captured(const struct guard_maps *maps,
				void (*on_packet)(const struct guard_capture *packet,
						  void *context),
				void *context);

#endif
