/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_LIST_H
#define SLUICE_HTTP_LIST_H

#include "core/slice.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The grammar that field values share: lists with commas, parameters with semicolons, quoted
 * strings, weights. Pure; nothing is copied. Source: RFC 9110 section 5.6.
 */

/**
 * Takes the next member off a comma-separated list; empty members are skipped, commas inside
 * quoted strings do not separate.
 * Return: false at the end; *ret is then untouched.
 */
bool http_list_next(struct slice *list, struct slice *ret);

/* Whether @token is a member of the list; case does not matter. */
bool http_list_has(struct slice list, struct slice token);

struct http_param {
	struct slice name;
	struct slice value; /* a token, or what stands between the quotes, still escaped */
	bool is_quoted;
};

/* Cuts what stands before the first ";" off @member, blanks around it taken away. */
struct slice http_member_take(struct slice *member);

/**
 * Takes the next ";name=value" off what http_member_take() left.
 * Return: 1: *ret is filled; 0: the end; -EINVAL: malformed.
 */
int http_param_next(struct slice *params, struct http_param *ret);

/* Removes the backslashes of a quoted string into @buf of at least value.len bytes. */
struct slice http_unquote(struct slice value, char *buf);

/* Reads a weight, "0", "0.5" or "1.000", as thousandths. Return: 0..1000; -EINVAL. */
int http_weight_parse(struct slice text);

/* Blanks (space, tab) at both ends taken away. */
struct slice http_trim(struct slice s);

#endif
