/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CONFIG_CONFIG_H
#define SLUICE_CONFIG_CONFIG_H

#include "config/dispatch.h"
#include "config/error_page.h"
#include "config/file.h"
#include "config/filter.h"
#include "config/forwarding.h"
#include "config/geo.h"
#include "config/guard.h"
#include "config/resilience.h"
#include "config/route.h"
#include "config/tracing.h"
#include "config/sticky.h"
#include "core/address.h"
#include "core/arena.h"
#include "core/earth.h"
#include "core/log.h"
#include "core/strbuf.h"
#include "core/template.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A configuration file, checked and made plain: immutable once loaded, its memory in one arena.
 * Names are unique and resolved: routes point at pools by index. Every field is valid as it stands;
 * defaults are filled in. Units are in the names. schema.c says what each option means.
 */
enum config_io { CONFIG_IO_AUTO, CONFIG_IO_URING, CONFIG_IO_EPOLL };
enum config_acceleration_mode { CONFIG_AUTO, CONFIG_OFF, CONFIG_SPLICE, CONFIG_SOCKMAP };
enum config_access_format {
	CONFIG_ACCESS_TEXT,
	CONFIG_ACCESS_JSON,
	CONFIG_ACCESS_COMMON, /* mode http; text in mode tcp */
	CONFIG_ACCESS_COMBINED,
};
enum config_mode { CONFIG_MODE_TCP, CONFIG_MODE_HTTP, CONFIG_MODE_DISPATCH };
enum config_proxy_header { CONFIG_PROXY_OFF, CONFIG_PROXY_V1, CONFIG_PROXY_V2 };
enum config_health { CONFIG_HEALTH_OFF, CONFIG_HEALTH_TCP, CONFIG_HEALTH_TLS, CONFIG_HEALTH_HTTP };
enum config_tls_profile { CONFIG_TLS_INTERMEDIATE, CONFIG_TLS_MODERN };
enum config_tls_version { CONFIG_TLS_1_2, CONFIG_TLS_1_3 };
/* Whether the kernel encrypts long files. */
enum config_ktls { CONFIG_KTLS_OFF, CONFIG_KTLS_AUTO };

/* What a request's host must be, for who came by TLS. */
enum config_host_check {
	CONFIG_HOST_CHECK_OFF,
	CONFIG_HOST_CHECK_CERTIFICATE, /* a name in the certificate that was shown */
	CONFIG_HOST_CHECK_SNI,         /* the name that was asked for */
};
enum config_client_auth {
	CONFIG_CLIENT_AUTH_OFF,
	CONFIG_CLIENT_AUTH_OPTIONAL,
	CONFIG_CLIENT_AUTH_REQUIRED,
};
enum config_resolve { CONFIG_RESOLVE_NONE, CONFIG_RESOLVE_DNS };

/* In the order of balance/balance.h's registry. */
#define CONFIG_BALANCES(X)            \
	X(ROUND_ROBIN, "round_robin") \
	X(RANDOM, "random")           \
	X(LEAST_CONN, "least_conn")   \
	X(P2C, "p2c")                 \
	X(MAGLEV, "maglev")           \
	X(SOURCE, "source")

enum config_balance {
#define X(name, text) CONFIG_BALANCE_##name,
	CONFIG_BALANCES(X)
#undef X
};

struct config_log {
	enum log_level level;   /* log.level: info */
	enum log_format format; /* log.format: text */
};

struct config_access_log {
	const char *path; /* access_log.path: a file, "stdout", or NULL for none (the default) */
	enum config_access_format format;
	struct template template; /* of a request's line, in place of the format; empty: none */
};

struct config_admin {
	const char *socket;       /* admin.socket: /run/sluice/sluice.sock; NULL: "off" */
	uint32_t socket_mode;     /* admin.socket_mode: 0600 (octal in the file) */
	const char *socket_group; /* admin.socket_group: NULL: the daemon's */
	struct address listen; /* admin.listen: HTTP for /metrics; no address: off (the default) */
};

