// SPDX-License-Identifier: Apache-2.0
/*
 * Counts packets that a device has summed up (CHECKSUM_COMPLETE), by whether the sum that the skb
 * carries is that of the bytes behind the Ethernet header. bpf_redirect_neigh() adds the header
 * that a packet came with to the sum, and what takes it in from a veth subtracts the new one;
 * so the difference of the two is taken off. OLD_LINK: the sum of the old header. lib/sums.py
 * compiles it with that and attaches it.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define SUM_COMPLETE 2
#define PACKET_MAX   2048

enum { OTHERS, RIGHT, WRONG, OUTCOMES };

struct sk_buff {
	__u32 csum;
	__u8 ip_summed : 2;
} __attribute__((preserve_access_index));

void *bpf_cast_to_kern_ctx(void *context) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, OUTCOMES);
	__type(key, __u32);
	__type(value, __u64);
} sums_seen SEC(".maps");

static __always_inline __u32 fold(__u64 sum)
{
	for (int i = 0; i < 4; i++)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff ? 0 : (__u32)sum;
}

/* Return: whether all bytes from @at to @end could be read. */
static __always_inline bool sum_up(struct __sk_buff *skb, __u32 at, __u32 end, __u64 *sum)
{
	__u16 word = 0;

	while (at < PACKET_MAX && at + sizeof(word) <= end) {
		if (bpf_skb_load_bytes(skb, at, &word, sizeof(word)))
			return false;
		*sum += word;
		at += sizeof(word);
	}
	if (at == end)
		return true;
	word = 0;
	if (at + 1 != end || bpf_skb_load_bytes(skb, at, &word, 1))
		return false;
	*sum += word;
	return true;
}

SEC("tc")
int sums(struct __sk_buff *skb)
{
	struct sk_buff *kernel = bpf_cast_to_kern_ctx(skb);
	__u64 link = 0, sum = OLD_LINK, *count;
	__u32 outcome = OTHERS;

	if (BPF_CORE_READ_BITFIELD(kernel, ip_summed) == SUM_COMPLETE) {
		if (!sum_up(skb, 0, ETH_HLEN, &link) || !sum_up(skb, ETH_HLEN, skb->len, &sum))
			return TC_ACT_UNSPEC;
		outcome = fold(sum) == fold(link + kernel->csum) ? RIGHT : WRONG;
	}
	count = bpf_map_lookup_elem(&sums_seen, &outcome);
	if (count)
		__sync_fetch_and_add(count, 1);
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
