// SPDX-License-Identifier: Apache-2.0
/*
 * All metrics in one text. The format wants the samples of a family together, but listeners, pools
 * and endpoints are visited once, for one moment's numbers: so each family collects its samples in
 * a text of its own, and the texts are joined at the end.
 */
#include "admin/admin_internal.h"
#include "core/clock.h"
#include "fastpath/flows.h"
#include "metrics/prometheus.h"
#include "proxy/dispatcher.h"

/* In the order of the page. Bytes "received" and "sent" are so as seen from the daemon. */
#define METRICS(X)                                                                                 \
	X(BUILD_INFO, "build_info", "gauge", "Version and I/O back end; always 1")                 \
	X(START_TIME, "process_start_time_seconds", "gauge", "Start, in seconds since 1970")       \
	X(DRAINING, "draining", "gauge", "1 from the first SIGTERM on")                            \
	X(WORKERS, "workers", "gauge", "Worker threads")                                           \
	X(CONFIG_GENERATION, "config_generation", "gauge",                                         \
	  "1 after start, one more with each reload")                                              \
	X(CONFIG_LOADED, "config_last_reload_timestamp_seconds", "gauge",                          \
	  "When the configuration in force was loaded, in seconds since 1970")                     \
	X(RELOAD_FAILURES, "config_reload_failures_total", "counter", "Reloads that were refused") \
	X(SPANS, "tracing_spans_total", "counter",                                                 \
	  "Spans of requests: sent, dropped before that, or lost on their way")                    \
	X(SPLICE_AVAILABLE, "splice_available", "gauge",                                           \
	  "Whether connections can be handed to the kernel: 1 or 0")                               \
	X(SPLICE_PAIRS, "splice_pairs", "gauge", "Pairs of connections that the programs know")    \
	X(SPLICE_PAIRS_MAX, "splice_pairs_max", "gauge", "Pairs that there is room for")           \
	X(SPLICE_DEVICE, "splice_device", "gauge", "1 for the hook that a device's packets take")  \
	X(SPLICE_VERDICTS, "splice_verdicts_total", "counter",                                     \
	  "Packets by what the programs decided; each program that a packet passes counts it")     \
	X(GUARD_MODE, "guard_mode", "gauge", "1 for the guard's mode")                             \
	X(GUARD_DROPPED, "guard_dropped_packets_total", "counter",                                 \
	  "Packets (without packet programs: connections) that were refused, by reason")           \
	X(GUARD_WOULD_DROP, "guard_would_drop_packets_total", "counter",                           \
	  "Packets that mode monitor has let pass, by reason")                                     \
	X(GUARD_SEEN, "guard_seen_packets_total", "counter", "Packets that were looked at")        \
	X(GUARD_ALLOWED, "guard_allowed_packets_total", "counter",                                 \
	  "Packets that an allow list has let pass")                                               \
	X(GUARD_COOKIES, "guard_syn_cookies_total", "counter", "SYNs answered with a cookie")      \
	X(GUARD_NETWORKS, "guard_networks", "gauge", "Networks that are listed, by where")         \
	X(GUARD_BANS, "guard_bans", "gauge", "Sources that are banned for a time")                 \
	X(DISPATCH_FLOWS, "dispatch_flows_total", "counter",                                       \
	  "New flows of mode dispatch, by the endpoint that took them")                            \
	X(DISPATCH_RECEIVED, "dispatch_received_bytes_total", "counter",                           \
	  "Bytes from clients that were sent on to an endpoint")                                   \
	X(DISPATCH_RECEIVED_PACKETS, "dispatch_received_packets_total", "counter",                 \
	  "Packets from clients that were sent on to an endpoint")                                 \
	X(DISPATCH_SENT, "dispatch_sent_bytes_total", "counter",                                   \
	  "Bytes of an endpoint that were sent on to clients; of nat alone")                       \
	X(DISPATCH_SENT_PACKETS, "dispatch_sent_packets_total", "counter",                         \
	  "Packets of an endpoint that were sent on to clients; of nat alone")                     \
	X(DISPATCH_UNLISTED, "dispatch_unlisted_flows_total", "counter",                           \
	  "New flows beyond dispatch.new_flow_rate, which got no entry")                           \
	X(DISPATCH_COOKIES, "dispatch_syn_cookies_total", "counter",                               \
	  "SYNs to a service that were answered with a cookie")                                    \
	X(DISPATCH_COOKIE_FLOWS, "dispatch_syn_cookie_flows_total", "counter",                     \
	  "New flows of mode dispatch that began with a cookie brought back")                      \
	X(DISPATCH_DROPPED, "dispatch_dropped_packets_total", "counter",                           \
	  "Packets to a service that were dropped, by reason")                                     \
	X(SPLICE_CONNECTIONS, "splice_connections_total", "counter",                               \
	  "Connections that have ended, by what carried them, and why not a better rung")          \
	X(SPLICE_HANDOVERS, "splice_handovers_total", "counter",                                   \
	  "Tries to hand a connection to the packet programs")                                     \
	X(SPLICE_RECEIVED, "splice_received_bytes_total", "counter",                               \
	  "Bytes from clients that the packet programs carried")                                   \
	X(SPLICE_SENT, "splice_sent_bytes_total", "counter",                                       \
	  "Bytes to clients that the packet programs carried")                                     \
	X(SPLICE_RECEIVED_PACKETS, "splice_received_packets_total", "counter",                     \
	  "Packets from clients that the packet programs carried")                                 \
	X(SPLICE_SENT_PACKETS, "splice_sent_packets_total", "counter",                             \
	  "Packets to clients that the packet programs carried")                                   \
	X(CONNECTIONS_ACTIVE, "listener_connections_active", "gauge", "Open connections")          \
	X(CONNECTIONS_ACCEPTED, "listener_connections_accepted_total", "counter",                  \
	  "Connections accepted")                                                                  \
	X(CONNECTIONS_REFUSED, "listener_connections_refused_total", "counter",                    \
	  "Connections refused by a limit")                                                        \
	X(CONNECTIONS_SPLICED, "listener_connections_spliced_total", "counter",                    \
	  "Connections that were handed to the kernel")                                            \
	X(CONNECTION_ENDS, "listener_connection_ends_total", "counter",                            \
	  "Connections that have ended, by reason")                                                \
	X(LISTENER_RECEIVED, "listener_received_bytes_total", "counter",                           \
	  "Bytes received from clients")                                                           \
	X(LISTENER_SENT, "listener_sent_bytes_total", "counter", "Bytes sent to clients")          \
	X(SESSION_DURATION, "listener_session_duration_seconds", "histogram",                      \
	  "From accept to the end of a connection")                                                \
	X(HTTP_REQUESTS, "http_requests_total", "counter",                                         \
	  "Requests by the class of the status that was answered")                                 \
	X(HTTP_REQUEST_ENDS, "http_request_ends_total", "counter",                                 \
	  "Requests that have ended, by reason")                                                   \
	X(HTTP_REQUEST_DURATION, "http_request_duration_seconds", "histogram",                     \
	  "From a request's first byte to the end of its answer")                                  \
	X(ROUTE_REQUESTS, "route_requests_total", "counter",                                       \
	  "Requests of a route that has a name, by the class of the status")                       \
	X(ROUTE_DURATION, "route_request_duration_seconds", "histogram",                           \
	  "The same, from a request's first byte to the end of its answer")                        \
	X(POOL_REQUESTS, "pool_requests_total", "counter",                                         \
	  "Requests of mode http for a pool, by the class of the status")                          \
	X(POOL_DURATION, "pool_request_duration_seconds", "histogram",                             \
	  "The same, from a request's first byte to the end of its answer")                        \
	X(LISTENER_HANDSHAKES, "listener_tls_handshakes_total", "counter",                         \
	  "TLS handshakes with clients that were completed")                                       \
	X(LISTENER_EARLY, "listener_tls_early_data_total", "counter",                              \
	  "Of these, those that came with early data")                                             \
	X(LISTENER_KERNEL, "listener_tls_kernel_total", "counter",                                 \
	  "Connections with TLS that the kernel began to encrypt for")                             \
	X(LISTENER_TLS_FAILURES, "listener_tls_handshake_failures_total", "counter",               \
	  "TLS handshakes with clients that failed, by reason")                                    \
	X(CERTIFICATE_EXPIRY, "listener_certificate_expiry_timestamp_seconds", "gauge",            \
	  "When a certificate ends, in seconds since 1970")                                        \
	X(STAPLE_EXPIRY, "listener_ocsp_expiry_timestamp_seconds", "gauge",                        \
	  "When the OCSP response that is stapled ends, in seconds since 1970; 0: there is none")  \
	X(POOL_HANDSHAKES, "pool_tls_handshakes_total", "counter",                                 \
	  "TLS handshakes with endpoints that were completed")                                     \
	X(POOL_TLS_FAILURES, "pool_tls_handshake_failures_total", "counter",                       \
	  "TLS handshakes with endpoints that failed, by reason")                                  \
	X(CONNECT_DURATION, "pool_connect_duration_seconds", "histogram",                          \
	  "Time that successful connects to endpoints took")                                       \
	X(POOL_CONNECT_FAILURES, "pool_connect_failures_total", "counter", "Connects that failed") \
	X(POOL_RETRIES, "pool_connect_retries_total", "counter",                                   \
	  "Connects tried again on another endpoint")                                              \
	X(POOL_RESENT, "pool_resent_requests_total", "counter",                                    \
	  "Requests that were sent another time")                                                  \
	X(POOL_OVER_BUDGET, "pool_retry_budget_exhausted_total", "counter",                        \
	  "Requests that were not sent again for want of budget")                                  \
	X(POOL_HEDGED, "pool_hedged_requests_total", "counter",                                    \
	  "Requests that were sent to a second endpoint as well")                                  \
	X(POOL_HEDGES_WON, "pool_hedges_won_total", "counter",                                     \
	  "Of these, those that the second endpoint answered first")                               \
	X(BREAKER_NOW, "pool_breaker_requests", "gauge", "Requests at a gauge that has a limit")   \
	X(BREAKER_LIMIT, "pool_breaker_limit", "gauge", "The limit; the breaker is open at it")    \
	X(BREAKER_REFUSED, "pool_breaker_refused_total", "counter",                                \
	  "Requests turned away by an open breaker")                                               \
	X(MIRRORS, "mirror_requests_total", "counter",                                             \
	  "Copies of requests for a pool that mirrors, by what became of them")                    \
	X(POOL_WAITING, "pool_queue_waiting", "gauge",                                             \
	  "Connections that wait for an endpoint below its limit")                                 \
	X(ENDPOINT_UP, "endpoint_up", "gauge", "0 if health checks found it down")                 \
	X(ENDPOINT_AVAILABLE, "endpoint_available", "gauge", "1 if it takes new connections")      \
	X(ENDPOINT_EJECTED, "endpoint_ejected", "gauge", "1 while ejected as an outlier")          \
	X(ENDPOINT_ADMIN, "endpoint_admin_state", "gauge", "1 for the state ordered by hand")      \
	X(ENDPOINT_WEIGHT, "endpoint_weight", "gauge", "Weight in balancing, 0 to 256")            \
	X(ENDPOINT_ACTIVE, "endpoint_connections_active", "gauge",                                 \
	  "Connections open or being opened")                                                      \
	X(ENDPOINT_CONNECTIONS, "endpoint_connections_total", "counter", "Connections opened")     \
	X(ENDPOINT_CONNECT_FAILURES, "endpoint_connect_failures_total", "counter",                 \
	  "Connects that failed")                                                                  \
	X(ENDPOINT_RESETS, "endpoint_resets_total", "counter",                                     \
	  "Connections that the endpoint reset")                                                   \
	X(ENDPOINT_EJECTIONS, "endpoint_consecutive_ejections", "gauge",                           \
	  "Ejections in a row: each doubles the time")                                             \
	X(ENDPOINT_RECEIVED, "endpoint_received_bytes_total", "counter",                           \
	  "Bytes received from the endpoint")                                                      \
	X(ENDPOINT_SENT, "endpoint_sent_bytes_total", "counter", "Bytes sent to the endpoint")

