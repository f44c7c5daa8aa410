/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_ACCESS_LOG_H
#define SLUICE_PROXY_ACCESS_LOG_H

#include "config/config.h"
#include "core/compiler.h"
#include "core/sink.h"
#include "core/strbuf.h"
#include "proxy/inspect.h"
#include "tls/failure.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The access log: one line a connection, written when it has ended. Workers gather the lines of a
 * round and write them with one system call, never waiting for a slow reader: lines that a full
 * pipe or disk does not take are lost and counted.
 */
struct access_log {
	_Atomic uint32_t refs;
	char *path;
	struct sink sink;
	enum config_access_format format;
};

/* What is told of TLS on one leg. Static texts; NULL: no handshake was completed. */
struct secure_leg {
	const char *version, *cipher;
	bool is_resumed;
	enum tls_failure failure; /* of the last handshake */
};

/* What a line says. Texts are borrowed; addresses may be none. */
struct access_record {
	uint64_t started_wall_us;
	uint64_t id;
	uint32_t worker;
	const char *listener, *pool, *endpoint, *sni; /* NULL: none */
	struct secure_leg client_tls, backend_tls;
	const struct address *client, *peer, *local, *backend;
	uint64_t bytes_in, bytes_out;
	int64_t queue_us, connect_us, first_byte_us; /* -1: did not come to that */
	uint64_t duration_us;
	uint32_t tries;
	enum connection_end end;
	const char *rung, *reason;
};

/* Return: 0; -errno of opening the file. */
int access_log_open(const struct config_access_log *config, struct access_log **ret) WARN_UNUSED;
struct access_log *access_log_ref(struct access_log *log);
void access_log_unref(struct access_log *log); /* NULL is allowed */

/* After a rotation: the file of that name is opened anew, in place. Return: 0; -errno. */
int access_log_reopen(struct access_log *log) WARN_UNUSED;

/* Appends a line for @record to @lines. */
void access_log_format(enum config_access_format format, const struct access_record *record,
		       struct strbuf *lines);

/* Writes and empties @lines. Thread: any; never blocks on a pipe or socket. */
void access_log_write(struct access_log *log, struct strbuf *lines);

/* Of all access logs since the start. */
uint64_t access_log_lost_lines(void);

#endif
