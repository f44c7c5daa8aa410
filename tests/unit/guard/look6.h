/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_GUARD_LOOK6_H
#define TESTS_UNIT_GUARD_LOOK6_H

/* What pages of IPv6 say of an address, read as the packet programs do. After cmocka's header. */
#include "guard/list6.h"

static uint64_t half_of(const uint8_t *bytes)
{
	uint64_t half = 0;

	for (int i = 0; i < 8; i++)
		half = half << 8 | bytes[i];
	return half;
}

static uint64_t slot6(const struct guard_list6 *list, uint32_t line, const struct guard_key6 *key,
		      uint64_t flags, uint64_t *ret_last)
{
	const __u64 *slots = list->pages[line / GUARD_PAGE_LINES].lines[line % GUARD_PAGE_LINES];

	assert_true(line / GUARD_PAGE_LINES < list->npages);
	*ret_last = guard_last_slot(slots, key->is_long);
	return guard_slot_of(slots, key, flags);
}

static enum guard_why look6(const struct guard_list6 *list, const uint8_t ip[16])
{
	const __u64 address[2] = {half_of(ip), half_of(ip + 8)};
	const struct guard_head6 *head;
	uint32_t low = 0, high, turn, why;
	struct guard_key6 key;
	uint64_t slot, last;

	if (!list->npages)
		return GUARD_WHY_NONE;
	head = &list->pages->head;
	why = head->why;
	high = head->nlengths;
	for (int looks = 0; low < high; looks++) {
		assert_true(looks < GUARD_LOOKS_MAX);
		turn = guard_turn6(low, high);
		guard_key6(head, address, head->lengths[turn], &key);
		if (!guard_filter_has(list->pages, &key)) {
			high = turn;
			continue;
		}
		slot = slot6(list, key.line, &key, 0, &last);
		if (!slot && last)
			slot = slot6(list, key.other, &key, GUARD_SLOT_GUEST, &last);
		if (!slot) {
			high = turn;
			continue;
		}
		why = guard_slot_why(slot);
		if (!(slot & GUARD_SLOT_LONGER))
			break;
		low = turn + 1;
	}
	return (enum guard_why)why;
}

#endif
