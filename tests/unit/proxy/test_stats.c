// SPDX-License-Identifier: Apache-2.0
/* Counters of listeners and pools: parts of workers, added up. */
#include "proxy/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void parts_of_all_workers_add_up(void **state)
{
	struct listener_stats *stats = listener_stats_new("web", 3);
	struct listener_counters sum = {};

	(void)state;
	assert_non_null(stats);
	for (uint32_t w = 0; w < 3; w++) {
		struct listener_counters *part = &stats->by_worker[w];

		counter_add(&part->accepted, w + 1);
		counter_add(&part->bytes_out, UINT64_C(1) << 40);
		counter_add(&part->ends[CONNECTION_END_DONE], 2);
		histogram_observe(&part->session_time, 1000);
	}
	listener_stats_sum(stats, &sum);
	assert_int_equal(counter_read(&sum.accepted), 6);
	assert_int_equal(counter_read(&sum.bytes_out), UINT64_C(3) << 40);
	assert_int_equal(counter_read(&sum.ends[CONNECTION_END_DONE]), 6);
	assert_int_equal(counter_read(&sum.ends[CONNECTION_END_LIMIT]), 0);
	assert_int_equal(histogram_count(&sum.session_time), 3);
	stats_unref(&stats->head);
}

static void pools_add_up_as_well(void **state)
{
	struct pool_stats *stats = pool_stats_new("origin", 2);
	struct pool_counters sum = {};

	(void)state;
	assert_non_null(stats);
	counter_add(&stats->by_worker[0].retries, 1);
	counter_add(&stats->by_worker[1].retries, 4);
	counter_add(&stats->by_worker[1].connect_failures, 5);
	counter_add(&stats->by_worker[0].hedged, 3);
	counter_add(&stats->by_worker[1].hedged, 2);
	counter_add(&stats->by_worker[1].hedges_won, 2);
	pool_stats_sum(stats, &sum);
	assert_int_equal(counter_read(&sum.retries), 5);
	assert_int_equal(counter_read(&sum.connect_failures), 5);
	assert_int_equal(counter_read(&sum.hedged), 5);
	assert_int_equal(counter_read(&sum.hedges_won), 2);
	stats_unref(&stats->head);
}

/* Two workers' parts on one line of the cache would slow each other down. */
static void parts_are_on_cache_lines_of_their_own(void **state)
{
	struct listener_stats *stats = listener_stats_new("web", 2);

	(void)state;
	assert_non_null(stats);
	assert_int_equal((uintptr_t)&stats->by_worker[0] % 64, 0);
	assert_int_equal((uintptr_t)&stats->by_worker[1] % 64, 0);
	stats_unref(&stats->head);
}

static void the_last_reference_frees(void **state)
{
	char name[] = "web";
	struct listener_stats *stats = listener_stats_new(name, 1);

	(void)state;
	assert_non_null(stats);
	name[0] = 'x';
	stats_ref(&stats->head);
	stats_unref(&stats->head);
	assert_string_equal(stats->head.name, "web");
	stats_unref(&stats->head); /* the leak checker has the verdict */
	stats_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_of_all_workers_add_up),
		cmocka_unit_test(pools_add_up_as_well),
		cmocka_unit_test(parts_are_on_cache_lines_of_their_own),
		cmocka_unit_test(the_last_reference_frees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
