/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_DEMO_INTERNAL_H
#define SLUICE_DEMO_INTERNAL_H

#include "core/compiler.h"
#include "core/slice.h"
#include "core/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

/* Longest request head that the demonstration reads. */
#define DEMO_HEAD_MAX 4096

/**
 * Answers the first request of @bytes. Pure.
 * @name, @peer: what the page tells: who answers, and where the connection came from.
 * @response:    the answer is appended.
 * @ret_used:    bytes of the request.
 * @ret_is_last: the connection ends after this answer.
 * Return: 0; -EAGAIN: more is needed. What is no request is answered as well, by 4xx.
 */
int demo_answer(struct slice bytes, const char *name, const char *peer, struct strbuf *response,
		size_t *ret_used, bool *ret_is_last) WARN_UNUSED;

#endif
