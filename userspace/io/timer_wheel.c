// SPDX-License-Identifier: Apache-2.0
/*
 * The hierarchical wheel: a pure structure, so that its tests own the clock. timer.c puts it under
 * the loop's. Bitmaps of the occupied slots let it jump over empty time.
 */
#include "io/timer_wheel.h"

#define DIGIT_MASK (WHEEL_SLOTS - 1)

static unsigned digit_of(uint64_t ms, unsigned level)
{
	return (unsigned)(ms >> (level * WHEEL_DIGIT_BITS)) & DIGIT_MASK;
}

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms)
{
	wheel->now_ms = now_ms;
	list_init(&wheel->due);
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		wheel->occupied[level] = 0;
		for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
			list_init(&wheel->slots[level][slot]);
	}
}

void timer_wheel_add(struct timer_wheel *wheel, struct io_timer *timer)
{
	uint64_t difference = timer->expires_ms ^ wheel->now_ms;
	unsigned level, slot;

	if (timer->expires_ms <= wheel->now_ms) {
		list_push_back(&wheel->due, &timer->node);
		return;
	}
	level = (63 - (unsigned)__builtin_clzll(difference)) / WHEEL_DIGIT_BITS;
	slot = digit_of(timer->expires_ms, level);
	list_push_back(&wheel->slots[level][slot], &timer->node);
	wheel->occupied[level] |= UINT64_C(1) << slot;
}

/* The last node of a slot has the slot's head on both sides: that is how the slot is known. */
void timer_wheel_remove(struct timer_wheel *wheel, struct io_timer *timer)
{
	struct list_node *head = timer->node.next;
	bool is_last = head == timer->node.prev;
	size_t index;

	list_remove(&timer->node);
	if (!is_last || head == &wheel->due)
		return;
	index = (size_t)(head - &wheel->slots[0][0]);
	wheel->occupied[index / WHEEL_SLOTS] &= ~(UINT64_C(1) << (index % WHEEL_SLOTS));
}

/* The start of the first occupied slot: at level 0 an expiry, above it the time to move down. */
uint64_t timer_wheel_next_ms(const struct timer_wheel *wheel)
{
	if (!list_is_empty(&wheel->due))
		return wheel->now_ms;
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		unsigned shift = level * WHEEL_DIGIT_BITS;
		unsigned slot;

		if (!wheel->occupied[level])
			continue;
		/* Lower levels hold nothing beyond the present digit here, so the first is the
		 * next. */
		slot = (unsigned)__builtin_ctzll(wheel->occupied[level]);
		return ((wheel->now_ms >> shift >> WHEEL_DIGIT_BITS << WHEEL_DIGIT_BITS) + slot)
		       << shift;
	}
	return UINT64_MAX;
}

/* Empties the slots that begin at now: level 0 expires, the others move down. */
static void enter_slots(struct timer_wheel *wheel)
{
	for (unsigned level = WHEEL_LEVELS; level-- > 0;) {
		unsigned slot = digit_of(wheel->now_ms, level);
		struct list_node moved;
		struct list_node *node;

		if (!(wheel->occupied[level] & UINT64_C(1) << slot))
			continue;
		wheel->occupied[level] &= ~(UINT64_C(1) << slot);
		list_init(&moved);
		list_splice_back(&moved, &wheel->slots[level][slot]);
		while ((node = list_pop_front(&moved)))
			timer_wheel_add(wheel, list_entry(node, struct io_timer, node));
	}
}

void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms)
{
	while (wheel->now_ms < now_ms) {
		struct list_node due;
		uint64_t next;

		/* Timers due already do not stop time. */
		list_init(&due);
		list_splice_back(&due, &wheel->due);
		next = timer_wheel_next_ms(wheel);
		list_splice_back(&wheel->due, &due);
		wheel->now_ms = next < now_ms ? next : now_ms;
		enter_slots(wheel);
	}
}

struct io_timer *timer_wheel_take(struct timer_wheel *wheel)
{
	struct list_node *node = list_pop_front(&wheel->due);

	return node ? list_entry(node, struct io_timer, node) : NULL;
}
