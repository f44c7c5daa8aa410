// SPDX-License-Identifier: Apache-2.0
/* Metrics of listeners and their routes. */
#include "admin/metrics_internal.h"

static uint64_t since_1970(int64_t seconds)
{
	return seconds > 0 ? (uint64_t)seconds : 0;
}

static void add_certificates(struct metrics *page, const struct listener_row *row)
{
	for (size_t i = 0; i < row->ncertificates; i++) {
		const struct tls_certificate_row *certificate = &row->certificates[i];
		labels_t labels[] = {{"listener", row->name},
				     {"file", certificate->file},
				     {"name", certificate->name},
				     {NULL, NULL}};

		metric_add(page, METRIC_CERTIFICATE_EXPIRY, labels,
			   since_1970(certificate->not_after_s));
		metric_add(page, METRIC_STAPLE_EXPIRY, labels,
			   since_1970(certificate->stapled_until_s));
	}
}

static void add_listener_requests(struct metrics *page, labels_t *labels,
				  const struct listener_row *row)
{
	if (!row->exchange_ends)
		return;
	metrics_add_requests(page, METRIC_HTTP_REQUESTS, METRIC_HTTP_REQUEST_DURATION, labels,
			     &row->requests);
	for (unsigned i = EXCHANGE_END_OPEN + 1; i < EXCHANGE_END_COUNT; i++)
		metric_add(page, METRIC_HTTP_REQUEST_ENDS,
			   (labels_t[]){*labels,
					{"reason", exchange_end_name((enum exchange_end)i)},
					{NULL, NULL}},
			   row->exchange_ends[i]);
}

void metrics_add_route(const struct route_row *row, void *context)
{
	labels_t labels[] = {{"listener", row->listener}, {"route", row->name}, {NULL, NULL}};

	metrics_add_requests(context, METRIC_ROUTE_REQUESTS, METRIC_ROUTE_DURATION, labels,
			     &row->requests);
}

static void add_rung(struct metrics *page, const char *listener, enum connection_rung rung,
		     enum splice_reason reason, uint64_t count)
{
	metric_add(page, METRIC_SPLICE_CONNECTIONS,
		   (labels_t[]){{"listener", listener},
				{"rung", connection_rung_name(rung)},
				{"reason", splice_reason_name(reason)},
				{NULL, NULL}},
		   count);
}

static void add_listener_acceleration(struct metrics *page, const struct listener_row *row)
{
	labels_t labels[] = {{"listener", row->name}, {NULL, NULL}};
	const struct listener_acceleration *counts = row->acceleration;

	for (unsigned i = SPLICE_REASON_NONE + 1; i < SPLICE_REASON_COUNT; i++)
		add_rung(page, row->name, CONNECTION_RUNG_RELAY, (enum splice_reason)i,
			 counts->reasons[i]);
	for (unsigned i = CONNECTION_RUNG_RELAY + 1; i < CONNECTION_RUNG_COUNT; i++)
		add_rung(page, row->name, (enum connection_rung)i, SPLICE_REASON_NONE,
			 counts->rungs[i]);
	for (unsigned i = 0; i < HANDOVER_RESULT_COUNT; i++)
		metric_add(page, METRIC_SPLICE_HANDOVERS,
			   (labels_t[]){{"listener", row->name},
					{"result", handover_result_name((enum handover_result)i)},
					{NULL, NULL}},
			   counts->handovers[i]);
	metric_add(page, METRIC_SPLICE_RECEIVED, labels, counts->bytes_in);
	metric_add(page, METRIC_SPLICE_SENT, labels, counts->bytes_out);
	metric_add(page, METRIC_SPLICE_RECEIVED_PACKETS, labels, counts->packets_in);
	metric_add(page, METRIC_SPLICE_SENT_PACKETS, labels, counts->packets_out);
}

void metrics_add_listener(const struct listener_row *row, void *context)
{
	labels_t labels[] = {{"listener", row->name}, {NULL, NULL}};
	struct metrics *page = context;

	metric_add(page, METRIC_CONNECTIONS_ACTIVE, labels, row->active);
	metric_add(page, METRIC_CONNECTIONS_ACCEPTED, labels, row->accepted);
	metric_add(page, METRIC_CONNECTIONS_REFUSED, labels, row->refused);
	metric_add(page, METRIC_CONNECTIONS_SPLICED, labels, row->spliced);
	add_listener_acceleration(page, row);
	metric_add(page, METRIC_LISTENER_RECEIVED, labels, row->bytes_in);
	metric_add(page, METRIC_LISTENER_SENT, labels, row->bytes_out);
	for (unsigned i = CONNECTION_END_OPEN + 1; i < CONNECTION_END_COUNT; i++)
		metric_add(page, METRIC_CONNECTION_ENDS,
			   (labels_t[]){{"listener", row->name},
					{"reason", connection_end_name((enum connection_end)i)},
					{NULL, NULL}},
			   row->ends[i]);
	add_listener_requests(page, labels, row);
	metrics_add_tls(page, METRIC_LISTENER_HANDSHAKES, METRIC_LISTENER_TLS_FAILURES, labels,
			&row->tls);
	if (row->tls.is_enabled) {
		metric_add(page, METRIC_LISTENER_EARLY, labels, row->tls.early);
		metric_add(page, METRIC_LISTENER_KERNEL, labels, row->tls.kernel);
	}
	add_certificates(page, row);
	metric_add_histogram(page, METRIC_SESSION_DURATION, labels, row->session_time);
}
