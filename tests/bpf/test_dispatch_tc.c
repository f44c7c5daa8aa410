// SPDX-License-Identifier: Apache-2.0
// Dispatch at TC, packet by packet.
#include "dispatch_cookie_cases.h"
#include "dispatch_dnat_cases.h"
#include "dispatch_fragment_cases.h"
#include "dispatch_icmp_cases.h"
#include "dispatch_load_cases.h"
#include "dispatch_place_cases.h"
#include "dispatch_quic_cases.h"
#include "tc_ingress.skel.h"

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

static const struct dispatch_hook hook = {
	.pass = (uint32_t)TC_ACT_UNSPEC,
	.drop = TC_ACT_SHOT,
	.redirect = TC_ACT_REDIRECT,
	.reply = TC_ACT_REDIRECT,
};

static struct tc_ingress_bpf *skeleton;

static int load(void **state)
{
	(void)state;
	enter_network();
	add_routes();
	skeleton = tc_ingress_bpf__open();
	if (!skeleton)
		return -1;
	set_sizes(skeleton->obj);
	fixture.hook = &hook;
	fixture.object = skeleton->obj;
	if (tc_ingress_bpf__load(skeleton))
		return -1;
	fixture.program_fd = bpf_program__fd(skeleton->progs.tc_ingress);
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
	const struct CMUnitTest tests[] = {DISPATCH_TESTS,          DISPATCH_ICMP_TESTS,
					   DISPATCH_FRAGMENT_TESTS, DISPATCH_QUIC_TESTS,
					   DISPATCH_COOKIE_TESTS,   DISPATCH_DNAT_TESTS,
					   DISPATCH_LOAD_TESTS,     DISPATCH_PLACE_TESTS};

	return cmocka_run_group_tests(tests, load, unload);
}
