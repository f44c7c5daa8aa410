// SPDX-License-Identifier: Apache-2.0
/*
 * Endpoints in the packet programs. Each keeps its place for as long as flows may name it: one that
 * is gone gives it up only when no other is free, and then the table of flows forgets it first.
 */
#include "core/clock.h"
#include "core/hash.h"
#include "fastpath/dispatch_internal.h"
#include "fastpath/fastpath_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEADS     4096 /* a power of two */
#define NOWHERE   UINT32_MAX
#define ENDPOINTS (DISPATCH_ENDPOINTS_MAX + 1u)

/* What a plan changes of an endpoint. */
struct before {
	__be16 port;
	uint16_t service;
	bool is_live;
	uint8_t state;
	uint32_t weight;
	bool has_other_runs; /* since */
	struct dispatch_run_list runs;
};

struct dispatch_reals {
	struct dispatch_real_tables tables;
	struct dispatch_runs runs;
	uint32_t kept;                          /* by the plan: endpoints with runs of before */
	uint16_t heads[HEADS], next[ENDPOINTS]; /* by the ids of service and endpoint; 0: end */
	uint16_t used;                          /* places that ever were in use */
	bool is_taken[ENDPOINTS];               /* by the plan that is being put in force */
	struct before before[ENDPOINTS];        /* of those that it has taken */
};

/* --- By their ids ------------------------------------------------------------------------------*/

static uint16_t *head_of(struct dispatch_reals *reals, uint64_t service_id, uint64_t id)
{
	const uint64_t ids[2] = {service_id, id};

	return &reals->heads[hash_bytes(slice_of((const char *)ids, sizeof(ids)), 0) & (HEADS - 1)];
}

static void enter(struct dispatch_reals *reals, uint16_t index)
{
	const struct dispatch_real *real = &reals->tables.reals[index];
	uint16_t *head = head_of(reals, real->service_id, real->id);

	reals->next[index] = *head;
	*head = index;
}

static void leave(struct dispatch_reals *reals, uint16_t index)
{
	const struct dispatch_real *real = &reals->tables.reals[index];
	uint16_t *link = head_of(reals, real->service_id, real->id);

	while (*link != index)
		link = &reals->next[*link];
	*link = reals->next[index];
}

static bool is_live(const struct dispatch_real *real)
{
	return real->state == DISPATCH_REAL_UP || real->state == DISPATCH_REAL_DRAINING;
}

static bool is_named(const struct dispatch_real *real, uint64_t service_id, uint64_t id)
{
	return real->service_id == service_id && real->id == id;
}

static uint16_t find(struct dispatch_reals *reals, uint64_t service_id, uint64_t id,
		     const uint8_t address[16])
{
	uint16_t index = *head_of(reals, service_id, id);

	for (; index; index = reals->next[index]) {
		const struct dispatch_real *real = &reals->tables.reals[index];

		if (is_named(real, service_id, id) &&
		    memcmp(real->address, address, sizeof(real->address)) == 0)
			return index;
	}
	return 0;
}

uint16_t dispatch_reals_find(const struct dispatch_reals *reals, uint64_t service_id,
			     uint64_t endpoint_id)
{
	uint16_t index = *head_of((struct dispatch_reals *)reals, service_id, endpoint_id);
	uint16_t gone = 0;

	for (; index; index = reals->next[index]) {
		const struct dispatch_real *real = &reals->tables.reals[index];

		if (!is_named(real, service_id, endpoint_id))
			continue;
		if (is_live(real))
			return index;
		if (!gone)
			gone = index;
	}
	return gone;
}

/* --- Their source ports ------------------------------------------------------------------------*/

static struct dispatch_run_list list_of(const struct dispatch_real *real)
{
	struct dispatch_run_list list = {.count = real->nruns};

	memcpy(list.place, real->run, sizeof(list.place));
	return list;
}

/* A program that reads it meanwhile finds a run, of before or of now. */
static void set_runs(struct dispatch_real *real, const struct dispatch_run_list *list)
{
	if (list->count < real->nruns)
		__atomic_store_n(&real->nruns, list->count, __ATOMIC_RELEASE);
	for (uint8_t i = 0; i < list->count; i++)
		__atomic_store_n(&real->run[i], list->place[i], __ATOMIC_RELAXED);
	__atomic_store_n(&real->nruns, list->count, __ATOMIC_RELEASE);
}

static int hold_runs(struct dispatch_reals *reals, const struct dispatch_service *service,
		     struct dispatch_real *real)
{
	struct dispatch_run_list list;
	int err = dispatch_runs_hold(&reals->runs, service, real->address, &list);

