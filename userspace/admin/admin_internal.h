/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_ADMIN_INTERNAL_H
#define SLUICE_ADMIN_INTERNAL_H

#include "admin/admin.h"
#include "core/earth.h"
#include "core/list.h"
#include "core/slice.h"
#include "io/acceptor.h"
#include "io/stream.h"
#include "io/timer.h"
#include "net/socket.h"
#include "proxy/guard.h"
#include "proxy/inspect.h"

#include <jansson.h>

/* Everything here runs on the control thread. */

/* --- connection.c: ports, and connections that ask and are answered in turn -------- */

struct admin_port;

struct admin_connection {
	struct list_node node;
	struct admin_port *port;
	struct io_stream stream;
	struct io_timer timer;
	struct strbuf input;
	bool is_busy;          /* an answer is being made or sent: no further request is read */
	bool is_held;          /* the answer comes later; the memory stays until then */
	bool is_eof;           /* the peer has sent its FIN */
	bool is_last;          /* close after the present answer */
	bool is_lingering;     /* answered for the last time: input is read and dropped */
	bool is_stream_closed; /* the stream's on_closed has come */
};

/* What is spoken on a port. */
struct admin_protocol {
	const char *name;         /* for the log */
	uint32_t max_connections; /* with so many, the one that is idle for longest goes */
	uint32_t input_max;       /* bytes of one request; so many never wait for more */
	uint32_t timeout_ms;      /* for a request to come, and for its answer to be taken */
	/*
	 * Looks for a request at the start of @bytes and answers it, now or later.
	 * Return: the request's bytes; 0: more are needed.
	 */
	size_t (*on_bytes)(struct admin_connection *connection, struct slice bytes);
};

struct admin_port {
	struct admin *admin;
	const struct admin_protocol *protocol;
	struct io_loop *loop;
	struct io_acceptor acceptor;
	struct list_node connections; /* that was answered last: at the end */
	void (*on_stopped)(struct admin_port *port);
	uint32_t count; /* of connections */
	int fd;
	bool is_open, is_stopping;
};

/* @port is zeroed but for fd, a listening socket; ownership passes. */
void admin_port_open(struct admin_port *port, struct admin *admin, struct io_loop *loop,
		     const struct admin_protocol *protocol);

/* Ends in on_stopped, perhaps at once; a port that was never opened is stopped. */
void admin_port_close(struct admin_port *port, void (*on_stopped)(struct admin_port *port));

/* Called in on_bytes: admin_connection_answer() will follow later. */
void admin_connection_hold(struct admin_connection *connection);

/**
 * Answers the present request; the next one is read once the answer is sent.
 * @text:    its memory is taken; where it failed, the connection closes without an answer.
 * @is_last: then the connection closes.
 */
void admin_connection_answer(struct admin_connection *connection, struct strbuf *text,
			     bool is_last);

/* --- admin.c -------------------------------------------------------------------- */

struct admin {
	struct io_loop *loop;
	struct server *server;
	struct admin_actions actions;
	struct admin_port control, http;
	char *socket_path; /* NULL: none, or an abstract name */
	dev_t socket_device;
	ino_t socket_inode;
	bool is_started;
	struct io_task stopped;
	void (*on_stopped)(void *context);
	void *stop_context;
};

extern const struct admin_protocol control_protocol; /* control.c */
extern const struct admin_protocol http_protocol;    /* http_port.c */

/* --- control_request.c: a line → a request; pure ------------------------------------ */

#define CONTROL_PROTOCOL_VERSION  1
#define CONTROL_REQUEST_MAX       65536
#define CONTROL_CONNECTIONS_LIMIT 100   /* unless the request says otherwise */
#define CONTROL_CONNECTIONS_MAX   65536 /* that are asked of the workers */
#define CONTROL_ADDRESSES_MAX     1000

#define CONTROL_COMMANDS(X)           \
	X(VERSION, "version")         \
	X(STATUS, "status")           \
	X(LISTENERS, "listeners")     \
	X(POOLS, "pools")             \
	X(SERVICES, "services")       \
	X(CONNECTIONS, "connections") \
	X(ENDPOINT, "endpoint")       \
	X(GUARD, "guard")             \
	X(GEO, "geo")                 \
	X(RELOAD, "reload")           \
	X(METRICS, "metrics")         \
	X(PING, "ping")

enum control_command {
#define X(name, text) CONTROL_##name,
	CONTROL_COMMANDS(X)
#undef X
		CONTROL_COMMAND_COUNT
};

#define CONTROL_ERRORS(X)                                                      \
	X(BAD_JSON, "bad_json")   /* not a JSON object */                      \
	X(TOO_LARGE, "too_large") /* a line longer than CONTROL_REQUEST_MAX */ \
	X(BAD_VERSION, "bad_version")                                          \
	X(UNKNOWN_COMMAND, "unknown_command")                                  \
	X(BAD_ARGUMENT, "bad_argument")                                        \
	X(NOT_FOUND, "not_found")                                              \
	X(RELOAD_FAILED, "reload_failed")                                      \
	X(NO_MEMORY, "no_memory")

