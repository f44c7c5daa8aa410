/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_ERROR_PAGES_H
#define SLUICE_PROXY_ERROR_PAGES_H

#include "config/config.h"
#include "core/compiler.h"
#include "core/strbuf.h"
#include "http/error_page.h"

/* A listener's own pages for errors, in memory for as long as a configuration is in force. */
struct error_pages;

/**
 * Reads the files.
 * @ret_errors: a line for each that cannot be read.
 * Return: 0; -errno of the first. Thread: control.
 */
int error_pages_load(const struct config *config, const struct config_listener *listener,
		     struct error_pages **ret, struct strbuf *ret_errors) WARN_UNUSED;
void error_pages_free(struct error_pages *pages); /* NULL is allowed */

/* Return: whether there is one; @ret borrows from @pages. Thread: any. */
bool error_pages_find(const struct error_pages *pages, unsigned status, struct http_page *ret);

#endif
