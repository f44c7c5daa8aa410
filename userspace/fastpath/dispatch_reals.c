// SPDX-License-Identifier: Apache-2.0
/*
 * Endpoints in the packet programs. Each keeps its place for as long as flows may name it: one that
 * is gone gives it up only when no other is free, and then the table of flows forgets it first.
 * Runs of source ports are shared by services that have an endpoint in common, and counted.
 */
#include "core/hash.h"
#include "fastpath/dispatch_internal.h"
#include "fastpath/fastpath_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEADS         4096 /* a power of two */
#define NOWHERE       UINT32_MAX
#define RUN_PORTS_MIN 64
#define FIRST_PORT    10000
#define LAST_PORT     32767
#define ENDPOINTS     (DISPATCH_ENDPOINTS_MAX + 1u)

/* What a plan changes of an endpoint. */
struct before {
	__be16 port;
	uint16_t service;
	bool is_live;
	uint8_t state;
	uint32_t weight;
};

struct dispatch_reals {
	struct dispatch_real_tables tables;
	uint32_t wanted_runs;
	uint16_t heads[HEADS], next[ENDPOINTS]; /* by the ids of service and endpoint; 0: end */
	uint16_t used;                          /* places that ever were in use */
	bool is_taken[ENDPOINTS];               /* by the plan that is being put in force */
	struct before before[ENDPOINTS];        /* of those that it has taken */
	uint16_t run_refs[DISPATCH_RUN_PLACES];
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

/* @address: NULL: whichever is in force. */
static uint16_t find(const struct dispatch_reals *reals, uint64_t service_id, uint64_t id,
		     const uint8_t *address)
{
	uint16_t index = *head_of((struct dispatch_reals *)reals, service_id, id);

	for (; index; index = reals->next[index]) {
		const struct dispatch_real *real = &reals->tables.reals[index];

		if (real->service_id == service_id && real->id == id &&
		    (address ? memcmp(real->address, address, sizeof(real->address)) == 0
			     : is_live(real)))
			return index;
	}
	return 0;
}

uint16_t dispatch_reals_find(const struct dispatch_reals *reals, uint64_t service_id,
			     uint64_t endpoint_id)
{
	return find(reals, service_id, endpoint_id, NULL);
}

/* --- Runs of source ports
 * -----------------------------------------------------------------------*/

static int compare_runs(const void *a, const void *b)
{
	const struct dispatch_run *const *left = a, *const *right = b;

	return (*left)->base < (*right)->base ? -1 : (*left)->base > (*right)->base;
}

static size_t list_runs(const struct dispatch_reals *reals, const struct dispatch_run **list)
{
	size_t count = 0;

	for (uint32_t i = 0; i < DISPATCH_RUN_PLACES; i++)
		if (reals->tables.runs[i].is_used)
			list[count++] = &reals->tables.runs[i];
	qsort(list, count, sizeof(*list), compare_runs);
	return count;
}

/* The first gap of @wanted elements, or the largest. Return: its size; 0: there is none. */
static uint32_t find_gap(const struct dispatch_reals *reals, uint32_t wanted, uint32_t *ret_base)
{
	static const struct dispatch_run *list[DISPATCH_RUN_PLACES]; /* of the control thread */
	size_t count = list_runs(reals, list);
	uint32_t end = 0, best = 0;

	for (size_t i = 0; i <= count; i++) {
		uint32_t next = i < count ? list[i]->base : reals->tables.nnats;

		if (next - end > best && best < wanted) {
			best = next - end;
			*ret_base = end;
		}
		if (i < count)
			end = list[i]->base + list[i]->nports;
	}
	return best < wanted ? best : wanted;
}

/* Half of the table is for what comes later. */
static uint32_t wanted_ports(const struct dispatch_reals *reals,
			     const struct dispatch_service *service, uint16_t *ret_first)
{
	uint16_t first = service->first_source_port ? service->first_source_port : FIRST_PORT;
	uint16_t last = service->first_source_port ? service->last_source_port : LAST_PORT;
	uint32_t share = reals->tables.nnats / 2 / (reals->wanted_runs ? reals->wanted_runs : 1);
	uint32_t range = (uint32_t)last - first + 1;

	*ret_first = first;
	if (share < RUN_PORTS_MIN)
		share = RUN_PORTS_MIN;
	if (range > UINT16_MAX)
		range = UINT16_MAX;
	return share < range ? share : range;
}

static bool is_run_of(const struct dispatch_run *run, const struct dispatch_run *key)
{
	return run->is_used && run->protocol == key->protocol &&
	       memcmp(run->endpoint, key->endpoint, sizeof(run->endpoint)) == 0 &&
	       memcmp(run->source, key->source, sizeof(run->source)) == 0;
}

/* Return: the place of the run, which it has or may have; NOWHERE. */
static uint32_t place_of_run(const struct dispatch_reals *reals, const struct dispatch_run *key)
{
	uint32_t start = (uint32_t)dispatch_hash_run(key->endpoint, key->source, key->protocol,
						     reals->tables.key);
	uint32_t empty = NOWHERE;

	for (uint32_t i = 0; i < DISPATCH_RUN_PROBES; i++) {
		uint32_t place = (start + i) & (DISPATCH_RUN_PLACES - 1);

		if (is_run_of(&reals->tables.runs[place], key))
			return place;
		if (empty == NOWHERE && !reals->tables.runs[place].is_used)
			empty = place;
	}
	return empty;
}

/* The mark comes last: a program that sees it sees the rest. */
static int make_run(struct dispatch_reals *reals, const struct dispatch_service *service,
		    struct dispatch_run *key, uint32_t place)
{
	uint32_t nports = find_gap(reals, wanted_ports(reals, service, &key->first_port),
				   &key->base);
	struct dispatch_run *run = &reals->tables.runs[place];

