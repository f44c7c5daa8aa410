// SPDX-License-Identifier: Apache-2.0
/* The directories of a listener's routes, open for as long as a configuration is in force. */
#include "proxy/file_roots.h"

#include "core/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int open_root(const struct config *config, const struct config_files *files,
		     struct file_root **ret, struct strbuf *ret_errors)
{
	char *path = path_beside(config->path, files->root.path);
	int err = -ENOMEM;

	if (path)
		err = file_root_open(path, files->symlinks == CONFIG_SYMLINKS_BENEATH, ret);
	if (err)
		strbuf_printf(ret_errors, "%s:%u:%u: root: cannot open directory \"%s\": %s\n",
			      config->path, files->root.line, files->root.column, files->root.path,
			      strerror(-err));
	free(path);
	return err;
}

int file_roots_open(const struct config *config, const struct config_listener *listener,
		    struct file_root ***ret, struct strbuf *ret_errors)
{
	struct file_root **roots = calloc(listener->nroutes + 1, sizeof(struct file_root *));
	int first_err = 0;

	if (!roots)
		return -ENOMEM;
	*ret = roots;
	for (size_t i = 0; i < listener->nroutes; i++) {
		const struct config_action *action = &listener->routes[i].action;
		int err = 0;

		if (action->kind == CONFIG_ACTION_FILES)
			err = open_root(config, &action->files, &roots[i], ret_errors);
		first_err = first_err ? first_err : err;
	}
	return first_err;
}

void file_roots_close(const struct config_listener *listener, struct file_root **roots)
{
	for (size_t i = 0; roots && i < listener->nroutes; i++)
		file_root_unref(roots[i]);
	free(roots);
}
