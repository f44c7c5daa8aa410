// SPDX-License-Identifier: Apache-2.0
/* Pages for errors from files. */
#include "proxy/error_pages.h"

#include "core/arena.h"
#include "core/path.h"
#include "http/media_type.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SIZE_MAX ((size_t)1 << 20)

struct error_page {
	const struct config_error_page *config;
	struct slice type, body;
};

struct error_pages {
	struct arena arena;
	size_t count;
	struct error_page pages[];
};

static int read_stream(FILE *stream, struct arena *arena, struct slice *ret)
{
	char *text = malloc(PAGE_SIZE_MAX + 1), *copy = NULL;
	size_t len;
	int err = 0;

	if (!text)
		return -ENOMEM;
	len = fread(text, 1, PAGE_SIZE_MAX + 1, stream);
	if (ferror(stream))
		err = -EIO;
	else if (len > PAGE_SIZE_MAX)
		err = -EFBIG;
	else
		copy = arena_strdup(arena, slice_of(text, len));
	free(text);
	if (!err && !copy)
		err = -ENOMEM;
	if (!err)
		*ret = slice_of(copy, len);
	return err;
}

static int read_file(const char *path, struct arena *arena, struct slice *ret)
{
	FILE *stream = path ? fopen(path, "re") : NULL;
	int err;

	if (!path)
		return -ENOMEM;
	if (!stream)
		return -errno;
	err = read_stream(stream, arena, ret);
	fclose(stream);
	return err;
}

static int read_page(const struct config *config, struct error_page *page, struct arena *arena,
		     struct strbuf *ret_errors)
{
	const struct config_file *file = &page->config->file;
	char *path = path_beside(config->path, file->path);
	int err = read_file(path, arena, &page->body);

	page->type = http_media_type_of_file(slice_from_str(file->path));
	if (err)
		strbuf_printf(ret_errors, "%s:%u:%u: file: cannot read \"%s\": %s\n", config->path,
			      file->line, file->column, file->path, strerror(-err));
	free(path);
	return err;
}

int error_pages_load(const struct config *config, const struct config_listener *listener,
		     struct error_pages **ret, struct strbuf *ret_errors)
{
	size_t count = listener->nerror_pages;
	struct error_pages *pages = calloc(1, sizeof(*pages) + count * sizeof(pages->pages[0]));
	int first_err = 0;

	if (!pages)
		return -ENOMEM;
	pages->count = count;
	for (size_t i = 0; i < count; i++) {
		int err;

		pages->pages[i].config = &listener->error_pages[i];
		err = read_page(config, &pages->pages[i], &pages->arena, ret_errors);
		first_err = first_err ? first_err : err;
	}
	if (first_err)
		error_pages_free(pages);
	else
		*ret = pages;
	return first_err;
}

void error_pages_free(struct error_pages *pages)
{
	if (!pages)
		return;
	arena_done(&pages->arena);
	free(pages);
}

static unsigned width(const struct error_page *page)
{
	return page->config->status_last - page->config->status_first;
}

bool error_pages_find(const struct error_pages *pages, unsigned status, struct http_page *ret)
{
	const struct error_page *best = NULL;

	for (size_t i = 0; i < pages->count; i++) {
		const struct error_page *page = &pages->pages[i];

		if (status < page->config->status_first || status > page->config->status_last)
			continue;
		if (!best || width(page) < width(best))
			best = page;
	}
	if (!best)
		return false;
	*ret = (struct http_page){
		.status = (uint16_t)status, .type = best->type, .body = best->body};
	return true;
}
