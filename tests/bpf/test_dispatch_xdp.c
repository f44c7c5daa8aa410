// SPDX-License-Identifier: Apache-2.0
// Dispatch at XDP, packet by packet.
#include "dispatch_cookie_cases.h"
#include "dispatch_dnat_cases.h"
#include "dispatch_fragment_cases.h"
#include "dispatch_icmp_cases.h"
#include "dispatch_load_cases.h"
#include "dispatch_place_cases.h"
#include "dispatch_quic_cases.h"
#include "xdp_ingress.skel.h"

#include <linux/bpf.h>

static const struct dispatch_hook hook = {
	.is_xdp = true,
	.pass = XDP_PASS,
	.drop = XDP_DROP,
	.redirect = XDP_REDIRECT,
	.reply = XDP_TX,
};

static struct xdp_ingress_bpf *skeleton;

static int load(void **state)
{
	(void)state;
	enter_network();
	add_routes();
	skeleton = xdp_ingress_bpf__open();
	if (!skeleton)
		return -1;
	set_sizes(skeleton->obj);
	fixture.hook = &hook;
	fixture.object = skeleton->obj;
	if (xdp_ingress_bpf__load(skeleton))
		return -1;
	fixture.program_fd = bpf_program__fd(skeleton->progs.xdp_ingress);
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
	const struct CMUnitTest tests[] = {DISPATCH_TESTS,          DISPATCH_ICMP_TESTS,
					   DISPATCH_FRAGMENT_TESTS, DISPATCH_QUIC_TESTS,
					   DISPATCH_COOKIE_TESTS,   DISPATCH_DNAT_TESTS,
					   DISPATCH_LOAD_TESTS,     DISPATCH_PLACE_TESTS};

	return cmocka_run_group_tests(tests, load, unload);
}
