/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_NAT_H
#define SLUICE_BPF_DISPATCH_NAT_H

/*
 * Form NAT: both addresses of a packet change, and its answer is found by the source port that we
 * have chosen. No two flows share an element, so nothing here can collide.
 */
#include "lib/dispatch_flow.h"
#include "lib/dispatch_front.h"
#include "lib/dispatch_send.h"
#include "lib/guard_maps.h"
#include "lib/translate.h"

#define NAT_TRIES 32 /* of ports in a row, from one that the flow's hash says */

/* --- Elements --------------------------------------------------------------------------------- */

static __always_inline struct dispatch_nat *nat_at(__u32 index)
{
	return bpf_map_lookup_elem(&dispatch_nats, &index);
}

static __always_inline const struct dispatch_run *run_at(__u32 index)
{
	return bpf_map_lookup_elem(&dispatch_runs, &index);
}

/* What the endpoint's numbers are ahead of those that the client knows. */
static __always_inline __u32 nat_difference(const struct dispatch_nat *nat)
{
	return nat->cookie == DISPATCH_COOKIE_JOINED ? nat->cookie_number : 0;
}

static __always_inline bool nat_is_of(const struct dispatch_nat *nat,
				      const struct dispatch_work *work, const struct packet *packet)
{
	return !dispatch_is_free(&nat->claim, work->now_s) && nat->service == work->service_index &&
	       nat->client_port == packet->key.source_port &&
	       nat->service_port == packet->key.destination_port &&
	       is_same_address(nat->client, packet->key.source);
}

static __always_inline struct dispatch_nat *nat_find(const struct dispatch_work *work,
						     const struct packet *packet)
{
	struct dispatch_line *line = work->line;
	struct dispatch_nat *nat;

	for (int i = 0; i < DISPATCH_LINE_PLACES; i++) {
		__u64 entry = line->entry[i];

		if (!dispatch_entry_may_be_nat(entry, work->hash))
			continue;
		nat = nat_at(dispatch_entry_index(entry));
		if (!nat || !nat_is_of(nat, work, packet))
			continue;
		entry_refresh(&line->entry[i], work->now_s);
		return nat;
	}
	return NULL;
}

static __always_inline union dispatch_claim nat_claim_of(const struct dispatch_nat *nat)
{
	return (union dispatch_claim){.word = *(const volatile __u64 *)&nat->claim.word};
}

/* @was: what @timeout_s and @flags were made of. Two CPUs that do the same lose nothing but a flag;
 * what has been given up meanwhile, and may be another flow's, stays as it is. */
static __always_inline void nat_note(struct dispatch_nat *nat, union dispatch_claim was,
				     __u32 now_s, __u16 timeout_s, __u16 flags)
{
	union dispatch_claim claim = {.seen_s = now_s, .timeout_s = timeout_s, .flags = flags};

	if (was.word && was.word != claim.word)
		(void)__sync_val_compare_and_swap(&nat->claim.word, was.word, claim.word);
}

/* Unless it is another flow's by now. A full barrier. */
static __always_inline void nat_give_up(struct dispatch_nat *nat, const struct dispatch_work *work,
					const struct packet *packet)
{
	union dispatch_claim was = nat_claim_of(nat);

	if (nat_is_of(nat, work, packet))
		(void)__sync_val_compare_and_swap(&nat->claim.word, was.word, 0);
}

/* @rst, @fin: the flags of its way. Who goes on behind an RST has not sent it: it was forged. */
static __always_inline __u16 tcp_flags(__u16 flags, const struct tcphdr *tcp, __u16 rst, __u16 fin)
{
	flags = tcp->rst ? flags | rst : flags & ~rst;
	return tcp->fin ? flags | fin : flags;
}

static __always_inline __u16 nat_timeout(__u16 timeout_s, const struct dispatch_work *work,
					 __u16 flags)
{
	if (dispatch_has_ended(flags))
		return timeout_s < DISPATCH_NAT_BRIEF_S ? timeout_s : DISPATCH_NAT_BRIEF_S;
	return flags & DISPATCH_NAT_OPEN ? work->service->timeout_s : timeout_s;
}

