/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_FLOW_H
#define SLUICE_BPF_FLOW_H

/* A packet's flow: its pair, the gate that says who carries it, and the record of what was seen. */
#include "lib/clock.h"
#include "lib/event.h"
#include "lib/maps.h"
#include "lib/parse.h"
#include "lib/tcp_options.h"

/* How far beyond the window that we know of a sender may be: windows are rounded to their scale. */
#define WINDOW_SLACK 65536
#define RAISE_TRIES  64
/* How far behind the highest an ack may be for having been overtaken. */
#define OVERTAKEN_MAX (1u << 20)

struct flow {
	struct flow_pair *pair;
	__u32 index; /* of the pair */
	__u32 direction;
	bool has_tail; /* joined, but its sockets still deliver what they had taken before */
};

static __always_inline bool is_same_key(const struct flow_key *a, const struct flow_key *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;
	const __u32 *ports_x = (const __u32 *)&a->source_port;
	const __u32 *ports_y = (const __u32 *)&b->source_port;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2] && x[3] == y[3] && *ports_x == *ports_y;
}

/* Fills @flow even where the answer is no. Asks for the lines that are wanted later together with
 * the one that is compared: they are cold when there are many flows. */
static __always_inline bool flow_is_at(__u32 place, const struct flow_key *key, struct flow *flow)
{
	__u32 index = (place - 1) >> 1;

	if (!place)
		return false;
	flow->index = index;
	flow->direction = (place - 1) & 1;
	flow->pair = bpf_map_lookup_elem(&pairs, &index);
	if (!flow->pair)
		return false;
	(void)*(volatile __u8 *)&flow->pair->out[flow->direction].flags;
	(void)*(volatile __u8 *)&flow->pair->seen[flow->direction].flags;
	return is_same_key(&flow->pair->in[flow->direction].key, key);
}

/* Return: the place of the only flow in the bucket that has the tag; 0: none has. */
static __always_inline __u32 place_of(const struct flow_bucket *bucket, __u16 tag)
{
	__u32 at = FLOW_BUCKET_PLACES;

#pragma unroll
	for (int i = 0; i < FLOW_BUCKET_PLACES; i++)
		if (bucket->tag[i] == tag)
			at = i;
	return at < FLOW_BUCKET_PLACES ? bucket->place[at] : 0;
}

static __always_inline bool flow_find(const struct flow_key *key, struct flow *flow)
{
	__u64 hash = flow_hash(key);
	__u32 index = flow_first_bucket(hash, bucket_mask);
	__u16 tag = flow_tag(hash);
	struct flow_bucket *bucket = bpf_map_lookup_elem(&buckets, &index);

	if (!bucket)
		return false;
	if (flow_is_at(place_of(bucket, tag), key, flow))
		return true;
	if (!bucket->overflowed)
		return false;
	index = flow_other_bucket(index, tag, bucket_mask);
	bucket = bpf_map_lookup_elem(&buckets, &index);
	return bucket && flow_is_at(place_of(bucket, tag), key, flow);
}

/* Return: NULL if packets cannot be sent there. */
static __always_inline const struct flow_nexthop *flow_nexthop(
	const struct flow_translation *translation)
{
	__u32 index = translation->nexthop;

	return bpf_map_lookup_elem(&nexthops, &index);
}

/* Is @a behind @b? RFC 793 section 3.3. */
static __always_inline bool is_after(__u32 a, __u32 b)
{
	return (__s32)(a - b) > 0;
}

static __always_inline __u32 sequence_end(const struct packet *packet, const struct tcphdr *tcp)
{
	return bpf_ntohl(tcp->seq) + packet->payload + tcp->syn + tcp->fin;
}

/* A flag that is set is not written again: the other direction's CPU sets one of them. */
static __always_inline void set_seen(struct flow_record *record, __u8 flag)
{
	if (!(record->flags & flag))
		record->flags |= flag;
}

static __always_inline void record_latest(struct packet *packet, struct flow_record *record)
{
	const struct tcphdr *tcp = (const struct tcphdr *)packet_l4(packet);
	const __u8 *timestamps = option_at(packet, packet->timestamp_at, TIMESTAMP_LAST);

	record->window = bpf_ntohs(tcp->window);
	if (timestamps)
		record->tsval = read_be32(timestamps + 2);
	record->last_seen_ns = clock_coarse_ns();
}

