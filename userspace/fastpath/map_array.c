// SPDX-License-Identifier: Apache-2.0
/* Arrays of the packet programs as memory of ours. */
#include "fastpath/map_array.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

void *map_array(int fd, size_t size)
{
	void *elements = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return elements == MAP_FAILED ? NULL : elements;
}

void unmap_array(void *elements, size_t size)
{
	if (elements)
		munmap(elements, size);
}

int map_array_new(const char *name, size_t size, size_t count, void **ret)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(uint32_t), (uint32_t)size,
				(uint32_t)count, &options);
	void *elements;
	int err;

	if (fd < 0)
		return -errno;
	elements = map_array(fd, size * count);
	if (!elements) {
		err = -errno;
		close(fd);
		return err;
	}
	*ret = elements;
	return fd;
}
