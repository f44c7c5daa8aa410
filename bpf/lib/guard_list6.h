/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_GUARD_LIST6_H
#define SLUICE_BPF_GUARD_LIST6_H

/* What the lists say of a source of IPv6: abi/guard_list6.h has the algorithm. */
#include "lib/guard_maps.h"
#include "lib/headers.h"

/* What clang makes of it without the barrier adds to a page before it is known to be there. */
static __always_inline const __u64 *line6(void *list, const union guard_page6 *page, __u32 line)
{
	__u32 index = line / GUARD_PAGE_LINES;

	if (index) {
		page = bpf_map_lookup_elem(list, &index);
		if (!page)
			return NULL;
	}
	barrier_var(page);
	return page->lines[line % GUARD_PAGE_LINES];
}

/* Return: false: no such line; *@ret_slot: of the key; 0: it has none. */
static __always_inline bool slot6(void *list, const union guard_page6 *first,
				  const struct guard_key6 *key, __u64 *ret_slot)
{
	const __u64 *line;
	__u64 other;

	line = line6(list, first, key->line);
	if (!line)
		return false;
	*ret_slot = guard_slot_of(line, key, 0);
	other = guard_last_slot(line, key->is_long) & ~guard_if_some(*ret_slot);
	barrier_var(other);
	if (!other)
		return true;
	line = line6(list, first, key->other);
	if (!line)
		return false;
	*ret_slot = guard_slot_of(line, key, GUARD_SLOT_GUEST);
	return true;
}

/* @mask: all bits: @one; none: @other. */
static __always_inline __u64 select6(__u64 mask, __u64 one, __u64 other)
{
	barrier_var(mask);
	return other ^ ((one ^ other) & mask);
}

/* Where a key is in its line makes no branch, which would be guessed wrongly every other time; and
 * whether it is there none for the verifier, which knows as much on either way. */
static __always_inline enum guard_why list6_look(const __u64 source[2])
{
	__u64 address[2] = {bpf_be64_to_cpu(source[0]), bpf_be64_to_cpu(source[1])};
	__u64 slot, is_there, is_longer, low = 0, high, turn, why;
	struct guard_key6 key;
	const union guard_page6 *page;
	__u32 zero = 0;
	void *list;

	list = bpf_map_lookup_elem(&guard_list6, &zero);
	page = list ? bpf_map_lookup_elem(list, &zero) : NULL;
	if (!page)
		return GUARD_WHY_NONE;
	why = page->head.why;
	high = page->head.nlengths;
	for (int i = 0; i < GUARD_LOOKS_MAX && low < high; i++) {
		turn = guard_turn6(low, high) & (GUARD_LENGTHS_MAX - 1);
		guard_key6(&page->head, address, page->head.lengths[turn], &key);
		if (!guard_filter_has(page, &key)) {
			high = turn;
			continue;
		}
		if (!slot6(list, page, &key, &slot))
			break;
		is_there = guard_if_some(slot);
		is_longer = (__u64)((__s64)slot >> 63);
		why = select6(is_there, guard_slot_why(slot), why);
		low = select6(is_longer, turn + 1, low);
		high = select6(is_there, high & is_longer, turn);
	}
	return (enum guard_why)(why & 3);
}

#endif
