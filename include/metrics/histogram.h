/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_METRICS_HISTOGRAM_H
#define SLUICE_METRICS_HISTOGRAM_H

#include "metrics/counter.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Durations in buckets whose upper bounds grow by powers of two, from 64 µs to 2^21 × 64 µs (134
 * s), and one for all that is longer. One writer, any reader, as for counters. A zeroed histogram
 * is empty.
 */
#define HISTOGRAM_BUCKETS  23
#define HISTOGRAM_FIRST_US 64

struct histogram {
	struct counter buckets[HISTOGRAM_BUCKETS]; /* not cumulative */
	struct counter sum_us;
};

/* Thread: the one writer. */
void histogram_observe(struct histogram *histogram, uint64_t us);

/* Adds what @from holds to @to. Thread: the writer of @to. */
void histogram_merge(struct histogram *to, const struct histogram *from);

uint64_t histogram_count(const struct histogram *histogram);

/* Upper bound of bucket @index in µs; UINT64_MAX for the last. */
uint64_t histogram_bound_us(size_t index);

/* The upper bound of the bucket in which the quantile lies, in µs; 0 if empty. @q in (0, 1]. */
uint64_t histogram_quantile_us(const struct histogram *histogram, double q);

#endif
