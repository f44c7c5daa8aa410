/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_FRAGMENT_H
#define SLUICE_BPF_DISPATCH_FRAGMENT_H

/*
 * Datagrams of UDP in pieces: the first one has the ports, and goes where the flow does; it leaves
 * a note by which those that follow are sent after it. A piece that comes before the first goes to
 * the stack, which waits for the rest in vain. Source: RFC 791 section 3.2, RFC 8200 section 4.5.
 */
#include "lib/clock.h"
#include "lib/dispatch_direct.h"
#include "lib/dispatch_nat.h"

#define IPV4_OFFSET_BITS 0x1fff
#define IPV6_OFFSET_BITS 0xfff8
#define UDP_HEADER       8
/* A sender's ids come round again. */
#define FRAGMENTS_TIMEOUT_S 30

/* Said of the first one: it is like any other packet. */
#define DISPATCH_FIRST (-3)

/* --- What a fragment says --------------------------------------------------------------------- */

/* Return: whether it is as it should be. */
static __always_inline bool look_at_ipv4_fragment(frame_context *ctx, struct packet *packet,
						  bool *ret_is_first)
{
	const struct iphdr *ip = packet_ipv4(packet);
	__u32 total;

	if (frame_load(ctx, packet->l3_offset, packet_ipv4(packet), sizeof(*ip)))
		return false;
	total = bpf_ntohs(ip->tot_len);
	if (ip->ihl != 5 || total <= sizeof(*ip) || total > frame_len(ctx) - packet->l3_offset)
		return false;
	packet->payload = total - sizeof(*ip);
	packet->l4_len = 0;
	packet->fragment_id = ip->id;
	*ret_is_first = !(bpf_ntohs(ip->frag_off) & IPV4_OFFSET_BITS);
	return true;
}

static __always_inline bool look_at_ipv6_fragment(frame_context *ctx, struct packet *packet,
						  bool *ret_is_first)
{
	const __be16 *header = (const __be16 *)packet_l4(packet);

	if (packet->payload <= IPV6_FRAGMENT_LEN ||
	    frame_load(ctx, packet->l3_offset, packet->headers, L3_MAX + IPV6_FRAGMENT_LEN))
		return false;
	packet->payload -= IPV6_FRAGMENT_LEN;
	packet->l4_len = packet->l4_at = IPV6_FRAGMENT_LEN;
	packet->is_fragment = true;
	packet->protocol = packet_l4(packet)[0];
	__builtin_memcpy(&packet->fragment_id, header + 2, sizeof(packet->fragment_id));
	*ret_is_first = !(bpf_ntohs(header[1]) & IPV6_OFFSET_BITS);
	return true;
}

static __always_inline void key_of_fragment(const struct packet *packet,
					    struct dispatch_fragment_key *key)
{
	__builtin_memcpy(key->source, packet->key.source, 16);
	__builtin_memcpy(key->destination, packet->key.destination, 16);
	key->id = packet->fragment_id;
	key->protocol = packet->protocol;
}

/* --- The first -------------------------------------------------------------------------------- */

static __always_inline int take_ports(frame_context *ctx, struct packet *packet)
{
	__u32 at = packet->l3_offset + (packet->is_ipv6 ? sizeof(struct ipv6hdr) + IPV6_FRAGMENT_LEN
							: sizeof(struct iphdr));

	if (packet->payload < UDP_HEADER)
		return DISPATCH_PASSES;
	packet->payload -= UDP_HEADER;
	packet->l4_len += UDP_HEADER;
	return frame_load(ctx, at, &packet->key.source_port, 2 * sizeof(__be16)) ? DISPATCH_PASSES
										 : DISPATCH_FIRST;
}

/* What dispatch_packet() has found goes on from here. */
static __always_inline void set_found(struct packet *packet, const struct dispatch_work *work)
{
	const struct dispatch_run *run = work->nat ? run_at(work->nat->run) : NULL;

	packet->service = (__u16)work->service_index;
	packet->real = (__u16)work->real_index;
	packet->is_answer = work->load.is_answer;
	if (run)
		packet->nat = run->base + bpf_ntohs(work->nat->source_port) - run->first_port;
}

/* Verified by itself, for its stack. Return: nothing of interest. */
__noinline int dispatch_leave_note(struct packet *packet)
{
	const struct dispatch_settings *settings = dispatch_settings_of();
	struct dispatch_fragment_key key;
	struct dispatch_fragment note = {};

	if (!packet || !settings)
		return 0;
	key_of_fragment(packet, &key);
	note.hash = dispatch_hash_flow(&packet->key, packet->protocol, &settings->secret);
	note.nat = packet->nat;
	note.seen_s = dispatch_seconds(clock_coarse_ns());
	note.service = packet->service;
	note.real = packet->real;
	note.is_answer = (__u8)packet->is_answer;
	return (int)bpf_map_update_elem(&dispatch_fragments, &key, &note, BPF_ANY);
}

