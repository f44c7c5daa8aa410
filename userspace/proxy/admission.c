// SPDX-License-Identifier: Apache-2.0
/* Accepting, within the limits; taking over listening sockets when the configuration changes. */
#include "proxy/admission.h"
#include "io/acceptor.h"
#include "proxy/guard.h"
#include "proxy/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Another worker may have freed the place, which nobody tells us: look again after this long. */
#define UNPARK_MS 10
/* So many come in a round where a worker is busy. */
#define BURST 64

struct worker_acceptor {
	struct list_node node;
	struct io_acceptor io;
	struct worker_view *view;
	struct binding *binding;
	struct list_node parked; /* accepted, waiting for a limit */
	uint32_t listener;       /* index into the view's listeners */
	bool is_one_by_one;      /* accepts are: near a limit */
	bool is_kept;            /* while a new view is adopted */
	bool is_closing, is_closed;
};

struct parked {
	struct list_node node;
	int fd;
};

/* Counts one more unless @limit are counted; 0: no limit. */
static bool take_place(_Atomic uint32_t *count, uint32_t limit)
{
	uint32_t before = atomic_fetch_add(count, 1);

	if (limit == 0 || before < limit)
		return true;
	atomic_fetch_sub(count, 1);
	return false;
}

/* Descriptors are a limit, too, whatever the configuration says. */
static uint32_t daemon_limit(const struct worker_acceptor *acceptor)
{
	uint32_t configured = acceptor->view->snapshot->config->limits.max_connections;
	uint32_t possible = acceptor->view->worker->shared->descriptor_limit;

	return configured && configured < possible ? configured : possible;
}

static bool is_near(_Atomic uint32_t *count, uint32_t limit, uint32_t margin)
{
	return limit && atomic_load_explicit(count, memory_order_relaxed) + margin >= limit;
}

/*
 * What is accepted beyond a limit is parked. All workers together could take their whole backlogs
 * at once: one by one when the descriptors, of which a served connection takes two, would not do
 * for that. Near a limit of the configuration it only keeps them in the backlog instead.
 */
static void choose_pace(struct worker_acceptor *acceptor)
{
	const struct snapshot *snapshot = acceptor->view->snapshot;
	const struct snapshot_listener *listener = &snapshot->listeners[acceptor->listener];
	struct worker_shared *shared = acceptor->view->worker->shared;
	uint32_t backlogs = shared->nworkers * listener->backlog;
	uint32_t burst = shared->nworkers * BURST;
	bool is_one_by_one =
		is_near(&shared->active, shared->descriptor_limit, backlogs / 2) ||
		is_near(&shared->active, snapshot->config->limits.max_connections, burst) ||
		is_near(&listener->stats->active, listener->config->max_connections, burst);

	if (is_one_by_one == acceptor->is_one_by_one)
		return;
	acceptor->is_one_by_one = is_one_by_one;
	io_acceptor_set_one_by_one(&acceptor->io, is_one_by_one);
}

static bool take_places(const struct worker_acceptor *acceptor)
{
	const struct snapshot *snapshot = acceptor->view->snapshot;
	const struct snapshot_listener *listener = &snapshot->listeners[acceptor->listener];
	struct worker_shared *shared = acceptor->view->worker->shared;

	if (!take_place(&shared->active, daemon_limit(acceptor)))
		return false;
	if (take_place(&listener->stats->active, listener->config->max_connections))
		return true;
	atomic_fetch_sub(&shared->active, 1);
	return false;
}

static void give_places(const struct worker_acceptor *acceptor)
{
	const struct snapshot *snapshot = acceptor->view->snapshot;

	atomic_fetch_sub(&snapshot->listeners[acceptor->listener].stats->active, 1);
	atomic_fetch_sub(&acceptor->view->worker->shared->active, 1);
}

static const char *listener_name(const struct worker_acceptor *acceptor)
{
	return acceptor->view->snapshot->listeners[acceptor->listener].config->name;
}

