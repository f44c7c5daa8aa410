// SPDX-License-Identifier: Apache-2.0
/*
 * From one configuration to the next. What may take seconds is done on a thread that may block, so
 * that the control thread goes on answering; who asks meanwhile waits for one more:
 *
 *   server_reload ─► read the file ─► thread: databases, areas ─► change over ─► workers ─► on_done
 *                         │ error, at once                             │ error                 ▲
 *                         └────────────────────────────────────────────┴───────────────────────┘
 */
#include "proxy/reload.h"
#include "core/log.h"
#include "proxy/errand.h"
#include "proxy/guard.h"
#include "proxy/kernel.h"
#include "proxy/server_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A worker that has not come to its messages in that time hangs, or has no processor. */
#define WORKERS_TAKE_MS 2000

struct reloader {
	struct server *server;
	struct list_node waiting; /* struct server_reload: for the next one */
	bool is_busy;
	bool is_settling; /* in force, but not with every worker */
	struct server_reload_watch watch;

	/* Of the one under way. */
	struct list_node asking;
	struct errand gathering;
	struct config *config; /* not in force yet; NULL: none is read */
	struct areas *like;    /* a reference; NULL: none */
	struct geography places;
	struct strbuf text;
	struct io_timer patience; /* for the workers */
	int err;
};

/* --- What only a restart can change ----------------------------------------------------------- */

static bool differs(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) != 0 : a != b;
}

static bool have_other_interfaces(const struct config_acceleration *old,
				  const struct config_acceleration *new)
{
	if (old->ninterfaces != new->ninterfaces)
		return true;
	for (size_t i = 0; i < old->ninterfaces; i++)
		if (differs(old->interfaces[i], new->interfaces[i]))
			return true;
	return false;
}

/* What the new file asks for and only a restart can give. */
static void warn_of_restart(const struct config *old, const struct config *new,
			    struct strbuf *warnings)
{
	const struct {
		bool is_changed;
		const char *option;
	} options[] = {
		{old->workers != new->workers, "workers"},
		{old->io != new->io, "io"},
		{old->acceleration.mode != new->acceleration.mode, "acceleration.mode"},
		{old->acceleration.max_flows != new->acceleration.max_flows,
		 "acceleration.max_flows"},
		{old->acceleration.hook != new->acceleration.hook, "acceleration.hook"},
		{have_other_interfaces(&old->acceleration, &new->acceleration),
		 "acceleration.interfaces"},
		{differs(old->acceleration.instance, new->acceleration.instance),
		 "acceleration.instance"},
		{differs(old->acceleration.pin_path, new->acceleration.pin_path),
		 "acceleration.pin_path"},
		{old->guard.max_sources != new->guard.max_sources, "guard.max_sources"},
		{old->dispatch.max_flows != new->dispatch.max_flows, "dispatch.max_flows"},
		{differs(old->user, new->user), "user"},
		{differs(old->group, new->group), "group"},
		{differs(old->admin.socket, new->admin.socket), "admin.socket"},
		{!address_equal(&old->admin.listen, &new->admin.listen), "admin.listen"},
		{old->limits.receive_buffer_bytes != new->limits.receive_buffer_bytes,
		 "limits.receive_buffer_size"},
		{old->limits.receive_buffers != new->limits.receive_buffers,
		 "limits.receive_buffer_count"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].is_changed)
			strbuf_printf(warnings,
				      "%s: warning: %s has changed: that takes a restart\n",
				      new->path, options[i].option);
}

/* --- One after the other ---------------------------------------------------------------------- */

static void tell(struct reloader *reloader)
{
	const char *text = reloader->text.len ? reloader->text.text : "";

	if (reloader->watch.on_end)
		reloader->watch.on_end(reloader->watch.context, reloader->err, text);
	for (struct list_node *node; (node = list_pop_front(&reloader->asking));) {
		struct server_reload *reload = list_entry(node, struct server_reload, node);

		reload->on_done(reload, reloader->err, text);
	}
}

static void finish(struct reloader *reloader)
{
	if (reloader->err == -ENOMEM)
		strbuf_append_str(&reloader->text, "out of memory: nothing has changed\n");
	if (reloader->err) {
		reloader->server->reload_failures++;
		config_free(reloader->config);
	}
	reloader->config = NULL;
	geography_done(&reloader->places);
	areas_unref(reloader->like);
	reloader->like = NULL;
	tell(reloader);
	strbuf_done(&reloader->text);
	reloader->text = (struct strbuf){};
	errand_end(&reloader->gathering);
	reloader->is_busy = false;
}

static int refuse_while_draining(const struct server *server, struct strbuf *ret_errors)
{
	if (!server->is_draining)
		return 0;
	strbuf_append_str(ret_errors, "the daemon is draining\n");
	return -ESHUTDOWN;
}

