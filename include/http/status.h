/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_HTTP_STATUS_H
#define SLUICE_HTTP_STATUS_H

#include "core/slice.h"

/* The phrase that belongs to a status (RFC 9110 section 15); "Unknown" for one nobody registered.
 */
struct slice http_status_phrase(unsigned status);

#endif
