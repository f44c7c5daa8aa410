/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_ACTION_H
#define SLUICE_PROXY_ACTION_H

#include "proxy/exchange.h"

/*
 * What a route does with a request: a function and a file for each kind of config_action. It is
 * called once, with the request's head whole and its route known; from there on the exchange is the
 * action's, which answers it or hands it to a pool. Thread: the exchange's worker.
 */
void action_begin(struct exchange *exchange);

void action_pool(struct exchange *exchange);
void action_split(struct exchange *exchange);
void action_redirect(struct exchange *exchange);
void action_respond(struct exchange *exchange);
void action_files(struct exchange *exchange);
void action_deny(struct exchange *exchange);

/* For actions: the request goes to this pool. */
void action_forward(struct exchange *exchange, size_t pool);

#endif
