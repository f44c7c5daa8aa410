/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FASTPATH_MAP_JOURNAL_H
#define SLUICE_FASTPATH_MAP_JOURNAL_H

#include "core/compiler.h"
#include "core/slice.h"

#include <stddef.h>

/* What elements of hash maps were before they were put anew, so that all can be as it was. Zero is
 * empty. What is written by others meanwhile is lost. */
struct map_journal {
	struct map_change *all;
	size_t count, cap;
};

/*
 * Puts @value at @key, and remembers what was there. What is there already is not written.
 * @key, @value: of the map's sizes; copied.
 * Return: 0; -errno with the element as it was: -E2BIG: the map is full.
 */
int map_journal_put(struct map_journal *journal, int fd, struct slice key,
		    struct slice value) WARN_UNUSED;

/* All is as it was. Return: 0; the first -errno: of that element it is not. */
int map_journal_undo(const struct map_journal *journal) WARN_UNUSED;
void map_journal_done(struct map_journal *journal);

#endif
