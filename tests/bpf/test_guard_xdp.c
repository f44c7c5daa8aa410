// SPDX-License-Identifier: Apache-2.0
// The guard at XDP, packet by packet.
#include "guard_tests.h"
#include "xdp_ingress.skel.h"

#include <linux/bpf.h>

static const struct guard_hook hook = {
	.is_xdp = true, .pass = XDP_PASS, .drop = XDP_DROP, .reply = XDP_TX};

int main(void)
{
	return run_guard_tests(&hook,
			       &(struct ingress_program){.elf_bytes = xdp_ingress_bpf__elf_bytes,
							 .name = "xdp_ingress"});
}
