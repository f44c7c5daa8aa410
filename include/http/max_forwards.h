/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_MAX_FORWARDS_H
#define SLUICE_HTTP_MAX_FORWARDS_H

#include "core/compiler.h"
#include "http/fields.h"

/**
 * One server further: Max-Forwards of a TRACE or OPTIONS request becomes one less. What is no
 * number stays as it is. Source: RFC 9110 section 7.6.2.
 * Return: 1: it may not be forwarded any more; 0: it may; -ENOMEM.
 */
int http_max_forwards_take(struct http_fields *request) WARN_UNUSED;

#endif
