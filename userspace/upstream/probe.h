/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_UPSTREAM_PROBE_H
#define SLUICE_UPSTREAM_PROBE_H

#include "core/compiler.h"
#include "io/stream.h"
#include "io/timer.h"
#include "upstream/endpoint.h"

#include <stdbool.h>

/*
 * One health check of one endpoint: connect, a PROXY header where the pool sends one, then what the
 * kind of check asks for. One timeout for all of it. probe.c has the way, each kind its own file.
 */
struct probe;

struct probe_kind {
	/* The connection stands. Return: 0; -ENOMEM. NULL: that was all. */
	int (*begin)(struct probe *probe);
	void (*on_bytes)(struct probe *probe, struct slice bytes);
	/* The endpoint's FIN before a verdict. */
	void (*on_eof)(struct probe *probe);
	/* Frees @state. NULL: nothing. */
	void (*done)(struct probe *probe);
};

extern const struct probe_kind probe_tcp, probe_tls, probe_http;

#define PROBE_REASON_SIZE 128

enum probe_verdict {
	PROBE_FAILED,
	PROBE_PASSED,
	PROBE_SAYS_NOTHING, /* for lack of memory or descriptors of ours */
	PROBE_UNCLEAR,      /* the same behind TLS: there the endpoint may have a part in it */
};

struct dispatch_checks;
struct dispatch_way;
struct tls_client_context;
struct tls_pacer;

struct probe {
	/* The owner's: set before probe_start(), the rest is zero. */
	const struct config_pool *pool;       /* borrowed */
	const struct tls_client_context *tls; /* borrowed; NULL: no handshake */
	struct tls_pacer *pacer;              /* borrowed; with @tls */
	struct endpoint *endpoint;            /* borrowed */
	struct dispatch_checks *checks;       /* borrowed; with @way */
	const struct dispatch_way *way;       /* borrowed; NULL: to the endpoint's own address */
	/* Last: nothing of the probe is in use any more. */
	void (*on_done)(struct probe *probe, enum probe_verdict verdict, const char *reason);

	/* The probe's. */
	const struct probe_kind *kind;
	void *state; /* the kind's */
	struct io_stream stream;
	struct io_timer timer;
	uint16_t tunnel_port; /* dispatch_check_begin(); 0: it goes as any connection */
	bool is_connected;
	bool is_passing; /* passes once everything is sent */
	bool is_over;
	enum probe_verdict verdict;
	char reason[PROBE_REASON_SIZE];
};

/**
 * Ends in on_done.
 * Return: 0; -errno where we could not even try (no descriptors, no memory, the source address is
 * not ours): that says nothing about the endpoint. on_done does not follow then.
 */
int probe_start(struct probe *probe, struct io_loop *loop) WARN_UNUSED;

/* on_done comes soon, with PROBE_FAILED. */
void probe_cancel(struct probe *probe);

/* --- For the kinds ------------------------------------------------------------------ */

/* Copies @bytes. Return: 0; -ENOMEM. */
int probe_send(struct probe *probe, struct slice bytes) WARN_UNUSED;

/* The verdict; what comes after the first one is not heard. */
void probe_pass(struct probe *probe, const char *fmt, ...) PRINTF(2, 3);
void probe_pass_when_sent(struct probe *probe);
void probe_fail(struct probe *probe, const char *fmt, ...) PRINTF(2, 3);
/* @error: -errno, of @step. Where it is a lack of our own, it says nothing of the endpoint, or
 * little. */
void probe_fail_by(struct probe *probe, const char *step, int error);

#endif