/* --- The others ------------------------------------------------------------------------------- */

static __always_inline enum dispatch_drop store_piece(frame_context *ctx, struct packet *packet,
						      const __u8 *source, const __u8 *destination)
{
	struct checksum_differences differences = {};

	if (!translate_l3(packet, source, destination, true, &differences))
		return DISPATCH_DROP_TTL_EXPIRED;
	return frame_store_l3(ctx, packet, differences.l3) ? DISPATCH_DROP_NO_HEADROOM
							   : DISPATCH_FINE;
}

static __always_inline enum dispatch_drop follow_up(frame_context *ctx, struct packet *packet,
						    struct dispatch_work *work,
						    const struct dispatch_nat *nat)
{
	enum dispatch_drop why;
	struct nat_way way;

	if (!nat_find_way(nat, &way))
		return DISPATCH_DROP_NEXTHOP_GONE;
	why = way_takes(ctx, packet, work, way.nexthop, 0);
	if (why == DISPATCH_FINE)
		why = store_piece(ctx, packet, way.run->source, way.real->address);
	if (why == DISPATCH_FINE)
		work->action = frame_forward(ctx, packet, way.nexthop);
	return why;
}

static __always_inline enum dispatch_drop follow_down(frame_context *ctx, struct packet *packet,
						      struct dispatch_work *work,
						      const struct dispatch_nat *nat)
{
	enum dispatch_drop why;

	if (!frame_can_send(ctx, packet, work->settings->flags & DISPATCH_SENDS_XDP))
		return DISPATCH_LEFT_TO_TC;
	why = store_piece(ctx, packet, work->service->address, nat->client);
	if (why == DISPATCH_FINE)
		work->action = frame_send_back(ctx, nat->ifindex, nat->macs);
	return why;
}

/* An element that another flow has since is not followed. */
static __always_inline enum dispatch_drop follow_nat(frame_context *ctx, struct packet *packet,
						     struct dispatch_work *work, __u32 index)
{
	const struct dispatch_nat *nat = nat_at(index);

	if (!nat || dispatch_is_free(&nat->claim, work->now_s) ||
	    nat->service != work->service_index || nat->real != work->real_index)
		return DISPATCH_DROP_FRAGMENT;
	if (work->load.is_answer)
		return follow_down(ctx, packet, work, nat);
	return is_same_address(nat->client, packet->key.source) ? follow_up(ctx, packet, work, nat)
								: DISPATCH_DROP_FRAGMENT;
}

static __always_inline enum dispatch_drop judge_later(frame_context *ctx, struct packet *packet,
						      struct dispatch_work *work)
{
	const struct dispatch_fragment *note;
	struct dispatch_fragment_key key;

	key_of_fragment(packet, &key);
	note = bpf_map_lookup_elem(&dispatch_fragments, &key);
	if (!note || dispatch_seconds_since(work->now_s, note->seen_s) > FRAGMENTS_TIMEOUT_S)
		return DISPATCH_LEAVES;
	work->service_index = note->service;
	work->service = service_at(work->half, note->service);
	if (!work->service || !work->service->id)
		return DISPATCH_LEAVES;
	work->real_index = note->real;
	work->hash = note->hash;
	work->load.is_answer = note->is_answer;
	if (work->service->form == DISPATCH_DNAT) {
		set_found(packet, work);
		return DISPATCH_GOES_ON;
	}
	return work->service->form == DISPATCH_NAT ? follow_nat(ctx, packet, work, note->nat)
						   : direct_send(ctx, packet, work);
}

/* Verified by itself, as dispatch_packet(). Return: the hook's action, PASSES, or FIRST. */
__noinline int dispatch_fragment(frame_context *ctx, struct packet *packet)
{
	struct dispatch_work work = {};
	bool is_first = false, is_good;

	if (!work_begin(ctx, packet, &work))
		return DISPATCH_PASSES;
	work.half = work.settings->half & 1;
	is_good = packet->is_ipv6 ? look_at_ipv6_fragment(ctx, packet, &is_first)
				  : look_at_ipv4_fragment(ctx, packet, &is_first);
	if (!is_good)
		return DISPATCH_PASSES;
	if (is_first)
		return take_ports(ctx, packet);
	return dispatch_end(&work, judge_later(ctx, packet, &work));
}

#endif
