/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_GUARD_LIST_H
#define SLUICE_BPF_GUARD_LIST_H

/* What lists and bans say of a source. */
#include "lib/clock.h"
#include "lib/guard_list6.h"
#include "lib/guard_look.h"
#include "lib/guard_maps.h"

static __always_inline enum guard_why list4_look(__u32 address)
{
	enum guard_why why = GUARD_WHY_NONE;
	const struct guard_line *line;
	struct guard_search search;
	__u32 index = 0, cell;
	void *list = bpf_map_lookup_elem(&guard_list4, &index);

	if (!list)
		return why;
	index = guard_cell_line(address);
	line = bpf_map_lookup_elem(list, &index);
	if (!line)
		return why;
	cell = guard_cell_of(line, address);
	if (!guard_search_begin(&search, cell, address))
		return guard_why_from(cell);
	for (int level = 0; level < GUARD_LEVELS_MAX; level++) {
		line = bpf_map_lookup_elem(list, &search.line);
		if (!line || guard_search_step(&search, line, &why))
			return why;
	}
	return why;
}

static __always_inline enum guard_why list_look(const struct guard_settings *settings,
						const struct guard_view *view)
{
	if (view->is_ipv6)
		return settings->flags & GUARD_HAS_LIST6 ? list6_look(view->source)
							 : GUARD_WHY_NONE;
	if (!(settings->flags & GUARD_HAS_LIST4))
		return GUARD_WHY_NONE;
	return list4_look((__u32)bpf_be64_to_cpu(view->source[1]));
}

static __always_inline bool is_banned(const struct guard_view *view)
{
	const struct guard_ban *ban;
	__u8 key[16] __attribute__((aligned(8)));

	guard_source_key((const __u8 *)view->source, key);
	ban = bpf_map_lookup_elem(&guard_bans, key);
	return ban && ban->until_ns > clock_coarse_ns();
}

#endif
