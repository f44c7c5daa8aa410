/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_GEOGRAPHY_WATCH_H
#define SLUICE_PROXY_GEOGRAPHY_WATCH_H

#include "core/compiler.h"

/*
 * Looks after the files of databases, and brings new ones to the workers without a reload. Thread:
 * control.
 */
struct geography_watch;
struct server;

/* Return: NULL: out of memory. */
struct geography_watch *geography_watch_new(struct server *server) WARN_UNUSED;

/* Of whatever snapshot is in force from now on. */
void geography_watch_start(struct geography_watch *watch);

/* When no snapshot is left: a look under way holds one. NULL is allowed. */
void geography_watch_free(struct geography_watch *watch);

#endif
