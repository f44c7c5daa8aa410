// SPDX-License-Identifier: Apache-2.0
/*
 * Mode dispatch as the proxy sees it: plans become tables of the packet programs. A plan is written
 * into the half that is not in force, and put there by one store. Endpoints and their source ports
 * are in dispatch_reals.c, addresses and ports in dispatch_plan.c, rings in dispatch_ring.c, where
 * clients are in dispatch_areas.c. Start and end are in dispatch_start.c, counts in
 * dispatch_counts.c, SYNs that are sent again in dispatch_asks.c.
 */
#include "core/log.h"
#include "fastpath/dispatch_state.h"
#include "fastpath/map_array.h"
#include "fastpath/map_journal.h"
#include "guard/limiter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_TCP_TIMEOUT 3600
#define DEFAULT_UDP_TIMEOUT 60
#define DEFAULT_GUE_PORT    6080
#define DEFAULT_RATE        125000
#define RATE_BURST_MS       100
#define ASK_MS              1000

/* A plan on its way into the maps. */
struct applying {
	struct dispatch *dispatch;
	const struct dispatch_plan *plan;
	uint32_t half;
	uint16_t *places;                  /* of each service */
	struct dispatch_virtual *services; /* by place */
	uint16_t *slots;                   /* of all rings */
	uint32_t nslots;
	struct dispatch_tables tables;
	struct dispatch_answers answers;
	const char *why;
	/* To be put back if it fails. */
	uint64_t service_ids[DISPATCH_SERVICES_MAX];
	struct map_journal journal;
};

/* --- Services keep their places ----------------------------------------------------------------
 */

static bool is_planned(const struct dispatch_plan *plan, uint64_t id)
{
	for (size_t i = 0; i < plan->nservices; i++)
		if (plan->services[i].id == id)
			return true;
	return false;
}

static uint16_t free_place(const struct applying *applying)
{
	const uint64_t *ids = applying->dispatch->service_ids;

	for (uint16_t place = 0; place < DISPATCH_SERVICES_MAX; place++)
		if (!ids[place] || !is_planned(applying->plan, ids[place]))
			return place;
	return NO_PLACE; /* cannot be: a plan has no more services than there are places */
}

static void find_places(struct applying *applying)
{
	struct dispatch *dispatch = applying->dispatch;

	for (size_t i = 0; i < applying->plan->nservices; i++) {
		uint64_t id = applying->plan->services[i].id;
		uint16_t place = place_of(dispatch, id);

		if (place == NO_PLACE) {
			place = free_place(applying);
			dispatch->service_ids[place] = id;
		}
		applying->places[i] = place;
	}
}

/* --- What a service becomes --------------------------------------------------------------------
 */

static uint32_t nareas_of(const struct dispatch_plan *plan)
{
	return plan->areas ? plan->areas->count : 0;
}

static uint16_t timeout_of(const struct dispatch_service *service)
{
	uint32_t timeout_s = service->protocol == IPPROTO_TCP ? service->tcp_timeout_s
							      : service->udp_timeout_s;

	if (!timeout_s)
		timeout_s = service->protocol == IPPROTO_TCP ? DEFAULT_TCP_TIMEOUT
							     : DEFAULT_UDP_TIMEOUT;
	return (uint16_t)timeout_s;
}

static void describe(const struct dispatch_service *service, struct dispatch_virtual *ret)
{
	*ret = (struct dispatch_virtual){
		.id = service->id,
		.timeout_s = timeout_of(service),
		.gue_port = htons(service->gue_port ? service->gue_port : DEFAULT_GUE_PORT),
		.form = (uint8_t)service->form,
		.algorithm = (uint8_t)service->algorithm,
		.resets_lost = service->resets_lost,
		.protocol = service->protocol,
		.server_id_len = service->server_id_len,
		.goes_by_place = service->nrings > 0,
	};
	dispatch_address(&service->address, ret->address);
	if (service->form != DISPATCH_NAT && service->nsources)
		dispatch_address(&service->sources[0], ret->tunnel_source);
}

static int take_endpoints(struct applying *applying, size_t i, uint16_t *reals)
{
	const struct dispatch_service *service = &applying->plan->services[i];
	int err = 0;

	for (size_t n = 0; !err && n < service->nendpoints; n++)
		err = dispatch_reals_take(applying->dispatch->endpoints, service,
					  applying->places[i], &service->endpoints[n], &reals[n],
					  &applying->why);
	return err;
}