/* From the client: a SYN behind an end begins anew; a segment behind an answer opens the flow. */
static __always_inline void nat_note_up(struct dispatch_nat *nat, const struct dispatch_work *work,
					struct packet *packet)
{
	const struct tcphdr *tcp = packet_tcp(packet);
	union dispatch_claim was = nat_claim_of(nat);
	__u16 flags = was.flags;

	if (work->protocol == IPPROTO_TCP) {
		if (tcp->syn && dispatch_has_ended(flags))
			flags = 0;
		flags = tcp_flags(flags, tcp, DISPATCH_NAT_RST_UP, DISPATCH_NAT_FIN_UP);
	}
	if (flags & DISPATCH_NAT_ANSWERED)
		flags |= DISPATCH_NAT_OPEN;
	nat_note(nat, was, work->now_s, nat_timeout(was.timeout_s, work, flags), flags);
}

static __always_inline void nat_note_down(struct dispatch_nat *nat,
					  const struct dispatch_work *work, struct packet *packet)
{
	union dispatch_claim was = nat_claim_of(nat);
	__u16 flags = was.flags | DISPATCH_NAT_ANSWERED;

	if (work->protocol == IPPROTO_TCP)
		flags = tcp_flags(flags, packet_tcp(packet), DISPATCH_NAT_RST_DOWN,
				  DISPATCH_NAT_FIN_DOWN);
	nat_note(nat, was, work->now_s, nat_timeout(was.timeout_s, work, flags), flags);
}

/* The way of a flow to its endpoint. */
struct nat_way {
	const struct dispatch_real *real;
	const struct dispatch_run *run;
	const struct flow_nexthop *nexthop;
	__be16 source_port;
};

/* Return: false: it is gone. */
static __always_inline bool nat_find_way(const struct dispatch_nat *nat, struct nat_way *ret)
{
	ret->real = real_at(nat->real);
	ret->run = run_at(nat->run);
	ret->nexthop = ret->real ? nexthop_at(ret->real->nexthop) : NULL;
	ret->source_port = nat->source_port;
	return ret->run && ret->nexthop && ret->nexthop->ifindex;
}

/* --- New flows -------------------------------------------------------------------------------- */

static __always_inline bool nat_claim(struct dispatch_nat *nat, __u32 now_s, __u32 timeout_s)
{
	union dispatch_claim old = {.word = nat->claim.word};
	union dispatch_claim mine = {.seen_s = now_s, .timeout_s = (__u16)timeout_s};

	return dispatch_is_free(&old, now_s) &&
	       __sync_val_compare_and_swap(&nat->claim.word, old.word, mine.word) == old.word;
}

/*
 * Verified by itself: the verifier would follow each try once for each way that leads here.
 * @hash: says where the tries begin. Return: the index of an element that is ours now; -1: all that
 * were tried are taken.
 */
__noinline long nat_claim_one(__u32 run_index, __u32 hash, __u32 now_s, __u32 timeout_s)
{
	const struct dispatch_run *run = run_at(run_index);
	struct dispatch_nat *nat;
	__u32 offset;

	if (!run || !run->nports)
		return -1;
	offset = hash % run->nports;
	for (int i = 0; i < NAT_TRIES; i++) {
		nat = nat_at(run->base + offset);
		if (nat && nat_claim(nat, now_s, timeout_s))
			return run->base + offset;
		offset = offset + 1 < run->nports ? offset + 1 : 0;
	}
	return -1;
}

static __always_inline __u32 brief_timeout(const struct dispatch_virtual *service)
{
	return service->timeout_s < DISPATCH_NAT_BRIEF_S ? service->timeout_s
							 : DISPATCH_NAT_BRIEF_S;
}

static __always_inline __be16 port_of_real(const struct dispatch_real *real,
					   const struct packet *packet)
{
	return real->port ? real->port : packet->key.destination_port;
}