	if (!err)
		set_runs(real, &list);
	return err;
}

static void drop_runs(struct dispatch_reals *reals, struct dispatch_real *real)
{
	const struct dispatch_run_list list = list_of(real);

	dispatch_runs_drop(&reals->runs, &list);
	real->nruns = 0;
}

/* Those that it had stay held until the plan is in force; where there is no room for others it
 * keeps them, and the next plan tries again. */
static void change_runs(struct dispatch_reals *reals, const struct dispatch_service *service,
			uint16_t index)
{
	struct dispatch_real *real = &reals->tables.reals[index];
	const struct dispatch_run_list list = list_of(real);

	if (dispatch_runs_are_for(&reals->runs, service, real))
		return;
	if (hold_runs(reals, service, real) < 0) {
		reals->kept++;
		return;
	}
	reals->before[index].has_other_runs = true;
	reals->before[index].runs = list;
}

uint32_t dispatch_reals_kept(const struct dispatch_reals *reals)
{
	return reals->kept;
}

static void sweep_runs(struct dispatch_reals *reals)
{
	dispatch_runs_sweep(&reals->runs, dispatch_seconds(clock_monotonic_ns()));
}

/* --- Places ------------------------------------------------------------------------------------*/

/* A later endpoint in its place shall not get its flows. */
static void forget_flows(struct dispatch_reals *reals, uint16_t index)
{
	for (uint32_t i = 0; i < reals->tables.nlines * DISPATCH_LINE_PLACES; i++) {
		uint64_t *entry = (uint64_t *)&reals->tables.lines[i / DISPATCH_LINE_PLACES]
					  .entry[i % DISPATCH_LINE_PLACES];

		if (dispatch_real_of_entry(*entry, *entry) == index)
			__atomic_store_n(entry, 0, __ATOMIC_RELAXED);
	}
	for (uint32_t i = 0; i < reals->tables.nnats; i++)
		if (reals->tables.nats[i].real == index)
			__atomic_store_n(&reals->tables.nats[i].claim.word, 0, __ATOMIC_RELAXED);
}

static uint16_t take_place(struct dispatch_reals *reals)
{
	if (reals->used + 1u < ENDPOINTS)
		return ++reals->used;
	for (uint16_t index = 1; index < ENDPOINTS; index++) {
		if (reals->tables.reals[index].state != DISPATCH_REAL_GONE)
			continue;
		leave(reals, index);
		forget_flows(reals, index);
		return index;
	}
	return 0;
}

static uint16_t add(struct dispatch_reals *reals, const struct dispatch_service *service,
		    const struct dispatch_endpoint *endpoint, const uint8_t address[16])
{
	uint16_t index = take_place(reals);
	struct dispatch_real *real = &reals->tables.reals[index];

	if (!index)
		return 0;
	*real = (struct dispatch_real){
		.id = endpoint->id, .service_id = service->id, .state = DISPATCH_REAL_GONE};
	memcpy(real->address, address, sizeof(real->address));
	enter(reals, index);
	return index;
}

/* An endpoint that cannot be reached is asked for again with the next plan. */
static uint32_t hold_way(const struct dispatch_reals *reals, const struct dispatch_service *service,
			 const struct dispatch_real *real)
{
	uint32_t index, mtu;
	uint8_t source[16];

	dispatch_address(service->nsources ? &service->sources[0] : &service->address, source);
	if (nexthops_get(reals->tables.nexthops, source, real->address, &index, &mtu) !=
	    SPLICE_REASON_NONE)
		return NOWHERE;
	return index;
}

static void keep_up(struct dispatch_reals *reals, const struct dispatch_service *service,
		    uint16_t index)
{
	struct dispatch_real *real = &reals->tables.reals[index];

	if (service->form == DISPATCH_NAT)
		change_runs(reals, service, index);
	if (real->nexthop == NOWHERE)
		real->nexthop = hold_way(reals, service, real);
}

static int bring_up(struct dispatch_reals *reals, const struct dispatch_service *service,
		    struct dispatch_real *real, const char **ret_why)
{
	int err = service->form == DISPATCH_NAT ? hold_runs(reals, service, real) : 0;

	*ret_why = "the table of flows has no room for the source ports of all endpoints";
	if (!err)
		real->nexthop = hold_way(reals, service, real);
	return err;
}

/* For services that choose by load. */
static void weigh(struct dispatch_reals *reals, uint16_t index, uint32_t weight)
{
	__atomic_store_n(&reals->tables.loads[index].weight, weight, __ATOMIC_RELAXED);
}

static struct before as_it_is(const struct dispatch_reals *reals, uint16_t index)
{
	const struct dispatch_real *real = &reals->tables.reals[index];

