// SPDX-License-Identifier: Apache-2.0
// Dispatch at TC, packet by packet.
#include "dispatch_tests.h"
#include "tc_ingress.skel.h"

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

static const struct dispatch_hook hook = {
	.pass = (uint32_t)TC_ACT_UNSPEC,
	.drop = TC_ACT_SHOT,
	.redirect = TC_ACT_REDIRECT,
	.reply = TC_ACT_REDIRECT,
};

int main(void)
{
	return run_dispatch_tests(&hook,
				  &(struct ingress_program){.elf_bytes = tc_ingress_bpf__elf_bytes,
							    .name = "tc_ingress"});
}
