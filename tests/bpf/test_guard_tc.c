// SPDX-License-Identifier: Apache-2.0
// The guard at TC, packet by packet.
#include "guard_cases.h"
#include "tc_ingress.skel.h"

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

static const struct guard_hook hook = {
	.pass = (uint32_t)TC_ACT_UNSPEC, .drop = TC_ACT_SHOT, .reply = TC_ACT_REDIRECT};

static struct tc_ingress_bpf *skeleton;

static int load(void **state)
{
	(void)state;
	enter_network();
	skeleton = tc_ingress_bpf__open_and_load();
	if (!skeleton)
		return -1;
	guard.hook = &hook;
	guard.object = skeleton->obj;
	guard.program_fd = bpf_program__fd(skeleton->progs.tc_ingress);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	tc_ingress_bpf__destroy(skeleton);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {GUARD_TESTS};

	return cmocka_run_group_tests(tests, load, unload);
}
