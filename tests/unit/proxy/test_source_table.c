// SPDX-License-Identifier: Apache-2.0
#include "proxy/source_table.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct prefix network(const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(slice_from_str(text), &prefix), 0);
	return prefix;
}

static void limit_holds_for_each_network_alone(void **state)
{
	struct source_table *table = source_table_new();
	struct prefix a = network("192.0.2.1/32"), b = network("192.0.2.2/32");
	struct source_entry *first, *second, *third;

	(void)state;
	assert_int_equal(source_table_take(table, NULL, &a, 2, &first), 0);
	assert_int_equal(source_table_take(table, NULL, &a, 2, &second), 0);
	assert_int_equal(source_table_take(table, NULL, &a, 2, &third), -EUSERS);
	assert_int_equal(source_table_take(table, NULL, &b, 2, &third), 0);
	source_table_give(table, first);
	assert_int_equal(source_table_take(table, NULL, &a, 2, &first), 0);
	source_table_give(table, first);
	source_table_give(table, second);
	source_table_give(table, third);
	source_table_free(table);
}

static void scopes_count_apart(void **state)
{
	struct source_table *table = source_table_new();
	struct prefix a = network("2001:db8::/64");
	struct source_entry *global, *listener;
	int scope;

	(void)state;
	assert_int_equal(source_table_take(table, NULL, &a, 1, &global), 0);
	assert_int_equal(source_table_take(table, &scope, &a, 1, &listener), 0);
	source_table_give(table, global);
	source_table_give(table, listener);
	source_table_free(table);
}

struct race {
	struct source_table *table;
	struct prefix network;
	unsigned refused;
};

static void *take_and_give(void *argument)
{
	struct race *race = argument;

	for (unsigned i = 0; i < 20000; i++) {
		struct source_entry *entry;

		if (source_table_take(race->table, NULL, &race->network, 1, &entry) < 0)
			race->refused++;
		else
			source_table_give(race->table, entry);
	}
	return NULL;
}

static void threads_leave_the_table_empty(void **state)
{
	struct source_table *table = source_table_new();
	struct race races[4];
	pthread_t threads[4];
	struct source_entry *entry;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		races[i] = (struct race){table, network("198.51.100.7/32"), 0};
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &races[i]), 0);
	}
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	/* Were one entry not given back, the limit of one would refuse this; a leak fails under
	 * ASan. */
	assert_int_equal(source_table_take(table, NULL, &races[0].network, 1, &entry), 0);
	source_table_give(table, entry);
	source_table_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limit_holds_for_each_network_alone),
		cmocka_unit_test(scopes_count_apart),
		cmocka_unit_test(threads_leave_the_table_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
