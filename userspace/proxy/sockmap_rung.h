/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_SOCKMAP_RUNG_H
#define SLUICE_PROXY_SOCKMAP_RUNG_H

#include <stdbool.h>
#include <stdint.h>

struct sockmap_rung;
struct tunnel;

/* handoff.c's calls with `acceleration: {mode: sockmap}`. tunnel->handoff.sockmap_rung is set from
 * start to end, unless the connection is not eligible; the others want it to be. */

void sockmap_rung_start(struct tunnel *tunnel);
void sockmap_rung_interrupt(struct tunnel *tunnel);
void sockmap_rung_account(struct tunnel *tunnel);
void sockmap_rung_end(struct tunnel *tunnel);

/* In loop time; 0: nothing was redirected yet. */
uint64_t sockmap_rung_last_activity_ms(const struct tunnel *tunnel);

#endif
