/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_COMPILER_H
#define SLUICE_CORE_COMPILER_H

#include <stddef.h>

/* What the compiler offers beyond C11, under the names that the project uses. */

#define WARN_UNUSED     __attribute__((warn_unused_result))
#define PRINTF(fmt, va) __attribute__((format(printf, fmt, va)))
#define CACHE_ALIGNED   __attribute__((aligned(64)))
#define likely(x)       __builtin_expect(!!(x), 1)
#define unlikely(x)     __builtin_expect(!!(x), 0)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The structure of @type in which @ptr points at @member. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
