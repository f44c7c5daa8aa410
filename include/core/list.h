/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_LIST_H
#define SLUICE_CORE_LIST_H

#include "core/compiler.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Doubly linked list, intrusive and circular: a head is a node that belongs to no element. A zeroed
 * node is in no list; a zeroed head must pass through list_init() first.
 */
struct list_node {
	struct list_node *prev, *next;
};

static inline void list_init(struct list_node *head)
{
	head->prev = head->next = head;
}

static inline bool list_is_empty(const struct list_node *head)
{
	return head->next == head;
}

static inline bool list_is_linked(const struct list_node *node)
{
	return node->next != NULL;
}

static inline void list_insert_between(struct list_node *node, struct list_node *prev,
				       struct list_node *next)
{
	node->prev = prev;
	node->next = next;
	prev->next = node;
	next->prev = node;
}

static inline void list_push_front(struct list_node *head, struct list_node *node)
{
	list_insert_between(node, head, head->next);
}

static inline void list_push_back(struct list_node *head, struct list_node *node)
{
	list_insert_between(node, head->prev, head);
}

/* Removing a node that is in no list does nothing. */
static inline void list_remove(struct list_node *node)
{
	if (!node->next)
		return;
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->prev = node->next = NULL;
}

/* Return: the node that was first, now in no list; NULL if @head is empty. */
static inline struct list_node *list_pop_front(struct list_node *head)
{
	struct list_node *first = head->next;

	if (first == head)
		return NULL;
	list_remove(first);
	return first;
}

/* Moves all nodes of @from to the end of @to; @from is empty afterwards. */
static inline void list_splice_back(struct list_node *to, struct list_node *from)
{
	if (list_is_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(node, type, member) container_of(node, type, member)

#define list_for_each(node, head) \
	for (struct list_node *node = (head)->next; node != (head); node = node->next)

/* The body may remove @node itself, nothing else. */
#define list_for_each_safe(node, head)                                                         \
	for (struct list_node *node = (head)->next, *node##_next = node->next; node != (head); \
	     node = node##_next, node##_next = node->next)

#endif
