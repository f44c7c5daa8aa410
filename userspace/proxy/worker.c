// SPDX-License-Identifier: Apache-2.0
/* A worker's thread: adopts snapshots, answers the control thread. What it sees of a snapshot is in
 * worker_view.c, accepting in admission.c. */
#include "proxy/worker.h"
#include "core/clock.h"
#include "proxy/admission.h"
#include "proxy/http_client.h"
#include "proxy/mirror.h"
#include "proxy/tcp_session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TEND_MS 2000
/* Descriptors that a worker keeps for files. */
#define OPEN_FILES_MAX 512
/* Objects of ended connections, of each kind: as many as come and go in a short time. */
#define KEPT_MAX 1024

/* --- Messages from the control thread ------------------------------------------- */

struct command {
	struct io_message message;
	struct worker *worker;
	struct geo *geo; /* of renew_geo */
};

static struct command *command_of(struct io_message *message)
{
	return container_of(message, struct command, message);
}

/* @geo: NULL: none; the command has a reference of its own. */
static int post_command(struct worker *worker, struct geo *geo,
			void (*on_message)(struct io_message *message))
{
	struct command *command = calloc(1, sizeof(*command));

	if (!command)
		return -ENOMEM;
	command->worker = worker;
	command->geo = geo ? geo_ref(geo) : NULL;
	command->message.on_message = on_message;
	io_loop_post(worker->loop, &command->message);
	return 0;
}

static void on_renew_geo(struct io_message *message)
{
	struct command *command = command_of(message);
	struct worker_view *view = command->worker->view;
	struct geo *old = command->geo;

	if (view) {
		old = view->geo;
		view->geo = command->geo;
	}
	geo_unref(old);
	free(command);
}

static void on_drain(struct io_message *message)
{
	struct worker *worker = container_of(message, struct worker, drain);

	worker->is_draining = true;
	admission_close(worker);
	http_backends_close_idle(&worker->backends);
	mirrors_close(worker);
	list_for_each_safe (node, &worker->sessions) {
		struct session *session = list_entry(node, struct session, node);

		if (session->mode->drain)
			session->mode->drain(session);
	}
}

static void leave(struct session *session)
{
	if (session->mode->leave)
		session->mode->leave(session);
}

static void on_leave(struct io_message *message)
{
	struct worker *worker = container_of(message, struct worker, leave);

	worker->is_leaving = true;
	list_for_each (node, &worker->sessions)
		leave(list_entry(node, struct session, node));
}

static void on_reset(struct io_message *message)
{
	struct worker *worker = container_of(message, struct worker, reset);

	worker->is_reset = true;
	admission_drop_parked(worker);
	list_for_each_safe (node, &worker->sessions) {
		struct session *session = list_entry(node, struct session, node);

		if (worker->is_leaving)
			leave(session);
		session_reset(session, CONNECTION_END_SHUTDOWN);
	}
}

static void on_ping(struct io_message *message)
{
	struct command *command = command_of(message);

	atomic_store(&command->worker->answered_ms, clock_monotonic_ms());
	free(command);
}

static void on_stop_loop(struct io_message *message)
{
	io_loop_stop(container_of(message, struct worker, stop)->loop);
}

static void on_stop(struct io_message *message)
{
	struct worker *worker = container_of(message, struct worker, stop);

	worker_view_unref(worker->view);
	worker->view = NULL;
	worker_give_spans(worker);
	strbuf_done(&worker->spans.json);
	io_timer_stop(worker->loop, &worker->tend);
	/* A round later: messages of the pools may still be on their way to what was just freed. */
	message->on_message = on_stop_loop;
	io_loop_post(worker->loop, message);
}

int worker_renew_geo(struct worker *worker, struct geo *geo)
{
	return post_command(worker, geo, on_renew_geo);
}

void worker_drain(struct worker *worker)
{
	io_loop_post(worker->loop, &worker->drain);
}

void worker_leave_spliced(struct worker *worker)
{
	io_loop_post(worker->loop, &worker->leave);
}

void worker_reset_sessions(struct worker *worker)
{
	io_loop_post(worker->loop, &worker->reset);
}

int worker_ping(struct worker *worker)
{
	return post_command(worker, NULL, on_ping);
}

/* --- A snapshot to serve -------------------------------------------------------- */

struct worker_adoption {
	struct io_message message; /* to the worker, and back */
	struct worker *worker;
	struct snapshot *snapshot;
	struct worker_view *view;
	struct list_node acceptors; /* of bindings that are new */
	void (*on_adopted)(void *context);
	void *context;
};

