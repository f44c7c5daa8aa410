/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROCESS_IDENTITY_H
#define SLUICE_PROCESS_IDENTITY_H

#include "config/config.h"
#include "core/compiler.h"
#include "core/strbuf.h"

/* A connection takes two descriptors: as many as the administrator allows. */
void identity_raise_descriptor_limit(void);

/* A line for each of user and group that the configuration names and this machine lacks. @what: how
 * it begins behind the file, "" or "warning: ". */
void identity_check(const struct config *config, const char *what, struct strbuf *ret_problems);

/**
 * Becomes the configuration's user where root runs us, says what is missing where not, and makes
 * the control socket's directory. Before the first thread. Return: 0; -errno, told in the log.
 */
int identity_assume(const struct config *config) WARN_UNUSED;

#endif
