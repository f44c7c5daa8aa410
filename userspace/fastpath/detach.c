// SPDX-License-Identifier: Apache-2.0
/* Takes the programs of a daemon that is gone off every device: those that work on its maps. */
#include "fastpath/fastpath_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#define MAPS_MAX 64 /* of a program, in the kernel */

/* The program for what goes out has no map; it is told by its name. */
static bool has_map(const struct bpf_prog_info *facts, const __u32 *ids, uint32_t map_id)
{
	if (strcmp(facts->name, "tc_egress") == 0)
		return true;
	for (uint32_t i = 0; i < facts->nr_map_ids && i < MAPS_MAX; i++)
		if (ids[i] == map_id)
			return true;
	return false;
}

static bool works_on(uint32_t prog_id, uint32_t map_id)
{
	__u32 ids[MAPS_MAX] = {};
	struct bpf_prog_info facts = {.nr_map_ids = MAPS_MAX, .map_ids = (__u64)(uintptr_t)ids};
	__u32 len = sizeof(facts);
	int fd = bpf_prog_get_fd_by_id(prog_id);
	int err;

	if (fd < 0)
		return false;
	err = bpf_obj_get_info_by_fd(fd, &facts, &len);
	close(fd);
	return !err && has_map(&facts, ids, map_id);
}

static void detach_tc(int ifindex, enum bpf_tc_attach_point point, const struct pin *pin,
		      uint32_t map_id)
{
	const struct bpf_tc_hook hook = {
		.sz = sizeof(hook), .ifindex = ifindex, .attach_point = point};
	struct bpf_tc_opts ours = {
		.sz = sizeof(ours), .handle = pin_handle(pin), .priority = HOOK_TC_PRIORITY};

	if (bpf_tc_query(&hook, &ours) < 0 || !works_on(ours.prog_id, map_id))
		return;
	ours.prog_fd = 0;
	ours.prog_id = ours.flags = 0;
	(void)bpf_tc_detach(&hook, &ours);
}

static void detach_xdp(int ifindex, uint32_t map_id)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, present);

	if (bpf_xdp_query(ifindex, XDP_FLAGS_DRV_MODE, &present) < 0 || !present.drv_prog_id ||
	    !works_on(present.drv_prog_id, map_id))
		return;
	(void)bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE, NULL);
}

void detach_programs(const struct pin *pin, uint32_t map_id)
{
	struct if_nameindex *links = if_nameindex();

	for (const struct if_nameindex *link = links; link && link->if_index; link++) {
		detach_xdp((int)link->if_index, map_id);
		detach_tc((int)link->if_index, BPF_TC_INGRESS, pin, map_id);
		detach_tc((int)link->if_index, BPF_TC_EGRESS, pin, map_id);
	}
	if_freenameindex(links);
}
