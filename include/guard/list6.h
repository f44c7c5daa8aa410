/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_GUARD_LIST6_H
#define SLUICE_GUARD_LIST6_H

#include "abi/guard_list6.h"
#include "core/compiler.h"
#include "guard/table.h"

#include <stddef.h>
#include <stdint.h>

/* The pages of abi/guard_list6.h that say what a table says. A zeroed one has none. */
struct guard_list6 {
	union guard_page6 *pages;
	size_t npages;
};

/**
 * @seed: secret, so that nobody lists networks that all belong into one line.
 * Return: 0, with no pages if no IPv6 network has an answer; -E2BIG: more than 256 MiB of short or
 * of long keys; -ENOMEM. *@ret is then as it was.
 */
int guard_list6_new(const struct guard_table *table, uint64_t seed,
		    struct guard_list6 *ret) WARN_UNUSED;
void guard_list6_done(struct guard_list6 *list);

#endif
