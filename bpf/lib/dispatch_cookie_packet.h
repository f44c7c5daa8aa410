/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_COOKIE_PACKET_H
#define SLUICE_BPF_DISPATCH_COOKIE_PACKET_H

/* A packet of a flow that a cookie begins: its options, the flow that it is of, and how it becomes
 * another segment where it is. */
#include "lib/dispatch_nat.h"
#include "lib/handshake.h"
#include "lib/headers.h"

/* --- Headers ---------------------------------------------------------------------------------- */

/* With its options, after load_headers(). Return: not 0 if they are not there. */
static __always_inline long cookie_load(frame_context *ctx, struct packet *packet)
{
	__u32 len = packet->l4_len + packet->payload, l4_len = packet_tcp(packet)->doff * 4;

	if (l4_len < sizeof(struct tcphdr) || l4_len > len)
		return -1;
	packet->l4_len = l4_len;
	packet->payload = len - l4_len;
	return load_tcp_headers(ctx, packet);
}

/* --- The flow that dispatch_packet() has found ------------------------------------------------ */

/* Return: NULL: nobody has it any more. */
static __always_inline struct dispatch_nat *cookie_flow(const struct packet *packet,
							struct dispatch_work *work)
{
	struct dispatch_nat *nat = nat_at(packet->nat);

	if (!nat || dispatch_is_free(&nat->claim, work->now_s) || nat->service != packet->service ||
	    nat->real != packet->real)
		return NULL;
	work->nat = nat;
	work->real_index = nat->real;
	work->load.is_answer = packet->is_answer;
	return nat;
}

/* Return: whether there is such a service. */
static __always_inline bool cookie_begin(frame_context *ctx, const struct packet *packet,
					 struct dispatch_work *work)
{
	if (!dispatch_begin(ctx, packet, work))
		return false;
	work->service_index = packet->service;
	work->service = service_at(work->half, packet->service);
	return work->service && work->service->id;
}

/* --- A segment of ours ------------------------------------------------------------------------ */

/* Of the address that a segment of ours goes to, and of the one that it seems to come from. */
struct cookie_way {
	const __u8 *source, *destination;
};

/* Makes it such a segment, where the packet is. @differences: of what was changed before. */
static __always_inline enum dispatch_drop cookie_store(frame_context *ctx, struct packet *packet,
						       const struct cookie_way *way,
						       const struct handshake_segment *segment,
						       __u32 length_difference)
{
	struct checksum_differences differences = {};

	if (!translate_l3(packet, way->source, way->destination, true, &differences))
		return DISPATCH_DROP_TTL_EXPIRED;
	differences.l4 = make_segment(packet, segment);
	return frame_store(ctx, packet, __builtin_offsetof(struct tcphdr, check),
			   fold_sum((__u64)differences.pseudo + length_difference), differences.l4,
			   fold_sum((__u64)differences.l3 + length_difference))
		       ? DISPATCH_DROP_NO_HEADROOM
		       : DISPATCH_FINE;
}

/* A window in bytes as it stands in a segment; an open one stays open. */
static __always_inline __be16 cookie_window(__u32 bytes, __u32 scale)
{
	__u32 units = bytes >> (scale & 15);

	if (!units && bytes)
		units = 1;
	return bpf_htons(units > 0xffff ? 0xffff : (__u16)units);
}

#endif