static void serve(struct worker_acceptor *acceptor, int fd)
{
	struct worker_shared *shared = acceptor->view->worker->shared;
	uint16_t port = address_port(&acceptor->binding->address);

	if (session_start(acceptor->view, acceptor->listener, port, fd) < 0) {
		log_error("listener %s: out of memory: connection closed", listener_name(acceptor));
		give_places(acceptor);
		return;
	}
	atomic_fetch_add_explicit(&shared->total, 1, memory_order_relaxed);
}

static void park(struct worker_acceptor *acceptor, int fd)
{
	struct worker *worker = acceptor->view->worker;
	struct parked *parked = calloc(1, sizeof(*parked));

	if (!parked) {
		close(fd);
		return;
	}
	parked->fd = fd;
	list_push_back(&acceptor->parked, &parked->node);
	worker->nparked++;
	if (!acceptor->is_closing)
		io_acceptor_pause(&acceptor->io);
	if (!io_timer_is_pending(&worker->unpark))
		io_timer_start(worker->loop, &worker->unpark, UNPARK_MS);
}

static int take_parked(struct worker_acceptor *acceptor)
{
	struct parked *parked = list_entry(list_pop_front(&acceptor->parked), struct parked, node);
	int fd = parked->fd;

	acceptor->view->worker->nparked--;
	free(parked);
	return fd;
}

static void note_if_quiet(struct worker *worker)
{
	if (worker->is_draining && list_is_empty(&worker->acceptors))
		atomic_store(&worker->is_quiet, true);
}

static void free_if_over(struct worker_acceptor *acceptor)
{
	struct worker *worker = acceptor->view->worker;

	if (!acceptor->is_closed || !list_is_empty(&acceptor->parked))
		return;
	binding_close_socket(acceptor->binding, worker->index);
	binding_unref(acceptor->binding);
	list_remove(&acceptor->node);
	worker_view_unref(acceptor->view);
	free(acceptor);
	note_if_quiet(worker);
}

static void unpark(struct worker_acceptor *acceptor)
{
	if (list_is_empty(&acceptor->parked))
		return;
	while (!list_is_empty(&acceptor->parked) && take_places(acceptor))
		serve(acceptor, take_parked(acceptor));
	if (!list_is_empty(&acceptor->parked))
		return;
	if (!acceptor->is_closing)
		io_acceptor_resume(&acceptor->io);
	free_if_over(acceptor);
}

void admission_unpark(struct worker *worker)
{
	if (worker->nparked == 0)
		return;
	list_for_each_safe (node, &worker->acceptors)
		unpark(list_entry(node, struct worker_acceptor, node));
}

void admission_drop_parked(struct worker *worker)
{
	list_for_each_safe (node, &worker->acceptors) {
		struct worker_acceptor *acceptor = list_entry(node, struct worker_acceptor, node);

		while (!list_is_empty(&acceptor->parked))
			close(take_parked(acceptor));
		free_if_over(acceptor);
	}
}

static void on_unpark(struct io_timer *timer)
{
	struct worker *worker = container_of(timer, struct worker, unpark);

	admission_unpark(worker);
	if (worker->nparked)
		io_timer_start(worker->loop, &worker->unpark, UNPARK_MS);
}

