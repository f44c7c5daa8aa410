/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_ADMIN_METRICS_INTERNAL_H
#define SLUICE_ADMIN_METRICS_INTERNAL_H

/* What the files that make up the page of metrics share: the families, and their texts. */
#include "metrics/prometheus.h"
#include "proxy/inspect.h"
#include "proxy/server.h"

#include <stdint.h>

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
	X(LOG_LINES_LOST, "log_lines_lost_total", "counter",                                       \
	  "Lines that a full disk or a slow reader did not take, by log")                          \
	X(SPANS, "tracing_spans_total", "counter",                                                 \
	  "Spans of requests: sent, dropped before that, or lost on their way")                    \
	X(SPLICE_AVAILABLE, "splice_available", "gauge",                                           \
	  "Whether connections can be handed to the kernel: 1 or 0")                               \
	X(SPLICE_PAIRS, "splice_pairs", "gauge", "Pairs of connections that the programs know")    \
	X(SPLICE_PAIRS_MAX, "splice_pairs_max", "gauge", "Pairs that there is room for")           \
	X(SPLICE_DEVICE, "splice_device", "gauge", "1 for the hook that a device's packets take")  \
	X(SPLICE_VERDICTS, "splice_verdicts_total", "counter",                                     \
	  "Packets by what the programs decided; each program that a packet passes counts it")     \
	X(EVENTS_UNTOLD, "packet_events_untold_total", "counter",                                  \
	  "Events that packet programs did not tell the daemon, by kind: too many, or no room")    \
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
	  "Bytes of an endpoint that were sent on to clients; of nat and dnat")                    \
	X(DISPATCH_SENT_PACKETS, "dispatch_sent_packets_total", "counter",                         \
	  "Packets of an endpoint that were sent on to clients; of nat and dnat")                  \
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
	X(POOL_PLACES, "pool_place_picks_total", "counter",                                        \
	  "Endpoints picked, by location and by how near that is to the client")                   \
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

/* A page in the making. */
struct metrics {
	struct strbuf samples[METRIC_COUNT];
	const char *pool; /* whose endpoints are visited */
	const struct dispatcher *dispatcher;
	const struct dispatcher_service *service; /* the same of mode dispatch */
	uint64_t now_ms;
};

typedef const struct prometheus_label labels_t;

void metric_add(struct metrics *page, enum metric metric, labels_t *labels, uint64_t value);
void metric_add_histogram(struct metrics *page, enum metric metric, labels_t *labels,
			  const struct histogram *histogram);

/* --- metrics_traffic.c: of listeners, routes and pools alike ---------------------- */

/* @whose: the label of a listener or a pool. */
void metrics_add_tls(struct metrics *page, enum metric completed, enum metric failed,
		     labels_t *whose, const struct tls_row *row);
/* @labels: two at most. */
void metrics_add_requests(struct metrics *page, enum metric requests, enum metric duration,
			  labels_t *labels, const struct request_row *row);

/* --- For metrics_page.c ----------------------------------------------------------- */

/* metrics_packets.c: of the packet programs. */
void metrics_add_acceleration(struct metrics *page, struct server *server);
void metrics_add_guard(struct metrics *page, struct server *server);
void metrics_add_dispatch(struct metrics *page, struct server *server);

/* metrics_listener.c, metrics_pool.c: visitors, whose context is the page. */
void metrics_add_listener(const struct listener_row *row, void *context);
void metrics_add_route(const struct route_row *row, void *context);
void metrics_add_pool(const struct pool_row *row, void *context);

#endif
