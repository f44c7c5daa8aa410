// SPDX-License-Identifier: Apache-2.0
/* From a request's path to a file's name. */
#include "files/name.h"

#include <errno.h>

/* What normalisation has left encoded: a percent sign is one, a slash is in no file's name. Return:
 * length; -ENOENT. */
static long decode(struct slice path, char *to)
{
	char *at = to;

	for (size_t i = 0; i < path.len; i++) {
		char c = path.ptr[i];

		if (c == '\0')
			return -ENOENT;
		if (c == '%') {
			if (path.len - i < 3 || memcmp(path.ptr + i, "%25", 3) != 0)
				return -ENOENT;
			i += 2;
		}
		*at++ = c;
	}
	*at = '\0';
	return at - to;
}

static bool is_hidden(const char *name)
{
	static const char well_known[] = ".well-known";
	const char *segment = name;

	while (segment) {
		size_t len = strcspn(segment, "/");

		if (segment[0] == '.' &&
		    (len != sizeof(well_known) - 1 || memcmp(segment, well_known, len) != 0))
			return true;
		segment = segment[len] ? segment + len + 1 : NULL;
	}
	return false;
}

int file_name_of(struct slice path, bool shows_hidden, struct arena *arena, char **ret)
{
	char *name;

	while (path.len && path.ptr[0] == '/')
		path = slice_skip(path, 1);
	name = arena_alloc(arena, path.len + 1);
	if (!name)
		return -ENOMEM;
	if (decode(path, name) < 0 || (!shows_hidden && is_hidden(name)))
		return -ENOENT;
	*ret = name;
	return 0;
}
