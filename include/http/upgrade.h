/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_UPGRADE_H
#define SLUICE_HTTP_UPGRADE_H

#include "core/compiler.h"
#include "core/slice.h"
#include "http/fields.h"

#include <stdbool.h>

/* To what a connection may be switched. Source: RFC 9110 section 7.8. */

/**
 * The protocols that a request's Upgrade fields offer and that may be offered to the next server.
 * Those that carry further requests may not ("h2c", which RFC 9113 section 3.1 has retired,
 * "HTTP/2.0", "TLS/1.0"): in a tunnel they would go past every rule that requests are judged by.
 * @ret: a list, empty where nothing is left; of the fields, or in their arena.
 * Return: 0; -ENOMEM.
 */
int http_upgrade_offer(const struct http_fields *request, struct slice *ret) WARN_UNUSED;

/* Whether all that a 101 switches to was in @offer. */
bool http_upgrade_was_offered(const struct http_fields *response, struct slice offer);

#endif
