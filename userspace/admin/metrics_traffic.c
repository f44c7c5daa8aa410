// SPDX-License-Identifier: Apache-2.0
/* Metrics that listeners, routes and pools have alike: requests and TLS. */
#include "admin/metrics_internal.h"

void metrics_add_requests(struct metrics *page, enum metric requests, enum metric duration,
			  labels_t *labels, const struct request_row *row)
{
	static const char *const classes[STATUS_CLASSES] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
	struct prometheus_label all[4] = {};
	size_t count = 0;

	for (; labels[count].name; count++)
		all[count] = labels[count];
	for (unsigned i = 0; i < STATUS_CLASSES; i++) {
		all[count] = (struct prometheus_label){"status", classes[i]};
		metric_add(page, requests, all, row->answers[i]);
	}
	metric_add_histogram(page, duration, labels, row->time);
}

void metrics_add_tls(struct metrics *page, enum metric completed, enum metric failed,
		     labels_t *whose, const struct tls_row *row)
{
	if (!row->is_enabled)
		return;
	metric_add(page, completed, (labels_t[]){*whose, {"kind", "full"}, {NULL, NULL}},
		   row->full);
	metric_add(page, completed, (labels_t[]){*whose, {"kind", "resumed"}, {NULL, NULL}},
		   row->resumed);
	for (unsigned i = TLS_FAILURE_NONE + 1; i < TLS_FAILURE_COUNT; i++)
		metric_add(page, failed,
			   (labels_t[]){*whose,
					{"reason", tls_failure_name((enum tls_failure)i)},
					{NULL, NULL}},
			   row->failed[i]);
}
