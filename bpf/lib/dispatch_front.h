/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_FRONT_H
#define SLUICE_BPF_DISPATCH_FRONT_H

/*
 * In front of the table of flows: packets that change nothing of their flow find here what they
 * become, in one cache line instead of two (abi/dispatch.h, struct dispatch_front). What is here
 * is never more than the flow's element said when it was put, and only while no other flow can have
 * that element:
 *
 *   put        by a packet that has been the whole way, of a flow that is open and has not ended
 *   outdated   with the epoch, and by every plan
 *   forgotten  when the element is given up or begins anew
 *
 * One CPU may put while another one gives up: who puts looks at the element afterwards, who gives
 * up changes that first, so one of the two sees the other (Dekker).
 */
#include "lib/dispatch_send.h"

#define FRONT_BUSY (1ULL << DISPATCH_FRONT_RUN_AT) /* of real 0: good for nobody */

/* --- Reading and writing ---------------------------------------------------------------------- */

/* @at, to be read behind @value: no CPU reads what an address depends on before that. */
static __always_inline const volatile __u64 *read_behind(const __u64 *at, __u64 value)
{
	asm volatile("%0 &= 0" : "+r"(value));
	return (const volatile __u64 *)((const char *)at + value);
}

/* Return: what the flow of @key has; 0: nothing. Key and value change apart from each other, so the
 * key is read once more. */
static __always_inline __u64 front_read(const struct dispatch_front *front, __u64 key)
{
	__u64 way;

	if (*(const volatile __u64 *)&front->key != key)
		return 0;
	way = *read_behind(&front->way, key);
	return *read_behind(&front->key, way) == key ? way : 0;
}

/* Nobody else writes while it is busy. Atomic operations are full barriers, on each side of the
 * key. */
static __always_inline void front_write(struct dispatch_front *front, __u64 key, __u64 way)
{
	__u64 old = *(const volatile __u64 *)&front->way;

	if (old == FRONT_BUSY || __sync_val_compare_and_swap(&front->way, old, FRONT_BUSY) != old)
		return;
	*(volatile __u64 *)&front->key = key;
	(void)__sync_lock_test_and_set(&front->way, way);
}

static __always_inline void front_empty(struct dispatch_front *front)
{
	__u64 old = *(const volatile __u64 *)&front->way;

	if (old != FRONT_BUSY)
		(void)__sync_val_compare_and_swap(&front->way, old, 0);
}

/* --- A flow's --------------------------------------------------------------------------------- */

static __always_inline struct dispatch_front_line *front_line(__u32 index)
{
	return bpf_map_lookup_elem(&dispatch_fronts, &index);
}

static __always_inline __u32 front_index(const struct dispatch_work *work)
{
	return (__u32)work->hash & work->settings->line_mask;
}

static __always_inline __u64 front_key(const struct packet *packet)
{
	return dispatch_front_key(unmap_ipv4(packet->key.source),
				  *(const __u32 *)&packet->key.source_port);
}

/* By which way it came, in eight bits: another way is another's device or router. */
static __always_inline __u32 front_path(frame_context *ctx, const struct dispatch_work *work)
{
	const __u32 *macs = (const void *)(long)ctx->data;
	const __u32 *key = work->settings->secret.word;

	if ((const void *)(macs + 3) > (const void *)(long)ctx->data_end)
		return 0;
	return dispatch_mix(dispatch_nh(macs[0], macs[1], key) +
			    dispatch_nh(macs[2], frame_ifindex(ctx), key + 2)) &
	       0xff;
}

/* What an entry has to say beside the way, for this packet. */
static __always_inline __u64 front_stamp(frame_context *ctx, const struct dispatch_work *work)
{
	return dispatch_front_stamp(work->now_s, front_index(work), work->settings->front_turn,
				    front_path(ctx, work));
}

/* Whether it changes nothing of its flow, if that is open. */
static __always_inline bool front_serves(const struct dispatch_work *work, struct packet *packet)
{
	const struct tcphdr *tcp = packet_tcp(packet);

	if (packet->is_ipv6 || packet->is_fragment || work->settings->front_turn & 1)
		return false;
	return work->protocol != IPPROTO_TCP || !(tcp->syn || tcp->fin || tcp->rst);
}

/* Return: the flow's way; 0: there is none that is good. */
static __always_inline __u64 front_find(frame_context *ctx, const struct dispatch_work *work,
					const struct packet *packet)
{
	const struct dispatch_front_line *line = front_line(front_index(work));
	__u64 key = front_key(packet), way = 0;

	if (!line)
		return 0;
	for (int i = 0; i < DISPATCH_FRONT_PLACES && !way; i++)
		way = front_read(&line->place[i], key);
	return way && dispatch_front_is_of(way, front_stamp(ctx, work)) ? way : 0;
}

/* Verified by itself, for the stack of who asks. A line whose places are all good takes no more
 * until the next epoch. Return: nothing of interest. */
__noinline int front_put(__u32 index, __u64 key, __u64 way)
{
	struct dispatch_front_line *line = front_line(index);
	struct dispatch_front *front = NULL;

	if (!line)
		return 0;
	for (int i = 0; i < DISPATCH_FRONT_PLACES; i++)
		if (!dispatch_front_is_as_old(line->place[i].way, way))
			front = &line->place[i];
	for (int i = DISPATCH_FRONT_PLACES - 1; i >= 0; i--)
		if (line->place[i].key == key)
			front = &line->place[i]; /* the first one, as who reads finds it */
	if (front)
		front_write(front, key, way);
	return 0;
}

/* Verified by itself, likewise. */
__noinline int front_drop(__u32 index, __u64 key)
{
	struct dispatch_front_line *line = front_line(index);

	if (!line)
		return 0;
	for (int i = 0; i < DISPATCH_FRONT_PLACES; i++)
		if (line->place[i].key == key)
			front_empty(&line->place[i]);
	return 0;
}

/* Between the change of a flow's element, which has @word, and front_forget(). Where nobody wants
 * what it returns, clang takes an instruction that is no barrier. */
static __always_inline void front_fence(__u64 *word)
{
	__u64 seen = __sync_fetch_and_add(word, 0);

	barrier_var(seen);
}

static __always_inline void front_forget(const struct dispatch_work *work,
					 const struct packet *packet)
{
	if (!packet->is_ipv6)
		front_drop(front_index(work), front_key(packet));
}

#endif
