/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FASTPATH_FLOW_TABLE_H
#define SLUICE_FASTPATH_FLOW_TABLE_H

#include "abi/flow.h"
#include "core/compiler.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The table that leads packets to their pairs, as it lies in shared memory: include/abi/flow.h has
 * its layout. Keys are those of the elements of `pairs` (in[].key). Readers need nobody's leave;
 * writers are one at a time, which is the caller's affair.
 */

/* For @nflows flows: a power of two that keeps buckets two fifths full. */
uint32_t flow_table_size(uint32_t nflows);

/**
 * Enters a direction of @pair; its key is set.
 * @nbuckets: a power of two.
 * Return: 0; -EEXIST: another pair has the key; -ENOSPC: both buckets are full.
 */
int flow_table_put(struct flow_bucket *buckets, uint32_t nbuckets, const struct flow_pair *pairs,
		   uint32_t pair, enum flow_direction direction) WARN_UNUSED;

/* Takes it out again, if it is there. */
void flow_table_remove(struct flow_bucket *buckets, uint32_t nbuckets,
		       const struct flow_pair *pairs, uint32_t pair, enum flow_direction direction);

/* Takes out what belongs to none of the pairs that @is_alive names (@npairs of them), as a writer
 * that was killed may have left it. */
void flow_table_sweep(struct flow_bucket *buckets, uint32_t nbuckets, const struct flow_pair *pairs,
		      uint32_t npairs, const bool *is_alive);

/* Return: the place of the flow with @key; 0: there is none. */
uint32_t flow_table_find(const struct flow_bucket *buckets, uint32_t nbuckets,
			 const struct flow_pair *pairs, const struct flow_key *key);

#endif
