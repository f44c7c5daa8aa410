// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Packet splice at TC ingress: joined connections are forwarded here, all else goes on to the
 * stack. Works on every Ethernet-like device, with whole GSO packets.
 */
#include "lib/frame_tc.h"
#include "lib/ingress.h"

SEC("tc")
int tc_ingress(struct __sk_buff *skb)
{
	return ingress_frame(skb);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
