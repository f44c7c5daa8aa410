/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_RELOAD_H
#define SLUICE_PROXY_RELOAD_H

#include "core/compiler.h"

/* What is behind server_reload(). Thread: control. */
struct reloader;
struct server;

/* Return: NULL: out of memory. */
struct reloader *reloader_new(struct server *server) WARN_UNUSED;
/* All workers serve what was put in force, or nobody shall wait for them any longer. */
void reloader_settle(struct reloader *reloader);
/* When no snapshot is left: a reload under way holds one. NULL is allowed. */
void reloader_free(struct reloader *reloader);

#endif
