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

/* Two signatures by RSA-2048, or ten by ECDSA; what established connections may have to wait. */
#define ROUND_BUDGET_NS 1000000

struct tls_pacer {
	struct io_loop *loop;
	uint32_t limit, under_way;
	struct list_node line; /* no place yet */
	struct list_node due;
	struct io_task task;
	uint64_t round_us; /* loop time of the round that @spent_ns is about */
	uint64_t spent_ns;
};

static void take_turn(struct tls_pacer *pacer, struct list_node *node)
{
	struct tls_turn *turn = list_entry(node, struct tls_turn, node);
	uint64_t started_ns = clock_monotonic_ns();

	turn->on_turn(turn);
	pacer->spent_ns += clock_monotonic_ns() - started_ns;
}

static void on_run(struct io_task *task)
{
	struct tls_pacer *pacer = container_of(task, struct tls_pacer, task);
	struct list_node *node;

	if (pacer->round_us != io_loop_now_us(pacer->loop)) {
		pacer->round_us = io_loop_now_us(pacer->loop);
		pacer->spent_ns = 0;
	}
	while (pacer->spent_ns < ROUND_BUDGET_NS && (node = list_pop_front(&pacer->due)))
		take_turn(pacer, node);
	if (!list_is_empty(&pacer->due))
		io_loop_defer(pacer->loop, &pacer->task);
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
	io_loop_defer(pacer->loop, &pacer->task);
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
