/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SLUICE_BPF_DISPATCH_COUNT_H
#define SLUICE_BPF_DISPATCH_COUNT_H

/* What dispatch counts, a service and an endpoint at a time. */
#include "lib/dispatch_maps.h"

struct dispatch_load {
	__u32 packets, bytes;
	bool is_answer;
};

static __always_inline void count_load(struct dispatch_real_count *count,
				       const struct dispatch_load *load)
{
	if (load->is_answer) {
		count->returned_packets += load->packets;
		count->returned_bytes += load->bytes;
		return;
	}
	count->packets += load->packets;
	count->bytes += load->bytes;
}

static __always_inline void count_forwarded(__u32 service, __u32 real,
					    const struct dispatch_load *load)
{
	struct dispatch_service_count *of_service = bpf_map_lookup_elem(&dispatch_service_counts,
									&service);
	struct dispatch_real_count *of_real = bpf_map_lookup_elem(&dispatch_real_counts, &real);

	if (of_service)
		count_load(&of_service->traffic, load);
	if (of_real)
		count_load(of_real, load);
}

/* A new one. */
static __always_inline void count_flow(__u32 service, __u32 real)
{
	struct dispatch_service_count *of_service = bpf_map_lookup_elem(&dispatch_service_counts,
									&service);
	struct dispatch_real_count *of_real = bpf_map_lookup_elem(&dispatch_real_counts, &real);

	if (of_service)
		of_service->traffic.flows++;
	if (of_real)
		of_real->flows++;
}

static __always_inline void count_dropped(__u32 service, enum dispatch_drop why, __u32 packets)
{
	struct dispatch_service_count *count = bpf_map_lookup_elem(&dispatch_service_counts,
								   &service);

	if (count && why < DISPATCH_DROP_COUNT)
		count->drops[why] += packets;
}

static __always_inline void count_unlisted(__u32 service)
{
	struct dispatch_service_count *count = bpf_map_lookup_elem(&dispatch_service_counts,
								   &service);

	if (count)
		count->unlisted++;
}

/* A SYN that was answered with one, or a flow that one has begun. */
static __always_inline void count_cookie(__u32 service, bool is_flow)
{
	struct dispatch_service_count *count = bpf_map_lookup_elem(&dispatch_service_counts,
								   &service);

	if (!count)
		return;
	if (is_flow)
		count->cookie_flows++;
	else
		count->cookies++;
}

#endif