static __always_inline void nat_fill(struct dispatch_nat *nat, const struct dispatch_work *work,
				     const struct packet *packet, const struct dispatch_real *real)
{
	copy_address(nat->client, packet->key.source);
	nat->client_port = packet->key.source_port;
	nat->service_port = packet->key.destination_port;
	nat->endpoint_port = port_of_real(real, packet);
	nat->service = work->service_index;
	nat->real = work->real_index;
	nat->cookie = DISPATCH_COOKIE_NONE;
}

/* Return: NULL: all that were tried are taken. */
static __always_inline struct dispatch_nat *nat_take(struct dispatch_work *work,
						     const struct packet *packet,
						     const struct dispatch_real *real)
{
	__u32 run_index = real->run[(__u32)(work->hash >> 16) % (real->nruns ? real->nruns : 1) &
				    (DISPATCH_SOURCES_MAX - 1)];
	long index = nat_claim_one(run_index, (__u32)(work->hash >> 24), work->now_s,
				   brief_timeout(work->service));
	const struct dispatch_run *run = run_at(run_index);
	struct dispatch_nat *nat = index < 0 ? NULL : nat_at((__u32)index);

	if (!nat || !run)
		return NULL;
	nat_fill(nat, work, packet, real);
	nat->run = (__u16)run_index;
	nat->source_port = bpf_htons((__u16)(run->first_port + ((__u32)index - run->base)));
	line_put(work->hash, dispatch_entry_nat(work->hash, (__u32)index, work->now_s));
	return nat;
}

/* Verified by itself, for the stack of who asks. Return: whether a cookie was sent not long ago. */
__noinline int are_cookies_due(__u32 service, __u32 now_s)
{
	const struct dispatch_cookie_use *use = bpf_map_lookup_elem(&dispatch_cookies, &service);

	return use && use->sent_s &&
	       dispatch_seconds_since(now_s, use->sent_s) <= DISPATCH_COOKIE_LIFE_S;
}

/* Verified by itself, likewise. Return: whether the guard that is not there yet would want one:
 * between two daemons a flood does not wait. A guard that is there has a seed. */
__noinline int are_cookies_held(__u32 service, __u32 now_s)
{
	const struct dispatch_cookie_use *use = bpf_map_lookup_elem(&dispatch_cookies, &service);
	const struct guard_settings *guard;
	__u32 zero = 0;

	if (!use || !use->wanted_s ||
	    dispatch_seconds_since(now_s, use->wanted_s) > DISPATCH_COOKIE_HOLD_S)
		return false;
	guard = bpf_map_lookup_elem(&guard_settings, &zero);
	return guard && !guard->seed;
}

/* Only a SYN begins a flow of TCP, or what brings a cookie: nobody knows the port of one that is
 * under way. Return: FINE, or why not. */
static __always_inline enum dispatch_drop may_begin(const struct packet *packet,
						    const struct dispatch_work *work,
						    const struct tcphdr *tcp)
{
	if (work->protocol != IPPROTO_TCP)
		return DISPATCH_FINE;
	if (tcp->syn && !tcp->ack)
		return packet->wants_cookie || are_cookies_held(work->service_index, work->now_s)
			       ? DISPATCH_TO_COOKIE
			       : DISPATCH_FINE;
	if (!tcp->ack || tcp->syn || tcp->rst)
		return DISPATCH_DROP_NO_FLOW;
	return are_cookies_due(work->service_index, work->now_s) ? DISPATCH_TO_COOKIE
								 : DISPATCH_DROP_NO_FLOW;
}

/* ->real_index: who shall have the flow; 0: nobody. Return: NULL with *@ret_why. */
static __always_inline struct dispatch_nat *nat_enter(struct dispatch_work *work,
						      const struct packet *packet,
						      enum dispatch_drop *ret_why)
{
	const struct dispatch_real *real = work->real_index ? real_at(work->real_index) : NULL;
	struct dispatch_nat *nat;

	*ret_why = DISPATCH_DROP_NO_ENDPOINT;
	if (!real_is_of(real, work))
		return NULL;
	*ret_why = DISPATCH_DROP_RATE;
	if (!may_enter(work))
		return NULL;
	*ret_why = DISPATCH_DROP_NO_PORT;
	nat = nat_take(work, packet, real);
	if (nat)
		count_flow(work->service_index, work->real_index);
	return nat;
}

