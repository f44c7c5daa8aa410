/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_SCARCITY_H
#define SLUICE_CORE_SCARCITY_H

#include <errno.h>
#include <stdbool.h>

/* Whether @error, -errno, is a lack of descriptors. */
static inline bool is_out_of_descriptors(int error)
{
	return error == -EMFILE || error == -ENFILE;
}

/* Whether @error, -errno, is a lack of this machine's memory or descriptors: it says nothing of a
 * peer, and may pass. */
static inline bool is_scarcity(int error)
{
	return error == -ENOMEM || error == -ENOBUFS || is_out_of_descriptors(error);
}

#endif
