// SPDX-License-Identifier: Apache-2.0
/*
 * The hook at TC: clsact, with a priority and a handle of our own, so that others' filters stay as
 * they are. The clsact qdisc itself is left when we go: somebody may have come to rely on it, and
 * an empty one costs nothing.
 */
#include "fastpath/fastpath_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

bool hook_is_ours(uint32_t prog_id, const char *name)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(prog_id);
	int err;

	if (fd < 0)
		return false;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	return !err && strncmp(info.name, name, sizeof(info.name) - 1) == 0;
}

static int attach_one(uint32_t ifindex, enum bpf_tc_attach_point point,
		      const struct bpf_program *program)
{
	struct bpf_tc_hook hook = {
		.sz = sizeof(hook),
		.ifindex = (int)ifindex,
		.attach_point = point,
	};
	struct bpf_tc_opts wanted = {
		.sz = sizeof(wanted),
		.handle = HOOK_TC_HANDLE,
		.priority = HOOK_TC_PRIORITY,
	};
	struct bpf_tc_opts present = wanted;
	int err = bpf_tc_hook_create(&hook);

	if (err && err != -EEXIST)
		return err;
	if (bpf_tc_query(&hook, &present) == 0) {
		if (!hook_is_ours(present.prog_id, bpf_program__name(program)))
			return -EBUSY;
		wanted.flags = BPF_TC_F_REPLACE;
	}
	wanted.prog_fd = bpf_program__fd(program);
	return bpf_tc_attach(&hook, &wanted);
}

static void detach_one(uint32_t ifindex, enum bpf_tc_attach_point point)
{
	const struct bpf_tc_hook hook = {
		.sz = sizeof(hook),
		.ifindex = (int)ifindex,
		.attach_point = point,
	};
	const struct bpf_tc_opts ours = {
		.sz = sizeof(ours),
		.handle = HOOK_TC_HANDLE,
		.priority = HOOK_TC_PRIORITY,
	};

	(void)bpf_tc_detach(&hook, &ours);
}

int hook_tc_attach(uint32_t ifindex, const struct bpf_program *ingress,
		   const struct bpf_program *egress)
{
	int err = attach_one(ifindex, BPF_TC_EGRESS, egress);

	if (err)
		return err;
	err = attach_one(ifindex, BPF_TC_INGRESS, ingress);
	if (err)
		detach_one(ifindex, BPF_TC_EGRESS);
	return err;
}

void hook_tc_detach(uint32_t ifindex)
{
	detach_one(ifindex, BPF_TC_INGRESS);
	detach_one(ifindex, BPF_TC_EGRESS);
}
