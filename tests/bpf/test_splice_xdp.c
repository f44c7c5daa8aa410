// SPDX-License-Identifier: Apache-2.0
// The packet splice at XDP, packet by packet.
#include "splice_cases.h"
#include "xdp_ingress.skel.h"

#include <linux/bpf.h>

static const struct hook xdp = {
	.is_xdp = true, .pass = XDP_PASS, .drop = XDP_DROP, .redirect = XDP_REDIRECT};

static struct xdp_ingress_bpf *skeleton;

static int load(void **state)
{
	(void)state;
	skeleton = xdp_ingress_bpf__open_and_load();
	if (!skeleton)
		return -1;
	fixture_init(&fixture, &xdp, skeleton->obj, skeleton->progs.xdp_ingress);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	fixture_done(&fixture);
	xdp_ingress_bpf__destroy(skeleton);
	return 0;
}

static void next_hop_without_a_link_address_is_left_to_tc(void **state)
{
	struct frame frame = plain_frame(false);

	(void)state;
	put_nexthop(&fixture, 1, 0);
	assert_passes("no link address", &frame, FLOW_VERDICT_NEXTHOP_GONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SPLICE_TESTS,
		cmocka_unit_test(next_hop_without_a_link_address_is_left_to_tc),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
