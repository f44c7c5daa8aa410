// SPDX-License-Identifier: Apache-2.0
// The guard at XDP, packet by packet.
#include "guard_cases.h"
#include "xdp_ingress.skel.h"

#include <linux/bpf.h>

static const struct guard_hook hook = {
	.is_xdp = true, .pass = XDP_PASS, .drop = XDP_DROP, .reply = XDP_TX};

static struct xdp_ingress_bpf *skeleton;

static int load(void **state)
{
	(void)state;
	enter_network();
	skeleton = xdp_ingress_bpf__open_and_load();
	if (!skeleton)
		return -1;
	guard.hook = &hook;
	guard.object = skeleton->obj;
	guard.program_fd = bpf_program__fd(skeleton->progs.xdp_ingress);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	xdp_ingress_bpf__destroy(skeleton);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {GUARD_TESTS};

	return cmocka_run_group_tests(tests, load, unload);
}
