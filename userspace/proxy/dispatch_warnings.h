/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_DISPATCH_WARNINGS_H
#define SLUICE_PROXY_DISPATCH_WARNINGS_H

#include "proxy/dispatcher.h"

/* Logs what the plan in force wants of this machine, and it is not so. */
void dispatch_warn(const struct dispatcher *dispatcher, const struct config *config);

#endif