/* The reference goes last: it may be what keeps the server. */
static void on_adopted(struct io_message *message)
{
	struct worker_adoption *adoption = container_of(message, struct worker_adoption, message);

	adoption->on_adopted(adoption->context);
	snapshot_unref(adoption->snapshot);
	free(adoption);
}

static void on_adopt(struct io_message *message)
{
	struct worker_adoption *adoption = container_of(message, struct worker_adoption, message);
	struct worker *worker = adoption->worker;
	struct worker_view *old = worker->view;

	worker->view = adoption->view;
	admission_adopt(worker, adoption->view, &adoption->acceptors);
	/* They stand under the old rules. */
	http_backends_close_idle(&worker->backends);
	tls_pacer_set_limit(worker->tls_pacer, adoption->snapshot->config->limits.tls_handshakes);
	worker_view_unref(old);
	adoption->message.on_message = on_adopted;
	io_loop_post(worker->shared->control, &adoption->message);
}

struct worker_adoption *worker_prepare(struct worker *worker, struct snapshot *snapshot)
{
	struct worker_adoption *adoption = calloc(1, sizeof(*adoption));

	if (!adoption)
		return NULL;
	adoption->worker = worker;
	adoption->snapshot = snapshot_ref(snapshot);
	adoption->message.on_message = on_adopt;
	list_init(&adoption->acceptors);
	adoption->view = worker_view_new(worker, snapshot, snapshot->places.geo);
	if (adoption->view && admission_prepare(snapshot, &adoption->acceptors) == 0)
		return adoption;
	worker_forget(adoption);
	return NULL;
}

void worker_forget(struct worker_adoption *adoption)
{
	if (!adoption)
		return;
	admission_discard(&adoption->acceptors);
	worker_view_unref(adoption->view);
	snapshot_unref(adoption->snapshot);
	free(adoption);
}

void worker_adopt(struct worker_adoption *adoption, void (*on_done)(void *context), void *context)
{
	adoption->on_adopted = on_done;
	adoption->context = context;
	io_loop_post(adoption->worker->loop, &adoption->message);
}

/* --- Ends of spliced connections -------------------------------------------------- */

struct over {
	struct io_message message;
	struct worker *worker;
	uint32_t slot;
	uint64_t id;
};

static void on_over(struct io_message *message)
{
	struct over *over = container_of(message, struct over, message);
	struct tunnel *tunnel = splice_owner(over->worker->shared->splice, over->slot, over->id);

	if (tunnel)
		handoff_on_over(tunnel);
	free(over);
}

/* Out of memory, the worker finds out by itself, later. */
void worker_on_spliced_over(struct worker *worker, uint32_t slot, uint64_t id)
{
	struct over *over = calloc(1, sizeof(*over));

	if (!over)
		return;
	*over = (struct over){
		.message.on_message = on_over, .worker = worker, .slot = slot, .id = id};
	io_loop_post(worker->loop, &over->message);
}

/* --- Listing connections ---------------------------------------------------------- */

struct listing {
	struct io_message message; /* to the worker, and back */
	struct worker *worker;
	size_t limit, count;
	uint64_t total;
	struct connection_row *rows;
	void (*on_rows)(struct connection_row *rows, size_t count, uint64_t total, void *context);
	void *context;
};

static void on_listed(struct io_message *message)
{
	struct listing *listing = container_of(message, struct listing, message);

	listing->on_rows(listing->rows, listing->count, listing->total, listing->context);
	free(listing);
}

static void on_list(struct io_message *message)
{
	struct listing *listing = container_of(message, struct listing, message);

	list_for_each (node, &listing->worker->sessions) {
		if (listing->count < listing->limit)
			session_describe(list_entry(node, struct session, node),
					 &listing->rows[listing->count++]);
		listing->total++;
	}
	listing->message.on_message = on_listed;
	io_loop_post(listing->worker->shared->control, &listing->message);
}

int worker_list(struct worker *worker, size_t limit,
		void (*on_rows)(struct connection_row *rows, size_t count, uint64_t total,
				void *context),
		void *context)
{
	struct listing *listing = calloc(1, sizeof(*listing));

	if (!listing)
		return -ENOMEM;
	listing->rows = calloc(limit + 1, sizeof(*listing->rows));
	if (!listing->rows) {
		free(listing);
		return -ENOMEM;
	}
	listing->worker = worker;
	listing->limit = limit;
	listing->on_rows = on_rows;
	listing->context = context;
	listing->message.on_message = on_list;
	io_loop_post(worker->loop, &listing->message);
	return 0;
}