static __always_inline struct dispatch_nat *nat_begin(frame_context *ctx,
						      struct dispatch_work *work,
						      struct packet *packet,
						      enum dispatch_drop *ret_why)
{
	*ret_why = may_begin(packet, work, packet_tcp(packet));
	if (*ret_why != DISPATCH_FINE)
		return NULL;
	work->real_index = choose_real(ctx, work, packet, true);
	return nat_enter(work, packet, ret_why);
}

/* The daemon sends the RST: it has another length than the segment. Source: RFC 9293 section
 * 3.10.7.1. */
static __always_inline void tell_lost(struct packet *packet, const struct dispatch_work *work)
{
	const struct tcphdr *tcp = packet_tcp(packet);
	struct dispatch_lost *record;

	if (!work->service->resets_lost || !tcp->ack || tcp->rst)
		return;
	record = event_reserve(FLOW_EVENT_DISPATCH_LOST, sizeof(*record));
	if (!record)
		return;
	*record = (struct dispatch_lost){
		.event = {.kind = FLOW_EVENT_DISPATCH_LOST, .seq = bpf_ntohl(tcp->ack_seq)},
		.key = packet->key,
		.ack = bpf_ntohl(tcp->seq) + packet->payload + packet->l4_len - tcp->doff * 4 +
		       tcp->fin,
	};
	event_submit(record);
}

/* --- Translation ------------------------------------------------------------------------------ */

/* Return: what frame_store() wants: the difference of the transport header. */
static __always_inline __u32 translate_ports(struct packet *packet, __u32 l4_at, __be16 source,
					     __be16 destination)
{
	/* As one word: read again, what was written in parts would have to wait for them. */
	const union {
		__be16 port[2];
		__u32 word;
	} after = {.port = {source, destination}};
	__u32 *ports = (__u32 *)(packet_l4(packet) + l4_at), before = *ports;

	*ports = after.word;
	return sum_difference(before, after.word);
}

static __always_inline enum dispatch_drop nat_translate(frame_context *ctx, struct packet *packet,
							const struct dispatch_work *work,
							const __u8 *source, __be16 source_port,
							const __u8 *destination,
							__be16 destination_port)
{
	__u32 l4_at = packet->l4_at ? IPV6_FRAGMENT_LEN : 0; /* a number that the verifier knows */
	__u32 checksum_at = l4_at + (work->protocol == IPPROTO_TCP
					     ? __builtin_offsetof(struct tcphdr, check)
					     : __builtin_offsetof(struct udphdr, check));
	struct checksum_differences differences = {};

	frame_judge_checksum(ctx, packet);
	if (!translate_l3(packet, source, destination, true, &differences))
		return DISPATCH_DROP_TTL_EXPIRED;
	differences.l4 = translate_ports(packet, l4_at, source_port, destination_port);
	if (frame_store(ctx, packet, checksum_at, differences.pseudo, differences.l4,
			differences.l3))
		return DISPATCH_DROP_NO_HEADROOM;
	return DISPATCH_FINE;
}

/* --- From the client -------------------------------------------------------------------------- */

/* Answers go back the way that the last packet came: written only where that has changed. */
static __always_inline void nat_note_way(frame_context *ctx, struct dispatch_nat *nat)
{
	const __u32 *macs = (const void *)(long)ctx->data;
	__u32 *known = (__u32 *)nat->macs;

	if ((const void *)(macs + 3) > (const void *)(long)ctx->data_end)
		return;
	if (nat->ifindex == frame_ifindex(ctx) && known[0] == macs[0] && known[1] == macs[1] &&
	    known[2] == macs[2])
		return;
	nat->ifindex = frame_ifindex(ctx);
	known[0] = macs[0];
	known[1] = macs[1];
	known[2] = macs[2];
}

/* To a SYN that is not the flow's: that is over, or its endpoint has not said anything yet. Where
 * cookies have no part in it, such a flow goes on as another one, with its port. */