enum metric {
#define X(id, name, type, help) METRIC_##id,
	METRICS(X)
#undef X
		METRIC_COUNT
};

static const struct {
	const char *name, *type, *help;
} families[METRIC_COUNT] = {
#define X(id, name, type, help) [METRIC_##id] = {"sluice_" name, type, help},
	METRICS(X)
#undef X
};

struct page {
	struct strbuf samples[METRIC_COUNT];
	const char *pool; /* whose endpoints are visited */
	const struct dispatcher *dispatcher;
	const struct dispatcher_service *service; /* the same of mode dispatch */
	uint64_t now_ms;
};

typedef const struct prometheus_label labels_t;

static void add(struct page *page, enum metric metric, labels_t *labels, uint64_t value)
{
	prometheus_sample(&page->samples[metric], families[metric].name, labels, value);
}

static void add_spans(struct page *page, const struct server_facts *facts)
{
	const struct {
		const char *result;
		uint64_t count;
	} spans[] = {
		{"sent", facts->spans_sent},
		{"dropped", facts->spans_dropped},
		{"failed", facts->spans_failed},
	};

	for (size_t i = 0; i < ARRAY_SIZE(spans); i++)
		add(page, METRIC_SPANS, (labels_t[]){{"result", spans[i].result}, {NULL, NULL}},
		    spans[i].count);
}

