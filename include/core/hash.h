/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_HASH_H
#define SLUICE_CORE_HASH_H

#include "core/slice.h"

#include <stdint.h>

/*
 * XXH3, 64 bits. The same bytes and seed give the same hash in every process and on every machine,
 * which is what consistent hashing over several nodes rests on.
 */
uint64_t hash_bytes(struct slice bytes, uint64_t seed);

#endif
