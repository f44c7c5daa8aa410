/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_KERNEL_H
#define SLUICE_PROXY_KERNEL_H

#include "core/compiler.h"
#include "core/strbuf.h"
#include "proxy/server_internal.h"

/*
 * What a server has in the kernel: packet programs, with splice, guard and dispatch in them; the
 * sockmap rung; the program that deals connections to workers. All but dispatch can be done
 * without, which is said once. Thread: control.
 */

/* Return: 0; -errno with @ret_errors. Then kernel_stop() is the caller's all the same. */
int kernel_start(struct server *server, const struct config *config, struct pin *pin,
		 struct strbuf *ret_errors) WARN_UNUSED;

/* Packet programs for a guard that is turned on, where there are none yet. If they cannot be
 * loaded, which is logged, the guard looks at connections. @config: with the guard's sizes and
 * devices. */
void kernel_bring_guard(struct server *server, const struct config *config);

/* Half-started is allowed. */
void kernel_stop(struct server *server);

/* Whether what is in the kernel may go on without us, and shall. */
bool kernel_outlives(const struct server *server);

#endif
