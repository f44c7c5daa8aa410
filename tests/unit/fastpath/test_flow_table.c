// SPDX-License-Identifier: Apache-2.0
/* The table of flows: what is put in is found, whatever else was put in and taken out. */
#include "fastpath/flow_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAIRS 4096u

struct table {
	struct flow_bucket *buckets;
	uint32_t nbuckets;
	struct flow_pair *pairs;
};

static struct flow_key key_of(uint32_t number)
{
	struct flow_key key = {.source = {[10] = 0xff, [11] = 0xff}, .destination = {7}};

	memcpy(key.source + 12, &number, sizeof(number));
	key.source_port = (uint16_t)(number * 7);
	return key;
}

static struct table table_new(uint32_t nbuckets)
{
	struct table table = {.nbuckets = nbuckets};

	assert_int_equal(
		posix_memalign((void **)&table.buckets, 64, nbuckets * sizeof(*table.buckets)), 0);
	assert_int_equal(posix_memalign((void **)&table.pairs, 64, PAIRS * sizeof(*table.pairs)),
			 0);
	memset(table.buckets, 0, nbuckets * sizeof(*table.buckets));
	memset(table.pairs, 0, PAIRS * sizeof(*table.pairs));
	for (uint32_t i = 0; i < PAIRS; i++) {
		table.pairs[i].in[FLOW_UP].key = key_of(2 * i);
		table.pairs[i].in[FLOW_DOWN].key = key_of(2 * i + 1);
	}
	return table;
}

static void table_free(struct table *table)
{
	free(table->buckets);
	free(table->pairs);
}

static int put(struct table *table, uint32_t pair, enum flow_direction direction)
{
	return flow_table_put(table->buckets, table->nbuckets, table->pairs, pair, direction);
}

static void take_out(struct table *table, uint32_t pair, enum flow_direction direction)
{
	flow_table_remove(table->buckets, table->nbuckets, table->pairs, pair, direction);
}

static uint32_t find(const struct table *table, uint32_t pair, enum flow_direction direction)
{
	return flow_table_find(table->buckets, table->nbuckets, table->pairs,
			       &table->pairs[pair].in[direction].key);
}

static void a_table_of_the_chosen_size_takes_all_flows(void **state)
{
	struct table table = table_new(flow_table_size(2 * PAIRS));

	(void)state;
	for (uint32_t i = 0; i < 2 * PAIRS; i++)
		assert_int_equal(put(&table, i / 2, i % 2), 0);
	for (uint32_t i = 0; i < 2 * PAIRS; i++)
		assert_int_equal(find(&table, i / 2, i % 2), flow_place(i / 2, i % 2));
	table_free(&table);
}

static void a_flow_that_is_taken_out_is_not_found(void **state)
{
	struct table table = table_new(64);

	(void)state;
	assert_int_equal(put(&table, 3, FLOW_UP), 0);
	assert_int_equal(put(&table, 3, FLOW_DOWN), 0);
	take_out(&table, 3, FLOW_UP);
	assert_int_equal(find(&table, 3, FLOW_UP), 0);
	assert_int_equal(find(&table, 3, FLOW_DOWN), flow_place(3, FLOW_DOWN));
	take_out(&table, 3, FLOW_UP); /* again: harmless */
	assert_int_equal(put(&table, 3, FLOW_UP), 0);
	table_free(&table);
}

static void a_key_that_is_there_is_refused(void **state)
{
	struct table table = table_new(64);

	(void)state;
	table.pairs[9].in[FLOW_UP].key = table.pairs[3].in[FLOW_UP].key;
	assert_int_equal(put(&table, 3, FLOW_UP), 0);
	assert_int_equal(put(&table, 9, FLOW_UP), -EEXIST);
	take_out(&table, 9, FLOW_UP);
	assert_int_equal(find(&table, 3, FLOW_UP), flow_place(3, FLOW_UP));
	table_free(&table);
}

