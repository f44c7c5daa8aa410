// SPDX-License-Identifier: Apache-2.0
/*
 * Runs of source ports, of form NAT. Services that want the same of an endpoint share one. A run
 * that nobody wants any more stays for the flows that have its ports, as long as there is one that
 * is wanted in its place. Of an endpoint and a source a port has one element, in whichever runs it
 * is, so two of their flows cannot have it.
 */
#include "fastpath/dispatch_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NOWHERE       UINT32_MAX
#define RUN_PORTS_MIN 64
#define FIRST_PORT    10000
#define LAST_PORT     32767

/* Ports, both ends included. */
struct span {
	uint32_t first, last;
};

/* Ports that a run may have, and whose elements those are. */
struct part {
	struct span ports;
	uint32_t count;                 /* 0: none */
	const struct dispatch_run *run; /* NULL: nobody's yet */
};

/* --- What is there ---------------------------------------------------------------------------- */

static struct dispatch_run *probed(const struct dispatch_runs *runs, const struct dispatch_run *key,
				   uint32_t probe)
{
	uint32_t start = (uint32_t)dispatch_hash_run(key->endpoint, key->source, key->protocol,
						     runs->key);

	return &runs->all[(start + probe) & (DISPATCH_RUN_PLACES - 1)];
}

static bool is_run_of(const struct dispatch_run *run, const struct dispatch_run *key)
{
	return run->is_used && run->protocol == key->protocol &&
	       memcmp(run->endpoint, key->endpoint, sizeof(run->endpoint)) == 0 &&
	       memcmp(run->source, key->source, sizeof(run->source)) == 0;
}

static struct span ports_of(const struct dispatch_run *run)
{
	return (struct span){run->first_port, (uint32_t)run->first_port + run->nports - 1};
}

/* One of an earlier version does not say what it was made for: it has the first of it. */
static bool is_made_for(const struct dispatch_run *run, const struct span *wanted)
{
	if (run->wanted_last)
		return run->wanted_first == wanted->first && run->wanted_last == wanted->last;
	return run->first_port == wanted->first && ports_of(run).last <= wanted->last;
}

static uint32_t index_of(const struct dispatch_runs *runs, const struct dispatch_run *run)
{
	return (uint32_t)(run - runs->all);
}

/* Return: its place; NOWHERE. */
static uint32_t find_run(const struct dispatch_runs *runs, const struct dispatch_run *key,
			 const struct span *wanted)
{
	for (uint32_t probe = 0; probe < DISPATCH_RUN_PROBES; probe++) {
		const struct dispatch_run *run = probed(runs, key, probe);

		if (is_run_of(run, key) && is_made_for(run, wanted))
			return index_of(runs, run);
	}
	return NOWHERE;
}

/* Return: where one may be made; NOWHERE. */
static uint32_t find_place(const struct dispatch_runs *runs, const struct dispatch_run *key)
{
	for (uint32_t probe = 0; probe < DISPATCH_RUN_PROBES; probe++) {
		const struct dispatch_run *run = probed(runs, key, probe);

		if (!run->is_used)
			return index_of(runs, run);
	}
	return NOWHERE;
}

/* --- Elements --------------------------------------------------------------------------------- */

static int compare_runs(const void *a, const void *b)
{
	const struct dispatch_run *const *left = a, *const *right = b;

	return (*left)->base < (*right)->base ? -1 : (*left)->base > (*right)->base;
}

static size_t list_runs(const struct dispatch_runs *runs, const struct dispatch_run **list)
{
	size_t count = 0;

	for (uint32_t i = 0; i < DISPATCH_RUN_PLACES; i++)
		if (runs->all[i].is_used)
			list[count++] = &runs->all[i];
	qsort(list, count, sizeof(*list), compare_runs);
	return count;
}

