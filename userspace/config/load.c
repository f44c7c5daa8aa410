// SPDX-License-Identifier: Apache-2.0
/* A file's way through the room: read it, make the document, decode, check, hand out. */
#include "config/config_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE 65536

static struct config *new_config(const char *name)
{
	struct config *config = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	config->path = arena_strdup(&config->arena, slice_from_str(name));
	if (!config->path) {
		config_free(config);
		return NULL;
	}
	return config;
}

static int decode(struct config *config, const struct node *root, struct diagnostics *diagnostics)
{
	struct decoder decoder = {.arena = &config->arena, .diagnostics = diagnostics};
	struct arena scratch = {};
	struct checker checker = {
		.arena = &scratch, .config = config, .root = root, .diagnostics = diagnostics};

	decode_mapping(&decoder, &schema_config, root, config);
	if (!decoder.is_out_of_memory)
		check_config(&checker);
	arena_done(&scratch);
	return decoder.is_out_of_memory || checker.is_out_of_memory ? -ENOMEM : 0;
}

static int build(const char *name, struct slice text, struct config **ret,
		 struct diagnostics *diagnostics)
{
	struct config *config = new_config(name);
	struct document document = {};
	int err;

	if (!config)
		return -ENOMEM;
	err = document_parse(text, diagnostics, &document);
	if (!err && document.root)
		err = decode(config, document.root, diagnostics);
	document_done(&document);
	if (!err && diagnostics->is_failed)
		err = -ENOMEM;
	if (!err && diagnostics->count > diagnostics->nwarnings)
		err = -EINVAL;
	if (err)
		config_free(config);
	else
		*ret = config;
	return err;
}

int config_parse(const char *name, struct slice text, struct config **ret,
		 struct strbuf *ret_errors)
{
	struct diagnostics diagnostics = {};
	int err = build(name, text, ret, &diagnostics);

	if (!err || err == -EINVAL)
		diagnostics_render(&diagnostics, name, ret_errors);
	if (err == -EINVAL && ret_errors->is_failed)
		err = -ENOMEM;
	diagnostics_done(&diagnostics);
	return err;
}

/* Stops one read beyond the limit: the parser says that the file is too large. */
static int read_all(int fd, struct strbuf *text)
{
	char chunk[READ_SIZE];
	ssize_t len;

	while (text->len <= DOCUMENT_SIZE_MAX) {
		len = read(fd, chunk, sizeof(chunk));
		if (len == 0)
			break;
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -errno;
		strbuf_append(text, slice_of(chunk, (size_t)len));
	}
	return text->is_failed ? -ENOMEM : 0;
}

static int read_file(const char *path, struct strbuf *text)
{
	int fd, err;

	if (strcmp(path, "-") == 0)
		return read_all(STDIN_FILENO, text);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = read_all(fd, text);
	close(fd);
	return err;
}

int config_load(const char *path, struct config **ret, struct strbuf *ret_errors)
{
	const char *name = strcmp(path, "-") == 0 ? "<stdin>" : path;
	struct strbuf text = {};
	int err = read_file(path, &text);

	if (err && err != -ENOMEM) {
		strbuf_printf(ret_errors, "%s: cannot be read: %s; expected a readable file\n",
			      name, strerrordesc_np(-err));
		err = ret_errors->is_failed ? -ENOMEM : -EINVAL;
	} else if (!err) {
		err = config_parse(name, slice_of(text.text, text.len), ret, ret_errors);
	}
	strbuf_done(&text);
	return err;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	arena_done(&config->arena);
	free(config);
}

bool config_has_dispatch(const struct config *config)
{
	for (size_t i = 0; i < config->nlisteners; i++)
		if (config->listeners[i].mode == CONFIG_MODE_DISPATCH)
			return true;
	return false;
}

static size_t pool_at(const struct config_listener *listener, size_t n)
{
	return n ? listener->routes[n - 1].action.pool.index : listener->default_pool;
}

bool config_dispatch_pool(const struct config_listener *listener, size_t n, size_t *ret)
{
	*ret = pool_at(listener, n);
	for (size_t i = 0; i < n; i++)
		if (pool_at(listener, i) == *ret)
			return false;
	return true;
}

bool config_dispatch_asks(const struct config_listener *listener, size_t pool)
{
	if (listener->mode != CONFIG_MODE_DISPATCH)
		return false;
	for (size_t i = 0; i <= listener->nroutes; i++)
		if (pool_at(listener, i) == pool)
			return true;
	return false;
}