/* --- The thread --------------------------------------------------------------------- */

static void publish_load(struct worker *worker)
{
	if (worker->load)
		atomic_store_explicit(worker->load, worker->nsessions, memory_order_relaxed);
}

void worker_on_session_start(struct worker *worker)
{
	worker->nsessions++;
	publish_load(worker);
}

void worker_on_session_end(struct worker *worker)
{
	worker->nsessions--;
	publish_load(worker);
	admission_unpark(worker);
}

void worker_give_spans(struct worker *worker)
{
	if (worker->spans.count)
		tracer_give(worker->shared->tracer, &worker->spans);
}

/* Counters of long connections grow while they live, not only at their end. */
static void on_tend(struct io_timer *timer)
{
	struct worker *worker = container_of(timer, struct worker, tend);

	list_for_each (node, &worker->sessions) {
		struct session *session = list_entry(node, struct session, node);

		if (session->mode->tend)
			session->mode->tend(session);
		if (worker->is_leaving)
			leave(session);
	}
	worker_give_spans(worker);
	file_cache_tend(worker->files, io_loop_now_ms(worker->loop));
	io_timer_start(worker->loop, &worker->tend, TEND_MS);
}

static void *thread_main(void *argument)
{
	struct worker *worker = argument;
	char name[16];
	int err;

	snprintf(name, sizeof(name), "sluice/%u", worker->index);
	pthread_setname_np(pthread_self(), name);
	io_timer_start(worker->loop, &worker->tend, TEND_MS);
	err = io_loop_run(worker->loop);
	if (!err)
		return NULL;
	/* Its listening sockets would go on taking connections that nobody serves. */
	log_error("worker %u: cannot wait for events: %s: sluiced ends", worker->index,
		  strerror(-err));
	_exit(EXIT_FAILURE);
}

int worker_start(struct worker_shared *shared, uint32_t index, const struct io_options *options,
		 struct worker **ret)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int err;

	if (!worker)
		return -ENOMEM;
	worker->index = index;
	worker->shared = shared;
	worker->load = shared->loads ? reuseport_load(shared->loads, index) : NULL;
	worker->tend.on_expire = on_tend;
	worker->drain.on_message = on_drain;
	worker->leave.on_message = on_leave;
	worker->reset.on_message = on_reset;
	worker->stop.on_message = on_stop;
	worker->answered_ms = clock_monotonic_ms();
	list_init(&worker->sessions);
	list_init(&worker->mirrors);
	worker->tcp_sessions = (struct free_list){.size = sizeof(struct tcp_session),
						  .max = KEPT_MAX};
	worker->http_sessions = (struct free_list){.size = sizeof(struct session), .max = KEPT_MAX};
	worker->http_clients = (struct free_list){.size = sizeof(struct http_client),
						  .max = KEPT_MAX};
	http_backends_init(&worker->backends);
	admission_init(worker);
	err = io_loop_new(options, &worker->loop);
	if (err)
		goto fail;
	err = -ENOMEM;
	rng_seed_random(&worker->rng);
	worker->tls_pacer = tls_pacer_new(worker->loop, 1);
	worker->regex_scratch = regex_scratch_new();
	worker->files = file_cache_new(OPEN_FILES_MAX);
	if (!worker->tls_pacer || !worker->regex_scratch || !worker->files)
		goto fail;
	err = -pthread_create(&worker->thread, NULL, thread_main, worker);
	if (err)
		goto fail;
	*ret = worker;
	return 0;
fail:
	file_cache_free(worker->files);
	regex_scratch_free(worker->regex_scratch);
	tls_pacer_free(worker->tls_pacer);
	io_loop_free(worker->loop);
	free(worker);
	return err;
}

void worker_stop(struct worker *worker)
{
	if (!worker)
		return;
	io_loop_post(worker->loop, &worker->stop);
	pthread_join(worker->thread, NULL);
	exchanges_forget(worker);
	free_list_clear(&worker->tcp_sessions);
	free_list_clear(&worker->http_sessions);
	free_list_clear(&worker->http_clients);
	file_cache_free(worker->files);
	regex_scratch_free(worker->regex_scratch);
	tls_pacer_free(worker->tls_pacer);
	io_loop_free(worker->loop);
	free(worker);
}