static void what_finds_no_room_is_refused_and_said(void **state)
{
	struct table table = table_new(2);
	uint32_t entered = 0;

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		entered += put(&table, i, FLOW_UP) == 0;
	assert_true(entered > FLOW_BUCKET_PLACES && entered <= 2 * FLOW_BUCKET_PLACES);
	assert_int_equal(put(&table, 200, FLOW_UP), -ENOSPC);
	for (uint32_t i = 0; i < 100; i++)
		take_out(&table, i, FLOW_UP);
	assert_int_equal(table.buckets[0].overflowed + table.buckets[1].overflowed, 0);
	for (uint32_t i = 0; i < FLOW_BUCKET_PLACES; i++)
		assert_int_equal(table.buckets[0].place[i] | table.buckets[1].place[i], 0);
	table_free(&table);
}

/* The programs look no further than the one place with the tag. */
static void tags_of_a_bucket_differ_after_any_order_of_changes(void **state)
{
	struct table table = table_new(8);
	unsigned seed = 1;

	(void)state;
	for (int turn = 0; turn < 20000; turn++) {
		seed = seed * 1103515245u + 12345u;
		if (seed >> 31)
			(void)!put(&table, seed >> 8 & 63, FLOW_UP);
		else
			take_out(&table, seed >> 8 & 63, FLOW_UP);
	}
	for (uint32_t b = 0; b < table.nbuckets; b++)
		for (uint32_t i = 0; i < FLOW_BUCKET_PLACES; i++)
			for (uint32_t j = 0; j < i; j++)
				assert_true(!table.buckets[b].tag[i] ||
					    table.buckets[b].tag[i] != table.buckets[b].tag[j]);
	table_free(&table);
}

/* As a writer that was killed may leave it: flows of nobody, counts that are too high. */
static void what_belongs_to_nobody_is_swept_out(void **state)
{
	struct table table = table_new(256);
	bool is_alive[PAIRS] = {};
	uint32_t overflowed = 0;

	(void)state;
	for (uint32_t pair = 0; pair < 500; pair++) {
		assert_int_equal(put(&table, pair, FLOW_UP), 0);
		assert_int_equal(put(&table, pair, FLOW_DOWN), 0);
		is_alive[pair] = pair % 3 == 0;
	}
	for (uint32_t b = 0; b < table.nbuckets; b++) {
		overflowed += table.buckets[b].overflowed;
		table.buckets[b].overflowed += 3;
	}
	assert_true(overflowed > 0);
	flow_table_sweep(table.buckets, table.nbuckets, table.pairs, PAIRS, is_alive);
	for (uint32_t pair = 0; pair < 500; pair++) {
		assert_int_equal(find(&table, pair, FLOW_UP),
				 is_alive[pair] ? flow_place(pair, FLOW_UP) : 0);
		assert_int_equal(find(&table, pair, FLOW_DOWN),
				 is_alive[pair] ? flow_place(pair, FLOW_DOWN) : 0);
		if (is_alive[pair]) {
			take_out(&table, pair, FLOW_UP);
			take_out(&table, pair, FLOW_DOWN);
		}
	}
	for (uint32_t b = 0; b < table.nbuckets; b++)
		assert_int_equal(table.buckets[b].overflowed, 0);
	table_free(&table);
}

static void places_of_no_pair_are_swept_out(void **state)
{
	struct table table = table_new(2);
	const bool is_alive[1] = {true};

	(void)state;
	table.buckets[1].place[3] = flow_place(1, FLOW_UP);
	table.buckets[0].place[0] = UINT32_MAX;
	flow_table_sweep(table.buckets, table.nbuckets, table.pairs, 1, is_alive);
	assert_int_equal(table.buckets[1].place[3], 0);
	assert_int_equal(table.buckets[0].place[0], 0);
	table_free(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_of_the_chosen_size_takes_all_flows),
		cmocka_unit_test(a_flow_that_is_taken_out_is_not_found),
		cmocka_unit_test(a_key_that_is_there_is_refused),
		cmocka_unit_test(what_finds_no_room_is_refused_and_said),
		cmocka_unit_test(tags_of_a_bucket_differ_after_any_order_of_changes),
		cmocka_unit_test(what_belongs_to_nobody_is_swept_out),
		cmocka_unit_test(places_of_no_pair_are_swept_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