/* Where packet programs keep the guard, whoever is refused never gets here. */
static bool is_refused(const struct worker_acceptor *acceptor, int fd)
{
	struct guard *guard = acceptor->view->worker->shared->guard;
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	struct address address;

	if (!guard_looks_at_connections(guard) ||
	    getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
		return false;
	address_from_sockaddr((const struct sockaddr *)&peer, len, &address);
	return !guard_admits(guard, &address);
}

static void refuse(int fd)
{
	const struct linger linger = {.l_onoff = 1};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

static void on_accept(struct io_acceptor *io, int fd)
{
	struct worker_acceptor *acceptor = container_of(io, struct worker_acceptor, io);

	if (acceptor->view->worker->is_reset)
		close(fd);
	else if (is_refused(acceptor, fd))
		refuse(fd);
	else if (list_is_empty(&acceptor->parked) && take_places(acceptor))
		serve(acceptor, fd);
	else
		park(acceptor, fd);
	if (!acceptor->is_closing)
		choose_pace(acceptor);
}

static void on_exhausted(struct io_acceptor *io, int error)
{
	struct worker_acceptor *acceptor = container_of(io, struct worker_acceptor, io);

	log_warn("listener %s: accepting pauses: %s", listener_name(acceptor), strerror(-error));
}

/* Connections whose handshake was done when accepting ended must not see an RST. */
static void accept_rest(struct worker_acceptor *acceptor)
{
	int fd;

	while ((fd = accept4(acceptor->io.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
		on_accept(&acceptor->io, fd);
}

static void on_closed(struct io_acceptor *io)
{
	struct worker_acceptor *acceptor = container_of(io, struct worker_acceptor, io);

	accept_rest(acceptor);
	acceptor->is_closed = true;
	free_if_over(acceptor);
}

static const struct io_acceptor_ops acceptor_ops = {
	.on_accept = on_accept,
	.on_exhausted = on_exhausted,
	.on_closed = on_closed,
};

static void close_acceptor(struct worker_acceptor *acceptor)
{
	if (acceptor->is_closing)
		return;
	acceptor->is_closing = true;
	acceptor->binding->acceptors[acceptor->view->worker->index] = NULL;
	io_acceptor_close(&acceptor->io);
}

int admission_prepare(const struct snapshot *snapshot, struct list_node *ret_fresh)
{
	for (size_t i = 0; i < snapshot->nbindings; i++) {
		struct worker_acceptor *acceptor;

		if (!snapshot->bindings[i].is_new)
			continue;
		acceptor = calloc(1, sizeof(*acceptor));
		if (!acceptor)
			return -ENOMEM;
		list_init(&acceptor->parked);
		acceptor->binding = snapshot->bindings[i].binding;
		list_push_back(ret_fresh, &acceptor->node);
	}
	return 0;
}

void admission_discard(struct list_node *fresh)
{
	struct list_node *node;

	while ((node = list_pop_front(fresh)))
		free(list_entry(node, struct worker_acceptor, node));
}

static void serve_under(struct worker_acceptor *acceptor, struct worker_view *view,
			uint32_t listener)
{
	struct worker_view *old = acceptor->view;

	acceptor->view = worker_view_ref(view);
	acceptor->listener = listener;
	acceptor->is_kept = true;
	choose_pace(acceptor);
	worker_view_unref(old);
}

static struct worker_acceptor *start_acceptor(struct worker *worker, struct list_node *fresh)
{
	struct worker_acceptor *acceptor = list_entry(list_pop_front(fresh), struct worker_acceptor,
						      node);

	binding_ref(acceptor->binding)->acceptors[worker->index] = acceptor;
	list_push_back(&worker->acceptors, &acceptor->node);
	io_acceptor_start(&acceptor->io, worker->loop,
			  binding_socket(acceptor->binding, worker->index), &acceptor_ops);
	return acceptor;
}

static void close_unnamed(struct worker *worker)
{
	list_for_each_safe (node, &worker->acceptors) {
		struct worker_acceptor *acceptor = list_entry(node, struct worker_acceptor, node);

		if (!acceptor->is_kept)
			close_acceptor(acceptor);
	}
}

void admission_adopt(struct worker *worker, struct worker_view *view, struct list_node *fresh)
{
	const struct snapshot *snapshot = view->snapshot;

	if (worker->is_draining) {
		admission_discard(fresh);
		return;
	}
	list_for_each (node, &worker->acceptors)
		list_entry(node, struct worker_acceptor, node)->is_kept = false;
	for (size_t i = 0; i < snapshot->nbindings; i++) {
		const struct snapshot_binding *entry = &snapshot->bindings[i];
		struct worker_acceptor *acceptor = entry->binding->acceptors[worker->index];

		if (entry->is_new)
			acceptor = start_acceptor(worker, fresh);
		serve_under(acceptor, view, entry->listener);
	}
	close_unnamed(worker);
	admission_unpark(worker);
}

void admission_close(struct worker *worker)
{
	list_for_each_safe (node, &worker->acceptors)
		close_acceptor(list_entry(node, struct worker_acceptor, node));
	note_if_quiet(worker);
}

void admission_init(struct worker *worker)
{
	list_init(&worker->acceptors);
	worker->unpark.on_expire = on_unpark;
}
