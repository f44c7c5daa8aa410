/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TESTS_UNIT_DENIED_ALLOCATIONS_H
#define SLUICE_TESTS_UNIT_DENIED_ALLOCATIONS_H

/* Allocations of a program whose linker wraps them (Makefile, WRAP_…): each asks is_denied(). */
#include <stdbool.h>
#include <stddef.h>

static bool is_denied(void);

void *__real_calloc(size_t items, size_t size);
void *__real_malloc(size_t size);
void *__real_realloc(void *ptr, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);

void *__wrap_calloc(size_t items, size_t size)
{
	return is_denied() ? NULL : __real_calloc(items, size);
}

void *__wrap_malloc(size_t size)
{
	return is_denied() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
	return is_denied() ? NULL : __real_realloc(ptr, size);
}

char *__wrap_strdup(const char *text)
{
	return is_denied() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
	return is_denied() ? NULL : __real_strndup(text, len);
}

#endif
