/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FILTER_FILE_H
#define SLUICE_FILTER_FILE_H

#include "config/config.h"
#include "core/strbuf.h"
#include "filter/filter.h"

/* Files that a filter's options name. Control thread; they block. */

/* Adds an error at the place of @file in the configuration. */
void filter_complain(const struct filter_setup *setup, const struct config_file *file,
		     const char *fmt, ...) PRINTF(3, 4);

/* All of @file, behind what @ret holds; 16 MiB at most. Return: 0; -EINVAL, with an error added;
 * -ENOMEM. */
int filter_read_file(const struct filter_setup *setup, const struct config_file *file,
		     struct strbuf *ret) WARN_UNUSED;

#endif
