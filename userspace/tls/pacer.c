// SPDX-License-Identifier: Apache-2.0
/*
 * Turns of handshakes.
 *
 *   ask ──place free──► DUE ──round has time left──► on_turn ──ask again──► DUE
 *    └──none──► IN LINE ──another one leaves──┘           └──leave──► gone
 */
#include "tls/pacer.h"
#include "core/clock.h"
#include "tls/tls_internal.h"

#include <stdlib.h>

/*
 * A round of the loop has a step at least, so that a busy worker still takes new connections. More
 * follow, for together they cost less, until something comes. Where nothing has come for a while
 * but handshakes, nobody else is there, and the round is as long as it may be.
 */
#define MOST_NS  1000000
#define QUIET_US 10000

struct tls_pacer {
	struct io_loop *loop;
	uint32_t limit, under_way;
	struct list_node line; /* no place yet */
	struct list_node due;
	struct io_task task;
};

/* Whether anybody but those who shake hands is there. */
static bool is_shared(const struct tls_pacer *pacer)
{
	return io_loop_now_us(pacer->loop) - io_loop_delivered_us(pacer->loop) <= QUIET_US;
}

static void on_run(struct io_task *task)
{
	struct tls_pacer *pacer = container_of(task, struct tls_pacer, task);
	uint64_t end_ns = clock_monotonic_ns() + MOST_NS;
	struct list_node *node;

	while (clock_monotonic_ns() < end_ns && (node = list_pop_front(&pacer->due))) {
		struct tls_turn *turn = list_entry(node, struct tls_turn, node);

		turn->on_turn(turn);
		io_loop_submit(pacer->loop); /* its client works while the next one has its turn */
		if (is_shared(pacer) && io_loop_has_news(pacer->loop))
			break;
	}
	if (!list_is_empty(&pacer->due))
		io_loop_defer_long(pacer->loop, &pacer->task);
}

struct tls_pacer *tls_pacer_new(struct io_loop *loop, uint32_t limit)
{
	struct tls_pacer *pacer = calloc(1, sizeof(*pacer));

	if (!pacer)
		return NULL;
	pacer->loop = loop;
	pacer->limit = limit;
	pacer->task.on_run = on_run;
	list_init(&pacer->line);
	list_init(&pacer->due);
	return pacer;
}

void tls_pacer_free(struct tls_pacer *pacer)
{
	if (!pacer)
		return;
	list_remove(&pacer->task.node);
	free(pacer);
}

struct io_loop *tls_pacer_loop(const struct tls_pacer *pacer)
{
	return pacer->loop;
}

static void make_due(struct tls_pacer *pacer, struct tls_turn *turn)
{
	list_push_back(&pacer->due, &turn->node);
	io_loop_defer_long(pacer->loop, &pacer->task);
}

static void admit(struct tls_pacer *pacer)
{
	struct list_node *node;

	while (pacer->under_way < pacer->limit && (node = list_pop_front(&pacer->line))) {
		struct tls_turn *turn = list_entry(node, struct tls_turn, node);

		turn->is_under_way = true;
		pacer->under_way++;
		make_due(pacer, turn);
	}
}

void tls_pacer_ask(struct tls_pacer *pacer, struct tls_turn *turn)
{
	if (list_is_linked(&turn->node))
		return;
	if (turn->is_under_way) {
		make_due(pacer, turn);
		return;
	}
	list_push_back(&pacer->line, &turn->node);
	admit(pacer);
}

void tls_pacer_leave(struct tls_pacer *pacer, struct tls_turn *turn)
{
	list_remove(&turn->node);
	if (!turn->is_under_way)
		return;
	turn->is_under_way = false;
	pacer->under_way--;
	admit(pacer);
}

void tls_pacer_set_limit(struct tls_pacer *pacer, uint32_t limit)
{
	pacer->limit = limit;
	admit(pacer);
}