/* The first gap of @wanted elements, or the largest. Return: its size; 0: there is none. */
static uint32_t find_gap(const struct dispatch_runs *runs, uint32_t wanted, uint32_t *ret_base)
{
	static const struct dispatch_run *list[DISPATCH_RUN_PLACES]; /* of the control thread */
	size_t count = list_runs(runs, list);
	uint32_t end = 0, best = 0;

	for (size_t i = 0; i <= count; i++) {
		uint32_t next = i < count ? list[i]->base : runs->nnats;

		if (next > end && next - end > best && best < wanted) {
			best = next - end;
			*ret_base = end;
		}
		if (i < count && list[i]->base + list[i]->nports > end)
			end = list[i]->base + list[i]->nports;
	}
	return best < wanted ? best : wanted;
}

/* Half of the table is for what comes later. */
static uint32_t share_of_each(const struct dispatch_runs *runs)
{
	uint32_t share = runs->nnats / 2 / (runs->wanted ? runs->wanted : 1);

	if (share < RUN_PORTS_MIN)
		return RUN_PORTS_MIN;
	return share > UINT16_MAX ? UINT16_MAX : share;
}

/* --- Ports ------------------------------------------------------------------------------------ */

static struct span wanted_ports(const struct dispatch_service *service)
{
	if (!service->first_source_port)
		return (struct span){FIRST_PORT, LAST_PORT};
	return (struct span){service->first_source_port, service->last_source_port};
}

static void consider(struct part *best, struct span ports, uint32_t most,
		     const struct dispatch_run *run)
{
	uint32_t count = ports.last < ports.first ? 0 : ports.last - ports.first + 1;

	if (count > most)
		count = most;
	if (count > best->count)
		*best = (struct part){.ports = ports, .count = count, .run = run};
}

/* From @first on, to before the next port that another run has. */
static struct span free_from(const struct dispatch_runs *runs, const struct dispatch_run *key,
			     uint32_t first, uint32_t last)
{
	struct span ports = {first, last};

	for (uint32_t probe = 0; probe < DISPATCH_RUN_PROBES; probe++) {
		const struct dispatch_run *run = probed(runs, key, probe);
		struct span taken = ports_of(run);

		if (!is_run_of(run, key) || taken.last < first)
			continue;
		if (taken.first <= first)
			return (struct span){first, first - 1};
		if (taken.first <= ports.last)
			ports.last = taken.first - 1;
	}
	return ports;
}

/* Of the ports that are wanted the most that are all nobody's, or all those of one run. */
static struct part best_part(const struct dispatch_runs *runs, const struct dispatch_run *key,
			     const struct span *wanted)
{
	uint32_t share = share_of_each(runs);
	struct part best = {};

	consider(&best, free_from(runs, key, wanted->first, wanted->last), share, NULL);
	for (uint32_t probe = 0; probe < DISPATCH_RUN_PROBES; probe++) {
		const struct dispatch_run *run = probed(runs, key, probe);
		struct span shared = ports_of(run);

		if (!is_run_of(run, key))
			continue;
		if (shared.last >= wanted->first)
			consider(&best, free_from(runs, key, shared.last + 1, wanted->last), share,
				 NULL);
		if (shared.first < wanted->first)
			shared.first = wanted->first;
		if (shared.last > wanted->last)
			shared.last = wanted->last;
		consider(&best, shared, UINT16_MAX, run);
	}
	return best;
}

/* Return: how many it has, from *@ret_base on; 0: there is no room. */
static uint32_t find_elements(const struct dispatch_runs *runs, const struct part *part,
			      uint32_t *ret_base)
{
	uint32_t count = part->count;

	if (part->run) {
		*ret_base = part->run->base + (part->ports.first - part->run->first_port);
		return count;
	}
	count = count ? find_gap(runs, count, ret_base) : 0;
	if (count)
		memset(&runs->nats[*ret_base], 0, count * sizeof(*runs->nats));
	return count;
}

/* --- One run ---------------------------------------------------------------------------------- */