static void add_process(struct page *page, struct server *server)
{
	struct server_facts facts;

	server_describe(server, &facts);
	add(page, METRIC_BUILD_INFO,
	    (labels_t[]){
		    {"version", SLUICE_VERSION}, {"io_backend", facts.io_backend}, {NULL, NULL}},
	    1);
	add(page, METRIC_START_TIME, NULL, facts.started_wall_us / 1000000);
	add(page, METRIC_DRAINING, NULL, server_is_draining(server));
	add(page, METRIC_WORKERS, NULL, facts.workers);
	add(page, METRIC_CONFIG_GENERATION, NULL, facts.config_generation);
	add(page, METRIC_CONFIG_LOADED, NULL, facts.loaded_wall_us / 1000000);
	add(page, METRIC_RELOAD_FAILURES, NULL, facts.reload_failures);
	add_spans(page, &facts);
}

static void add_device(const struct splice_device *device, void *context)
{
	add(context, METRIC_SPLICE_DEVICE,
	    (labels_t[]){{"device", device->name}, {"hook", device->hook}, {NULL, NULL}}, 1);
}

static void add_reasons(struct page *page, const struct guard_facts *facts)
{
	for (int i = 0; i < GUARD_REASON_COUNT; i++) {
		const char *reason = guard_reason_name((enum guard_reason)i);

		add(page, METRIC_GUARD_DROPPED, (labels_t[]){{"reason", reason}, {NULL, NULL}},
		    facts->counts[GUARD_COUNT_DROPPED + i].packets);
		add(page, METRIC_GUARD_WOULD_DROP, (labels_t[]){{"reason", reason}, {NULL, NULL}},
		    facts->counts[GUARD_COUNT_WOULD_DROP + i].packets);
	}
}

