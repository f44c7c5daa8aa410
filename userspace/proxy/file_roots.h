/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_FILE_ROOTS_H
#define SLUICE_PROXY_FILE_ROOTS_H

#include "config/config.h"
#include "core/compiler.h"
#include "core/strbuf.h"
#include "files/root.h"

/**
 * Opens the directories that a listener's routes serve files of.
 * @ret:        by route; NULL where it serves none. Set on failure too, for file_roots_close().
 * @ret_errors: a line for each that cannot be opened.
 * Return: 0; -errno of the first. Thread: control.
 */
int file_roots_open(const struct config *config, const struct config_listener *listener,
		    struct file_root ***ret, struct strbuf *ret_errors) WARN_UNUSED;

/* @roots: NULL is allowed. */
void file_roots_close(const struct config_listener *listener, struct file_root **roots);

#endif
