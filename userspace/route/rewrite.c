// SPDX-License-Identifier: Apache-2.0
/* New paths for old. What the configuration says is encoded already, what comes from the request is
 * encoded anew. No ".." may be put together from pieces. */
#include "route/rewrite.h"

#include "http/path.h"
#include "route/route_internal.h"

#include <errno.h>

int rewrite_init(struct rewrite *rewrite, const struct config_route *route,
		 const struct slice *prefixes)
{
	char problem[REGEX_PROBLEM_SIZE];

	*rewrite = (struct rewrite){.route = route, .prefixes = prefixes};
	if (!route->rewrite.regex)
		return 0;
	return regex_new(slice_from_str(route->rewrite.regex), &rewrite->regex, problem);
}

void rewrite_done(struct rewrite *rewrite)
{
	regex_free(rewrite->regex);
}

bool rewrite_has_path(const struct rewrite *rewrite)
{
	const struct config_rewrite *config = &rewrite->route->rewrite;

	return config->path || config->prefix || config->regex;
}

/* --- By a pattern --------------------------------------------------------------- */

/* What "$1" at @text[0] stands for, or what is literal there. Return: bytes of @text used. */
static size_t next_piece(const char *text, const struct regex_scratch *scratch, struct slice path,
			 struct slice *ret_literal, struct slice *ret_taken)
{
	size_t len = strcspn(text, "$");

	*ret_literal = *ret_taken = (struct slice){};
	if (len) {
		*ret_literal = slice_of(text, len);
		return len;
	}
	if (text[1] >= '0' && text[1] <= '9') {
		*ret_taken = regex_group(scratch, path, (size_t)(text[1] - '0'));
		return 2;
	}
	*ret_literal = slice_of(text, 1);
	return text[1] == '$' ? 2 : 1;
}

static size_t room_for(const char *to, const struct regex_scratch *scratch, struct slice path)
{
	struct slice literal, taken;
	size_t room = 0;

	while (*to) {
		to += next_piece(to, scratch, path, &literal, &taken);
		room += literal.len + 3 * taken.len;
	}
	return room;
}

/* Makes *@path the spelling that matches. Return: 0; -ENOENT: neither does; -E2BIG; -ENOMEM. */
static int match(const struct rewrite *rewrite, struct slice *path, struct arena *arena,
		 struct regex_scratch *scratch)
{
	int result = regex_match(rewrite->regex, *path, scratch);

	if (result == 0 && memmem(path->ptr, path->len, "//", 2)) {
		char *buf = arena_alloc(arena, path->len);

		if (!buf)
			return -ENOMEM;
		*path = http_path_merge(*path, buf);
		result = regex_match(rewrite->regex, *path, scratch);
	}
	return result > 0 ? 0 : result < 0 ? result : -ENOENT;
}

static int by_pattern(const struct rewrite *rewrite, struct slice path, struct arena *arena,
		      struct regex_scratch *scratch, struct slice *ret)
{
	const char *to = rewrite->route->rewrite.to;
	int err = match(rewrite, &path, arena, scratch);
	struct slice literal, taken;
	char *buf, *at;

	if (err)
		return err;
	buf = at = arena_alloc(arena, room_for(to, scratch, path));
	if (!buf)
		return -ENOMEM;
	while (*to) {
		to += next_piece(to, scratch, path, &literal, &taken);
		if (literal.len)
			at = mempcpy(at, literal.ptr, literal.len);
		at += http_path_encode(taken, at);
	}
	*ret = slice_of(buf, (size_t)(at - buf));
	return 0;
}

/* --- By the beginning ----------------------------------------------------------- */

/* How much of @path @prefix takes, where "//" is as good as "/"; 0: it does not begin so. */
static size_t taken_by(struct slice prefix, struct slice path)
{
	size_t at = 0;

	for (size_t i = 0; i < prefix.len; i++) {
		while (i && prefix.ptr[i - 1] == '/' && at < path.len && path.ptr[at] == '/')
			at++;
		if (at == path.len || path.ptr[at++] != prefix.ptr[i])
			return 0;
	}
	return at == path.len || path.ptr[at] == '/' ? at : 0;
}

/* How much of @path the longest prefix takes by which the route holds; 0: another condition does.
 */
static size_t matched_prefix(const struct rewrite *rewrite, struct slice path)
{
	size_t longest = 0;

	for (size_t i = 0; i < rewrite->route->npath_prefix; i++) {
		size_t taken = taken_by(rewrite->prefixes[i], path);

		longest = taken > longest ? taken : longest;
	}
	return longest;
}

static int by_prefix(const struct rewrite *rewrite, struct slice path, struct arena *arena,
		     struct slice *ret)
{
	struct slice prefix = route_prefix_key(slice_from_str(rewrite->route->rewrite.prefix));
	struct slice rest = slice_skip(path, matched_prefix(rewrite, path));
	char *buf = arena_alloc(arena, prefix.len + 3 * rest.len + 1), *at = buf;

	if (!buf)
		return -ENOMEM;
	if (prefix.len)
		at = mempcpy(at, prefix.ptr, prefix.len);
	at += http_path_encode(rest, at);
	if (at == buf)
		*at++ = '/';
	*ret = slice_of(buf, (size_t)(at - buf));
	return 0;
}

/* "." or ".." between slashes: put together from pieces, for a request's path has none left. */
static bool has_dot_segment(struct slice path)
{
	while (path.len) {
		const char *slash = memchr(path.ptr, '/', path.len);
		size_t len = slash ? (size_t)(slash - path.ptr) : path.len;
		struct slice segment = slice_of(path.ptr, len);

		if (slice_equal_str(segment, ".") || slice_equal_str(segment, ".."))
			return true;
		path = slice_skip(path, slash ? len + 1 : len);
	}
	return false;
}

int rewrite_path(const struct rewrite *rewrite, struct slice path, struct arena *arena,
		 struct regex_scratch *scratch, struct slice *ret_path, struct slice *ret_plain)
{
	const struct config_rewrite *config = &rewrite->route->rewrite;
	struct slice made, normal;
	char *plain;
	int err = 0;

	if (path.len == 0 || path.ptr[0] != '/')
		return -ENOENT;
	if (config->path)
		made = slice_from_str(config->path);
	else if (config->prefix)
		err = by_prefix(rewrite, path, arena, &made);
	else if (config->regex)
		err = by_pattern(rewrite, path, arena, scratch, &made);
	else
		err = -ENOENT;
	if (err)
		return err;
	if (has_dot_segment(made))
		return -EINVAL;
	plain = arena_alloc(arena, made.len);
	if (!plain)
		return -ENOMEM;
	if (http_path_normalize(made, plain, &normal))
		return -EINVAL;
	*ret_plain = http_path_merge(normal, plain);
	*ret_path = made;
	return 0;
}