static void add_guard(struct page *page, struct server *server)
{
	struct guard_facts facts;

	guard_describe(server_guard(server), &facts);
	for (int mode = GUARD_OFF; mode <= GUARD_ENFORCE; mode++)
		add(page, METRIC_GUARD_MODE,
		    (labels_t[]){{"mode", guard_mode_name((enum guard_mode)mode)}, {NULL, NULL}},
		    facts.mode == (enum guard_mode)mode);
	add_reasons(page, &facts);
	add(page, METRIC_GUARD_SEEN, NULL, facts.seen.packets);
	add(page, METRIC_GUARD_ALLOWED, NULL, facts.counts[GUARD_COUNT_ALLOWED].packets);
	add(page, METRIC_GUARD_COOKIES, NULL, facts.counts[GUARD_COUNT_COOKIES].packets);
	add(page, METRIC_GUARD_NETWORKS, (labels_t[]){{"from", "files"}, {NULL, NULL}},
	    facts.listed);
	add(page, METRIC_GUARD_NETWORKS, (labels_t[]){{"from", "hand"}, {NULL, NULL}}, facts.live);
	add(page, METRIC_GUARD_NETWORKS, (labels_t[]){{"from", "places"}, {NULL, NULL}},
	    facts.places);
	add(page, METRIC_GUARD_BANS, NULL, facts.bans);
}

