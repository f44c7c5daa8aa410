// SPDX-License-Identifier: Apache-2.0
/* Arrays of the packet programs as memory of ours. */
#include "fastpath/map_array.h"

#include <sys/mman.h>

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
