// SPDX-License-Identifier: Apache-2.0
/* The pinned array of pairs, for reading: whoever made it, and of whatever version it is. */
#include "fastpath/fastpath_internal.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int map_elements(int fd, struct leftover *ret)
{
	struct bpf_map_info facts = {};
	uint32_t len = sizeof(facts);
	void *elements;

	if (bpf_obj_get_info_by_fd(fd, &facts, &len) < 0)
		return -errno;
	ret->map_id = facts.id;
	ret->element_size = facts.value_size;
	ret->count = facts.max_entries;
	elements = mmap(NULL, (size_t)ret->count * ret->element_size, PROT_READ, MAP_SHARED, fd, 0);
	if (elements == MAP_FAILED)
		return -errno;
	ret->elements = elements;
	return 0;
}

int leftover_open(const struct pin *pin, struct leftover *ret)
{
	int fd, err = pin_read_meta(pin, &ret->meta);

	if (err)
		return err;
	fd = pin_map(pin, "pairs");
	if (fd < 0)
		return fd;
	err = map_elements(fd, ret);
	close(fd);
	return err;
}

void leftover_close(struct leftover *leftover)
{
	if (leftover->elements)
		munmap((void *)leftover->elements,
		       (size_t)leftover->count * leftover->element_size);
	*leftover = (struct leftover){};
}

const void *leftover_element(const struct leftover *leftover, uint32_t index)
{
	return leftover->elements + (size_t)index * leftover->element_size;
}

enum gate_state leftover_state(const struct leftover *leftover, uint32_t index)
{
	const __u64 *gate = leftover_element(leftover, index);

	return gate_state_of(__atomic_load_n(gate, __ATOMIC_ACQUIRE));
}

uint32_t leftover_count_spliced(const struct leftover *leftover)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < leftover->count; i++)
		count += leftover_state(leftover, i) == GATE_SPLICED;
	return count;
}

bool leftover_is_readable(const struct leftover *leftover)
{
	return leftover->meta.abi_version == FLOW_ABI_VERSION &&
	       leftover->element_size == sizeof(struct flow_pair);
}
