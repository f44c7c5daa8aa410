/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FASTPATH_INTERNAL_H
#define SLUICE_FASTPATH_INTERNAL_H

/* libbpf prints to standard error unless told otherwise: from now on what it says is in the log, at
 * level debug, since callers report the failures themselves. Twice is harmless. */
void fastpath_log_libbpf(void);

#endif
