/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BPF_DISPATCH_TESTS_H
#define TESTS_BPF_DISPATCH_TESTS_H

/* All cases of mode dispatch, at the hook that the file that includes this is for. */
#include "dispatch_cookie_cases.h"
#include "dispatch_dnat_cases.h"
#include "dispatch_fragment_cases.h"
#include "dispatch_front_cases.h"
#include "dispatch_icmp_cases.h"
#include "dispatch_load_cases.h"
#include "dispatch_place_cases.h"
#include "dispatch_quic_cases.h"
#include "dispatch_race_cases.h"
#include "ingress_object.h"

static struct ingress_program program;

static int load(void **state)
{
	(void)state;
	enter_network();
	add_routes();
	if (ingress_open(&program))
		return -1;
	set_sizes(program.object);
	fixture.object = program.object;
	fixture.program_fd = ingress_load(&program);
	return fixture.program_fd < 0 ? -1 : 0;
}

static int unload(void **state)
{
	(void)state;
	bpf_object__close(program.object);
	return 0;
}

static int run_dispatch_tests(const struct dispatch_hook *hook,
			      const struct ingress_program *tested)
{
	const struct CMUnitTest tests[] = {DISPATCH_TESTS,          DISPATCH_FRONT_TESTS,
					   DISPATCH_RACE_TESTS,     DISPATCH_ICMP_TESTS,
					   DISPATCH_FRAGMENT_TESTS, DISPATCH_QUIC_TESTS,
					   DISPATCH_COOKIE_TESTS,   DISPATCH_DNAT_TESTS,
					   DISPATCH_LOAD_TESTS,     DISPATCH_PLACE_TESTS};

	fixture.hook = hook;
	program = *tested;
	return cmocka_run_group_tests(tests, load, unload);
}

#endif