static void add_dispatched_endpoint(struct endpoint *endpoint, void *context)
{
	struct page *page = context;
	const struct dispatcher_service *service = page->service;
	struct dispatch_traffic traffic;
	char bind[CONFIG_BIND_SIZE];
	labels_t labels[] = {{"listener", service->listener->name},
			     {"service", config_bind_format(service->bind, bind)},
			     {"endpoint", endpoint->name},
			     {NULL, NULL}};

	dispatcher_count_endpoint(page->dispatcher, service, endpoint, &traffic);
	add(page, METRIC_DISPATCH_FLOWS, labels, traffic.flows);
	add(page, METRIC_DISPATCH_RECEIVED, labels, traffic.bytes);
	add(page, METRIC_DISPATCH_RECEIVED_PACKETS, labels, traffic.packets);
	add(page, METRIC_DISPATCH_SENT, labels, traffic.returned_bytes);
	add(page, METRIC_DISPATCH_SENT_PACKETS, labels, traffic.returned_packets);
}

static void add_service(const struct dispatcher_service *service, void *context)
{
	struct page *page = context;
	struct dispatch_service_counts counts;
	char bind[CONFIG_BIND_SIZE];
	labels_t labels[] = {{"listener", service->listener->name},
			     {"service", config_bind_format(service->bind, bind)},
			     {NULL, NULL}};

	dispatcher_count(page->dispatcher, service, &counts);
	add(page, METRIC_DISPATCH_UNLISTED, labels, counts.unlisted);
	add(page, METRIC_DISPATCH_COOKIES, labels, counts.cookies);
	add(page, METRIC_DISPATCH_COOKIE_FLOWS, labels, counts.cookie_flows);
	for (int i = 0; i < DISPATCH_DROP_COUNT; i++)
		add(page, METRIC_DISPATCH_DROPPED,
		    (labels_t[]){labels[0],
				 labels[1],
				 {"reason", dispatch_drop_name((enum dispatch_drop)i)},
				 {NULL, NULL}},
		    counts.drops[i]);
	page->service = service;
	dispatcher_for_each_endpoint(page->dispatcher, service, add_dispatched_endpoint, page);
}

static void add_dispatch(struct page *page, struct server *server)
{
	page->dispatcher = server_dispatcher(server);
	dispatcher_for_each(page->dispatcher, add_service, page);
}

static void add_acceleration(struct page *page, struct server *server)
{
	struct acceleration_facts facts;

	server_describe_acceleration(server, &facts);
	add(page, METRIC_SPLICE_AVAILABLE, NULL, !facts.why);
	if (facts.why)
		return;
	add(page, METRIC_SPLICE_PAIRS, NULL, facts.splice.pairs);
	add(page, METRIC_SPLICE_PAIRS_MAX, NULL, facts.splice.max_pairs);
	for (uint32_t i = 0; i < FLOW_VERDICT_COUNT; i++)
		add(page, METRIC_SPLICE_VERDICTS,
		    (labels_t[]){{"verdict", flow_verdict_name((enum flow_verdict)i)},
				 {NULL, NULL}},
		    facts.splice.verdicts[i]);
	server_for_each_device(server, add_device, page);
}

