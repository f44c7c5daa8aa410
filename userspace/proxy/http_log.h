/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_HTTP_LOG_H
#define SLUICE_PROXY_HTTP_LOG_H

#include "core/slice.h"
#include "core/strbuf.h"
#include "core/template.h"

#include <stdbool.h>

struct exchange;

/* Appends an exchange that is over to the access log, where there is one. */
void http_log_write(struct exchange *exchange);

/* --- Between its files ------------------------------------------------------------ */

/* What a client sent, so that it cannot forge a field or a line: quotes, backslashes and what is
 * not visible ASCII as \x and two digits. */
void http_log_escape(struct slice text, struct strbuf *out);

/* A line, in the format of NCSA's httpd, with referrer and agent or without. */
void http_log_append_common(struct exchange *exchange, bool is_combined, struct strbuf *out);
void http_log_append_template(struct exchange *exchange, const struct template *template,
			      struct strbuf *out);

#endif
