// SPDX-License-Identifier: Apache-2.0
/* The tree that the packet programs look clients up in, by their own step. */
#include "core/compiler.h"
#include "fastpath/dispatch_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

/* As bpf/lib/dispatch_place.h does it, on an array of @count. */
static uint16_t look(const struct dispatch_node *nodes, size_t count, uint64_t position)
{
	uint16_t area = DISPATCH_AREA_UNKNOWN;
	uint64_t index = 0, place;

	for (int level = 0; level < DISPATCH_LEVELS_MAX && index < count; level++) {
		place = dispatch_last_change(&nodes[index], position);
		assert_true(place < DISPATCH_NODE_CHANGES);
		area = nodes[index].area[place];
		index = index * DISPATCH_NODE_CHANGES + 1 + place;
	}
	assert_true(index >= count);
	return area;
}

static struct dispatch_change *changes_at(size_t count, uint64_t stride)
{
	struct dispatch_change *changes = calloc(count, sizeof(*changes));

	assert_non_null(changes);
	for (size_t i = 0; i < count; i++)
		changes[i] = (struct dispatch_change){i * stride, (uint16_t)(i % 999 + 1)};
	changes[count - 1] = (struct dispatch_change){DISPATCH_NOWHERE, 0};
	return changes;
}

/* @count: of changes, the last one at NOWHERE. */
static void assert_found(size_t count, uint64_t stride)
{
	struct dispatch_change *changes = changes_at(count, stride);
	const struct dispatch_areas areas = {.changes = changes, .nchanges = count};
	size_t nnodes = dispatch_nodes_count(count);
	struct dispatch_node *nodes = calloc(nnodes, sizeof(*nodes));

	assert_non_null(nodes);
	dispatch_nodes_fill(&areas, nodes);
	for (size_t i = 0; i + 1 < count; i++) {
		if (look(nodes, nnodes, changes[i].first) != changes[i].area ||
		    look(nodes, nnodes, changes[i].first + stride - 1) != changes[i].area)
			fail_msg("change %zu of %zu", i, count);
	}
	assert_int_equal(look(nodes, nnodes, changes[count - 2].first + stride), //
			 changes[count - 2].area);
	assert_int_equal(look(nodes, nnodes, DISPATCH_NOWHERE - 1), changes[count - 2].area);
	assert_int_equal(look(nodes, nnodes, DISPATCH_NOWHERE), DISPATCH_AREA_UNKNOWN);
	free(nodes);
	free(changes);
}

static void every_address_is_found_however_many_changes_there_are(void **state)
{
	(void)state;
	for (size_t count = 2; count < 400; count++)
		assert_found(count, 3);
	for (size_t count = 1727; count < 1731; count++)
		assert_found(count, 1);
	for (size_t count = 20735; count < 20739; count++)
		assert_found(count, (uint64_t)1 << 49);
	assert_found(300000, 7);
}

static void the_largest_table_has_no_more_levels_than_the_program_follows(void **state)
{
	size_t leaves = 1;

	(void)state;
	for (int level = 1; level < DISPATCH_LEVELS_MAX; level++)
		leaves *= DISPATCH_NODE_CHANGES;
	assert_true(DISPATCH_CHANGES_MAX <= leaves * DISPATCH_NODE_CHANGES);
	/* The levels above the leaves are whole. */
	assert_true(dispatch_nodes_count(DISPATCH_CHANGES_MAX) <
		    2 * DISPATCH_CHANGES_MAX / DISPATCH_NODE_CHANGES);
}

static void addresses_that_are_nobodys_are_nowhere(void **state)
{
	const uint64_t mapped = 0xffffULL << 32;

	(void)state;
	assert_int_equal(dispatch_position(0, mapped | 0xc0000201), 0xc0000201);
	assert_int_equal(dispatch_position(0, mapped), 0);
	assert_int_equal(dispatch_position(0x20010db800000001ULL, 1), 0x20010db800000001ULL);
	assert_int_equal(dispatch_position(0, 1), DISPATCH_NOWHERE);
	assert_int_equal(dispatch_position(0, 0xc0000201), DISPATCH_NOWHERE);
	assert_int_equal(dispatch_position(0xc0000201, mapped), DISPATCH_NOWHERE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_address_is_found_however_many_changes_there_are),
		cmocka_unit_test(the_largest_table_has_no_more_levels_than_the_program_follows),
		cmocka_unit_test(addresses_that_are_nobodys_are_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
