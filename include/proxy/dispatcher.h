/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_DISPATCHER_H
#define SLUICE_PROXY_DISPATCHER_H

#include "config/config.h"
#include "core/compiler.h"
#include "core/strbuf.h"
#include "fastpath/dispatch.h"
#include "io/loop.h"
#include "upstream/upstream.h"

#include <stddef.h>

/*
 * Mode dispatch of the daemon: listeners and the endpoints of their pools become the plan of the
 * packet programs, and again whenever either has changed. Which endpoints take new flows is the
 * same question as for connections, with the same answer: of the lowest tier that has any that are
 * up and not drained, those of our zone, if there are any. One that checks find down is taken out,
 * with its flows; what was drained keeps them. Thread: control.
 */
struct dispatcher;
struct areas;

/* @programs: loaded with dispatch_flows; borrowed. Return: 0; -ENOMEM; -errno. */
int dispatcher_new(struct io_loop *loop, struct splice *programs,
		   struct dispatcher **ret) WARN_UNUSED;

/* The packet programs go on with the last plan if they do. NULL is allowed. */
void dispatcher_free(struct dispatcher *dispatcher);

/**
 * Takes up a configuration, at start and with each reload; both are borrowed until the next call.
 * @areas: where its clients are; NULL: nothing goes by place. A reference is taken.
 * @ret_errors: why not, a line. Return: 0; -EINVAL, -ENOSPC, -ENOMEM, -errno: the plan before stays
 * in force.
 */
int dispatcher_apply(struct dispatcher *dispatcher, const struct config *config,
		     struct upstream *upstream, struct areas *areas,
		     struct strbuf *ret_errors) WARN_UNUSED;

/* The databases have changed: likewise, of the same configuration. In force a moment later. */
void dispatcher_set_areas(struct dispatcher *dispatcher, struct areas *areas);

/* Before upstream_start(): which ways health checks take. @dispatcher lives as long as @upstream
 * does; NULL is allowed. Return: 0; -ENOMEM. */
int dispatcher_set_ways(const struct dispatcher *dispatcher, const struct config *config,
			struct upstream *upstream) WARN_UNUSED;

/* Endpoints have changed: the plan is made anew in a moment. NULL is allowed. */
void dispatcher_refresh(struct dispatcher *dispatcher);

/* The configuration goes: its plan stays in force, and is not made anew any more. */
void dispatcher_stop(struct dispatcher *dispatcher);

/* An address of a listener. */
struct dispatcher_service {
	uint64_t id;
	const struct config_listener *listener;
	const struct config_bind *bind;
	enum dispatch_form form;
};

/* In the order of the configuration. Texts are borrowed for the call. @dispatcher may be NULL. */
void dispatcher_for_each(const struct dispatcher *dispatcher,
			 void (*visit)(const struct dispatcher_service *service, void *context),
			 void *context);

/* What dispatcher_for_each_endpoint() tells. @pool: the first of the service's that has it. */
typedef void dispatcher_visit_endpoint(struct endpoint *endpoint, const struct config_pool *pool,
				       void *context);

/* The endpoints of all its pools, each once; under a pool's lock. */
void dispatcher_for_each_endpoint(const struct dispatcher *dispatcher,
				  const struct dispatcher_service *service,
				  dispatcher_visit_endpoint *visit, void *context);

/* Whether clients hear nothing of the endpoint: it is this machine, and answers of forms nat and
 * dnat are taken where they come in by a device. */
struct machine_addresses;
bool dispatcher_misses_answers(const struct dispatcher_service *service,
			       const struct endpoint *endpoint,
			       const struct machine_addresses *here);

/* What the tables are made for. */
uint32_t dispatcher_max_flows(const struct dispatcher *dispatcher);

/* Since the programs were loaded first. Zero for what is not in force. */
void dispatcher_count(const struct dispatcher *dispatcher, const struct dispatcher_service *service,
		      struct dispatch_service_counts *ret);
void dispatcher_count_endpoint(const struct dispatcher *dispatcher,
			       const struct dispatcher_service *service,
			       const struct endpoint *endpoint, struct dispatch_traffic *ret);

#endif
