/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_TRACER_H
#define SLUICE_PROXY_TRACER_H

#include "config/tracing.h"
#include "core/compiler.h"
#include "core/strbuf.h"

#include <stdint.h>

/*
 * Sends spans to a collector: OTLP in JSON over HTTP, in batches, from a thread of its own, so that
 * a collector that is slow or gone holds up nobody. What waits is bounded; beyond, and where
 * sending fails, spans are lost and counted. Source: OpenTelemetry Protocol 1.0, section OTLP/HTTP.
 */
struct tracer;

/* Spans of one worker, as JSON objects with commas between them. Zero is valid. */
struct span_batch {
	struct strbuf json;
	uint32_t count;
};

struct tracer_facts {
	uint64_t sent, dropped, failed; /* spans */
};

struct tracer *tracer_new(void) WARN_UNUSED; /* NULL: out of memory */
/* Tries once to send what waits. NULL is allowed. Blocks for seconds at most. Thread: control. */
void tracer_free(struct tracer *tracer);

/* From now on. @config: copied. Return: 0; -errno: there is no thread. Thread: control. */
int tracer_configure(struct tracer *tracer, const struct config_tracing *config) WARN_UNUSED;

/* Takes what @batch holds, and leaves it empty. Thread: any; holds a lock for some stores. */
void tracer_give(struct tracer *tracer, struct span_batch *batch);

/* Thread: any. */
void tracer_read(struct tracer *tracer, struct tracer_facts *ret);

#endif
