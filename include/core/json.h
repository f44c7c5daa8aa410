/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_JSON_H
#define SLUICE_CORE_JSON_H

#include "core/slice.h"
#include "core/strbuf.h"

/*
 * Appends @text as a JSON string, quotes included (RFC 8259 section 7). Bytes that are not UTF-8
 * become U+FFFD, so that the output is always valid: log lines carry names chosen by clients.
 */
void json_append_string(struct strbuf *buf, struct slice text);

#endif