struct config_limits {
	uint32_t max_connections;            /* limits.max_connections: 0: as descriptors allow */
	uint32_t max_connections_per_source; /* 0: no limit */
	uint32_t source_prefix_v4;           /* 32: what counts as one source */
	uint32_t source_prefix_v6;           /* 64 */
	uint32_t receive_buffer_bytes;       /* 16 KiB: one read */
	uint32_t receive_buffers;            /* 1024 a worker */
	uint32_t relay_buffer_bytes; /* 256 KiB: waiting bytes a direction of a connection */
	uint32_t tls_handshakes;     /* 1024: under way at once in a worker */
};

struct config_certificate {
	struct config_file cert; /* PEM: the server's first, then its chain */
	struct config_file key;  /* PEM; none: the key is in the same file as the certificate */
	struct config_file ocsp; /* DER; none: nothing is stapled */
};

/* TLS at a listener. */
struct config_tls {
	struct config_certificate *certificates;
	size_t ncertificates; /* 0: the listener has no TLS */
	bool fetches_ocsp;    /* ocsp_fetch: of those without a file of their own */
	enum config_tls_profile profile;
	enum config_tls_version min_version, max_version; /* min: 1.3 where the profile asks */
	const char **alpn;                                /* in order of preference */
	size_t nalpn;
	enum config_client_auth client_auth;
	struct config_file client_ca, client_crl;
	bool has_tickets;                  /* tickets: true */
	uint32_t ticket_lifetime_ms;       /* 1h; the keys change as often */
	uint32_t ticket_count;             /* of a full handshake: 1 */
	uint32_t handshake_timeout_ms;     /* 10s */
	uint32_t early_data_bytes;         /* 0: none is taken */
	enum config_host_check host_check; /* off; mode http */
	enum config_ktls ktls;             /* auto: where the kernel can; mode http */
	struct config_file key_log;        /* none; gives away every secret of every connection */
	uint32_t line, column;
};

/* TLS to a pool's endpoints. */
struct config_pool_tls {
	bool is_enabled;
	bool is_verified;        /* verify: true */
	struct config_file ca;   /* none: the system's */
	const char *server_name; /* NULL: the endpoint's host name, if it has one */
	struct config_file cert, key;
	const char **alpn;
	size_t nalpn;
	enum config_tls_version min_version;
	uint32_t line, column;
};

struct config_bind {
	struct address address; /* the first port of a range */
	uint16_t last_port;     /* the same as the address's port for a single one */
	bool is_udp;            /* mode dispatch */
	uint32_t line, column;  /* in the file */
};

struct config_http {
	uint32_t request_timeout_ms;   /* 10s: for a head, from its first byte */
	uint32_t keepalive_timeout_ms; /* 75s: between two requests; 0: never */
	uint32_t body_timeout_ms;      /* 30s: without a byte of a body, either way; 0: never */
	uint32_t min_rate;             /* 100 bytes/s of a client that is waited for; 0: any */
	uint32_t min_rate_window_ms;   /* 30s: over which that is judged */
	uint32_t max_body_bytes;       /* 0: no limit */
	uint32_t max_line_bytes;       /* 8 KiB: the request line */
	uint32_t max_head_bytes;       /* 64 KiB */
	uint32_t max_fields;           /* 128 */
};

struct config_listener {
	const char *name;
	enum config_mode mode;
	struct config_bind *binds;
	size_t nbinds;
	bool is_v6only;       /* v6only: true: [::] takes IPv6 alone */
	uint32_t backlog;     /* 4096 */
	uint32_t socket_mode; /* 0666: of unix sockets */
	struct prefix
		*proxy_accept; /* proxy_protocol.accept: sources that must send a PROXY header */
	size_t nproxy_accept;
	uint32_t proxy_timeout_ms; /* proxy_protocol.timeout: 5s */
	uint32_t max_connections;  /* 0: no limit */
	uint32_t max_connections_per_source;
	uint32_t client_hello_timeout_ms; /* 5s: then routed without SNI and ALPN */
	uint32_t idle_timeout_ms;         /* 1h; 0: never */
	uint32_t keepalive_ms;            /* 60s: TCP keep-alive on both legs; 0: off */
	struct config_tls tls;
	struct config_http http; /* mode http */
	struct config_forwarding forwarding;
	struct config_listener_guard guard;
	struct config_listener_dispatch dispatch; /* mode dispatch */
	struct config_filter *filters;
	size_t nfilters;
	struct config_error_page *error_pages; /* mode http */
	size_t nerror_pages;
	struct config_route *routes;
	size_t nroutes;
	bool has_default_pool;
	const char *default_pool_name; /* listener.pool */
	size_t default_pool;           /* its index into config.pools */
	uint32_t line;
};