/*
 * Raises @highest to @number, beside other CPUs that do so: one that wrote a lower number over a
 * higher would hide from the daemon a packet that is still on its way to its socket. A try fails
 * only where another CPU has raised it meanwhile, so there are more tries than CPUs at one flow.
 */
static __always_inline void raise_to(__u32 *highest, __u32 known, __u32 number)
{
	__u32 found;

	for (int i = 0; i < RAISE_TRIES; i++) {
		found = __sync_val_compare_and_swap(highest, known, number);
		if (found == known || !is_after(number, found))
			return;
		known = found;
	}
}

/* What goes up to the sockets, whatever it is: they judge it, and the daemon compares. */
static __always_inline void record_observed(struct packet *packet, const struct flow *flow)
{
	const struct tcphdr *tcp = packet_tcp(packet);
	struct flow_record *record = &flow->pair->seen[flow->direction];
	__u32 end = sequence_end(packet, tcp), ack = bpf_ntohl(tcp->ack_seq);
	__u32 known = *(volatile __u32 *)&record->seq_end;
	bool is_first = !(record->flags & FLOW_SEEN_ANY);

	if (is_first)
		raise_to(&record->seq_end, 0, end);
	else if (is_after(end, known))
		raise_to(&record->seq_end, known, end);
	if (tcp->ack && (is_first || is_after(ack, record->ack)))
		record->ack = ack;
	record_latest(packet, record);
	set_seen(record, FLOW_SEEN_ANY);
}

static __always_inline void report_end(const struct flow *flow)
{
	struct flow_event *event = event_reserve(FLOW_EVENT_OVER, sizeof(*event));

	if (!event)
		return;
	*event = (struct flow_event){
		.id = flow->pair->id, .pair = flow->index, .kind = FLOW_EVENT_OVER};
	event_submit(event);
}

/* What was the last that had to be said ends the pair, and is told of once. */
static __always_inline void set_last_seen(const struct flow *flow, __u32 direction, __u8 flag)
{
	struct flow_record *record = &flow->pair->seen[direction];

	if (record->flags & flag)
		return;
	record->flags |= flag;
	if (flow_is_over(flow->pair))
		report_end(flow);
}

/* An RST counts if its number is the next one, as one side or the other knows it: any other the
 * receiver will not believe either (RFC 5961 section 3.2). */
static __always_inline void record_end(const struct tcphdr *tcp, __u32 end, const struct flow *flow)
{
	const struct flow_translation *out = &flow->pair->out[flow->direction];
	struct flow_record *record = &flow->pair->seen[flow->direction];
	struct flow_record *other = &flow->pair->seen[flow->direction ^ 1];
	__u32 seq = bpf_ntohl(tcp->seq);

	if (tcp->rst) {
		if (seq == record->seq_end ||
		    seq + out->seq_delta == flow_ack(flow->pair, flow->direction ^ 1))
			set_last_seen(flow, flow->direction, FLOW_SEEN_RST);
	} else if (tcp->fin) {
		record->fin_seq = end;
		set_seen(record, FLOW_SEEN_FIN);
		other->peer_fin = end + out->seq_delta;
		other->peer_flags = FLOW_PEER_FIN;
	}
}

/*
 * Whether the other side can have allowed its peer to send up to @end. What it allowed when it was
 * last asked is kept in this direction's line: the other direction's is on another CPU, and cold.
 */
static __always_inline bool is_allowed(const struct flow *flow, __u32 end)
{
	struct flow_record *record = &flow->pair->seen[flow->direction];
	const struct flow_record *other = &flow->pair->seen[flow->direction ^ 1];
	__u32 window, ack;

	if (record->has_seq_limit && !is_after(end, record->seq_limit))
		return true;
	if (!(other->flags & FLOW_SEEN_ANY))
		return true;
	window = (__u32)other->window << (flow->pair->out[flow->direction ^ 1].scale_in & 15);
	ack = other->ack - flow->pair->out[flow->direction].seq_delta;
	if (record->flags & FLOW_SEEN_ANY && is_after(ack, record->seq_end))
		ack = record->seq_end;
	record->seq_limit = ack + window + WINDOW_SLACK;
	record->has_seq_limit = 1;
	return !is_after(end, record->seq_limit);
}

