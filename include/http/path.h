/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_PATH_H
#define SLUICE_HTTP_PATH_H

#include "core/compiler.h"
#include "core/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* Paths as rules and files see them. Source: RFC 3986 sections 2.1, 5.2.4 and 6.2.2. */

/**
 * Replaces percent-encodings by the bytes they stand for.
 * @buf: at least text.len bytes; may be where @text is.
 * Return: bytes written; -EINVAL for a broken encoding.
 */
long http_percent_decode(struct slice text, char *buf);

/**
 * The path that routes, access rules and files compare: percent-encodings decoded, "." and ".."
 * segments taken away, so that no spelling goes around a rule. Encoded slashes stay encoded
 * ("%2F"), and with them "%25", since both would change what the path means; no other encoding
 * is left, so the result is for comparing, not for sending.
 * @path: begins with "/", its encodings are well-formed.
 * @buf:  at least path.len bytes.
 * Return: 0; -EINVAL: it climbs above the root, holds an encoded control character, or what some
 * back ends read as a slash or as a dot segment: a backslash, "..;x". "//.." is refused as well:
 * who merges slashes goes up another segment than who does not.
 * @ret may be @path itself where nothing had to change.
 */
int http_path_normalize(struct slice path, char *buf, struct slice *ret) WARN_UNUSED;

/**
 * The same for who reads "//" as "/", as file systems and many back ends do.
 * @normal: from http_path_normalize().
 * @buf:    at least normal.len bytes; may be where @normal is.
 * Return: in @buf, or @normal itself where nothing had to change.
 */
struct slice http_path_merge(struct slice normal, char *buf);

/**
 * The inverse for sending: percent-encodes what must not stand in a path. Percent signs are those
 * of the encodings that normalisation leaves, and stay.
 * @buf: at least 3 * normal.len bytes.
 * Return: bytes written.
 */
size_t http_path_encode(struct slice normal, char *buf);

/**
 * Takes the next "name=value" off a query; neither is decoded.
 * Return: false at the end.
 */
bool http_query_next(struct slice *query, struct slice *ret_name, struct slice *ret_value);

/**
 * Decodes a name or value of a query: percent-encodings, and "+" for a blank as forms write it.
 * @buf: at least text.len bytes.
 * Return: 0; -EINVAL for a broken encoding.
 */
int http_query_decode(struct slice text, char *buf, struct slice *ret) WARN_UNUSED;

#endif
