/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_BASE64_H
#define SLUICE_CORE_BASE64_H

#include "core/compiler.h"
#include "core/slice.h"

/* Bytes that @len characters of base64 become at most. */
#define BASE64_DECODED_MAX(len) ((len) / 4 * 3)

/**
 * Base64 with its padding, in the one spelling that the encoder gives (RFC 4648 section 3.5).
 * @ret: room for BASE64_DECODED_MAX(text.len) bytes.
 * Return: 0; -EINVAL: another alphabet, length, padding, or bits behind the end.
 */
int base64_decode(struct slice text, char *ret, size_t *ret_len) WARN_UNUSED;

#endif
