/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_ROUTE_REWRITE_H
#define SLUICE_ROUTE_REWRITE_H

#include "config/config.h"
#include "core/arena.h"
#include "core/compiler.h"
#include "core/regex.h"
#include "core/slice.h"

/* The path under which a request goes on: another one, another beginning, or what a pattern makes
 * of it. Pure. */
struct rewrite {
	const struct config_route *route;
	struct regex *regex; /* NULL unless a pattern does it */
	const struct slice *prefixes;
};

/* @route outlives it, and so do @prefixes: its path_prefix as paths are compared, without a "/" at
 * their end. Return: 0; -ENOMEM; -EINVAL if config/ has let through what is no pattern. */
int rewrite_init(struct rewrite *rewrite, const struct config_route *route,
		 const struct slice *prefixes) WARN_UNUSED;
void rewrite_done(struct rewrite *rewrite);

/* Whether it changes any path. */
bool rewrite_has_path(const struct rewrite *rewrite);

/**
 * @path:      as http_path_normalize() made it, for what it holds may be an address:
 * "/to/http://a". Prefixes take "//" for "/" all the same, and patterns that do not match such a
 * path are tried on what http_path_merge() makes of it.
 * @ret_path:  the new one to be sent: encoded, in @arena.
 * @ret_plain: the same as rules and files see it.
 * Return: 0; -ENOENT: it stays as it is; -EINVAL: what came out has a "." or ".." between slashes;
 * -E2BIG: the pattern took too long; -ENOMEM.
 */
int rewrite_path(const struct rewrite *rewrite, struct slice path, struct arena *arena,
		 struct regex_scratch *scratch, struct slice *ret_path,
		 struct slice *ret_plain) WARN_UNUSED;

#endif