/* The mark comes last: a program that sees it sees the rest. Return: its place; NOWHERE. */
static uint32_t make_run(struct dispatch_runs *runs, const struct dispatch_run *key,
			 const struct span *wanted)
{
	const struct part part = best_part(runs, key, wanted);
	uint32_t place = find_place(runs, key);
	struct dispatch_run made = *key;
	uint32_t count = place == NOWHERE ? 0 : find_elements(runs, &part, &made.base);

	if (!count)
		return NOWHERE;
	made.first_port = (uint16_t)part.ports.first;
	made.nports = (uint16_t)count;
	made.wanted_first = (uint16_t)wanted->first;
	made.wanted_last = (uint16_t)wanted->last;
	runs->all[place] = made;
	__atomic_store_n(&runs->all[place].is_used, 1, __ATOMIC_RELEASE);
	return place;
}

static struct dispatch_run key_of(const struct dispatch_service *service,
				  const uint8_t endpoint[16], size_t source)
{
	struct dispatch_run key = {.protocol = service->protocol};

	memcpy(key.endpoint, endpoint, sizeof(key.endpoint));
	dispatch_address(&service->sources[source], key.source);
	return key;
}

/* --- Those of an endpoint --------------------------------------------------------------------- */

bool dispatch_runs_are_for(const struct dispatch_runs *runs, const struct dispatch_service *service,
			   const struct dispatch_real *real)
{
	const struct span wanted = wanted_ports(service);

	if (real->nruns != service->nsources)
		return false;
	for (size_t i = 0; i < service->nsources; i++) {
		const struct dispatch_run key = key_of(service, real->address, i);

		if (find_run(runs, &key, &wanted) != real->run[i])
			return false;
	}
	return true;
}

int dispatch_runs_hold(struct dispatch_runs *runs, const struct dispatch_service *service,
		       const uint8_t endpoint[16], struct dispatch_run_list *ret)
{
	const struct span wanted = wanted_ports(service);
	struct dispatch_run_list list = {};

	for (size_t i = 0; i < service->nsources; i++) {
		const struct dispatch_run key = key_of(service, endpoint, i);
		uint32_t place = find_run(runs, &key, &wanted);

		if (place == NOWHERE)
			place = make_run(runs, &key, &wanted);
		if (place == NOWHERE) {
			dispatch_runs_drop(runs, &list);
			return -ENOSPC;
		}
		runs->refs[place]++;
		list.place[list.count++] = (uint16_t)place;
	}
	*ret = list;
	return 0;
}

void dispatch_runs_drop(struct dispatch_runs *runs, const struct dispatch_run_list *list)
{
	for (uint8_t i = 0; i < list->count; i++)
		runs->refs[list->place[i]]--;
}

/* --- Those that nobody wants ------------------------------------------------------------------ */

static bool has_heir(const struct dispatch_runs *runs, const struct dispatch_run *run)
{
	for (uint32_t probe = 0; probe < DISPATCH_RUN_PROBES; probe++) {
		const struct dispatch_run *other = probed(runs, run, probe);

		if (is_run_of(other, run) && runs->refs[index_of(runs, other)])
			return true;
	}
	return false;
}

static bool has_flows(const struct dispatch_runs *runs, const struct dispatch_run *run,
		      uint32_t now_s)
{
	for (uint32_t i = 0; i < run->nports; i++) {
		const struct dispatch_nat *nat = &runs->nats[run->base + i];

		if (nat->run == index_of(runs, run) && !dispatch_is_free(&nat->claim, now_s))
			return true;
	}
	return false;
}

/* Nobody finds their elements by their ports any more, which may have others from now on. */
static void end_flows(const struct dispatch_runs *runs, const struct dispatch_run *run)
{
	for (uint32_t i = 0; i < run->nports; i++) {
		struct dispatch_nat *nat = &runs->nats[run->base + i];

		if (nat->run == index_of(runs, run))
			__atomic_store_n(&nat->claim.word, 0, __ATOMIC_RELAXED);
	}
}

void dispatch_runs_sweep(struct dispatch_runs *runs, uint32_t now_s)
{
	for (uint32_t i = 0; i < DISPATCH_RUN_PLACES; i++) {
		struct dispatch_run *run = &runs->all[i];

		if (!run->is_used || runs->refs[i] ||
		    (has_heir(runs, run) && has_flows(runs, run, now_s)))
			continue;
		__atomic_store_n(&run->is_used, 0, __ATOMIC_RELEASE);
		end_flows(runs, run);
	}
}
