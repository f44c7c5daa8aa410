// SPDX-License-Identifier: Apache-2.0
/* How many flows each endpoint is found to have, in tables that the programs would have written. */
#include "fastpath/dispatch_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define LINES 8u
#define NATS  20u /* no multiple of a line's places */
#define NOW_S 5000u
#define ONE   3u
#define OTHER 4u
#define RUN   6u
#define GONE  7u /* a run that is nobody's any more */

static struct {
	struct dispatch_load_of_real loads[DISPATCH_ENDPOINTS_MAX + 1];
	struct dispatch_line lines[LINES];
	struct dispatch_nat nats[NATS];
	struct dispatch_run runs[DISPATCH_RUN_PLACES];
	struct dispatch_loads *counted;
} fixture;

static int setup(void **state)
{
	(void)state;
	memset(&fixture, 0, sizeof(fixture));
	fixture.runs[RUN] = (struct dispatch_run){.is_used = 1, .base = 2, .nports = NATS - 2};
	fixture.runs[GONE] = (struct dispatch_run){.base = 2, .nports = NATS - 2};
	fixture.counted = dispatch_loads_new(&(struct dispatch_load_tables){.loads = fixture.loads,
									    .lines = fixture.lines,
									    .nats = fixture.nats,
									    .runs = fixture.runs,
									    .nlines = LINES,
									    .nnats = NATS});
	return fixture.counted ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	dispatch_loads_free(fixture.counted);
	return 0;
}

static void put_nat(uint32_t index, uint16_t real, uint16_t run, uint16_t flags)
{
	fixture.nats[index] = (struct dispatch_nat){
		.claim = {.seen_s = NOW_S - 30, .timeout_s = 60, .flags = flags},
		.real = real,
		.run = run,
	};
}

static void put_entry(uint32_t line, uint32_t place, uint64_t entry)
{
	fixture.lines[line].entry[place] = entry;
}

static void assert_found(uint32_t one, uint32_t other)
{
	assert_int_equal(dispatch_loads_step(fixture.counted, NOW_S), 1000);
	assert_int_equal(fixture.loads[ONE].flows, one);
	assert_int_equal(fixture.loads[OTHER].flows, other);
}

static void flow_of_nat_counts_once_however_many_entries_lead_to_its_element(void **state)
{
	(void)state;
	put_nat(NATS - 1, ONE, RUN, DISPATCH_NAT_OPEN);
	put_nat(4, OTHER, RUN, 0);
	for (uint32_t i = 0; i < LINES; i++)
		put_entry(i, 0, dispatch_entry_nat((uint64_t)i << 50, NATS - 1, NOW_S));
	assert_found(1, 1);
}

static void what_has_ended_or_lost_its_port_counts_for_nobody(void **state)
{
	(void)state;
	fixture.loads[ONE].flows = 17;
	put_nat(3, ONE, RUN, DISPATCH_NAT_FIN_UP | DISPATCH_NAT_FIN_DOWN);
	put_nat(4, ONE, RUN, DISPATCH_NAT_RST_UP);
	put_nat(5, ONE, GONE, DISPATCH_NAT_OPEN);
	put_nat(1, ONE, RUN, DISPATCH_NAT_OPEN); /* before the run, so of an earlier one */
	put_nat(6, ONE, RUN, DISPATCH_NAT_OPEN);
	fixture.nats[6].claim.seen_s = NOW_S - 61 - DISPATCH_FRONT_S;
	assert_found(0, 0);
}

static void flow_of_other_forms_counts_while_its_client_speaks(void **state)
{
	(void)state;
	put_entry(1, 7, dispatch_entry_real(1ULL << 40, ONE, NOW_S - 9));
	put_entry(2, 0, dispatch_entry_real(1ULL << 41, ONE, NOW_S - 12));
	put_entry(7, 3, dispatch_entry_real(1ULL << 42, OTHER, NOW_S + 1));
	assert_found(1, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			flow_of_nat_counts_once_however_many_entries_lead_to_its_element, setup,
			teardown),
		cmocka_unit_test_setup_teardown(what_has_ended_or_lost_its_port_counts_for_nobody,
						setup, teardown),
		cmocka_unit_test_setup_teardown(flow_of_other_forms_counts_while_its_client_speaks,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
