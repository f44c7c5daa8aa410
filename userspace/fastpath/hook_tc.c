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

int hook_open_named(uint32_t prog_id, const char *name)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(prog_id);

	if (fd < 0)
		return -EBUSY;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
	    strncmp(info.name, name, sizeof(info.name) - 1) == 0)
		return fd;
	close(fd);
	return -EBUSY;
}

bool hook_is_ours(uint32_t prog_id, const char *name)
{
	int fd = hook_open_named(prog_id, name);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Only CAP_SYS_ADMIN may ask for any program; what is pinned is known without. */
static int open_ours(const struct pin *pin, uint32_t prog_id, const char *name)
{
	int fd = pin ? pin_program(pin, name, prog_id) : -ENOENT;

	return fd >= 0 ? fd : hook_open_named(prog_id, name);
}

static int attach_one(uint32_t ifindex, enum bpf_tc_attach_point point,
		      const struct bpf_program *program, const struct pin *pin)
{
	struct bpf_tc_hook hook = {
		.sz = sizeof(hook),
		.ifindex = (int)ifindex,
		.attach_point = point,
	};
	struct bpf_tc_opts wanted = {
		.sz = sizeof(wanted),
		.handle = pin_handle(pin),
		.priority = HOOK_TC_PRIORITY,
	};
	struct bpf_tc_opts present = wanted;
	int err = bpf_tc_hook_create(&hook), old_fd;

	if (err && err != -EEXIST)
		return err;
	if (bpf_tc_query(&hook, &present) == 0) {
		old_fd = open_ours(pin, present.prog_id, bpf_program__name(program));
		if (old_fd < 0)
			return old_fd;
		close(old_fd);
		wanted.flags = BPF_TC_F_REPLACE;
	}
	wanted.prog_fd = bpf_program__fd(program);
	return bpf_tc_attach(&hook, &wanted);
}

static void detach_one(uint32_t ifindex, enum bpf_tc_attach_point point, const struct pin *pin)
{
	const struct bpf_tc_hook hook = {
		.sz = sizeof(hook),
		.ifindex = (int)ifindex,
		.attach_point = point,
	};
	const struct bpf_tc_opts ours = {
		.sz = sizeof(ours),
		.handle = pin_handle(pin),
		.priority = HOOK_TC_PRIORITY,
	};

	(void)bpf_tc_detach(&hook, &ours);
}

int hook_tc_attach(uint32_t ifindex, const struct bpf_program *ingress,
		   const struct bpf_program *egress, const struct pin *pin)
{
	int err = attach_one(ifindex, BPF_TC_EGRESS, egress, pin);

	if (err)
		return err;
	err = attach_one(ifindex, BPF_TC_INGRESS, ingress, pin);
	if (err)
		detach_one(ifindex, BPF_TC_EGRESS, pin);
	return err;
}

void hook_tc_detach(uint32_t ifindex, const struct pin *pin)
{
	detach_one(ifindex, BPF_TC_INGRESS, pin);
	detach_one(ifindex, BPF_TC_EGRESS, pin);
}
