/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CONFIG_ERROR_PAGE_H
#define SLUICE_CONFIG_ERROR_PAGE_H

#include "config/file.h"

#include <stdint.h>

/* What a listener answers with, in place of its own page, for these statuses. */
struct config_error_page {
	uint16_t status_first, status_last; /* in 400..599 */
	struct config_file file;
};

#endif
