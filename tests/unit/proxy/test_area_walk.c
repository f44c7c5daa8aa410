// SPDX-License-Identifier: Apache-2.0
/* The walk at its limits: databases and answers are ours, a place is an ASN and nothing else. */
#include "core/compiler.h"
#include "proxy/area_walk.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

/* --- Databases: networks of one address each, from 0.0.0.0 on --------------------------------- */

static uint32_t nnetworks;
static uint32_t nplaces; /* of networks, in turn */
static uint32_t nwalks;

int __wrap_geo_walk(const struct geo *geo,
		    int (*visit)(const struct prefix *network, const struct geo_facts *facts,
				 void *context),
		    void *context, const struct patience *patience);

static uint32_t asn_of(uint32_t network)
{
	return network % nplaces + 1;
}

int __wrap_geo_walk(const struct geo *geo,
		    int (*visit)(const struct prefix *network, const struct geo_facts *facts,
				 void *context),
		    void *context, const struct patience *patience)
{
	struct prefix prefix = {.family = AF_INET, .bits = 32};
	int err = 0;

	(void)geo;
	(void)patience;
	nwalks++;
	for (uint32_t i = 0; !err && i < nnetworks; i++) {
		const struct geo_facts facts = {.asn = asn_of(i)};
		uint32_t ip = htonl(i);

		memcpy(prefix.ip, &ip, sizeof(ip));
		err = visit(&prefix, &facts, context);
	}
	return err;
}

/* --- Answers: the bytes of the ASN, the lowest first ------------------------------------------ */

#define ANSWER_LEN 4

static size_t useful_depth; /* a cut to less leaves no more than the first byte */

uint32_t __wrap_area_questions_want(const struct area_questions *questions);
void __wrap_area_questions_answer(const struct area_questions *questions,
				  const struct geo_facts *facts, uint8_t *ret);
void __wrap_area_questions_cut(const struct area_questions *questions, size_t depth,
			       uint8_t *answers);

uint32_t __wrap_area_questions_want(const struct area_questions *questions)
{
	(void)questions;
	return GEO_ASN;
}

void __wrap_area_questions_answer(const struct area_questions *questions,
				  const struct geo_facts *facts, uint8_t *ret)
{
	assert_int_equal(questions->len, ANSWER_LEN);
	for (size_t i = 0; i < ANSWER_LEN; i++)
		ret[i] = (uint8_t)(facts->asn >> 8 * i);
}

void __wrap_area_questions_cut(const struct area_questions *questions, size_t depth,
			       uint8_t *answers)
{
	(void)questions;
	if (depth < useful_depth)
		memset(answers + 1, 0, ANSWER_LEN - 1);
}

static const struct area_questions questions = {.len = ANSWER_LEN};

static int walk(uint32_t networks, uint32_t places, struct area_list *ret)
{
	nnetworks = networks;
	nplaces = places;
	nwalks = 0;
	return area_walk(&questions, NULL, NULL, ret);
}

static int set_up(void **state)
{
	(void)state;
	useful_depth = 0;
	return 0;
}

/* --- Facts ------------------------------------------------------------------------------------ */

static void as_many_areas_as_the_programs_take_are_told_apart(void **state)
{
	const uint32_t count = DISPATCH_AREAS_MAX - 1; /* and what nobody knows */
	struct area_list list;

	(void)state;
	assert_int_equal(walk(count, count, &list), 0);
	assert_int_equal(nwalks, 1);
	assert_int_equal(list.count, DISPATCH_AREAS_MAX);
	assert_int_equal(list.nchanges, count + 1);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t asn;

		assert_int_equal(list.changes[i].first, i);
		memcpy(&asn, list.answers + list.changes[i].area * ANSWER_LEN, sizeof(asn));
		assert_int_equal(asn, asn_of(i));
	}
	area_list_done(&list);
}

static void one_more_is_tried_at_every_depth_and_refused(void **state)
{
	struct area_list list = {};

	(void)state;
	assert_int_equal(walk(DISPATCH_AREAS_MAX, DISPATCH_AREAS_MAX, &list), -E2BIG);
	assert_int_equal(nwalks, 7); /* 64, 32, 16, 8, 4, 2, 1 */
	assert_null(list.answers);
}

/* Those that came first are the area's. */
static void too_many_are_told_apart_by_what_is_near(void **state)
{
	struct area_list list;

	(void)state;
	useful_depth = 16;
	assert_int_equal(walk(3 * DISPATCH_AREAS_MAX, 3 * DISPATCH_AREAS_MAX, &list), 0);
	assert_int_equal(nwalks, 4); /* 64, 32, 16, and 8 does */
	assert_int_equal(list.count, 256);
	for (uint32_t i = 0; i + 1 < list.nchanges; i++) {
		const uint8_t *answer = list.answers + list.changes[i].area * ANSWER_LEN;

		assert_int_equal(answer[0], (uint8_t)asn_of(i));
		assert_int_equal(answer[1] | answer[2] | answer[3], 0);
	}
	area_list_done(&list);
}

static void as_many_changes_as_the_programs_take_are_kept(void **state)
{
	struct area_list list;

	(void)state;
	assert_int_equal(walk(DISPATCH_CHANGES_MAX - 1, 2, &list), 0);
	assert_int_equal(list.nchanges, DISPATCH_CHANGES_MAX);
	assert_int_equal(list.changes[DISPATCH_CHANGES_MAX - 2].first, DISPATCH_CHANGES_MAX - 2);
	assert_int_equal(list.changes[DISPATCH_CHANGES_MAX - 1].first, DISPATCH_NOWHERE);
	area_list_done(&list);
}

static void one_change_more_is_refused(void **state)
{
	struct area_list list = {};

	(void)state;
	assert_int_equal(walk(DISPATCH_CHANGES_MAX, 2, &list), -EOVERFLOW);
	assert_int_equal(nwalks, 1); /* it is not tried again */
	assert_null(list.changes);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(as_many_areas_as_the_programs_take_are_told_apart, set_up),
		cmocka_unit_test_setup(one_more_is_tried_at_every_depth_and_refused, set_up),
		cmocka_unit_test_setup(too_many_are_told_apart_by_what_is_near, set_up),
		cmocka_unit_test_setup(as_many_changes_as_the_programs_take_are_kept, set_up),
		cmocka_unit_test_setup(one_change_more_is_refused, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
