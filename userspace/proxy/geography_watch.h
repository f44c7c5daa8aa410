/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_GEOGRAPHY_WATCH_H
#define SLUICE_PROXY_GEOGRAPHY_WATCH_H

#include "core/compiler.h"
#include "core/patience.h"
#include "core/strbuf.h"

/*
 * Looks after the files of databases, and brings new ones to the workers and to the guard without a
 * reload. Thread: control.
 */
struct geography_watch;
struct server;
struct snapshot;

/* Return: NULL: out of memory. */
struct geography_watch *geography_watch_new(struct server *server) WARN_UNUSED;

/**
 * At start, before anybody is served: what guard.geo says is in force on return. Blocks.
 * @ret_errors: a line that says what is wrong.
 * Return: 0; -E2BIG: too many networks; -EINVAL: a database is damaged; -ECANCELED: @patience is
 * over; -ENOMEM; -errno.
 */
int geography_watch_prepare(struct geography_watch *watch, const struct snapshot *snapshot,
			    const struct patience *patience, struct strbuf *ret_errors) WARN_UNUSED;

/* Of whatever snapshot is in force from now on. What its guard.geo says follows a little later: its
 * networks are gathered on another thread, and those before hold until then. */
void geography_watch_start(struct geography_watch *watch);

/* What of the configuration is not in force yet: static text; "": all is. */
const char *geography_watch_pending(const struct geography_watch *watch);

/* When no snapshot is left: a look under way holds one. NULL is allowed. */
void geography_watch_free(struct geography_watch *watch);

#endif
