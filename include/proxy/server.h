/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_SERVER_H
#define SLUICE_PROXY_SERVER_H

#include "abi/guard.h"
#include "config/config.h"
#include "core/compiler.h"
#include "core/list.h"
#include "core/patience.h"
#include "core/strbuf.h"
#include "io/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The daemon without its process: workers, the present configuration, reload and drain. It lives on
 * the control thread, whose loop also runs signals, health checks, DNS and the admin interface.
 */
struct server;
struct pin;

/**
 * What config_load() cannot know: whether the files that a configuration names can be used.
 * @ret_errors: one line an error, "file:line:col: …"; on success perhaps warnings.
 * Return: 0; -EINVAL with errors; -ENOMEM. Blocks on files.
 */
int server_check(const struct config *config, struct strbuf *ret_errors) WARN_UNUSED;

/**
 * Opens every listener and starts the workers; on return connections are accepted.
 * @config:     ownership passes on success.
 * @loop:       the control thread's, borrowed.
 * @pin:        where spliced connections outlive the daemon, borrowed until server_free(); NULL:
 *              they do not.
 * @patience:   asked while databases of places are read; NULL has no end.
 * @ret_errors: a line for each listener that could not be opened, and so on.
 * Return: 0; -ECANCELED: @patience was over; -errno.
 */
int server_start(struct config *config, struct io_loop *loop, struct pin *pin,
		 const struct patience *patience, struct server **ret,
		 struct strbuf *ret_errors) WARN_UNUSED;

/* A reload that somebody has asked for; the server's until on_done. */
struct server_reload {
	struct list_node node; /* the server's */
	/* @err: 0; -EINVAL or another -errno: nothing has changed. @text: a line for each error, or
	 * warning; borrowed for the call, and perhaps empty. */
	void (*on_done)(struct server_reload *reload, int err, const char *text);
};

/**
 * Reads the configuration file again and changes over, or changes nothing. Listeners that stand in
 * both configurations keep their sockets; open connections go on under the configuration they began
 * with. What only a restart can change (workers, io, user) is a warning. Databases of places are
 * opened, and what mode dispatch wants to know of them is gathered, on another thread. on_done
 * comes when every worker serves the new configuration, or 2 s later with a warning; within the
 * call where the file is wrong or the server drains. Who asks meanwhile is for the next reload,
 * since the file may have changed: all of them for one.
 */
void server_reload(struct server *server, struct server_reload *reload);

/* Of each reload, however many have asked for it. */
struct server_reload_watch {
	void (*on_begin)(void *context); /* before the file is read */
	/* Before those who asked are told. @err and @text: as theirs. */
	void (*on_end)(void *context, int err, const char *text);
	void *context;
};

/* NULL members are not called. */
void server_watch_reloads(struct server *server, const struct server_reload_watch *watch);

/* By hand, until the next reload; loads the packet programs where there are none yet. Return: 0;
 * -ESHUTDOWN; another -errno: the mode before stays. */
int server_set_guard_mode(struct server *server, enum guard_mode mode) WARN_UNUSED;

/* Stops accepting; @on_drained comes when no connection is left or drain_timeout has passed (those
 * that are left are reset then). A second call resets them at once. */
void server_drain(struct server *server, void (*on_drained)(void *context), void *context);

bool server_is_draining(const struct server *server);

/* Whether every worker has answered since the last call; asks each for the next sign of life. */
bool server_check_workers(struct server *server);

/* After a rotation: opens the access log's file anew. Return: 0; -errno. */
int server_reopen_logs(struct server *server) WARN_UNUSED;

/* After on_drained. NULL is allowed. */
void server_free(struct server *server);

/* The one in force; borrowed until control returns to the loop. */
const struct config *server_config(const struct server *server);

struct server_facts {
	uint64_t started_wall_us;   /* since 1970 */
	uint64_t loaded_wall_us;    /* when the configuration was */
	uint32_t config_generation; /* 1 after start, one more with each reload */
	uint32_t reload_failures;
	const char *pending; /* what of the configuration is not in force yet; "": all is */
	uint32_t workers;
	const char *io_backend; /* "io_uring" or "epoll" */
	uint64_t connections_active;
	uint64_t connections_total;
	uint64_t spans_sent, spans_dropped, spans_failed; /* of requests, to the collector */
	/* Lines that a full disk or a slow reader did not take. */
	uint64_t access_lines_lost, log_lines_lost;
};

void server_describe(struct server *server, struct server_facts *ret);

#endif
