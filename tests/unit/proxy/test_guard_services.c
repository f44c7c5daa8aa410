// SPDX-License-Identifier: Apache-2.0
/* What the packet programs' tables of ports say of listeners. */
#include "proxy/guard_services.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define POOLS "pools: [{name: p, balance: maglev, endpoints: [\"192.0.2.9:53\"]}]\n"
#define DNS                                                                                 \
	"{name: dns, mode: dispatch, bind: [\"192.0.2.1:53/udp\", \"192.0.2.1:54/tcp\"], "  \
	"pool: p, dispatch: {forward: nat, source: 192.0.2.2, source_ports: 20000-20009}, " \
	"guard: {packets: 7}}"

static struct guard_services *services_of(const char *text)
{
	struct strbuf errors = {};
	struct guard_services *services;
	struct config *config;

	if (config_parse("t", slice_from_str(text), &config, &errors))
		fail_msg("%s", errors.text);
	services = guard_services_new(config);
	assert_non_null(services);
	config_free(config);
	strbuf_done(&errors);
	return services;
}

static void ports_are_of_their_protocol(void **state)
{
	static const uint8_t address[16] = {
		[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1};
	struct guard_services *services = services_of("listeners: [" DNS "]\n" POOLS);
	const struct guard_port *ports = services->ports;
	const struct guard_place *place;

	(void)state;
	assert_int_equal(ports[53].tcp_place, 0);
	assert_int_equal(ports[54].udp_place, 0);
	assert_int_not_equal(ports[54].tcp_place, 0);
	assert_int_not_equal(ports[53].udp_place, 0);
	place = &services->places[ports[53].udp_place];
	assert_memory_equal(place->address, address, sizeof(address));
	assert_int_equal(place->flags, 0);
	assert_int_not_equal(services->services[place->service].packets.cost, 0);
	guard_services_free(services);
}

static void ports_that_answers_come_to_are_marked(void **state)
{
	struct guard_services *services = services_of("listeners: [" DNS "]\n" POOLS);
	struct guard_range ephemeral = guard_ephemeral_ports();
	const struct guard_port *ports = services->ports;

	(void)state;
	assert_in_range(ephemeral.first, 1, ephemeral.last);
	assert_true(ports[ephemeral.first].flags & GUARD_PORT_ANSWERS);
	assert_true(ports[ephemeral.last].flags & GUARD_PORT_ANSWERS);
	assert_true(ports[20000].flags & GUARD_PORT_ANSWERS);
	assert_true(ports[20009].flags & GUARD_PORT_ANSWERS);
	assert_false(ports[53].flags & GUARD_PORT_ANSWERS);
	guard_services_free(services);
}

static unsigned chain_length(const struct guard_services *services, uint16_t place)
{
	unsigned length = 0;

	for (; place; place = services->places[place].next)
		length++;
	return length;
}

/* As many as the packet programs look at; others would be there and never found. */
static void addresses_of_a_port_beyond_the_chain_are_left_out(void **state)
{
	struct guard_services *services;
	char text[2048] = "listeners: [";

	(void)state;
	for (int i = 1; i <= GUARD_CHAIN_MAX + 1; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "{name: l%d, mode: tcp, bind: \"192.0.2.%d:80-81\", pool: p},", i, i);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "]\n" POOLS);
	services = services_of(text);
	assert_int_equal(services->nservices, GUARD_CHAIN_MAX + 1);
	for (int port = 80; port <= 81; port++)
		assert_int_equal(chain_length(services, services->ports[port].tcp_place),
				 GUARD_CHAIN_MAX);
	assert_int_equal(services->nplaces, 1 + 2 * GUARD_CHAIN_MAX);
	guard_services_free(services);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_are_of_their_protocol),
		cmocka_unit_test(ports_that_answers_come_to_are_marked),
		cmocka_unit_test(addresses_of_a_port_beyond_the_chain_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