/* An older one has been overtaken. One that is out of all proportion was forged, or comes after one
 * that was. */
static __always_inline void record_ack(const struct flow *flow, __u32 ack)
{
	struct flow_record *record = &flow->pair->seen[flow->direction];

	if (!(record->flags & FLOW_SEEN_ANY) || record->ack - ack > OVERTAKEN_MAX)
		record->ack = ack;
	if (record->peer_flags & FLOW_PEER_FIN && ack == record->peer_fin)
		set_last_seen(flow, flow->direction ^ 1, FLOW_SEEN_FIN_ACKED);
}

/*
 * What goes through. Numbers that the other side cannot have agreed to are forwarded, for it is the
 * judge of them, but not believed: they would end a flow, or spoil the numbers of the RST that ends
 * it when idle.
 */
static __always_inline void record_spliced(struct packet *packet, const struct flow *flow,
					   __u32 segments)
{
	const struct tcphdr *tcp = packet_tcp(packet);
	struct flow_record *record = &flow->pair->seen[flow->direction];
	__u32 end = sequence_end(packet, tcp);

	record->packets += segments;
	record->bytes += packet->payload;
	if (tcp->syn) /* its numbers are of another connection */
		return;
	if (is_allowed(flow, end)) {
		if (tcp->rst || tcp->fin)
			record_end(tcp, end, flow);
		if (!tcp->rst &&
		    (!(record->flags & FLOW_SEEN_ANY) || is_after(end, record->seq_end)))
			record->seq_end = end;
	}
	if (!tcp->ack)
		return;
	record_ack(flow, bpf_ntohl(tcp->ack_seq));
	record_latest(packet, record);
	set_seen(record, FLOW_SEEN_ANY);
}

/*
 * A SYN where nobody has anything left to say begins a new connection, which is the stack's from
 * here on. Any other SYN is forwarded: its receiver answers with the number that it expects, and a
 * client that really has begun anew resets the old connection with that (RFC 5961 section 4).
 */
static __always_inline bool gives_way(struct packet *packet, const struct flow *flow)
{
	const struct tcphdr *tcp = packet_tcp(packet);

	if (!tcp->syn || tcp->ack || !flow_is_over(flow->pair))
		return false;
	*(volatile __u64 *)&flow->pair->gate = gate_word(GATE_PASS, 0);
	*(volatile __u32 *)&flow->pair->in[FLOW_UP].is_spliced = 0;
	*(volatile __u32 *)&flow->pair->in[FLOW_DOWN].is_spliced = 0;
	report_end(flow);
	return true;
}

/*
 * Return: SPLICED, OBSERVED, or why the packet is the stack's. The record is written before the
 * count: a daemon that has read the count reads a record that has the packet, and one that has not
 * fails to swap the gate. A swap that came first makes the packet ours after all.
 */
static __always_inline enum flow_verdict flow_gate(struct packet *packet, struct flow *flow)
{
	enum gate_state state = GATE_SPLICED;

	if (!*(volatile __u32 *)&flow->pair->in[flow->direction].is_spliced)
		state = gate_state_of(*(volatile __u64 *)&flow->pair->gate);
	if (state == GATE_OBSERVE) {
		record_observed(packet, flow);
		state = gate_state_of(__sync_fetch_and_add(&flow->pair->gate, 1));
	}
	if (state == GATE_OBSERVE)
		return FLOW_VERDICT_OBSERVED;
	if (state == GATE_PASS && packet_tcp(packet)->syn)
		return FLOW_VERDICT_NEW_SYN;
	flow->has_tail = state == GATE_TAIL;
	if (state != GATE_SPLICED && state != GATE_TAIL)
		return FLOW_VERDICT_NO_FLOW;
	return gives_way(packet, flow) ? FLOW_VERDICT_NEW_SYN : FLOW_VERDICT_SPLICED;
}

#endif
