// SPDX-License-Identifier: Apache-2.0
// The guard at TC, packet by packet.
#include "guard_tests.h"
#include "tc_ingress.skel.h"

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

static const struct guard_hook hook = {
	.pass = (uint32_t)TC_ACT_UNSPEC, .drop = TC_ACT_SHOT, .reply = TC_ACT_REDIRECT};

int main(void)
{
	return run_guard_tests(&hook,
			       &(struct ingress_program){.elf_bytes = tc_ingress_bpf__elf_bytes,
							 .name = "tc_ingress"});
}
