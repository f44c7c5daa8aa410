// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Packet splice at XDP, before there is an skb, for devices whose drivers can redirect. It wants
 * next hops with link layer addresses; what it cannot forward it passes, so tc_ingress belongs
 * behind it on the same device, with the same maps. bpf_redirect() sends in bulk as a devmap would,
 * and needs no second table of devices.
 */
#include "lib/frame_xdp.h"
#include "lib/ingress.h"

SEC("xdp")
int xdp_ingress(struct xdp_md *xdp)
{
	return ingress_frame(xdp);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