static __always_inline bool nat_gives_way(const struct dispatch_nat *nat,
					  const struct packet *packet, const struct tcphdr *tcp)
{
	if (!nat->cookie && !packet->wants_cookie)
		return false;
	if (!tcp->syn || tcp->ack)
		return false;
	return dispatch_has_ended(nat->claim.flags) ||
	       (nat->cookie == DISPATCH_COOKIE_ASKED &&
		nat->cookie_seq != (__u16)bpf_ntohl(tcp->seq));
}

/* What the flow had in front is of the element that it gives up, or of one whose entry in the table
 * is another's by now. Return: NULL with *@ret_why. */
static __always_inline struct dispatch_nat *nat_get(frame_context *ctx, struct packet *packet,
						    struct dispatch_work *work,
						    enum dispatch_drop *ret_why)
{
	struct dispatch_nat *nat = nat_find(work, packet);

	if (nat && real_is_of(real_at(nat->real), work) &&
	    !nat_gives_way(nat, packet, packet_tcp(packet)))
		return nat;
	if (nat)
		nat_give_up(nat, work, packet);
	front_forget(work, packet);
	return nat_begin(ctx, work, packet, ret_why);
}

/* Of a flow in front. Return: false: it goes the whole way. */
static __always_inline bool nat_find_front(frame_context *ctx, const struct packet *packet,
					   struct dispatch_work *work, struct nat_way *ret)
{
	__u64 way = front_find(ctx, work, packet);
	__u32 real = dispatch_front_real(way);

	ret->real = real ? real_at(real) : NULL;
	if (!real_is_of(ret->real, work))
		return false;
	ret->run = run_at(ret->real->run[dispatch_front_run(way)]);
	ret->nexthop = nexthop_at(ret->real->nexthop);
	ret->source_port = dispatch_front_port(way);
	if (!ret->run || !ret->nexthop || !ret->nexthop->ifindex)
		return false;
	work->real_index = real;
	return true;
}

/* The next packets of an open flow may go by what this one has found. */
static __always_inline void nat_put_front(frame_context *ctx, const struct packet *packet,
					  const struct dispatch_work *work,
					  const struct nat_way *way)
{
	struct dispatch_nat *nat = work->nat;
	union dispatch_claim claim = nat_claim_of(nat);
	__u32 run = 0;

	if (!(claim.flags & DISPATCH_NAT_OPEN) || dispatch_has_ended(claim.flags) ||
	    nat->endpoint_port != port_of_real(way->real, packet))
		return;
	while (run < DISPATCH_SOURCES_MAX - 1 && way->real->run[run] != nat->run)
		run++;
	if (way->real->run[run] != nat->run)
		return;
	front_put(front_index(work), front_key(packet),
		  dispatch_front_way(front_stamp(ctx, work), nat->source_port, run,
				     work->real_index));
	if (nat_claim_of(nat).word != claim.word || !nat_is_of(nat, work, packet))
		front_forget(work, packet);
}

/* The whole way: by the flow's line and its element, or a new one. Return: FINE with ->nat, or why
 * not. */
static __always_inline enum dispatch_drop nat_find_flow(frame_context *ctx, struct packet *packet,
							struct dispatch_work *work,
							struct nat_way *ret)
{
	enum dispatch_drop why = DISPATCH_FINE;
	struct dispatch_nat *nat = nat_get(ctx, packet, work, &why);

	if (!nat) {
		if (why == DISPATCH_DROP_NO_FLOW)
			tell_lost(packet, work);
		return why;
	}
	work->nat = nat;
	work->real_index = nat->real;
	if (nat->cookie)
		return DISPATCH_TO_COOKIE;
	return nat_find_way(nat, ret) ? DISPATCH_FINE : DISPATCH_DROP_NEXTHOP_GONE;
}

/* A flow that begins anew or is reset is not for the front until it goes on. */
static __always_inline void nat_note_packet(frame_context *ctx, struct packet *packet,
					    const struct dispatch_work *work,
					    const struct nat_way *way)
{
	const struct tcphdr *tcp = packet_tcp(packet);

	nat_note_way(ctx, work->nat);
	nat_note_up(work->nat, work, packet);
	if (front_serves(work, packet)) {
		nat_put_front(ctx, packet, work, way);
	} else if (work->protocol == IPPROTO_TCP && (tcp->syn || tcp->rst)) {
		front_fence(&work->nat->claim.word);
		front_forget(work, packet);
	}
}

