// SPDX-License-Identifier: Apache-2.0
/*
 * Watches. What the kernel points to is a state of the loop's own, so that a watch can be stopped
 * and freed at once while an event for it is under way.
 */
#include "io/watch.h"

#include "io/io_internal.h"

#include <errno.h>
#include <stdlib.h>

static void free_state(struct io_watch_state *state)
{
	list_remove(&state->node);
	free(state);
}

static void run_freed(struct io_task *task)
{
	free_state(container_of(task, struct io_watch_state, freed));
}

/* Those whose last event the loop did not live to see. */
void io_watch_states_free(struct io_loop *loop)
{
	while (!list_is_empty(&loop->watches))
		free_state(list_entry(loop->watches.next, struct io_watch_state, node));
}

void io_watch_state_free_later(struct io_watch_state *state)
{
	io_loop_defer(state->loop, &state->freed);
}

int io_watch_start(struct io_watch *watch, struct io_loop *loop, int fd, uint32_t events)
{
	struct io_watch_state *state;
	int error;

	if (watch->state && watch->fd == fd && watch->events == events)
		return 0;
	state = calloc(1, sizeof(*state));
	if (!state)
		return -ENOMEM;
	io_watch_stop(watch);
	*state = (struct io_watch_state){.watch = watch, .loop = loop, .fd = fd, .events = events};
	state->freed.on_run = run_freed;
	list_push_back(&loop->watches, &state->node);
	error = loop->backend->watch_start(state);
	if (error) {
		free_state(state);
		return error;
	}
	watch->loop = loop;
	watch->state = state;
	watch->fd = fd;
	watch->events = events;
	return 0;
}

void io_watch_stop(struct io_watch *watch)
{
	struct io_watch_state *state = watch->state;

	if (!state)
		return;
	watch->state = NULL;
	state->watch = NULL;
	state->loop->backend->watch_stop(state);
}