enum control_error_code {
#define X(name, text) CONTROL_ERROR_##name,
	CONTROL_ERRORS(X)
#undef X
};

#define GUARD_ACTIONS(X)                                       \
	X(STATUS, "status")                                    \
	X(LIST, "list")                                        \
	X(BLOCK, "block")                                      \
	X(ALLOW, "allow")                                      \
	X(BAN, "ban")         /* for a time, the cheap way */  \
	X(UNBLOCK, "unblock") /* whatever was said of it */    \
	X(MODE, "mode")                                        \
	X(TALKERS, "talkers")                                  \
	X(CAPTURE, "capture")   /* from now on, for seconds */ \
	X(CAPTURED, "captured") /* what has come since */

enum guard_action {
#define X(name, text) GUARD_ACTION_##name,
	GUARD_ACTIONS(X)
#undef X
		GUARD_ACTION_COUNT
};

const char *guard_action_name(enum guard_action action);

struct control_error {
	enum control_error_code code;
	char message[200];
};

/* ENDPOINT_READY, _DRAIN and _MAINT are endpoint_admin's; weight is the one order besides. */
struct control_request {
	json_t *root; /* owns the texts */
	enum control_command command;
	const char *listener, *pool, *endpoint; /* NULL: not given */
	bool has_state, has_action, has_weight;
	enum connection_state state;
	bool sets_weight; /* the action is "weight" */
	enum endpoint_admin action;
	uint32_t weight;
	uint32_t limit;
	/* guard */
	enum guard_action guard_action;
	enum guard_mode mode;
	struct prefix network;
	bool has_mode, has_network;
	uint32_t seconds;   /* 0: not given */
	const char *reason; /* NULL: not given */
	/* geo */
	const json_t *addresses; /* texts of IP addresses; NULL: not given */
};

/**
 * @line: without its newline.
 * Return: 0; -EINVAL with @ret_error.
 */
int control_request_parse(struct slice line, struct control_request *ret,
			  struct control_error *ret_error) WARN_UNUSED;
void control_request_done(struct control_request *request);

/* --- reply.c: JSON text, commas put where they belong -------------------------------- */

/* @key NULL: an element of an array. @bracket: '{' or '['; its partner ends it. */
void reply_begin(struct strbuf *out, const char *key, char bracket);
void reply_end(struct strbuf *out, char bracket);
void reply_text(struct strbuf *out, const char *key, const char *text); /* NULL becomes "" */
void reply_count(struct strbuf *out, const char *key, uint64_t value);
void reply_bool(struct strbuf *out, const char *key, bool value);
void reply_seconds(struct strbuf *out, const char *key, uint64_t us); /* a number with 6 decimals */
void reply_point(struct strbuf *out, const char *key, const struct earth_point *point);

/* The envelope: what is between ends up in "result". */
void reply_ok_begin(struct strbuf *out);
void reply_ok_end(struct strbuf *out);
void reply_error(struct strbuf *out, enum control_error_code code, const char *message);

/* --- control_views.c: what is to be seen; each appends members of "result" ------------- */

void control_version(struct server *server, struct strbuf *out);
void control_status(struct server *server, struct strbuf *out);
void control_listeners(struct server *server, struct strbuf *out);
void control_pools(struct server *server, struct strbuf *out);
void control_append_endpoint(const struct endpoint *endpoint, uint64_t now_ms, struct strbuf *out);

/* --- control_services.c: the same of mode dispatch -------------------------------------- */

void control_services(struct server *server, struct strbuf *out);

/* --- control_endpoint.c, control_connections.c: a whole answer -------------------------- */

void control_endpoint(struct server *server, const struct control_request *request,
		      struct strbuf *out);

/* control_guard.c: likewise. */
void control_guard(struct server *server, const struct control_request *request,
		   struct strbuf *out);

/* control_geo.c: likewise. */
void control_geo(struct server *server, const struct control_request *request, struct strbuf *out);

/* Answers later; @request is copied where it must last. */
void control_connections(struct admin_connection *connection, struct control_request *request);

/* control_reload.c: likewise. */
void control_reload(struct admin_connection *connection);

/* control.c: that is the answer. */
void control_answer_no_memory(struct admin_connection *connection);

/* --- metrics_page.c --------------------------------------------------------------- */

/* Everything in Prometheus' text format. */
void metrics_page(struct server *server, struct strbuf *out);

/* --- http.c ----------------------------------------------------------------------- */

/* The longest request of http.c. */
#define ADMIN_HTTP_INPUT_MAX 16384

/**
 * Answers the request at the start of @bytes; pure but for what the server says of itself.
 * @ret_is_last: the connection closes after the answer.
 * Return: the request's bytes; 0: more are needed.
 */
size_t http_respond(struct server *server, struct slice bytes, struct strbuf *out,
		    bool *ret_is_last);

#endif
