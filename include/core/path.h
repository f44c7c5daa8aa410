/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_PATH_H
#define SLUICE_CORE_PATH_H

#include "core/compiler.h"

/* @path as it is meant in the file @file: relative ones begin at its directory. Return: the
 * caller's to free(); NULL: out of memory. */
char *path_beside(const char *file, const char *path) WARN_UNUSED;

#endif
