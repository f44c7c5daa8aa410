// SPDX-License-Identifier: Apache-2.0
/* The ring buffer `events`, from the programs to the control loop. */
#include "abi/dispatch.h"
#include "fastpath/fastpath_internal.h"
#include "fastpath/splice.h"
#include "io/watch.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

/* Records in a row: they may come faster than they are read, and the loop has other work. */
#define TURN_MAX 1024

struct events {
	struct ring_buffer *ring;
	unsigned left; /* of this turn */
	struct io_watch watch;
	events_fn *on_event;
	void *context;
};

static size_t size_of(const struct flow_event *event)
{
	if (event->kind == FLOW_EVENT_DISPATCH_TOO_BIG)
		return sizeof(struct dispatch_too_big);
	return event->kind == FLOW_EVENT_DISPATCH_LOST ? sizeof(struct dispatch_lost)
						       : sizeof(*event);
}

static int on_record(void *context, void *record, size_t size)
{
	const struct flow_event *event = record;
	struct events *events = context;

	if (size >= sizeof(*event) && size >= size_of(event))
		events->on_event(events->context, event);
	return --events->left ? 0 : -EAGAIN;
}

static void on_ready(struct io_watch *watch, uint32_t ready)
{
	struct events *events = container_of(watch, struct events, watch);

	(void)ready;
	events->left = TURN_MAX;
	/* Fails only where on_record() does. What is left keeps the ring readable. */
	(void)ring_buffer__consume(events->ring);
}

int events_new(int map_fd, struct io_loop *loop, events_fn *on_event, void *context,
	       struct events **ret)
{
	struct events *events = calloc(1, sizeof(*events));
	int err;

	if (!events)
		return -ENOMEM;
	events->on_event = on_event;
	events->context = context;
	events->watch.on_ready = on_ready;
	events->ring = ring_buffer__new(map_fd, on_record, events, NULL);
	if (!events->ring) {
		err = -errno;
		free(events);
		return err;
	}
	err = io_watch_start(&events->watch, loop, ring_buffer__epoll_fd(events->ring),
			     IO_READABLE);
	if (err) {
		events_free(events);
		return err;
	}
	*ret = events;
	return 0;
}

void events_free(struct events *events)
{
	if (!events)
		return;
	io_watch_stop(&events->watch);
	ring_buffer__free(events->ring);
	free(events);
}

/* --- What was not told ------------------------------------------------------------------------ */

const char *splice_event_name(enum flow_event_kind kind)
{
	static const char *const names[] = {
#define X(name, text) text,
		FLOW_EVENTS(X)
#undef X
	};

	return names[kind];
}

void events_untold(int map_fd, uint64_t ret[FLOW_EVENT_KINDS])
{
	int ncpus = libbpf_num_possible_cpus();
	struct flow_event_use *uses = ncpus > 0 ? calloc((size_t)ncpus, sizeof(*uses)) : NULL;

	for (uint32_t kind = 0; uses && kind < FLOW_EVENT_KINDS; kind++)
		if (bpf_map_lookup_elem(map_fd, &kind, uses) == 0)
			for (int cpu = 0; cpu < ncpus; cpu++)
				ret[kind] += uses[cpu].untold;
	free(uses);
}
