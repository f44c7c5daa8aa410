/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_DEMO_HINTS_H
#define SLUICE_DEMO_HINTS_H

#include "config/config.h"

#include <stdio.h>

/* Tells the person at the terminal what runs under @config, what to try and how to end it. */
void demo_print_hints(FILE *out, const struct config *config);

#endif