static __always_inline enum dispatch_drop nat_forward(frame_context *ctx, struct packet *packet,
						      struct dispatch_work *work)
{
	enum dispatch_drop why = DISPATCH_FINE;
	struct nat_way way;

	if (!front_serves(work, packet) || !nat_find_front(ctx, packet, work, &way))
		why = nat_find_flow(ctx, packet, work, &way);
	if (why == DISPATCH_FINE)
		why = way_takes(ctx, packet, work, way.nexthop, 0);
	if (why != DISPATCH_FINE)
		return why;
	if (work->nat)
		nat_note_packet(ctx, packet, work, &way);
	why = nat_translate(ctx, packet, work, way.run->source, way.source_port, way.real->address,
			    work->nat ? work->nat->endpoint_port : port_of_real(way.real, packet));
	if (why == DISPATCH_FINE)
		work->action = frame_forward(ctx, packet, way.nexthop);
	return why;
}

/* --- From the endpoint ------------------------------------------------------------------------ */

/* @port: that the packet is for, host order. */
static __always_inline const struct dispatch_run *run_find(const struct dispatch_work *work,
							   const struct packet *packet, __u32 port)
{
	const struct dispatch_settings *settings = work->settings;
	__u32 place = (__u32)dispatch_hash_run(packet->key.source, packet->key.destination,
					       work->protocol, &settings->secret);
	const struct dispatch_run *run;

	for (__u32 i = 0; i < DISPATCH_RUN_PROBES; i++) {
		run = run_at((place + i) & settings->run_mask);
		if (run && run->is_used && run->protocol == work->protocol &&
		    port - run->first_port < run->nports &&
		    is_same_address(run->endpoint, packet->key.source) &&
		    is_same_address(run->source, packet->key.destination))
			return run;
	}
	return NULL;
}

/* Return: NULL: it answers no flow of ours. */
static __always_inline struct dispatch_nat *nat_of_answer(struct dispatch_work *work,
							  const struct packet *packet)
{
	__u32 port = bpf_ntohs(packet->key.destination_port);
	const struct dispatch_run *run = run_find(work, packet, port);
	struct dispatch_nat *nat;

	if (!run)
		return NULL;
	nat = nat_at(run->base + port - run->first_port);
	if (!nat || dispatch_is_free(&nat->claim, work->now_s) ||
	    nat->endpoint_port != packet->key.source_port)
		return NULL;
	return nat;
}

/* Return: false: it is for no flow of ours. */
static __always_inline bool nat_is_answer(struct dispatch_work *work, const struct packet *packet)
{
	struct dispatch_nat *nat = nat_of_answer(work, packet);

	if (!nat)
		return false;
	work->nat = nat;
	work->service_index = nat->service;
	work->real_index = nat->real;
	work->service = service_at(work->half, nat->service);
	work->load.is_answer = true;
	return work->service && work->service->id;
}

/* Return: LEAVES: not one of ours. */
static __always_inline enum dispatch_drop nat_return(frame_context *ctx, struct packet *packet,
						     struct dispatch_work *work)
{
	struct dispatch_nat *nat;
	enum dispatch_drop why;

	if (!nat_is_answer(work, packet))
		return DISPATCH_LEAVES;
	nat = work->nat;
	if (load_headers(ctx, packet, true))
		return DISPATCH_DROP_MALFORMED;
	if (nat->cookie)
		return DISPATCH_TO_COOKIE;
	if (!frame_can_send(ctx, packet, work->settings->flags & DISPATCH_SENDS_XDP))
		return DISPATCH_LEFT_TO_TC;
	nat_note_down(nat, work, packet);
	why = nat_translate(ctx, packet, work, work->service->address, nat->service_port,
			    nat->client, nat->client_port);
	if (why == DISPATCH_FINE)
		work->action = frame_send_back(ctx, nat->ifindex, nat->macs);
	return why;
}

#endif