static int fill_rings(struct applying *applying, size_t i, const uint16_t *reals)
{
	const struct dispatch_service *service = &applying->plan->services[i];
	uint32_t nareas = nareas_of(applying->plan);
	uint16_t place = applying->places[i];
	struct dispatch_virtual *virtual = &applying->services[place];

	describe(service, virtual);
	virtual->ring_first = applying->nslots + (service->nrings ? nareas : 0);
	applying->why = "a ring's size is no prime";
	return dispatch_rings_fill(&applying->dispatch->rings[place], service, nareas, reals,
				   &applying->slots[applying->nslots], &virtual->ring_size);
}

static int put_server_ids(struct applying *applying, size_t i, const uint16_t *reals)
{
	applying->why = "the table of QUIC's server ids has no room";
	return dispatch_server_ids_put(&applying->journal,
				       fd_of(applying->dispatch, "dispatch_server_ids"),
				       &applying->plan->services[i], applying->places[i], reals);
}

static int take_service(struct applying *applying, size_t i)
{
	size_t count = applying->plan->services[i].nendpoints;
	uint16_t *reals = calloc(count ? count : 1, sizeof(*reals));
	int err = reals ? take_endpoints(applying, i, reals) : -ENOMEM;

	if (!err)
		err = fill_rings(applying, i, reals);
	if (!err)
		err = put_server_ids(applying, i, reals);
	if (!err)
		err = dispatch_answers_add(&applying->answers, &applying->plan->services[i], reals);
	if (!err)
		applying->nslots += (uint32_t)dispatch_rings_slots(&applying->plan->services[i],
								   nareas_of(applying->plan));
	free(reals);
	return err;
}

/* --- Into the half -----------------------------------------------------------------------------
 */

/* Return: a descriptor; -errno. */
static int new_rings(const struct applying *applying)
{
	uint32_t nlines = applying->nslots / DISPATCH_RING_SLOTS + 1;
	void *lines = NULL;
	int fd = map_array_new("dispatch_ring", sizeof(struct dispatch_ring_line), nlines, &lines);

	if (fd < 0 || !lines)
		return fd;
	memcpy(lines, applying->slots, applying->nslots * sizeof(*applying->slots));
	unmap_array(lines, nlines * sizeof(struct dispatch_ring_line));
	return fd;
}

/* Waits until no program reads the half any more: it was in force before. */
static int put_rings(const struct applying *applying)
{
	int fd = new_rings(applying), err;

	if (fd < 0)
		return fd;
	err = dispatch_map_put(fd_of(applying->dispatch, "dispatch_rings"), applying->half, &fd);
	close(fd);
	return err;
}

static int put_elements(int fd, uint32_t first, const void *elements, size_t size, uint32_t count)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < count; i++)
		err = dispatch_map_put(fd, first + i, (const char *)elements + i * size);
	return err;
}

static int put_answers(struct applying *applying)
{
	struct dispatch *dispatch = applying->dispatch;
	struct dispatch_answerer_bits bits;
	int err = dispatch_answers_put(&applying->journal, fd_of(dispatch, "dispatch_answerers"),
				       &applying->answers);

	if (err == -E2BIG)
		applying->why = "the table of endpoints of form dnat has no room";
	if (err)
		return err;
	dispatch_answers_mark(&applying->answers, &dispatch->settings.secret, &bits);
	return dispatch_map_put(fd_of(dispatch, "dispatch_answerer_bits"), applying->half, &bits);
}

static int put_tables(const struct applying *applying)
{
	struct dispatch *dispatch = applying->dispatch;
	const struct dispatch_tables *tables = &applying->tables;
	uint32_t half = applying->half;
	int err = put_rings(applying);

	if (!err)
		err = dispatch_areas_put(&dispatch->areas, fd_of(dispatch, "dispatch_areas"), half,
					 applying->plan->areas);
	if (!err)
		err = put_elements(fd_of(dispatch, "dispatch_vips"), half * DISPATCH_VIP_PLACES,
				   tables->vips, sizeof(*tables->vips), tables->vip_mask + 1);
	if (!err)
		err = put_elements(fd_of(dispatch, "dispatch_ranges"), half * DISPATCH_RANGES_MAX,
				   tables->ranges, sizeof(*tables->ranges), tables->nranges);
	if (!err)
		err = put_elements(fd_of(dispatch, "dispatch_services"),
				   half * DISPATCH_SERVICES_MAX, applying->services,
				   sizeof(*applying->services), DISPATCH_SERVICES_MAX);
	return err;
}

