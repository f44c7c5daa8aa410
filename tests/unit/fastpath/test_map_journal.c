// SPDX-License-Identifier: Apache-2.0
/* Changes that are taken back, on a map of bytes in our own memory. */
#include "fastpath/map_journal.h"
#include "core/compiler.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define MAP_FD 7
#define KEYS   256

static struct {
	bool is_there[KEYS];
	uint32_t value[KEYS];
	int nwrites, nlooks;
	int failing_write, failing_look; /* counted from 1; 0: none */
	int why;                         /* errno then */
} map;

int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value);
int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags);
int __wrap_bpf_map_delete_elem(int fd, const void *key);

static bool fails(int *count, int failing)
{
	errno = map.why;
	return ++*count == failing;
}

int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	uint8_t at = *(const uint8_t *)key;

	assert_int_equal(fd, MAP_FD);
	if (fails(&map.nlooks, map.failing_look))
		return -1;
	errno = ENOENT;
	if (map.is_there[at])
		memcpy(value, &map.value[at], sizeof(map.value[at]));
	return map.is_there[at] ? 0 : -1;
}

int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	uint8_t at = *(const uint8_t *)key;

	assert_int_equal(fd, MAP_FD);
	assert_int_equal(flags, BPF_ANY);
	if (fails(&map.nwrites, map.failing_write))
		return -1;
	map.is_there[at] = true;
	memcpy(&map.value[at], value, sizeof(map.value[at]));
	return 0;
}

int __wrap_bpf_map_delete_elem(int fd, const void *key)
{
	uint8_t at = *(const uint8_t *)key;

	assert_int_equal(fd, MAP_FD);
	if (fails(&map.nwrites, map.failing_write))
		return -1;
	assert_true(map.is_there[at]);
	map.is_there[at] = false;
	return 0;
}

static int put(struct map_journal *journal, uint8_t key, uint32_t value)
{
	return map_journal_put(journal, MAP_FD, slice_of((const char *)&key, sizeof(key)),
			       slice_of((const char *)&value, sizeof(value)));
}

/* Two elements, 1: 11 and 2: 22. */
static int set_up(void **state)
{
	static struct map_journal journal;

	memset(&map, 0, sizeof(map));
	map.is_there[1] = map.is_there[2] = true;
	map.value[1] = 11;
	map.value[2] = 22;
	journal = (struct map_journal){};
	*state = &journal;
	return 0;
}

static int tear_down(void **state)
{
	map_journal_done(*state);
	return 0;
}

/* --- Facts ------------------------------------------------------------------------------------ */

static void what_was_there_is_put_back_and_what_was_not_is_gone(void **state)
{
	assert_int_equal(put(*state, 1, 12), 0);
	assert_int_equal(put(*state, 3, 33), 0);
	assert_int_equal(map.value[1], 12);
	assert_true(map.is_there[3]);
	assert_int_equal(map_journal_undo(*state), 0);
	assert_true(map.is_there[1]);
	assert_int_equal(map.value[1], 11);
	assert_false(map.is_there[3]);
	assert_int_equal(map.value[2], 22);
}

static void what_is_there_already_is_neither_written_nor_put_back(void **state)
{
	assert_int_equal(put(*state, 1, 11), 0);
	assert_int_equal(map.nwrites, 0);
	map.value[1] = 99;
	assert_int_equal(map_journal_undo(*state), 0);
	assert_int_equal(map.value[1], 99);
}

static void an_element_that_was_put_twice_is_as_it_was_at_first(void **state)
{
	assert_int_equal(put(*state, 1, 12), 0);
	assert_int_equal(put(*state, 1, 13), 0);
	assert_int_equal(put(*state, 3, 33), 0);
	assert_int_equal(put(*state, 3, 34), 0);
	assert_int_equal(map_journal_undo(*state), 0);
	assert_int_equal(map.value[1], 11);
	assert_false(map.is_there[3]);
}

static void a_map_without_room_says_so_and_the_rest_is_put_back(void **state)
{
	assert_int_equal(put(*state, 1, 12), 0);
	map.failing_write = 2;
	map.why = E2BIG;
	assert_int_equal(put(*state, 3, 33), -E2BIG);
	assert_int_equal(map_journal_undo(*state), 0);
	assert_int_equal(map.value[1], 11);
	assert_int_equal(map.nwrites, 3); /* of 3 there is nothing to take back */
}

static void what_cannot_be_looked_at_is_not_written(void **state)
{
	map.failing_look = 1;
	map.why = EPERM;
	assert_int_equal(put(*state, 1, 12), -EPERM);
	assert_int_equal(map.nwrites, 0);
	assert_int_equal(map_journal_undo(*state), 0);
	assert_int_equal(map.nwrites, 0);
}

static void one_that_cannot_be_put_back_holds_up_no_other(void **state)
{
	assert_int_equal(put(*state, 1, 12), 0);
	assert_int_equal(put(*state, 2, 23), 0);
	map.failing_write = 3;
	map.why = ENOMEM;
	assert_int_equal(map_journal_undo(*state), -ENOMEM);
	assert_int_equal(map.value[2], 23); /* the latest is first */
	assert_int_equal(map.value[1], 11);
}

static void there_is_room_for_all_elements_of_a_map(void **state)
{
	for (uint32_t key = 0; key < KEYS; key++)
		assert_int_equal(put(*state, (uint8_t)key, 1000 + key), 0);
	assert_int_equal(map_journal_undo(*state), 0);
	for (uint32_t key = 0; key < KEYS; key++)
		assert_int_equal(map.is_there[key], key == 1 || key == 2);
	assert_int_equal(map.value[1], 11);
	assert_int_equal(map.value[2], 22);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FACT(what_was_there_is_put_back_and_what_was_not_is_gone),
		FACT(what_is_there_already_is_neither_written_nor_put_back),
		FACT(an_element_that_was_put_twice_is_as_it_was_at_first),
		FACT(a_map_without_room_says_so_and_the_rest_is_put_back),
		FACT(what_cannot_be_looked_at_is_not_written),
		FACT(one_that_cannot_be_put_back_holds_up_no_other),
		FACT(there_is_room_for_all_elements_of_a_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
