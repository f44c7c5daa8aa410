/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CONFIG_FILE_H
#define SLUICE_CONFIG_FILE_H

#include <stdint.h>

/* A file that an option names; relative to the configuration file's directory. */
struct config_file {
	const char *path;      /* NULL: none */
	uint32_t line, column; /* of the option's value */
};

#endif
