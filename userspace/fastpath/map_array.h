/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FASTPATH_MAP_ARRAY_H
#define SLUICE_FASTPATH_MAP_ARRAY_H

#include "core/compiler.h"

#include <stddef.h>

/* The elements of a map that is an array (BPF_F_MMAPABLE), shared with the programs: @size bytes.
 * Return: to be unmapped; NULL, with errno. */
void *map_array(int fd, size_t size) WARN_UNUSED;
void unmap_array(void *elements, size_t size); /* NULL is allowed */

#endif
