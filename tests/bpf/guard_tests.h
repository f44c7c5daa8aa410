/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BPF_GUARD_TESTS_H
#define TESTS_BPF_GUARD_TESTS_H

/* All cases of the guard, at the hook that the file that includes this is for. */
#include "guard_cases.h"
#include "ingress_object.h"

static struct ingress_program program;

static int load(void **state)
{
	(void)state;
	enter_network();
	if (ingress_open(&program))
		return -1;
	guard.object = program.object;
	guard.program_fd = ingress_load(&program);
	return guard.program_fd < 0 ? -1 : 0;
}

static int unload(void **state)
{
	(void)state;
	bpf_object__close(program.object);
	return 0;
}

static int run_guard_tests(const struct guard_hook *hook, const struct ingress_program *tested)
{
	const struct CMUnitTest tests[] = {GUARD_TESTS};

	guard.hook = hook;
	program = *tested;
	return cmocka_run_group_tests(tests, load, unload);
}

#endif
