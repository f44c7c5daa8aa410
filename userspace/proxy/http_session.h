/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_HTTP_SESSION_H
#define SLUICE_PROXY_HTTP_SESSION_H

#include "proxy/session.h"

/* A connection of mode http: a session, and its http_client once the client is known. */
extern const struct session_mode http_session_mode;

#endif
