// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "unit/balance/fixture.h"

#define NAME "source"
#define KEYS 20000

static void read_owners(struct fixture *f, uint64_t *ret_ids)
{
	for (uint64_t n = 0; n < KEYS; n++)
		ret_ids[n] = f->targets[pick(f, key(n))].id;
}

/* Each key that moved must have left or reached @id. Return: how many moved. */
static unsigned count_moved(const uint64_t *before, const uint64_t *after, bool left, uint64_t id)
{
	unsigned moved = 0;

	for (size_t n = 0; n < KEYS; n++) {
		if (before[n] == after[n])
			continue;
		assert_true((left ? before : after)[n] == id);
		moved++;
	}
	return moved;
}

static void equal_targets_share_equally(void **state)
{
	unsigned counts[100];
	struct fixture f;

	(void)state;
	start(&f, NAME, 100, NULL);
	tally(&f, 200000, counts);
	assert_true(chi_square(&f, counts) < 148.2);
	stop(&f);
}

/* Also says that the logarithm is right: an error in it shows as a wrong share. */
static void shares_follow_weights(void **state)
{
	static const uint32_t weights[] = {256, 0, 100, 10, 1, 33};
	unsigned counts[ARRAY_SIZE(weights)];
	struct fixture f;

	(void)state;
	start(&f, NAME, ARRAY_SIZE(weights), weights);
	tally(&f, 1000000, counts);
	assert_true(chi_square(&f, counts) < 18.5);
	stop(&f);
}

static void many_targets_of_unlike_weight_share_by_it(void **state)
{
	static unsigned counts[TARGETS_MAX];
	unsigned heavy = 0;
	struct fixture f;

	(void)state;
	start(&f, NAME, 500, NULL);
	for (size_t i = 0; i < f.count; i += 2)
		set_weight(&f, i, 3);
	tally(&f, 100000, counts);
	for (size_t i = 0; i < f.count; i += 2)
		heavy += counts[i];
	assert_in_range(heavy, 74500, 75500);
	stop(&f);
}

static void target_gone_gives_away_its_own_keys_alone(void **state)
{
	static uint64_t before[KEYS], after[KEYS];
	struct fixture f;

	(void)state;
	start(&f, NAME, 10, NULL);
	read_owners(&f, before);
	set_weight(&f, 4, 0);
	build(&f);
	read_owners(&f, after);
	assert_in_range(count_moved(before, after, true, f.targets[4].id), KEYS / 11, KEYS / 9);
	stop(&f);
}

static void new_target_only_takes(void **state)
{
	static uint64_t before[KEYS], after[KEYS];
	struct fixture f;

	(void)state;
	start(&f, NAME, 9, NULL);
	read_owners(&f, before);
	f.targets[9].id = target_id(9);
	set_weight(&f, 9, 1);
	f.count = 10;
	build(&f);
	read_owners(&f, after);
	assert_in_range(count_moved(before, after, false, target_id(9)), KEYS / 11, KEYS / 9);
	stop(&f);
}

static void changed_weight_moves_only_what_it_must(void **state)
{
	static uint64_t before[KEYS], after[KEYS];
	struct fixture f;

	(void)state;
	start(&f, NAME, 10, NULL);
	for (size_t i = 0; i < 10; i++)
		set_weight(&f, i, 10);
	read_owners(&f, before);
	set_weight(&f, 2, 20);
	build(&f);
	read_owners(&f, after);
	/* From 1/10 to 2/11 of the keys. */
	assert_in_range(count_moved(before, after, false, f.targets[2].id), 1500, 1780);
	set_weight(&f, 2, 10);
	build(&f);
	count_moved(after, before, true, f.targets[2].id);
	stop(&f);
}

static void order_of_targets_does_not_matter(void **state)
{
	static uint64_t before[KEYS], after[KEYS];
	struct fixture f;

	(void)state;
	start(&f, NAME, 9, NULL);
	read_owners(&f, before);
	for (size_t i = 0; i < 4; i++) {
		struct balance_target target = f.targets[i];

		f.targets[i] = f.targets[8 - i];
		f.targets[8 - i] = target;
	}
	build(&f);
	read_owners(&f, after);
	assert_memory_equal(before, after, sizeof(before));
	stop(&f);
}

static void slow_start_moves_nothing(void **state)
{
	static uint64_t before[KEYS], after[KEYS];
	struct fixture f;

	(void)state;
	start(&f, NAME, 10, NULL);
	read_owners(&f, before);
	f.targets[4].weight = 1;
	build(&f);
	read_owners(&f, after);
	assert_memory_equal(before, after, sizeof(before));
	stop(&f);
}

/* The same on every node, compiler and release: a change here moves clients between nodes. */
static void mapping_is_the_golden_one(void **state)
{
	static const int golden[] = {2, 2, 3, 3, 3, 2, 4, 3, 4, 4, 2, 0, 4, 1, 2, 2, 2, 1, 0, 4,
				     1, 4, 3, 2, 3, 4, 1, 2, 4, 1, 2, 4, 3, 3, 3, 4, 0, 2, 1, 3};
	static const uint32_t weights[] = {1, 2, 3, 4, 5};
	struct fixture f;

	(void)state;
	start(&f, NAME, ARRAY_SIZE(weights), weights);
	for (size_t n = 0; n < ARRAY_SIZE(golden); n++)
		assert_int_equal(pick(&f, key(n)), golden[n]);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_targets_share_equally),
		cmocka_unit_test(shares_follow_weights),
		cmocka_unit_test(many_targets_of_unlike_weight_share_by_it),
		cmocka_unit_test(target_gone_gives_away_its_own_keys_alone),
		cmocka_unit_test(new_target_only_takes),
		cmocka_unit_test(changed_weight_moves_only_what_it_must),
		cmocka_unit_test(order_of_targets_does_not_matter),
		cmocka_unit_test(slow_start_moves_nothing),
		cmocka_unit_test(mapping_is_the_golden_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
