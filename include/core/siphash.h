/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_SIPHASH_H
#define SLUICE_CORE_SIPHASH_H

#include "core/slice.h"

#include <stdint.h>

/* A secret; drawn by getrandom(). */
struct siphash_key {
	uint64_t words[2];
};

/* SipHash-2-4: a keyed hash that tells nothing of its input to who has not the key.
 * Source: Aumasson and Bernstein 2012. */
uint64_t siphash(struct slice bytes, const struct siphash_key *key);

#endif
