// SPDX-License-Identifier: Apache-2.0
#include "core/clock.h"
#include "core/rng.h"
#include "io/timer_wheel.h"
#include "unit/io/io_fixture.h"

/* --- The wheel, with time of our own ----------------------------- */

static void wheel_fires_each_timer_at_its_tick(void **state)
{
	enum { COUNT = 5000 };
	static struct io_timer timers[COUNT];
	struct timer_wheel wheel;
	const uint64_t start = 123456789;
	struct io_timer *timer;
	int fired = 0;

	(void)state;
	timer_wheel_init(&wheel, start);
	for (int i = 0; i < COUNT; i++) {
		timers[i] = (struct io_timer){.expires_ms = start + 1 + (uint64_t)i * 37};
		timer_wheel_add(&wheel, &timers[i]);
	}
	for (uint64_t now = start; fired < COUNT; now++) {
		timer_wheel_advance(&wheel, now);
		while ((timer = timer_wheel_take(&wheel))) {
			assert_int_equal(timer->expires_ms, now);
			fired++;
		}
	}
	assert_int_equal(timer_wheel_next_ms(&wheel), UINT64_MAX);
}

static void wheel_holds_delays_of_every_magnitude(void **state)
{
	struct timer_wheel wheel;

	(void)state;
	for (unsigned bit = 0; bit <= 32; bit++) {
		/* Just before a digit wraps is where levels go wrong. */
		const uint64_t start = (UINT64_C(1) << 40) - 3;
		const uint64_t delay = bit == 32 ? UINT32_MAX : UINT64_C(1) << bit;
		struct io_timer timer = {.expires_ms = start + delay};

		timer_wheel_init(&wheel, start);
		timer_wheel_add(&wheel, &timer);
		timer_wheel_advance(&wheel, start + delay - 1);
		assert_null(timer_wheel_take(&wheel));
		timer_wheel_advance(&wheel, start + delay);
		assert_ptr_equal(timer_wheel_take(&wheel), &timer);
	}
}

static void wheel_agrees_with_a_sorted_list(void **state)
{
	enum { COUNT = 400 };
	struct io_timer timers[COUNT] = {};
	struct timer_wheel wheel;
	struct rng rng;
	uint64_t now = 5000000;

	(void)state;
	rng_seed(&rng, 7);
	timer_wheel_init(&wheel, now);
	for (int step = 0; step < 20000; step++) {
		struct io_timer *timer = &timers[rng_below(&rng, COUNT)];
		uint64_t first = UINT64_MAX, last = 0;

		if (io_timer_is_pending(timer)) {
			timer_wheel_remove(&wheel, timer);
		} else {
			timer->expires_ms = now + 1 + rng_below(&rng, 1u << rng_below(&rng, 20));
			timer_wheel_add(&wheel, timer);
		}
		for (int i = 0; i < COUNT; i++)
			if (io_timer_is_pending(&timers[i]) && timers[i].expires_ms < first)
				first = timers[i].expires_ms;
		assert_true(timer_wheel_next_ms(&wheel) <= first);
		now += rng_below(&rng, 50);
		timer_wheel_advance(&wheel, now);
		while ((timer = timer_wheel_take(&wheel))) {
			assert_in_range(timer->expires_ms, last, now);
			last = timer->expires_ms;
		}
		for (int i = 0; i < COUNT; i++)
			if (io_timer_is_pending(&timers[i]))
				assert_true(timers[i].expires_ms > now);
	}
}

static void removing_the_last_timer_leaves_nothing_to_wait_for(void **state)
{
	struct io_timer a = {.expires_ms = 1100}, b = {.expires_ms = 1100};
	struct timer_wheel wheel;

	(void)state;
	timer_wheel_init(&wheel, 1000);
	timer_wheel_add(&wheel, &a);
	timer_wheel_add(&wheel, &b);
	timer_wheel_remove(&wheel, &a);
	assert_true(timer_wheel_next_ms(&wheel) <= 1100);
	timer_wheel_remove(&wheel, &b);
	assert_int_equal(timer_wheel_next_ms(&wheel), UINT64_MAX);
}

/* --- On a loop --------------------------------------------------- */

struct probe {
	struct io_timer timer;
	struct fixture *fixture;
	struct probe *stops; /* another one, stopped from the callback */
	int restarts;        /* how often it starts itself again */
	uint64_t started_ns, delay_ms;
	int fired;
};

static void start_probe(struct probe *probe, uint64_t delay_ms)
{
	probe->delay_ms = delay_ms;
	probe->started_ns = clock_monotonic_ns();
	io_timer_start(probe->fixture->loop, &probe->timer, delay_ms);
}

static void on_probe(struct io_timer *timer)
{
	struct probe *probe = container_of(timer, struct probe, timer);

	assert_false(io_timer_is_pending(timer));
	assert_true(clock_monotonic_ns() - probe->started_ns >= probe->delay_ms * 1000000);
	probe->fired++;
	if (probe->stops)
		io_timer_stop(probe->fixture->loop, &probe->stops->timer);
	if (probe->restarts-- > 0)
		start_probe(probe, 3);
	io_loop_stop(probe->fixture->loop);
}

static void timer_never_fires_early(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct probe probes[40] = {};
	int fired = 0;

	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		probes[i].fixture = fixture;
		probes[i].timer.on_expire = on_probe;
		start_probe(&probes[i], i);
	}
	while (fired < (int)ARRAY_SIZE(probes)) {
		run_until(fixture, true);
		assert_int_equal(io_loop_run(fixture->loop), 0);
		fired = 0;
		for (size_t i = 0; i < ARRAY_SIZE(probes); i++)
			fired += probes[i].fired;
	}
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++)
		assert_int_equal(probes[i].fired, 1);
}

static void timer_may_restart_itself(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct probe probe = {.fixture = fixture, .restarts = 3, .timer.on_expire = on_probe};

	start_probe(&probe, 1);
	run_until(fixture, probe.fired == 4);
	assert_false(io_timer_is_pending(&probe.timer));
}

static void timer_stopped_by_another_of_the_same_tick_does_not_fire(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct probe a = {.fixture = fixture, .timer.on_expire = on_probe};
	struct probe b = {.fixture = fixture, .timer.on_expire = on_probe};

	a.stops = &b;
	b.stops = &a;
	start_probe(&a, 2);
	start_probe(&b, 2);
	run_for(fixture, 10);
	assert_int_equal(a.fired + b.fired, 1);
}

static void starting_a_pending_timer_moves_it(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct probe probe = {.fixture = fixture, .timer.on_expire = on_probe};

	start_probe(&probe, 60000);
	start_probe(&probe, 1);
	run_until(fixture, probe.fired);
	start_probe(&probe, UINT64_MAX);
	assert_true(probe.timer.expires_ms <= clock_monotonic_ms() + UINT32_MAX + 1);
	io_timer_stop(fixture->loop, &probe.timer);
	assert_false(io_timer_is_pending(&probe.timer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wheel_fires_each_timer_at_its_tick),
		cmocka_unit_test(wheel_holds_delays_of_every_magnitude),
		cmocka_unit_test(wheel_agrees_with_a_sorted_list),
		cmocka_unit_test(removing_the_last_timer_leaves_nothing_to_wait_for),
		ON_BOTH(timer_never_fires_early),
		ON_BOTH(timer_may_restart_itself),
		ON_BOTH(timer_stopped_by_another_of_the_same_tick_does_not_fire),
		ON_BOTH(starting_a_pending_timer_moves_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
