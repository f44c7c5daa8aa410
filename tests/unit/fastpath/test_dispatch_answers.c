// SPDX-License-Identifier: Apache-2.0
#include "core/compiler.h"
#include "fastpath/dispatch_internal.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define FIRST  "10.3.0.1:8080"
#define SECOND "10.3.0.2:8080"

static struct address parsed(const char *text)
{
	struct address address;

	assert_int_equal(address_parse(slice_from_str(text), &address), 0);
	return address;
}

static struct dispatch_service service_of(const char *address, uint16_t last_port,
					  const struct dispatch_endpoint *endpoints, size_t count)
{
	return (struct dispatch_service){.id = 1,
					 .address = parsed(address),
					 .last_port = last_port,
					 .protocol = IPPROTO_TCP,
					 .form = DISPATCH_DNAT,
					 .endpoints = endpoints,
					 .nendpoints = count};
}

static const char *why_they_collide(const struct dispatch_service *services, size_t count)
{
	struct dispatch_answers answers = {};
	const char *why;

	for (size_t i = 0; i < count; i++)
		assert_int_equal(dispatch_answers_add(&answers, &services[i], NULL), 0);
	dispatch_answers_sort(&answers);
	why = dispatch_answers_collide(&answers);
	dispatch_answers_done(&answers);
	return why;
}

static void answer_has_the_endpoints_ports_and_the_services(void **state)
{
	const struct dispatch_endpoint endpoints[] = {{.id = 1, .address = parsed(SECOND)},
						      {.id = 2, .address = parsed(FIRST)},
						      {.id = 3, .address = parsed(FIRST)}};
	const struct dispatch_endpoint keeping = {.id = 4, .address = parsed("10.3.0.3:0")};
	const struct dispatch_service one = service_of("10.1.0.1:80", 0, endpoints, 3),
				      range = service_of("10.1.0.1:90", 99, &keeping, 1);
	struct dispatch_answers answers = {};
	uint8_t address[16];

	(void)state;
	assert_int_equal(dispatch_answers_add(&answers, &range, (const uint16_t[]){9}), 0);
	assert_int_equal(dispatch_answers_add(&answers, &one, (const uint16_t[]){5, 6, 7}), 0);
	dispatch_answers_sort(&answers);
	assert_null(dispatch_answers_collide(&answers));
	assert_int_equal(answers.count, 3);
	dispatch_address(&endpoints[1].address, address);
	assert_memory_equal(&answers.all[0].address, address, sizeof(address));
	assert_int_equal(answers.all[0].answer.first, 8080);
	assert_int_equal(answers.all[0].answer.last, 8080);
	assert_int_equal(answers.all[0].answer.service_port, htons(80));
	assert_in_range(answers.all[0].answer.real, 6, 7);
	assert_int_equal(answers.all[1].answer.real, 5);
	assert_int_equal(answers.all[2].answer.first, 90);
	assert_int_equal(answers.all[2].answer.last, 99);
	assert_int_equal(answers.all[2].answer.service_port, 0);
	dispatch_answers_done(&answers);
}

static void endpoints_port_is_of_one_service(void **state)
{
	const struct dispatch_endpoint endpoint = {.id = 1, .address = parsed(FIRST)};
	const struct dispatch_endpoint keeping = {.id = 1, .address = parsed("10.3.0.1:0")};
	struct dispatch_service two[] = {service_of("10.1.0.1:80", 0, &endpoint, 1),
					 service_of("10.1.0.2:80", 0, &endpoint, 1)};
	static const char *const why = "two services of form dnat share an endpoint's address and "
				       "port";

	(void)state;
	assert_string_equal(why_they_collide(two, 2), why);
	two[1].protocol = IPPROTO_UDP;
	assert_null(why_they_collide(two, 2));
	two[1].protocol = IPPROTO_TCP;
	two[1].form = DISPATCH_L2;
	assert_null(why_they_collide(two, 2));
	two[1] = service_of("10.1.0.2:8081", 8090, &keeping, 1);
	assert_null(why_they_collide(two, 2));
	two[1] = service_of("10.1.0.2:8000", 8080, &keeping, 1);
	assert_string_equal(why_they_collide(two, 2), why);
}

static void address_is_in_so_many_services(void **state)
{
	const struct dispatch_endpoint keeping = {.id = 1, .address = parsed("10.3.0.1:0")};
	struct dispatch_service services[DISPATCH_ANSWERS_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
		services[i] = service_of("10.1.0.1:80", 0, &keeping, 1);
		address_set_port(&services[i].address, (uint16_t)(80 + i));
	}
	assert_null(why_they_collide(services, DISPATCH_ANSWERS_MAX));
	assert_string_equal(why_they_collide(services, DISPATCH_ANSWERS_MAX + 1),
			    "an endpoint's address is in more than sixteen services of form dnat");
}

static void bit_is_set_for_each_address(void **state)
{
	const struct dispatch_endpoint endpoints[] = {{.id = 1, .address = parsed(FIRST)},
						      {.id = 2, .address = parsed(SECOND)}};
	const struct dispatch_service service = service_of("10.1.0.1:80", 0, endpoints, 2);
	const struct dispatch_hash_key key = {.word = {1, 2, 3, 4}};
	struct dispatch_answerer_bits bits = {.word = {~0ULL}};
	struct dispatch_answers answers = {};
	_Alignas(uint32_t) uint8_t address[16];
	int nbits = 0;

	(void)state;
	assert_int_equal(dispatch_answers_add(&answers, &service, NULL), 0);
	dispatch_answers_mark(&answers, &key, &bits);
	for (size_t i = 0; i < ARRAY_SIZE(endpoints); i++) {
		dispatch_address(&endpoints[i].address, address);
		assert_true(dispatch_may_answer(&bits, dispatch_hash_address(address, &key)));
	}
	for (size_t i = 0; i < DISPATCH_ANSWERER_WORDS; i++)
		nbits += __builtin_popcountll(bits.word[i]);
	assert_int_equal(nbits, 2);
	dispatch_answers_done(&answers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answer_has_the_endpoints_ports_and_the_services),
		cmocka_unit_test(endpoints_port_is_of_one_service),
		cmocka_unit_test(address_is_in_so_many_services),
		cmocka_unit_test(bit_is_set_for_each_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
