/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FILTER_ENCODER_POOL_H
#define SLUICE_FILTER_ENCODER_POOL_H

#include "filter/encoder.h"

/*
 * The encoders of the calling thread: used ones are kept, a few of them, so that a body does not
 * begin with hundreds of kilobytes to be allocated and cleared. Thread: each has its own.
 */

/* Return: NULL: @max_active are in use by this thread, or there is no memory. */
void *encoder_pool_take(const struct encoder_kind *kind, int level, uint32_t max_active);
void encoder_pool_give(const struct encoder_kind *kind, int level, void *state);

#endif
