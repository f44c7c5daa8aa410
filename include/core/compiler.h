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

/* Whether a sanitizer watches: gcc says so by a macro of its own, clang by a feature. */
#ifdef __has_feature
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)
#define IS_WATCHED_FOR_MEMORY 1
#else
#define IS_WATCHED_FOR_MEMORY 0
#endif
#if defined(__SANITIZE_THREAD__) || HAS_FEATURE(thread_sanitizer)
#define IS_WATCHED_FOR_THREADS 1
#else
#define IS_WATCHED_FOR_THREADS 0
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The structure of @type in which @ptr points at @member. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
