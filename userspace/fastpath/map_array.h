/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FASTPATH_MAP_ARRAY_H
#define SLUICE_FASTPATH_MAP_ARRAY_H

#include "core/compiler.h"

#include <stddef.h>

/* The elements of a map that is an array (BPF_F_MMAPABLE), shared with the programs: @size bytes.
 * Return: to be unmapped; NULL, with errno. */
void *map_array(int fd, size_t size) WARN_UNUSED;
void unmap_array(void *elements, size_t size); /* NULL is allowed */

/* An array for an array of arrays, mapped likewise, to be filled: @count elements of @size, zero.
 * @name: fifteen characters at most. Return: a descriptor; -errno. */
int map_array_new(const char *name, size_t size, size_t count, void **ret) WARN_UNUSED;

#endif
