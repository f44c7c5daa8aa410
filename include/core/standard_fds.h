/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_STANDARD_FDS_H
#define SLUICE_CORE_STANDARD_FDS_H

#include "core/compiler.h"

/**
 * Takes the numbers 0 to 2 that whoever started us has left free, so that no file or socket that is
 * opened later gets one of them, and with it what is meant for standard output or standard error.
 * Reading from what was missing, or writing to it, fails with EBADF as before. First of all in
 * main().
 * Return: 0; -errno.
 */
int standard_fds_take(void) WARN_UNUSED;

#endif
