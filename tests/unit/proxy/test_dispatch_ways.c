// SPDX-License-Identifier: Apache-2.0
/* Which ways health checks of a pool take. */
#include "config/config.h"
#include "fastpath/dispatch.h"
#include "io/loop.h"
#include "proxy/dispatch_ways.h"
#include "upstream/upstream_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define LISTENER(name, bind, options) \
	"{name: " name ", mode: dispatch, bind: " bind ", pool: p, dispatch: " options "}"
#define POOL(through)                                                                       \
	"pools: [{name: p, balance: maglev, endpoints: ['10.3.0.1:80'], health: {tcp: {}, " \
	"through: " through "}}]\n"

/* The ways of the one pool: "10.1.0.1 ipip, …". */
static void expect_ways(const char *text, const char *wanted)
{
	const struct io_options io = {.backend = IO_BACKEND_EPOLL};
	struct strbuf errors = {}, seen = {};
	struct upstream *upstream;
	struct config *config;
	struct io_loop *loop;
	struct pool *pool;

	assert_int_equal(io_loop_new(&io, &loop), 0);
	if (config_parse("t", slice_from_str(text), &config, &errors))
		fail_msg("%s", errors.text);
	assert_int_equal(upstream_new(config, NULL, loop, &upstream), 0);
	assert_int_equal(dispatch_ways_set(config, NULL, upstream), 0);
	pool = upstream_pool(upstream, 0);
	for (size_t i = 0; i < pool->nways; i++) {
		const struct dispatch_way *way = &pool->ways[i];
		char service[ADDRESS_IP_SIZE], source[ADDRESS_IP_SIZE];

		strbuf_printf(&seen, "%s%s %s", i ? ", " : "",
			      address_format_ip(&way->service, service),
			      dispatch_form_name(way->form));
		if (way->form == DISPATCH_GUE)
			strbuf_printf(&seen, ":%u", way->gue_port);
		if (way->source.len)
			strbuf_printf(&seen, " from %s", address_format_ip(&way->source, source));
	}
	assert_string_equal(seen.len ? seen.text : "", wanted);
	strbuf_done(&seen);
	strbuf_done(&errors);
	upstream_free(upstream);
	config_free(config);
	io_loop_free(loop);
}

static void each_address_is_a_way_once(void **state)
{
	(void)state;
	expect_ways(
		"listeners: [" LISTENER("l",
					"['10.1.0.1:80', '10.1.0.1:443', '10.1.0.1:53/udp', "
					"'10.1.0.2:80']",
					"{forward: ipip, source: 10.9.0.1}") "]\n" POOL("tunnel"),
		"10.1.0.1 ipip from 10.9.0.1, 10.1.0.2 ipip from 10.9.0.1");
}

static void listeners_of_one_pool_add_theirs(void **state)
{
	(void)state;
	expect_ways(
		"listeners: [" LISTENER(
			"a", "'10.1.0.1:80'",
			"{forward: gue, gue_port: 99}") ", " LISTENER("b", "'10.1.0.1:81'",
								      "{forward: l2}") "]\n" POOL("tunnel"),
		"10.1.0.1 gue:99, 10.1.0.1 l2");
}

static void nat_is_checked_at_the_endpoints_own_address(void **state)
{
	(void)state;
	expect_ways(
		"listeners: [" LISTENER("l", "'10.1.0.1:80'",
					"{forward: nat, source: 10.9.0.1}") "]\n" POOL("tunnel"),
		"");
}

static void through_address_has_no_ways(void **state)
{
	(void)state;
	expect_ways("listeners: [" LISTENER("l", "'10.1.0.1:80'",
					    "{forward: ipip}") "]\n" POOL("address"),
		    "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_address_is_a_way_once),
		cmocka_unit_test(listeners_of_one_pool_add_theirs),
		cmocka_unit_test(nat_is_checked_at_the_endpoints_own_address),
		cmocka_unit_test(through_address_has_no_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
