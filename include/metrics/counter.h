/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_METRICS_COUNTER_H
#define SLUICE_METRICS_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * A number that one thread writes and any thread reads: no lock prefix, no torn reads. For numbers
 * with several writers use counter_add_shared(). A zeroed counter is 0.
 */
struct counter {
	_Atomic uint64_t value;
};

/* Thread: the one writer. */
static inline void counter_add(struct counter *counter, uint64_t n)
{
	uint64_t value = atomic_load_explicit(&counter->value, memory_order_relaxed);

	atomic_store_explicit(&counter->value, value + n, memory_order_relaxed);
}

/* Thread: any. */
static inline void counter_add_shared(struct counter *counter, uint64_t n)
{
	atomic_fetch_add_explicit(&counter->value, n, memory_order_relaxed);
}

static inline uint64_t counter_read(const struct counter *counter)
{
	return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

#endif