/* @whose: the label of a listener or a pool. */
static void add_tls(struct page *page, enum metric completed, enum metric failed, labels_t *whose,
		    const struct tls_row *row)
{
	if (!row->is_enabled)
		return;
	add(page, completed, (labels_t[]){*whose, {"kind", "full"}, {NULL, NULL}}, row->full);
	add(page, completed, (labels_t[]){*whose, {"kind", "resumed"}, {NULL, NULL}}, row->resumed);
	for (unsigned i = TLS_FAILURE_NONE + 1; i < TLS_FAILURE_COUNT; i++)
		add(page, failed,
		    (labels_t[]){*whose,
				 {"reason", tls_failure_name((enum tls_failure)i)},
				 {NULL, NULL}},
		    row->failed[i]);
}

static uint64_t since_1970(int64_t seconds)
{
	return seconds > 0 ? (uint64_t)seconds : 0;
}

static void add_certificates(struct page *page, const struct listener_row *row)
{
	for (size_t i = 0; i < row->ncertificates; i++) {
		const struct tls_certificate_row *certificate = &row->certificates[i];
		labels_t labels[] = {{"listener", row->name},
				     {"file", certificate->file},
				     {"name", certificate->name},
				     {NULL, NULL}};

		add(page, METRIC_CERTIFICATE_EXPIRY, labels, since_1970(certificate->not_after_s));
		add(page, METRIC_STAPLE_EXPIRY, labels, since_1970(certificate->stapled_until_s));
	}
}

/* @labels: two at most. */
static void add_requests(struct page *page, enum metric requests, enum metric duration,
			 labels_t *labels, const struct request_row *row)
{
	static const char *const classes[STATUS_CLASSES] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
	struct prometheus_label all[4] = {};
	size_t count = 0;

	for (; labels[count].name; count++)
		all[count] = labels[count];
	for (unsigned i = 0; i < STATUS_CLASSES; i++) {
		all[count] = (struct prometheus_label){"status", classes[i]};
		add(page, requests, all, row->answers[i]);
	}
	prometheus_histogram(&page->samples[duration], families[duration].name, labels, row->time);
}

static void add_listener_requests(struct page *page, labels_t *labels,
				  const struct listener_row *row)
{
	if (!row->exchange_ends)
		return;
	add_requests(page, METRIC_HTTP_REQUESTS, METRIC_HTTP_REQUEST_DURATION, labels,
		     &row->requests);
	for (unsigned i = EXCHANGE_END_OPEN + 1; i < EXCHANGE_END_COUNT; i++)
		add(page, METRIC_HTTP_REQUEST_ENDS,
		    (labels_t[]){*labels,
				 {"reason", exchange_end_name((enum exchange_end)i)},
				 {NULL, NULL}},
		    row->exchange_ends[i]);
}

static void add_route(const struct route_row *row, void *context)
{
	labels_t labels[] = {{"listener", row->listener}, {"route", row->name}, {NULL, NULL}};

	add_requests(context, METRIC_ROUTE_REQUESTS, METRIC_ROUTE_DURATION, labels, &row->requests);
}

static void add_rung(struct page *page, const char *listener, enum connection_rung rung,
		     enum splice_reason reason, uint64_t count)
{
	add(page, METRIC_SPLICE_CONNECTIONS,
	    (labels_t[]){{"listener", listener},
			 {"rung", connection_rung_name(rung)},
			 {"reason", splice_reason_name(reason)},
			 {NULL, NULL}},
	    count);
}