struct config_endpoint {
	const char *name;       /* as written: "host:port", "192.0.2.1:80", "unix:/path" */
	struct address address; /* no address where resolve is dns */
	enum config_resolve resolve;
	const char *host; /* the name to resolve; NULL otherwise */
	uint16_t port;    /* host order, for resolve: dns */
	uint32_t resolve_hold_ms;
	uint32_t weight;  /* 1 in 0..256 */
	const char *zone; /* NULL: none */
	bool has_location;
	struct earth_point location; /* where @has_location */
	uint32_t tier;               /* 0: first; backups have 1 and more */
	uint32_t max_connections;    /* 0: no limit */
	struct config_server_id quic_server_id;
	uint32_t line;
};

enum config_through {
	CONFIG_THROUGH_TUNNEL, /* as packets of mode dispatch go; otherwise the same as: */
	CONFIG_THROUGH_ADDRESS,
};

struct config_health_check {
	enum config_health kind;
	uint32_t interval_ms;                         /* 2s */
	uint32_t timeout_ms;                          /* 1s */
	uint32_t jitter_percent;                      /* 10: of the interval */
	uint32_t rise, fall;                          /* 2, 3 */
	uint16_t port;                                /* 0: the endpoint's */
	enum config_through through;                  /* tunnel */
	const char *http_path;                        /* "/" */
	const char *http_host;                        /* NULL: the endpoint's name */
	uint16_t http_status_first, http_status_last; /* 200..399 */
	const char *http_body; /* text that the first 64 KiB of the body must contain; NULL: any */
	const char *tls_sni;   /* NULL: none sent */
};

struct config_outlier {
	uint32_t consecutive_failures; /* 5; 0: off */
	uint32_t base_ejection_ms;     /* 30s; doubles with each ejection */
	uint32_t max_ejection_ms;      /* 5m */
	uint32_t max_ejected_percent;  /* 50: of the pool; at least one endpoint may go */
	/* Answers of 5xx, and those that did not come in time; mode http. */
	uint32_t consecutive_errors;  /* 0: off */
	uint32_t error_share_percent; /* 0: off; of the answers in a window */
	uint32_t error_window_ms;     /* 10s */
	uint32_t error_minimum;       /* 20: answers in a window, or its share says nothing */
};

struct config_pool_http {
	uint32_t response_timeout_ms; /* 60s: from the request's end to the answer's head; a try */
	uint32_t total_timeout_ms;    /* 0: none; over all tries, from the request's head */
	uint32_t buffer_request;      /* 0: bytes of a body that are read before connecting */
	struct config_retry retry;
	uint32_t hedge_delay_ms;   /* 0: off; before a second endpoint is asked as well */
	uint32_t idle_timeout_ms;  /* 30s: an idle connection is kept for so long */
	uint32_t idle_connections; /* 256: of a worker, to all endpoints; 0: none are kept */
};

