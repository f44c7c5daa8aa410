/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROCESS_INSTANCE_H
#define SLUICE_PROCESS_INSTANCE_H

#include "config/config.h"
#include "core/compiler.h"
#include "fastpath/pin.h"

/**
 * Claims the place where spliced connections outlive the daemon, for as long as *@ret lives: there
 * is one daemon of an instance at a time. Before identity_assume().
 * Return: 0, with *@ret NULL where nothing can outlive us (told in the log, if it was asked for);
 * -EBUSY: a daemon of this instance runs (told in the log).
 */
int instance_claim(const struct config *config, struct pin **ret) WARN_UNUSED;

#endif
