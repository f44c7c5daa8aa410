// SPDX-License-Identifier: Apache-2.0
// Free elements of the array `pairs`, in the order in which they became free.
#include "fastpath/fastpath_internal.h"

#include <pthread.h>
#include <stdlib.h>

struct slot {
	uint64_t free_since_ms; /* 0: never used */
	uint32_t index;
};

struct slots {
	pthread_mutex_t lock;
	uint32_t capacity, head, count;
	struct slot ring[];
};

struct slots *slots_new(uint32_t capacity)
{
	struct slots *slots = calloc(1, sizeof(*slots) + capacity * sizeof(slots->ring[0]));

	if (!slots)
		return NULL;
	pthread_mutex_init(&slots->lock, NULL);
	slots->capacity = slots->count = capacity;
	for (uint32_t i = 0; i < capacity; i++)
		slots->ring[i].index = i;
	return slots;
}

void slots_free(struct slots *slots)
{
	if (!slots)
		return;
	pthread_mutex_destroy(&slots->lock);
	free(slots);
}

uint32_t slots_used(struct slots *slots)
{
	uint32_t used;

	pthread_mutex_lock(&slots->lock);
	used = slots->capacity - slots->count;
	pthread_mutex_unlock(&slots->lock);
	return used;
}

static bool is_rested(const struct slot *slot, uint64_t now_ms)
{
	return !slot->free_since_ms || now_ms - slot->free_since_ms >= SLOT_REST_MS;
}

bool slots_take(struct slots *slots, uint64_t now_ms, uint32_t *ret_slot)
{
	const struct slot *oldest;
	bool is_taken;

	pthread_mutex_lock(&slots->lock);
	oldest = &slots->ring[slots->head];
	is_taken = slots->count && is_rested(oldest, now_ms);
	if (is_taken) {
		*ret_slot = oldest->index;
		slots->head = (slots->head + 1) % slots->capacity;
		slots->count--;
	}
	pthread_mutex_unlock(&slots->lock);
	return is_taken;
}

void slots_give(struct slots *slots, uint64_t now_ms, uint32_t slot)
{
	uint64_t tail;

	pthread_mutex_lock(&slots->lock);
	tail = ((uint64_t)slots->head + slots->count) % slots->capacity;
	slots->ring[tail] = (struct slot){.free_since_ms = now_ms, .index = slot};
	slots->count++;
	pthread_mutex_unlock(&slots->lock);
}

void slots_remove(struct slots *slots, const bool *is_taken)
{
	uint32_t kept = 0;

	pthread_mutex_lock(&slots->lock);
	for (uint32_t i = 0; i < slots->count; i++)
		if (!is_taken[slots->ring[i].index])
			slots->ring[kept++] = slots->ring[i];
	slots->count = kept;
	pthread_mutex_unlock(&slots->lock);
}