	if (nports < 1)
		return -ENOSPC;
	key->nports = (uint16_t)nports;
	memset(&reals->tables.nats[key->base], 0, nports * sizeof(*reals->tables.nats));
	*run = *key;
	__atomic_store_n(&run->is_used, 1, __ATOMIC_RELEASE);
	return 0;
}

static int hold_run(struct dispatch_reals *reals, const struct dispatch_service *service,
		    struct dispatch_run *key, uint16_t *ret_place)
{
	uint32_t place = place_of_run(reals, key);
	int err;

	if (place == NOWHERE)
		return -ENOSPC;
	if (!reals->tables.runs[place].is_used) {
		err = make_run(reals, service, key, place);
		if (err)
			return err;
	}
	reals->run_refs[place]++;
	*ret_place = (uint16_t)place;
	return 0;
}

static void drop_runs(struct dispatch_reals *reals, struct dispatch_real *real)
{
	for (uint8_t i = 0; i < real->nruns; i++)
		if (--reals->run_refs[real->run[i]] == 0)
			__atomic_store_n(&reals->tables.runs[real->run[i]].is_used, 0,
					 __ATOMIC_RELEASE);
	real->nruns = 0;
}

static int hold_runs(struct dispatch_reals *reals, const struct dispatch_service *service,
		     struct dispatch_real *real)
{
	struct dispatch_run key = {.protocol = service->protocol};
	int err = 0;

	memcpy(key.endpoint, real->address, sizeof(key.endpoint));
	for (size_t i = 0; !err && i < service->nsources; i++) {
		dispatch_address(&service->sources[i], key.source);
		err = hold_run(reals, service, &key, &real->run[i]);
		if (!err)
			real->nruns++;
	}
	if (err)
		drop_runs(reals, real);
	return err;
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

	return (struct before){real->port, real->service, is_live(real), real->state,
			       reals->tables.loads[index].weight};
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
	if (!is_live(real))
		err = bring_up(reals, service, real, ret_why);
	else if (real->nexthop == NOWHERE)
		real->nexthop = hold_way(reals, service, real);
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
	reals->wanted_runs = nruns;
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
	}
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
		if (before->is_live)
			__atomic_store_n(&real->state, before->state, __ATOMIC_RELEASE);
		else
			let_go(reals, real);
	}
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
			reals->run_refs[real->run[i]]++;
	}
}

struct dispatch_reals *dispatch_reals_new(const struct dispatch_real_tables *tables)
{
	struct dispatch_reals *reals = calloc(1, sizeof(*reals));

	if (!reals)
		return NULL;
	reals->tables = *tables;
	take_over(reals);
	return reals;
}

void dispatch_reals_free(struct dispatch_reals *reals)
{
	free(reals);
}
