// SPDX-License-Identifier: Apache-2.0
// Dispatch at XDP, packet by packet.
#include "dispatch_tests.h"
#include "xdp_ingress.skel.h"

#include <linux/bpf.h>

static const struct dispatch_hook hook = {
	.is_xdp = true,
	.pass = XDP_PASS,
	.drop = XDP_DROP,
	.redirect = XDP_REDIRECT,
	.reply = XDP_TX,
};

int main(void)
{
	return run_dispatch_tests(&hook,
				  &(struct ingress_program){.elf_bytes = xdp_ingress_bpf__elf_bytes,
							    .name = "xdp_ingress"});
}
