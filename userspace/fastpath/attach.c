// SPDX-License-Identifier: Apache-2.0
/*
 * Attaches the programs to devices: clsact, with a priority and a handle of our own, so that
 * others' filters stay as they are. The clsact qdisc itself is left when we go: somebody may have
 * come to rely on it, and an empty one costs nothing. Links come from route.c.
 */
#include "core/log.h"
#include "fastpath/fastpath_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct link {
	uint32_t ifindex, mtu;
	bool is_attached;
	char name[IF_NAMESIZE];
};

struct attach {
	const struct bpf_program *ingress, *egress;
	pthread_mutex_t lock; /* of the table: workers ask for MTUs */
	struct link *links;
	size_t nlinks;
};

int attach_new(const struct bpf_program *ingress, const struct bpf_program *egress,
	       struct attach **ret)
{
	struct attach *attach = calloc(1, sizeof(*attach));

	if (!attach)
		return -ENOMEM;
	pthread_mutex_init(&attach->lock, NULL);
	attach->ingress = ingress;
	attach->egress = egress;
	*ret = attach;
	return 0;
}

/* --- One filter ------------------------------------------------------------------------------- */

/* A daemon that was killed leaves its filters; they are known by the program's name. */
static bool is_ours(uint32_t prog_id, const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(prog_id);
	int err;

	if (fd < 0)
		return false;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	return !err && strncmp(info.name, bpf_program__name(program), sizeof(info.name) - 1) == 0;
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
		if (!is_ours(present.prog_id, program))
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

static void attach_link(struct attach *attach, struct link *link)
{
	int err = attach_one(link->ifindex, BPF_TC_EGRESS, attach->egress);

	if (!err) {
		err = attach_one(link->ifindex, BPF_TC_INGRESS, attach->ingress);
		if (err)
			detach_one(link->ifindex, BPF_TC_EGRESS);
	}
	link->is_attached = !err;
	if (err)
		log_info("splice: device %s stays without: %s", link->name, strerror(-err));
}

void attach_leave(struct attach *attach)
{
	if (!attach)
		return;
	pthread_mutex_destroy(&attach->lock);
	free(attach->links);
	free(attach);
}

void attach_free(struct attach *attach)
{
	if (!attach)
		return;
	for (size_t i = 0; i < attach->nlinks; i++) {
		if (!attach->links[i].is_attached)
			continue;
		detach_one(attach->links[i].ifindex, BPF_TC_INGRESS);
		detach_one(attach->links[i].ifindex, BPF_TC_EGRESS);
	}
	attach_leave(attach);
}

/* --- The table -------------------------------------------------------------------------------- */

static struct link *find(struct attach *attach, uint32_t ifindex)
{
	for (size_t i = 0; i < attach->nlinks; i++)
		if (attach->links[i].ifindex == ifindex)
			return &attach->links[i];
	return NULL;
}

static struct link *add(struct attach *attach, uint32_t ifindex, const char *name)
{
	struct link *links = realloc(attach->links, (attach->nlinks + 1) * sizeof(*links));
	struct link *link;

	if (!links)
		return NULL;
	attach->links = links;
	link = &links[attach->nlinks++];
	*link = (struct link){.ifindex = ifindex};
	strncpy(link->name, name, sizeof(link->name) - 1);
	attach_link(attach, link);
	return link;
}

void attach_on_link(struct attach *attach, uint32_t ifindex, uint32_t mtu, const char *name)
{
	struct link *link;

	pthread_mutex_lock(&attach->lock);
	link = find(attach, ifindex);
	if (!link)
		link = add(attach, ifindex, name);
	if (link)
		link->mtu = mtu;
	pthread_mutex_unlock(&attach->lock);
}

void attach_on_link_gone(struct attach *attach, uint32_t ifindex)
{
	struct link *link;

	pthread_mutex_lock(&attach->lock);
	link = find(attach, ifindex);
	if (link)
		*link = attach->links[--attach->nlinks];
	pthread_mutex_unlock(&attach->lock);
}

uint32_t attach_mtu(struct attach *attach, uint32_t ifindex)
{
	const struct link *link;
	uint32_t mtu;

	pthread_mutex_lock(&attach->lock);
	link = find(attach, ifindex);
	mtu = link && link->is_attached ? link->mtu : 0;
	pthread_mutex_unlock(&attach->lock);
	return mtu;
}
