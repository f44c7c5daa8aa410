/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_ADMIN_ADMIN_H
#define SLUICE_ADMIN_ADMIN_H

#include "config/config.h"
#include "core/compiler.h"
#include "core/strbuf.h"
#include "io/loop.h"
#include "proxy/server.h"

/*
 * The control socket and the HTTP side with /metrics, on the control thread's loop.
 * docs/control-protocol.md has the protocol.
 */
struct admin;

/* What the daemon's process does on behalf of an admin command; main.c's. */
struct admin_actions {
	void (*reload)(void *context, struct server_reload *reload); /* as server_reload() */
	void *context;
};

/**
 * Takes the sockets, so that a second daemon by mistake ends before it takes anybody's connections.
 * Who connects waits for admin_start().
 * @config: borrowed for the call; the sockets' places are taken from it.
 * Return: 0; -errno with a line in @ret_errors.
 */
int admin_open(const struct config *config, struct admin **ret,
	       struct strbuf *ret_errors) WARN_UNUSED;

void admin_start(struct admin *admin, struct io_loop *loop, struct server *server,
		 const struct admin_actions *actions);

/* Closes sockets and connections; @on_stopped follows once. Removes the socket's file. */
void admin_stop(struct admin *admin, void (*on_stopped)(void *context), void *context);
/* Of one that was never started, closes the sockets. NULL is allowed. */
void admin_free(struct admin *admin);

#endif
