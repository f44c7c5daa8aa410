/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROCESS_OPTIONS_H
#define SLUICE_PROCESS_OPTIONS_H

#include <stdbool.h>

enum exit_code { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

enum action { ACTION_RUN, ACTION_CHECK, ACTION_SCHEMA, ACTION_REFERENCE };

struct options {
	const char *config;
	bool has_config; /* it was named; otherwise it is the usual one */
	enum action action;
	bool is_demo;
	int verbosity; /* -1: quiet, 0, 1: debug */
};

/* What needs no more than the command line is done here, and ends the process. */
void options_parse(int argc, char **argv, struct options *ret);

#endif
