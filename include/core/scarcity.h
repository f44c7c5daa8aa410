/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_SCARCITY_H
#define SLUICE_CORE_SCARCITY_H

#include <errno.h>
#include <stdbool.h>

/* Whether @error, -errno, is a lack of this machine's memory or descriptors: it says nothing of a
 * peer, and may pass. */
static inline bool is_scarcity(int error)
{
	return error == -ENOMEM || error == -ENOBUFS || error == -EMFILE || error == -ENFILE;
}

#endif
