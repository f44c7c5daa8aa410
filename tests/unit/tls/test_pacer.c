// SPDX-License-Identifier: Apache-2.0
/* How long handshakes may take in a round of the loop; clock and loop are the test's. */
#include "tls/tls_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define TURNS 32

static uint64_t now_ns, round_us, delivered_us;
static struct io_task *queued;

uint64_t __wrap_clock_monotonic_ns(void)
{
	return now_ns;
}

uint64_t __wrap_io_loop_now_us(const struct io_loop *loop)
{
	(void)loop;
	return round_us;
}

uint64_t __wrap_io_loop_delivered_us(const struct io_loop *loop)
{
	(void)loop;
	return delivered_us;
}

void __wrap_io_loop_defer_long(struct io_loop *loop, struct io_task *task)
{
	(void)loop;
	queued = task;
}

static int nsubmitted;

void __wrap_io_loop_submit(struct io_loop *loop)
{
	(void)loop;
	nsubmitted++;
}

/* After how many steps something comes; 0: at no time. */
static int news_after;

bool __wrap_io_loop_has_news(struct io_loop *loop)
{
	(void)loop;
	return news_after && nsubmitted >= news_after;
}

struct work {
	struct tls_turn turn;
	uint64_t takes_ns;
	int done;
};

static void on_turn(struct tls_turn *turn)
{
	struct work *work = container_of(turn, struct work, turn);

	now_ns += work->takes_ns;
	work->done++;
}

static void run_round(void)
{
	struct io_task *task = queued;

	assert_non_null(task);
	queued = NULL;
	task->on_run(task);
}

/* Return: how many of many steps a round has. */
static int steps_of_a_round(uint64_t takes_us, uint64_t since_delivered_us)
{
	struct tls_pacer *pacer = tls_pacer_new(NULL, TURNS);
	struct work works[TURNS] = {};
	int done = 0;

	assert_non_null(pacer);
	for (size_t i = 0; i < TURNS; i++) {
		works[i] = (struct work){.turn.on_turn = on_turn, .takes_ns = takes_us * 1000};
		tls_pacer_ask(pacer, &works[i].turn);
	}
	round_us = 1000000;
	delivered_us = round_us - since_delivered_us;
	now_ns = (round_us + 5000) * 1000; /* all else has taken long: it does not matter */
	nsubmitted = 0;
	run_round();
	for (size_t i = 0; i < TURNS; i++)
		done += works[i].done;
	assert_int_equal(nsubmitted, done);   /* nobody's bytes wait for the next one's turn */
	assert_true(done == TURNS || queued); /* the next round goes on */
	for (size_t i = 0; i < TURNS; i++)
		tls_pacer_leave(pacer, &works[i].turn);
	tls_pacer_free(pacer);
	return done;
}

static void a_round_has_a_step_at_least(void **state)
{
	(void)state;
	news_after = 1;
	assert_int_equal(steps_of_a_round(50, 0), 1);
	news_after = 0;
	assert_int_equal(steps_of_a_round(3000, 0), 1);
}

/* So a worker that never rests takes a new connection after as many rounds as wait before it. */
static void where_something_always_comes_each_has_its_turn(void **state)
{
	struct tls_pacer *pacer = tls_pacer_new(NULL, TURNS);
	struct work works[TURNS] = {};

	(void)state;
	assert_non_null(pacer);
	round_us = delivered_us = 1000000;
	news_after = 1;
	for (size_t i = 0; i < TURNS; i++) {
		works[i] = (struct work){.turn.on_turn = on_turn, .takes_ns = 250000};
		tls_pacer_ask(pacer, &works[i].turn);
	}
	for (size_t i = 0; i < TURNS; i++) {
		assert_int_equal(works[i].done, 0);
		nsubmitted = 0;
		run_round();
		assert_int_equal(works[i].done, 1);
	}
	assert_null(queued);
	news_after = 0;
	for (size_t i = 0; i < TURNS; i++)
		tls_pacer_leave(pacer, &works[i].turn);
	tls_pacer_free(pacer);
}

static void a_round_ends_when_something_comes(void **state)
{
	(void)state;
	news_after = 2;
	assert_int_equal(steps_of_a_round(50, 0), 2);
	assert_int_equal(steps_of_a_round(50, 5000), 2);
	assert_int_equal(steps_of_a_round(100, 20000), 10); /* it can only be a handshake's */
	news_after = 0;
}

static void no_round_has_more_than_a_millisecond_of_them(void **state)
{
	(void)state;
	assert_int_equal(steps_of_a_round(100, 0), 10);
	assert_int_equal(steps_of_a_round(100, 1000000), 10);
	assert_int_equal(steps_of_a_round(1, 0), TURNS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_round_has_a_step_at_least),
		cmocka_unit_test(where_something_always_comes_each_has_its_turn),
		cmocka_unit_test(a_round_ends_when_something_comes),
		cmocka_unit_test(no_round_has_more_than_a_millisecond_of_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