static void add_listener_acceleration(struct page *page, const struct listener_row *row)
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
		add(page, METRIC_SPLICE_HANDOVERS,
		    (labels_t[]){{"listener", row->name},
				 {"result", handover_result_name((enum handover_result)i)},
				 {NULL, NULL}},
		    counts->handovers[i]);
	add(page, METRIC_SPLICE_RECEIVED, labels, counts->bytes_in);
	add(page, METRIC_SPLICE_SENT, labels, counts->bytes_out);
	add(page, METRIC_SPLICE_RECEIVED_PACKETS, labels, counts->packets_in);
	add(page, METRIC_SPLICE_SENT_PACKETS, labels, counts->packets_out);
}

static void add_listener(const struct listener_row *row, void *context)
{
	labels_t labels[] = {{"listener", row->name}, {NULL, NULL}};
	struct page *page = context;

	add(page, METRIC_CONNECTIONS_ACTIVE, labels, row->active);
	add(page, METRIC_CONNECTIONS_ACCEPTED, labels, row->accepted);
	add(page, METRIC_CONNECTIONS_REFUSED, labels, row->refused);
	add(page, METRIC_CONNECTIONS_SPLICED, labels, row->spliced);
	add_listener_acceleration(page, row);
	add(page, METRIC_LISTENER_RECEIVED, labels, row->bytes_in);
	add(page, METRIC_LISTENER_SENT, labels, row->bytes_out);
	for (unsigned i = CONNECTION_END_OPEN + 1; i < CONNECTION_END_COUNT; i++)
		add(page, METRIC_CONNECTION_ENDS,
		    (labels_t[]){{"listener", row->name},
				 {"reason", connection_end_name((enum connection_end)i)},
				 {NULL, NULL}},
		    row->ends[i]);
	add_listener_requests(page, labels, row);
	add_tls(page, METRIC_LISTENER_HANDSHAKES, METRIC_LISTENER_TLS_FAILURES, labels, &row->tls);
	if (row->tls.is_enabled) {
		add(page, METRIC_LISTENER_EARLY, labels, row->tls.early);
		add(page, METRIC_LISTENER_KERNEL, labels, row->tls.kernel);
	}
	add_certificates(page, row);
	prometheus_histogram(&page->samples[METRIC_SESSION_DURATION],
			     families[METRIC_SESSION_DURATION].name, labels, row->session_time);
}

static void add_admin_state(struct page *page, const struct endpoint *endpoint, const char *address)
{
	uint32_t state = atomic_load(&endpoint->admin);

	for (uint32_t i = ENDPOINT_READY; i <= ENDPOINT_MAINT; i++)
		add(page, METRIC_ENDPOINT_ADMIN,
		    (labels_t[]){{"pool", page->pool},
				 {"endpoint", endpoint->name},
				 {"address", address},
				 {"state", endpoint_admin_name(i)},
				 {NULL, NULL}},
		    state == i);
}

static void add_endpoint(struct endpoint *endpoint, void *context)
{
	struct page *page = context;
	char address[ADDRESS_TEXT_SIZE];
	labels_t labels[] = {{"pool", page->pool},
			     {"endpoint", endpoint->name},
			     {"address", address_format(&endpoint->address, address)},
			     {NULL, NULL}};

	add(page, METRIC_ENDPOINT_UP, labels,
	    atomic_load(&endpoint->health) != ENDPOINT_HEALTH_DOWN);
	add(page, METRIC_ENDPOINT_AVAILABLE, labels, endpoint_is_available(endpoint, page->now_ms));
	add(page, METRIC_ENDPOINT_EJECTED, labels,
	    atomic_load(&endpoint->ejected_until_ms) > page->now_ms);
	add_admin_state(page, endpoint, address);
	add(page, METRIC_ENDPOINT_WEIGHT, labels, atomic_load(&endpoint->weight));
	add(page, METRIC_ENDPOINT_EJECTIONS, labels, atomic_load(&endpoint->ejections));
	add(page, METRIC_ENDPOINT_ACTIVE, labels, atomic_load(&endpoint->load.active));
	add(page, METRIC_ENDPOINT_CONNECTIONS, labels, counter_read(&endpoint->load.connections));
	add(page, METRIC_ENDPOINT_CONNECT_FAILURES, labels,
	    counter_read(&endpoint->load.connect_failures));
	add(page, METRIC_ENDPOINT_RESETS, labels, counter_read(&endpoint->load.resets));
	/* bytes_in comes from clients, and goes to the endpoint */
	add(page, METRIC_ENDPOINT_SENT, labels, counter_read(&endpoint->load.bytes_in));
	add(page, METRIC_ENDPOINT_RECEIVED, labels, counter_read(&endpoint->load.bytes_out));
}

