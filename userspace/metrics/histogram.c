// SPDX-License-Identifier: Apache-2.0
/*
 * Durations in buckets that double: 23 numbers tell microseconds from minutes, two histograms add
 * up bucket by bucket, and the bucket of a value is found without a search.
 */
#include "metrics/histogram.h"

/* Bounds are inclusive, as Prometheus' "le" is: 64 µs is in the first bucket, 65 µs in the second.
 */
static size_t bucket_of(uint64_t us)
{
	uint64_t doublings = us > 0 ? (us - 1) / HISTOGRAM_FIRST_US : 0;
	size_t index = doublings ? 64 - (size_t)__builtin_clzll(doublings) : 0;

	return index < HISTOGRAM_BUCKETS - 1 ? index : HISTOGRAM_BUCKETS - 1;
}

void histogram_observe(struct histogram *histogram, uint64_t us)
{
	counter_add(&histogram->buckets[bucket_of(us)], 1);
	counter_add(&histogram->sum_us, us);
}

void histogram_merge(struct histogram *to, const struct histogram *from)
{
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		counter_add(&to->buckets[i], counter_read(&from->buckets[i]));
	counter_add(&to->sum_us, counter_read(&from->sum_us));
}

uint64_t histogram_count(const struct histogram *histogram)
{
	uint64_t count = 0;

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		count += counter_read(&histogram->buckets[i]);
	return count;
}

uint64_t histogram_bound_us(size_t index)
{
	if (index >= HISTOGRAM_BUCKETS - 1)
		return UINT64_MAX;
	return (uint64_t)HISTOGRAM_FIRST_US << index;
}

/* The rank of the value that has a share of @q of all at or below it: 1..count. */
static uint64_t rank_of(double q, uint64_t count)
{
	double exact = q * (double)count;
	uint64_t rank = (uint64_t)exact;

	if ((double)rank < exact)
		rank++;
	return rank < 1 ? 1 : rank > count ? count : rank;
}

uint64_t histogram_quantile_us(const struct histogram *histogram, double q)
{
	uint64_t count = histogram_count(histogram), seen = 0, rank;

	if (count == 0)
		return 0;
	rank = rank_of(q, count);
	/* A writer may go on meanwhile: then the buckets hold more than @count, never less. */
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += counter_read(&histogram->buckets[i]);
		if (seen >= rank)
			return histogram_bound_us(i);
	}
	return UINT64_MAX;
}
