/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_HTTP_LOG_H
#define SLUICE_PROXY_HTTP_LOG_H

struct exchange;

/* Appends an exchange that is over to the access log, where there is one. */
void http_log_write(const struct exchange *exchange);

#endif