	return (struct before){.port = real->port,
			       .service = real->service,
			       .is_live = is_live(real),
			       .state = real->state,
			       .weight = reals->tables.loads[index].weight};
}

int dispatch_reals_take(struct dispatch_reals *reals, const struct dispatch_service *service,
			uint16_t place, const struct dispatch_endpoint *endpoint,
			uint16_t *ret_real, const char **ret_why)
{
	struct dispatch_real *real;
	uint8_t address[16];
	uint16_t index;
	int err = 0;

	dispatch_address(&endpoint->address, address);
	index = find(reals, service->id, endpoint->id, address);
	if (!index)
		index = add(reals, service, endpoint, address);
	*ret_why = "too many endpoints";
	if (!index)
		return -ENOSPC;
	real = &reals->tables.reals[index];
	reals->before[index] = as_it_is(reals, index);
	if (is_live(real))
		keep_up(reals, service, index);
	else
		err = bring_up(reals, service, real, ret_why);
	if (err)
		return err;
	real->port = htons(address_port(&endpoint->address));
	real->service = place;
	weigh(reals, index, endpoint->weight);
	reals->is_taken[index] = true;
	__atomic_store_n(&real->state, endpoint->weight ? DISPATCH_REAL_UP : DISPATCH_REAL_DRAINING,
			 __ATOMIC_RELEASE);
	*ret_real = index;
	return 0;
}

/* --- A plan ------------------------------------------------------------------------------------*/

void dispatch_reals_begin(struct dispatch_reals *reals, uint32_t nruns)
{
	reals->runs.wanted = nruns;
	reals->kept = 0;
	sweep_runs(reals);
	memset(reals->is_taken, 0, sizeof(reals->is_taken));
}

static void let_go(struct dispatch_reals *reals, struct dispatch_real *real)
{
	__atomic_store_n(&real->state, DISPATCH_REAL_GONE, __ATOMIC_RELEASE);
	drop_runs(reals, real);
	if (real->nexthop != NOWHERE)
		nexthops_put(reals->tables.nexthops, real->nexthop);
	real->nexthop = NOWHERE;
}

void dispatch_reals_end(struct dispatch_reals *reals)
{
	for (uint16_t index = 1; index <= reals->used; index++) {
		struct dispatch_real *real = &reals->tables.reals[index];

		if (!reals->is_taken[index] && is_live(real))
			let_go(reals, real);
		else if (reals->is_taken[index] && reals->before[index].has_other_runs)
			dispatch_runs_drop(&reals->runs, &reals->before[index].runs);
	}
	sweep_runs(reals);
}

static void bring_back_runs(struct dispatch_reals *reals, struct dispatch_real *real,
			    const struct before *before)
{
	const struct dispatch_run_list others = list_of(real);

	if (!before->has_other_runs)
		return;
	set_runs(real, &before->runs);
	dispatch_runs_drop(&reals->runs, &others);
}

void dispatch_reals_abort(struct dispatch_reals *reals)
{
	for (uint16_t index = 1; index <= reals->used; index++) {
		struct dispatch_real *real = &reals->tables.reals[index];
		const struct before *before = &reals->before[index];

		if (!reals->is_taken[index])
			continue;
		real->port = before->port;
		real->service = before->service;
		weigh(reals, index, before->weight);
		bring_back_runs(reals, real, before);
		if (before->is_live)
			__atomic_store_n(&real->state, before->state, __ATOMIC_RELEASE);
		else
			let_go(reals, real);
	}
	sweep_runs(reals);
}

/* --- Start and end
 * ------------------------------------------------------------------------------*/

/* Their ways are held already: dispatch_adopt_ways(). */
static void take_over(struct dispatch_reals *reals)
{
	for (uint16_t index = 1; index < ENDPOINTS; index++) {
		const struct dispatch_real *real = &reals->tables.reals[index];

		if (real->state == DISPATCH_REAL_FREE)
			continue;
		reals->used = index;
		enter(reals, index);
		for (uint8_t i = 0; i < real->nruns; i++)
			reals->runs.refs[real->run[i]]++;
	}
}

struct dispatch_reals *dispatch_reals_new(const struct dispatch_real_tables *tables)
{
	struct dispatch_reals *reals = calloc(1, sizeof(*reals));

	if (!reals)
		return NULL;
	reals->tables = *tables;
	reals->runs = (struct dispatch_runs){.all = tables->runs,
					     .nats = tables->nats,
					     .nnats = tables->nnats,
					     .key = tables->key};
	take_over(reals);
	return reals;
}

void dispatch_reals_free(struct dispatch_reals *reals)
{
	free(reals);
}
