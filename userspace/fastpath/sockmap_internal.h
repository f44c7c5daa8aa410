/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FASTPATH_SOCKMAP_INTERNAL_H
#define SLUICE_FASTPATH_SOCKMAP_INTERNAL_H

#include "fastpath/sockmap.h"

/* Tries @sockmap on loopback (sockmap_probe.c). Return: 0; -ENOTSUP or another -errno with @ret_why
 * (static text). */
int sockmap_probe(struct sockmap *sockmap, const char **ret_why) WARN_UNUSED;

#endif
