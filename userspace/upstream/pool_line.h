/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_UPSTREAM_POOL_LINE_H
#define SLUICE_UPSTREAM_POOL_LINE_H

#include "core/compiler.h"
#include "core/list.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct pool_view;

/* Shared by a pool, its views, and the pools that follow it in later configurations. */
struct pool_line {
	_Atomic uint32_t refs;    /* pools */
	_Atomic uint32_t waiting; /* connections in the queues of all views */
	pthread_mutex_t lock;     /* of @views; taken after a pool's lock, never before */
	struct list_node views;
};

/* Return: one reference; NULL: out of memory. */
struct pool_line *pool_line_new(void) WARN_UNUSED;
struct pool_line *pool_line_ref(struct pool_line *line);
void pool_line_unref(struct pool_line *line); /* NULL is allowed */

void pool_line_add(struct pool_line *line, struct pool_view *view);
void pool_line_remove(struct pool_line *line, struct pool_view *view);

/* Lets everybody who waits look again. Thread: any. */
void pool_line_kick_all(struct pool_line *line);

/* Lets a view other than @except serve its queue, if one has anybody waiting. Thread: any. */
void pool_line_kick_other(struct pool_line *line, const struct pool_view *except);

/* There is room for one: @first's own come first. Thread: @first's. */
void pool_line_kick_one(struct pool_line *line, struct pool_view *first);

#endif
