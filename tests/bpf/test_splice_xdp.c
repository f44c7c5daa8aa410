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
	assert_passes("no link address", &frame, FLOW_VERDICT_LEFT_TO_TC);
}

/* As the stack of a veth's far end leaves it: the sum of the pseudo-header, not complemented. */
static void unfinish_checksum(struct frame *frame, bool is_ipv6)
{
	size_t ip = 14, tcp = ip + ip_len(is_ipv6), len = frame->len - tcp;
	size_t addresses = is_ipv6 ? 32 : 8;
	uint32_t sum = sum_bytes(6 + (uint32_t)len, &frame->bytes[tcp - addresses], addresses);

	put16(&frame->bytes[tcp + 16], (uint16_t)~checksum_of(sum));
}

static void packet_whose_checksum_is_not_finished_is_left_to_tc(void **state)
{
	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		struct frame frame = plain_frame(is_ipv6);

		unfinish_checksum(&frame, is_ipv6);
		assert_passes("unfinished", &frame, FLOW_VERDICT_LEFT_TO_TC);
		assert_int_equal(pair_of(&fixture)->seen[FLOW_UP].packets, 0);
	}
}

static void packet_larger_than_its_way_takes_is_left_to_tc(void **state)
{
	struct segment in = {UP_SEGMENT, TRACED(100, 200), .payload = 1448};
	struct segment out = {UP_SEGMENT_OUT, TRACED(TV(100), TE(200)), .payload = 1448};
	struct shape shape = {};
	struct frame frame = build_frame(&in, &shape), expected = build_frame(&out, &shape);

	(void)state;
	reset_pair(&fixture, false);
	assert_frame("of just that size", &fixture, &frame, &expected, FLOW_VERDICT_SPLICED, NULL);
	in.payload++;
	frame = build_frame(&in, &shape);
	assert_passes("a byte too large", &frame, FLOW_VERDICT_LEFT_TO_TC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SPLICE_TESTS,
		cmocka_unit_test(next_hop_without_a_link_address_is_left_to_tc),
		cmocka_unit_test(packet_whose_checksum_is_not_finished_is_left_to_tc),
		cmocka_unit_test(packet_larger_than_its_way_takes_is_left_to_tc),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
