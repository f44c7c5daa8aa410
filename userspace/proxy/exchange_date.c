// SPDX-License-Identifier: Apache-2.0
/* Answers say when they were made: ours, and those whose endpoint has not (RFC 9110 section 6.6.1).
 * The text is made once a second. */
#include "core/clock.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

int exchange_add_date(struct exchange *exchange, struct http_fields *fields)
{
	struct worker_date *date = &exchange_worker(exchange)->date;
	int64_t now_s;

	if (http_fields_has(fields, HTTP_FIELD_DATE))
		return 0;
	now_s = (int64_t)(clock_wall_us() / 1000000);
	if (date->at_s != now_s)
		http_date_format(now_s, date->text);
	date->at_s = now_s;
	return http_fields_add_id(fields, HTTP_FIELD_DATE, slice_of(date->text, HTTP_DATE_LEN));
}
