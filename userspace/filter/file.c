// SPDX-License-Identifier: Apache-2.0
/* Reads the files that filters name, and says where they were named if they cannot be read. */
#include "filter/file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_SIZE_MAX ((size_t)16 << 20)

void filter_complain(const struct filter_setup *setup, const struct config_file *file,
		     const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	strbuf_printf(setup->errors, "%s:%u:%u: %s\n", setup->config_path, file->line, file->column,
		      text);
}

/* Relative to the configuration's directory. */
static FILE *open_file(const struct filter_setup *setup, const char *path)
{
	const char *slash = strrchr(setup->config_path, '/');
	char *joined = NULL;
	FILE *stream;

	if (path[0] == '/' || !slash)
		return fopen(path, "re");
	if (asprintf(&joined, "%.*s/%s", (int)(slash - setup->config_path), setup->config_path,
		     path) < 0)
		return NULL;
	stream = fopen(joined, "re");
	free(joined);
	return stream;
}

static int read_stream(FILE *stream, struct strbuf *ret)
{
	char chunk[4096];
	size_t len;

	while ((len = fread(chunk, 1, sizeof(chunk), stream)) > 0) {
		strbuf_append(ret, slice_of(chunk, len));
		if (ret->is_failed)
			return -ENOMEM;
		if (ret->len > FILE_SIZE_MAX)
			return -EFBIG;
	}
	explicit_bzero(chunk, sizeof(chunk));
	return ferror(stream) ? -EIO : 0;
}

int filter_read_file(const struct filter_setup *setup, const struct config_file *file,
		     struct strbuf *ret)
{
	FILE *stream = open_file(setup, file->path);
	int err = stream ? read_stream(stream, ret) : -errno;

	if (stream)
		fclose(stream);
	if (err && err != -ENOMEM) {
		filter_complain(setup, file, "cannot read \"%s\": %s", file->path, strerror(-err));
		err = -EINVAL;
	}
	return err;
}
