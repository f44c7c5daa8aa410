/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_PATIENCE_H
#define SLUICE_CORE_PATIENCE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What takes long asks now and then whether anybody still waits for it, and ends with -ECANCELED
 * if nobody does. Thread: that of the work; whoever loses patience may be on another.
 */
struct patience {
	bool (*is_over)(const struct patience *patience);
};

/* NULL has no end. */
static inline bool patience_is_over(const struct patience *patience)
{
	return patience && patience->is_over(patience);
}

#endif
