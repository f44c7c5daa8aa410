/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FILES_NAME_H
#define SLUICE_FILES_NAME_H

#include "core/arena.h"
#include "core/compiler.h"
#include "core/slice.h"

#include <stdbool.h>

/**
 * The name of a file, relative to its root, that a path asks for; one that ends in "/" asks for a
 * directory's index.
 * @path:       as http_path_normalize() made it.
 * @shows_hidden: also what begins with a dot, besides ".well-known" (RFC 8615).
 * @ret:        in @arena; without "/" at the beginning.
 * Return: 0; -ENOENT: no file can have that name, or it is hidden; -ENOMEM.
 */
int file_name_of(struct slice path, bool shows_hidden, struct arena *arena, char **ret) WARN_UNUSED;

#endif