static void add_breaker(struct page *page, const struct pool_row *row)
{
	for (int i = 0; i < BREAKER_GAUGES_COUNT; i++) {
		const struct breaker_row *gauge = &row->breaker[i];
		labels_t labels[] = {{"pool", row->name},
				     {"gauge", breaker_gauge_name((enum breaker_gauge)i)},
				     {NULL, NULL}};

		if (!gauge->limit)
			continue;
		add(page, METRIC_BREAKER_NOW, labels, gauge->now);
		add(page, METRIC_BREAKER_LIMIT, labels, gauge->limit);
		add(page, METRIC_BREAKER_REFUSED, labels, gauge->refused);
	}
}

/* None for a pool that never was a mirror. */
static void add_mirrors(struct page *page, const struct pool_row *row)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < MIRROR_RESULT_COUNT; i++)
		sum += row->mirrors[i];
	for (size_t i = 0; sum && i < MIRROR_RESULT_COUNT; i++) {
		labels_t labels[] = {{"pool", row->name},
				     {"result", mirror_result_name((enum mirror_result)i)},
				     {NULL, NULL}};

		add(page, METRIC_MIRRORS, labels, row->mirrors[i]);
	}
}

static void add_pool(const struct pool_row *row, void *context)
{
	labels_t labels[] = {{"pool", row->name}, {NULL, NULL}};
	struct page *page = context;

	prometheus_histogram(&page->samples[METRIC_CONNECT_DURATION],
			     families[METRIC_CONNECT_DURATION].name, labels, row->connect_time);
	add_tls(page, METRIC_POOL_HANDSHAKES, METRIC_POOL_TLS_FAILURES, labels, &row->tls);
	add(page, METRIC_POOL_CONNECT_FAILURES, labels, row->connect_failures);
	add(page, METRIC_POOL_RETRIES, labels, row->retries);
	add(page, METRIC_POOL_RESENT, labels, row->resent);
	add(page, METRIC_POOL_OVER_BUDGET, labels, row->over_budget);
	add(page, METRIC_POOL_HEDGED, labels, row->hedged);
	add(page, METRIC_POOL_HEDGES_WON, labels, row->hedges_won);
	add_breaker(page, row);
	add_mirrors(page, row);
	add_requests(page, METRIC_POOL_REQUESTS, METRIC_POOL_DURATION, labels, &row->requests);
	add(page, METRIC_POOL_WAITING, labels, row->waiting);
	page->pool = row->name;
	pool_for_each(row->pool, add_endpoint, page);
}

static void join(struct page *page, struct strbuf *out)
{
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		struct strbuf *samples = &page->samples[i];

		out->is_failed |= samples->is_failed;
		if (samples->len > 0) {
			prometheus_family(out, families[i].name, families[i].type,
					  families[i].help);
			strbuf_append(out, slice_of(samples->text, samples->len));
		}
		strbuf_done(samples);
	}
}

void metrics_page(struct server *server, struct strbuf *out)
{
	struct page page = {.now_ms = clock_monotonic_ms()};

	add_process(&page, server);
	add_acceleration(&page, server);
	add_guard(&page, server);
	add_dispatch(&page, server);
	server_for_each_listener(server, add_listener, &page);
	server_for_each_route(server, add_route, &page);
	server_for_each_pool(server, add_pool, &page);
	join(&page, out);
}
