// SPDX-License-Identifier: Apache-2.0
/*
 * The hook at XDP, in the driver alone: the kernel's generic form would cost each packet a copy
 * before TC sees it. A device has room for one program, and one of others stays where it is.
 */
#include "fastpath/fastpath_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <unistd.h>

#define PROGRAM_NAME "xdp_ingress"

/* Return: the id of the program that is attached, in whatever way; 0: none. */
static int query(uint32_t ifindex, uint32_t *ret_id)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, present);
	int err = bpf_xdp_query((int)ifindex, 0, &present);

	if (err)
		return err;
	*ret_id = present.prog_id       ? present.prog_id
		  : present.drv_prog_id ? present.drv_prog_id
		  : present.hw_prog_id  ? present.hw_prog_id
					: present.skb_prog_id;
	return 0;
}

uint32_t hook_xdp_look(uint32_t ifindex, bool *ret_is_ours)
{
	uint32_t id = 0;

	if (query(ifindex, &id) < 0)
		return 0;
	*ret_is_ours = id && hook_is_ours(id, PROGRAM_NAME);
	return id;
}

/* An instance pins its programs: of another one, whose device this is first, it has none. */
static int open_ours(const struct pin *pin, uint32_t prog_id)
{
	int fd;

	if (!pin)
		return hook_open_named(prog_id, PROGRAM_NAME);
	fd = pin_program(pin, PROGRAM_NAME, prog_id);
	return fd == -ENOENT ? -EBUSY : fd;
}

/* What a daemon left behind that was killed; nobody else's in its place, should it change now. */
static int replace(uint32_t ifindex, const struct bpf_program *program, int old_fd)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, options, .old_prog_fd = old_fd);

	return bpf_xdp_attach((int)ifindex, bpf_program__fd(program),
			      XDP_FLAGS_DRV_MODE | XDP_FLAGS_REPLACE, &options);
}

int hook_xdp_attach(uint32_t ifindex, const struct bpf_program *program, const struct pin *pin,
		    uint32_t *ret_other)
{
	uint32_t id = 0;
	int err = query(ifindex, &id), old_fd;

	if (err)
		return err;
	if (!id)
		return bpf_xdp_attach((int)ifindex, bpf_program__fd(program),
				      XDP_FLAGS_DRV_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
	old_fd = open_ours(pin, id);
	if (old_fd < 0) {
		*ret_other = id;
		return old_fd;
	}
	err = replace(ifindex, program, old_fd);
	close(old_fd);
	return err;
}

void hook_xdp_detach(uint32_t ifindex, const struct pin *pin)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, options);
	uint32_t id = 0;

	if (query(ifindex, &id) < 0 || !id)
		return;
	options.old_prog_fd = open_ours(pin, id);
	if (options.old_prog_fd < 0)
		return;
	(void)bpf_xdp_detach((int)ifindex, XDP_FLAGS_DRV_MODE | XDP_FLAGS_REPLACE, &options);
	close(options.old_prog_fd);
}
