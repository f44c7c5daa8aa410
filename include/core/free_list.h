/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_FREE_LIST_H
#define SLUICE_CORE_FREE_LIST_H

#include "core/compiler.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Objects of one size that come and go: the one given back last is taken first, while it is still
 * in the cache. Keeps at most as many as it is told. Thread: one owner's.
 */
struct free_item {
	struct free_item *next;
};

struct free_list {
	struct free_item *first;
	size_t size; /* of an object; at least a pointer's */
	uint32_t count, max;
};

/* Return: zeroed memory; NULL: there is none. */
void *free_list_take(struct free_list *list) WARN_UNUSED;

/* @object: from free_list_take() of the same list; NULL is allowed. */
void free_list_give(struct free_list *list, void *object);

/* Frees what is kept. The list can be used again. */
void free_list_clear(struct free_list *list);

#endif
