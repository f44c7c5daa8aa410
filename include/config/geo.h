/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CONFIG_GEO_H
#define SLUICE_CONFIG_GEO_H

#include "config/file.h"

#include <stddef.h>

/* Where addresses are: databases in MaxMind's format. */

/* As many as the room geo takes. */
#define CONFIG_GEO_DATABASES_MAX 8

/* Different ones that the endpoints of a pool may have where it goes by them. */
#define CONFIG_LOCATIONS_MAX 64

struct config_geo {
	struct config_file *databases;
	size_t ndatabases;
};

#endif
