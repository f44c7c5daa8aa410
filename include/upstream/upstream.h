/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_UPSTREAM_UPSTREAM_H
#define SLUICE_UPSTREAM_UPSTREAM_H

#include "config/config.h"
#include "io/loop.h"
#include "upstream/events.h"
#include "upstream/pool.h"

#include <stddef.h>

/*
 * All pools of one configuration, with what keeps them right: active health checks and DNS. Both
 * run on the control thread's loop; workers only read what they find out.
 */
struct upstream;

/**
 * @config:   borrowed for the upstream's life.
 * @previous: that of the configuration before, or NULL; its pools' endpoints are taken over. It
 * must be stopped afterwards. Return: 0; -ENOMEM. Thread: control.
 */
int upstream_new(const struct config *config, struct upstream *previous, struct io_loop *loop,
		 struct upstream **ret) WARN_UNUSED;

/*
 * Whom to tell what happens; before upstream_start(). @events is copied; its context must live as
 * long as any of the pools.
 */
void upstream_set_events(struct upstream *upstream, const struct upstream_events *events);

/*
 * The pools go into service: endpoints taken over get their settings of this configuration, checks
 * and resolution start. Return: 0; -errno of the resolver, with nothing left running.
 */
int upstream_start(struct upstream *upstream) WARN_UNUSED;

/* Ends checks and resolution; asynchronous, @on_stopped comes once nothing is in flight. Once. */
void upstream_stop(struct upstream *upstream, void (*on_stopped)(struct upstream *, void *context),
		   void *context);

/* Must be stopped, or never started. NULL is allowed. */
void upstream_free(struct upstream *upstream);

/* By the configuration's index; @index below npools. Borrowed. */
struct pool *upstream_pool(struct upstream *upstream, size_t index);

/* Return: NULL if there is none. Borrowed. */
struct pool *upstream_find_pool(struct upstream *upstream, const char *name);

#endif