struct config_pool {
	const char *name;
	enum config_balance balance;
	uint32_t maglev_table_size; /* a prime in 5..5000011; 65537 */
	uint32_t source_prefix_v4;  /* 32: what source and maglev hash */
	uint32_t source_prefix_v6;  /* 64 */
	struct config_endpoint *endpoints;
	size_t nendpoints;
	bool is_nearest; /* clients go to the endpoints that are nearest to them */
	struct config_health_check health;
	struct config_outlier outlier;
	enum config_proxy_header proxy_protocol;
	uint32_t connect_timeout_ms; /* 2s: one try */
	uint32_t connect_retries;    /* 2: further tries, on other endpoints while there are any */
	uint32_t queue_size;       /* 1024: connections that wait for an endpoint below its limit */
	uint32_t queue_timeout_ms; /* 5s */
	uint32_t slow_start_ms;    /* 0: off */
	struct address source_address; /* no address: the kernel chooses */
	bool is_transparent;           /* connect from the client's own address (IP_TRANSPARENT) */
	struct config_sticky sticky;   /* mode http */
	struct config_hash_key hash_key; /* mode http */
	struct config_pool_tls tls;
	struct config_pool_http http; /* for listeners of mode http */
	struct config_breaker breaker;
	bool is_bound; /* some listener or route uses it */
	uint32_t line;
};

/* What becomes of spliced connections when the daemon is stopped. */
enum config_on_stop {
	CONFIG_STOP_KEEP, /* they go on, for the next daemon */
	CONFIG_STOP_RESET,
};

enum config_hook { CONFIG_HOOK_AUTO, CONFIG_HOOK_XDP, CONFIG_HOOK_TC };

struct config_acceleration {
	enum config_acceleration_mode mode;
	uint32_t after;     /* 0: bytes, of both directions, before a connection is handed over */
	uint32_t max_flows; /* 262144 connections in the kernel at once */
	enum config_on_stop on_stop;
	enum config_hook hook;
	const char **interfaces; /* names of devices; none: all */
	size_t ninterfaces;
	const char *pin_path; /* directory on bpffs; NULL: nothing outlives the daemon */
	const char *instance; /* directory in it: "default" */
};

struct config {
	struct arena arena;
	const char *path;
	uint32_t workers; /* 0: auto, one a core */
	enum config_io io;
	struct config_acceleration acceleration;
	struct config_geo geo;
	struct config_guard guard;
	struct config_dispatch dispatch;
	const char *user, *group;  /* NULL: stay who we are */
	const char *zone;          /* NULL: none */
	uint32_t drain_timeout_ms; /* 30s: what SIGTERM grants open connections */
	struct config_log log;
	struct config_access_log access_log;
	struct config_tracing tracing;
	struct config_admin admin;
	struct config_limits limits;
	struct config_listener *listeners;
	size_t nlisteners;
	struct config_pool *pools;
	size_t npools;
};

/**
 * Reads, checks and resolves a file. "${NAME}" in a scalar is replaced by an environment variable.
 * @path:       "-" reads standard input.
 * @ret_errors: one line an error, "file:line:col: …", each ended by a newline; every error that the
 *              file has, not only the first. On success perhaps warnings, one a line likewise,
 *              "file:line:col: warning: …". The caller's to strbuf_done().
 * Return: 0; -EINVAL with errors; -ENOMEM. Thread: any. Blocks on the file.
 */
int config_load(const char *path, struct config **ret, struct strbuf *ret_errors) WARN_UNUSED;

/* The same from memory; @name stands where the file's name would in messages. */
int config_parse(const char *name, struct slice text, struct config **ret,
		 struct strbuf *ret_errors) WARN_UNUSED;

/* NULL is allowed. */
void config_free(struct config *config);

const char *config_balance_name(enum config_balance balance);
const char *config_mode_name(enum config_mode mode);

/* "192.0.2.1:8000-8010/udp", "[2001:db8::1]:80/tcp". Return: @ret. */
#define CONFIG_BIND_SIZE (ADDRESS_TEXT_SIZE + sizeof("-65535/udp"))
const char *config_bind_format(const struct config_bind *bind, char ret[CONFIG_BIND_SIZE]);

/* Whether any listener is of mode dispatch. */
bool config_has_dispatch(const struct config *config);

/* The pools of a listener of mode dispatch that has one: @n is 0 for its own, n for that of route n
 * - 1. Return: whether none before leads there; *@ret: its index. */
bool config_dispatch_pool(const struct config_listener *listener, size_t n, size_t *ret);

/* Whether such a listener asks the pool. */
bool config_dispatch_asks(const struct config_listener *listener, size_t pool);

#endif