static int read_file(struct reloader *reloader)
{
	const struct server *server = reloader->server;
	struct strbuf *errors = &reloader->text;
	int err = refuse_while_draining(server, errors);
	const char *path;

	if (err)
		return err;
	path = server->snapshot->config->path;
	if (strcmp(path, "<stdin>") == 0) {
		strbuf_append_str(errors, "the configuration came from standard input: it cannot "
					  "be read again\n");
		return -ENOTSUP;
	}
	err = config_load(path, &reloader->config, errors);
	if (!err)
		warn_of_restart(server->snapshot->config, reloader->config, errors);
	return err;
}

/* On a thread that may block. */
static void gather(struct errand *errand)
{
	struct reloader *reloader = container_of(errand, struct reloader, gathering);

	reloader->err = geography_gather(reloader->config, reloader->like,
					 &reloader->server->patience, &reloader->places,
					 &reloader->text);
}

/* The guard's rules are made first, and put in force when nothing can be refused any more. */
static int put_in_force(struct reloader *reloader, struct snapshot *snapshot)
{
	struct server *server = reloader->server;
	struct guard *guard = server->shared.guard;
	struct guard_change *change;
	int err = guard_prepare(guard, reloader->config, &change, &reloader->text);

	if (err)
		return err;
	err = server_prepare(server, snapshot, &reloader->text);
	if (err) {
		guard_change_free(change);
		return err;
	}
	err = guard_commit(guard, change);
	if (err)
		strbuf_printf(&reloader->text, "warning: guard: the rules before stay: %s\n",
			      strerror(-err));
	server_put_in_force(server, snapshot);
	return 0;
}

static int change_over(struct reloader *reloader)
{
	struct server *server = reloader->server;
	struct config *config = reloader->config;
	struct snapshot *snapshot;
	int err = refuse_while_draining(server, &reloader->text);

	if (!err)
		err = server_make_snapshot(server, config, &reloader->places, &snapshot,
					   &reloader->text);
	if (err)
		return err;
	if (config->guard.mode != CONFIG_GUARD_OFF)
		kernel_bring_guard(server, config);
	err = put_in_force(reloader, snapshot);
	if (err) {
		server->nsnapshots--;
		snapshot_discard(snapshot);
	}
	return err;
}

/* Who is told that it is in force shall meet it, whichever worker takes the next connection. */
static void await_workers(struct reloader *reloader)
{
	struct server *server = reloader->server;

	reloader->is_settling = true;
	io_timer_start(server->loop, &reloader->patience, WORKERS_TAKE_MS);
}

static void proceed(struct reloader *reloader)
{
	if (reloader->err == -ECANCELED)
		reloader->err = refuse_while_draining(reloader->server, &reloader->text);
	else if (!reloader->err)
		reloader->err = change_over(reloader);
	if (!reloader->err && reloader->server->nadopting)
		await_workers(reloader);
	else
		finish(reloader);
}

/* Where no thread can be had, the control thread is held up instead. */
static void begin(struct reloader *reloader)
{
	struct server *server = reloader->server;

	reloader->is_busy = true;
	list_splice_back(&reloader->asking, &reloader->waiting);
	if (reloader->watch.on_begin)
		reloader->watch.on_begin(reloader->watch.context);
	reloader->err = read_file(reloader);
	if (!reloader->err && reloader->config->geo.ndatabases) {
		reloader->like = areas_ref(server->snapshot->places.areas);
		if (errand_begin(&reloader->gathering, server) == 0)
			return;
		gather(&reloader->gathering);
	}
	proceed(reloader);
}

static void begin_all(struct reloader *reloader)
{
	while (!reloader->is_busy && !list_is_empty(&reloader->waiting))
		begin(reloader);
}

static void on_gathered(struct errand *errand)
{
	struct reloader *reloader = container_of(errand, struct reloader, gathering);

	proceed(reloader);
	begin_all(reloader);
}

void reloader_settle(struct reloader *reloader)
{
	if (!reloader->is_settling)
		return;
	reloader->is_settling = false;
	io_timer_stop(reloader->server->loop, &reloader->patience);
	finish(reloader);
	begin_all(reloader);
}

static void on_patience_over(struct io_timer *timer)
{
	struct reloader *reloader = container_of(timer, struct reloader, patience);

	strbuf_printf(&reloader->text, "warning: a worker is busy: its new connections meet the "
				       "configuration before until it has time\n");
	reloader_settle(reloader);
}

void server_reload(struct server *server, struct server_reload *reload)
{
	list_push_back(&server->reloader->waiting, &reload->node);
	begin_all(server->reloader);
}

void server_watch_reloads(struct server *server, const struct server_reload_watch *watch)
{
	server->reloader->watch = *watch;
}

/* --- Life ------------------------------------------------------------------------------------- */

struct reloader *reloader_new(struct server *server)
{
	struct reloader *reloader = calloc(1, sizeof(*reloader));

	if (!reloader)
		return NULL;
	reloader->server = server;
	reloader->gathering.run = gather;
	reloader->gathering.on_back = on_gathered;
	reloader->patience.on_expire = on_patience_over;
	list_init(&reloader->waiting);
	list_init(&reloader->asking);
	return reloader;
}

void reloader_free(struct reloader *reloader)
{
	free(reloader);
}
