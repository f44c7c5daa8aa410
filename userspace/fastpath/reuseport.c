// SPDX-License-Identifier: Apache-2.0
// Loads bpf/reuseport.bpf.c: one table of loads for the process, mapped into it, and for each group
// a program of its own with its own array of sockets, so that the program need not find out which
// address it is asked for.
#include "fastpath/reuseport.h"
#include "abi/reuseport.h"
#include "fastpath/fastpath_internal.h"

#include "reuseport.skel.h"

#include <assert.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(sizeof(_Atomic uint32_t) == sizeof(((struct reuseport_load *)0)->connections),
	       "workers store what the kernel side loads");

struct reuseport_loads {
	struct reuseport_load *table; /* one a worker, shared with the kernel */
	unsigned workers;
	int map_fd;
};

struct reuseport_group {
	struct reuseport_bpf *skeleton;
};

static size_t table_size(unsigned workers)
{
	return workers * sizeof(struct reuseport_load);
}

static int loads_create(struct reuseport_loads *loads)
{
	struct bpf_map_create_opts options = {.sz = sizeof(options), .map_flags = BPF_F_MMAPABLE};
	void *table;

	loads->map_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "sluice_loads", sizeof(__u32),
				       sizeof(struct reuseport_load), loads->workers, &options);
	if (loads->map_fd < 0)
		return loads->map_fd;
	table = mmap(NULL, table_size(loads->workers), PROT_READ | PROT_WRITE, MAP_SHARED,
		     loads->map_fd, 0);
	if (table == MAP_FAILED)
		return -errno;
	loads->table = table;
	return 0;
}

int reuseport_loads_new(unsigned workers, struct reuseport_loads **ret)
{
	struct reuseport_loads *loads = calloc(1, sizeof(*loads));
	int r;

	if (!loads)
		return -ENOMEM;
	fastpath_log_libbpf();
	loads->workers = workers;
	r = loads_create(loads);
	if (r < 0) {
		reuseport_loads_free(loads);
		return r;
	}
	*ret = loads;
	return 0;
}

void reuseport_loads_free(struct reuseport_loads *loads)
{
	if (!loads)
		return;
	if (loads->table)
		munmap(loads->table, table_size(loads->workers));
	if (loads->map_fd > 0)
		close(loads->map_fd);
	free(loads);
}

_Atomic uint32_t *reuseport_load(struct reuseport_loads *loads, unsigned worker)
{
	assert(worker < loads->workers);
	return (_Atomic uint32_t *)&loads->table[worker].connections;
}

static int group_load(struct reuseport_group *group, const struct reuseport_loads *loads)
{
	struct reuseport_bpf *skeleton = reuseport_bpf__open();
	int r;

	if (!skeleton)
		return -errno;
	group->skeleton = skeleton;
	skeleton->rodata->worker_count = loads->workers;
	r = bpf_map__reuse_fd(skeleton->maps.loads, loads->map_fd);
	if (r < 0)
		return r;
	r = bpf_map__set_max_entries(skeleton->maps.sockets, loads->workers);
	if (r < 0)
		return r;
	return reuseport_bpf__load(skeleton);
}

int reuseport_group_new(const struct reuseport_loads *loads, struct reuseport_group **ret)
{
	struct reuseport_group *group = calloc(1, sizeof(*group));
	int r;

	if (!group)
		return -ENOMEM;
	r = group_load(group, loads);
	if (r < 0) {
		reuseport_group_free(group);
		return r;
	}
	*ret = group;
	return 0;
}

void reuseport_group_free(struct reuseport_group *group)
{
	if (!group)
		return;
	reuseport_bpf__destroy(group->skeleton);
	free(group);
}

int reuseport_group_add(struct reuseport_group *group, unsigned worker, int fd)
{
	__u64 value = (__u64)fd;
	__u32 key = worker;

	return bpf_map__update_elem(group->skeleton->maps.sockets, &key, sizeof(key), &value,
				    sizeof(value), BPF_ANY);
}

int reuseport_group_attach(struct reuseport_group *group, int fd)
{
	int program = bpf_program__fd(group->skeleton->progs.select_worker);

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program, sizeof(program)) < 0)
		return -errno;
	return 0;
}
