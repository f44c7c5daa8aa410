// SPDX-License-Identifier: Apache-2.0
/* Paths that files name. */
#include "core/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *path_beside(const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');
	char *joined;

	if (path[0] == '/' || !slash)
		return strdup(path);
	if (asprintf(&joined, "%.*s/%s", (int)(slash - file), file, path) < 0)
		return NULL;
	return joined;
}
