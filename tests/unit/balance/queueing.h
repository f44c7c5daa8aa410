/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TESTS_UNIT_BALANCE_QUEUEING_H
#define SLUICE_TESTS_UNIT_BALANCE_QUEUEING_H

#include "unit/balance/fixture.h"

/*
 * A small world to balance in: connections arrive at random, each target serves its own one after
 * the other. @active and @latency_us are kept as the upstream room keeps them.
 */

#define QUEUE_MAX 4096

struct queue {
	uint64_t arrived_us[QUEUE_MAX], done_us[QUEUE_MAX];
	size_t first, last;
	uint64_t service_us; /* mean */
};

struct outcome {
	unsigned counts[TARGETS_MAX];
	uint32_t longest; /* queue ever seen */
	uint64_t mean_us; /* from arrival to the end of service */
};

static inline void settle(struct fixture *f, struct queue *queues, uint64_t now_us)
{
	for (size_t i = 0; i < f->count; i++) {
		struct queue *q = &queues[i];

		for (; q->first < q->last && q->done_us[q->first % QUEUE_MAX] <= now_us;
		     q->first++) {
			size_t at = q->first % QUEUE_MAX;
			uint64_t took = q->done_us[at] - q->arrived_us[at];

			f->targets[i].latency_us = balance_ewma(f->targets[i].latency_us,
								(uint32_t)took);
			f->targets[i].active--;
		}
	}
}

/* Uniform in [1, 2 × mean], from a generator of its own so that all algorithms see the same world.
 */
static inline uint64_t around(struct rng *world, uint64_t mean)
{
	return 1 + rng_below(world, (uint32_t)(2 * mean));
}

static inline void arrive(struct fixture *f, struct queue *queues, uint64_t now_us,
			  struct rng *world, struct outcome *outcome)
{
	int index = pick(f, rng_next(world));
	struct queue *q;
	uint64_t start;
	size_t at;

	assert_true(index >= 0);
	q = &queues[index];
	assert_true(q->last - q->first < QUEUE_MAX);
	start = q->last > q->first ? q->done_us[(q->last - 1) % QUEUE_MAX] : now_us;
	at = q->last++ % QUEUE_MAX;
	q->arrived_us[at] = now_us;
	q->done_us[at] = start + around(world, q->service_us);
	f->targets[index].active++;
	outcome->counts[index]++;
	outcome->mean_us += q->done_us[at] - now_us;
	if (f->targets[index].active > outcome->longest)
		outcome->longest = f->targets[index].active;
}

/**
 * @service_us: mean time a target serves one connection; NULL: 1000 for all.
 * @load:       of all targets together, in percent.
 */
static inline struct outcome simulate(const char *algorithm, size_t count,
				      const uint64_t *service_us, unsigned load, unsigned arrivals)
{
	struct queue *queues = calloc(count, sizeof(*queues));
	struct outcome outcome = {};
	double capacity = 0; /* connections a second */
	uint64_t now_us = 0;
	struct fixture f;
	struct rng world;

	assert_non_null(queues);
	start(&f, algorithm, count, NULL);
	rng_seed(&world, 7);
	for (size_t i = 0; i < count; i++) {
		queues[i].service_us = service_us ? service_us[i] : 1000;
		capacity += 1e6 / (double)queues[i].service_us;
	}
	for (unsigned n = 0; n < arrivals; n++) {
		now_us += around(&world, (uint64_t)(1e8 / capacity / load));
		settle(&f, queues, now_us);
		arrive(&f, queues, now_us, &world, &outcome);
	}
	outcome.mean_us /= arrivals;
	free(queues);
	stop(&f);
	return outcome;
}

#endif