/* --- A plan ------------------------------------------------------------------------------------
 */

/* Words that every node makes of the seed alike (splitmix64: Steele et al., 2014). */
static void expand_seed(uint64_t seed, struct dispatch_hash_key *ret)
{
	for (size_t i = 0; i < DISPATCH_KEY_WORDS; i++) {
		uint64_t word = seed += 0x9e3779b97f4a7c15ULL;

		word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9ULL;
		word = (word ^ word >> 27) * 0x94d049bb133111ebULL;
		ret->word[i] = (uint32_t)(word >> 32);
	}
}

/* The programs read it without a lock, so what is new is there before the half changes. */
static int put_settings(struct dispatch *dispatch, struct dispatch_settings *settings,
			uint32_t half, bool is_on)
{
	int fd = fd_of(dispatch, "dispatch_settings");
	int err = dispatch_map_put(fd, 0, settings);

	settings->half = half;
	settings->is_on = is_on;
	if (!err)
		err = dispatch_map_put(fd, 0, settings);
	if (err && dispatch_map_put(fd, 0, &dispatch->settings) < 0)
		return err; /* the seed may be that of the plan that failed, until the next one */
	return err;
}

static int put_in_force(const struct applying *applying)
{
	struct dispatch *dispatch = applying->dispatch;
	const struct dispatch_plan *plan = applying->plan;
	struct dispatch_settings settings = dispatch->settings;
	int err;

	expand_seed(plan->ring_seed, &settings.ring);
	settings.new_flows = guard_rate_of(plan->new_flow_rate ? plan->new_flow_rate : DEFAULT_RATE,
					   RATE_BURST_MS);
	settings.halves[applying->half].vip_mask = applying->tables.vip_mask;
	settings.halves[applying->half].nareas = nareas_of(plan);
	settings.halves[applying->half].flags = applying->answers.count ? DISPATCH_HALF_RETURNS : 0;
	err = put_settings(dispatch, &settings, applying->half, plan->nservices > 0);
	if (!err)
		dispatch->settings = settings;
	return err;
}

/* While endpoints change, no packet goes by what an earlier one has found, nor leaves anything. */
static int pause_fronts(struct dispatch *dispatch)
{
	dispatch->settings.front_turn |= 1;
	return dispatch_map_put(fd_of(dispatch, "dispatch_settings"), 0, &dispatch->settings);
}

static void resume_fronts(struct dispatch *dispatch)
{
	dispatch->settings.front_turn++;
	if (dispatch_map_put(fd_of(dispatch, "dispatch_settings"), 0, &dispatch->settings) < 0)
		log_warn("dispatch: packets of known flows go the long way until the next plan");
}

static uint32_t count_runs(const struct dispatch_plan *plan)
{
	uint32_t count = 0;

	for (size_t i = 0; i < plan->nservices; i++)
		if (plan->services[i].form == DISPATCH_NAT)
			count += (uint32_t)(plan->services[i].nendpoints *
					    plan->services[i].nsources);
	return count;
}

static uint64_t count_slots(const struct dispatch_plan *plan, uint32_t nareas)
{
	uint64_t count = 0;

	for (size_t i = 0; i < plan->nservices; i++)
		count += dispatch_rings_slots(&plan->services[i], nareas);
	return count;
}

static int prepare(struct applying *applying)
{
	size_t count = applying->plan->nservices;
	uint64_t nslots = count_slots(applying->plan, nareas_of(applying->plan));

	if (count_slots(applying->plan, 0) > DISPATCH_SLOTS_MAX) {
		applying->why = "the rings of all services have more than 268435456 slots";
		return -ENOSPC;
	}
	applying->places = calloc(count ? count : 1, sizeof(*applying->places));
	applying->services = calloc(DISPATCH_SERVICES_MAX, sizeof(*applying->services));
	applying->slots = calloc(nslots + 1, sizeof(*applying->slots));
	if (!applying->places || !applying->services || !applying->slots)
		return -ENOMEM;
	find_places(applying);
	return dispatch_tables_build(applying->plan, applying->places,
				     &applying->dispatch->settings.secret, &applying->tables,
				     &applying->why);
}

