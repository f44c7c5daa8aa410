/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CONFIG_GEO_H
#define SLUICE_CONFIG_GEO_H

#include "config/file.h"

#include <stddef.h>

/* Where addresses are: databases in MaxMind's format. */

/* As many as the room geo takes. */
#define CONFIG_GEO_DATABASES_MAX 8

struct config_geo {
	struct config_file *databases;
	size_t ndatabases;
};

#endif