static bool has_choice_by_load(const struct dispatch_plan *plan)
{
	for (size_t i = 0; i < plan->nservices; i++)
		if (plan->services[i].algorithm == DISPATCH_LEAST_LOADED)
			return true;
	return false;
}

/* Whether it does is the guard's to say. */
static bool has_cookies(const struct dispatch_plan *plan)
{
	for (size_t i = 0; i < plan->nservices; i++)
		if (plan->services[i].form == DISPATCH_NAT &&
		    plan->services[i].protocol == IPPROTO_TCP)
			return true;
	return false;
}

static void say_who_kept(const struct dispatch *dispatch)
{
	uint32_t kept = dispatch_reals_kept(dispatch->endpoints);

	if (kept)
		log_warn("dispatch: %u endpoints keep source ports of before until the table of "
			 "flows has room for others",
			 kept);
}

static int clear_counts(const struct applying *applying)
{
	const struct dispatch *dispatch = applying->dispatch;
	int err = 0;

	for (uint16_t place = 0; !err && place < DISPATCH_SERVICES_MAX; place++)
		if (dispatch->service_ids[place] != applying->service_ids[place])
			err = dispatch_clear_counts(dispatch, place);
	return err;
}

static int apply(struct applying *applying)
{
	struct dispatch *dispatch = applying->dispatch;
	int err = prepare(applying);

	for (size_t i = 0; !err && i < applying->plan->nservices; i++)
		err = take_service(applying, i);
	if (err)
		return err;
	dispatch_answers_sort(&applying->answers);
	applying->why = "the packet programs' tables cannot be written";
	err = put_tables(applying);
	if (!err)
		err = put_answers(applying);
	if (!err)
		err = clear_counts(applying);
	if (!err)
		err = put_in_force(applying);
	if (err)
		return err;
	dispatch_server_ids_trim(fd_of(dispatch, "dispatch_server_ids"), applying->plan,
				 applying->places);
	dispatch_answers_trim(fd_of(dispatch, "dispatch_answerers"), &applying->answers);
	dispatch_reals_end(dispatch->endpoints);
	say_who_kept(dispatch);
	dispatch->chooses_by_load = has_choice_by_load(applying->plan);
	dispatch->takes_cookies = has_cookies(applying->plan);
	return 0;
}

/* The plan before, of which the other half has all the rest, is in force alone. */
static void undo(struct applying *applying)
{
	struct dispatch *dispatch = applying->dispatch;

	if (map_journal_undo(&applying->journal) < 0)
		log_warn("dispatch: the tables of server ids and of form dnat are not whole until "
			 "the next plan");
	dispatch_reals_abort(dispatch->endpoints);
	memcpy(dispatch->service_ids, applying->service_ids, sizeof(dispatch->service_ids));
}

int dispatch_apply(struct dispatch *dispatch, const struct dispatch_plan *plan,
		   const char **ret_why)
{
	struct applying applying = {
		.dispatch = dispatch,
		.plan = plan,
		.half = !dispatch->settings.half,
		.why = "out of memory",
	};
	int err = dispatch_plan_check(plan, ret_why);

	if (err)
		return err;
	memcpy(applying.service_ids, dispatch->service_ids, sizeof(applying.service_ids));
	dispatch_reals_begin(dispatch->endpoints, count_runs(plan));
	err = pause_fronts(dispatch);
	if (!err)
		err = apply(&applying);
	if (err) {
		undo(&applying);
		*ret_why = err == -ENOMEM ? "out of memory" : applying.why;
	}
	resume_fronts(dispatch);
	map_journal_done(&applying.journal);
	dispatch_tables_done(&applying.tables);
	dispatch_answers_done(&applying.answers);
	free(applying.places);
	free(applying.services);
	free(applying.slots);
	return err;
}

uint32_t dispatch_follow_loads(struct dispatch *dispatch, uint64_t now_ns)
{
	if (!dispatch->chooses_by_load)
		return 0;
	return dispatch_loads_step(dispatch->counted, dispatch_seconds(now_ns));
}

uint32_t dispatch_ask_again(struct dispatch *dispatch, uint64_t now_ns)
{
	if (!dispatch->takes_cookies)
		return 0;
	dispatch_asks_step(&dispatch->asks, dispatch_seconds(now_ns));
	return ASK_MS;
}
