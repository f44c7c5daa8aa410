/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FASTPATH_DISPATCH_INTERNAL_H
#define SLUICE_FASTPATH_DISPATCH_INTERNAL_H

#include "abi/dispatch.h"
#include "balance/balance.h"
#include "fastpath/dispatch.h"

#include <stdbool.h>
#include <stdint.h>

struct bpf_object;
struct ingress;
struct map_journal;
struct nexthops;
struct pin;

/* --- Maps (dispatch_maps.c) --------------------------------------------------------------------
 */

/* As many as fit a table of so many flows. */
#define DISPATCH_RUN_PLACES 8192u

/* Before load: makes the maps as large as @flows wants them. Return: 0; -errno. */
int dispatch_maps_size(struct bpf_object *object, uint32_t flows) WARN_UNUSED;

/* Whether an earlier daemon has left a plan in force that we can take over. */
bool dispatch_maps_are_pinned(const struct pin *pin);
/* Before load: takes those that are pinned. Return: 0; -errno. */
int dispatch_maps_reuse(const struct pin *pin, struct bpf_object *object) WARN_UNUSED;

/* An element. Return: 0; -errno. */
int dispatch_map_get(int fd, uint32_t index, void *ret) WARN_UNUSED;
int dispatch_map_put(int fd, uint32_t index, const void *value) WARN_UNUSED;

/* --- Events (dispatch_answer.c) ----------------------------------------------------------------
 */

struct splice;

/* Return: whether @event, whole, is one of dispatch's. */
bool dispatch_answer(struct splice *splice, const struct flow_event *event);

/* --- Plans: pure (dispatch_plan.c) --------------------------------------------------------------
 */

/* Return: 0; -EINVAL with *@ret_why. */
int dispatch_plan_check(const struct dispatch_plan *plan, const char **ret_why) WARN_UNUSED;

/* Tables of the half that a plan becomes. */
struct dispatch_tables {
	struct dispatch_vip *vips; /* DISPATCH_VIP_PLACES */
	struct dispatch_range *ranges;
	uint32_t nranges, vip_mask;
};

/* @places: of each service, in the plan's order. Return: 0; -ENOSPC with *@ret_why; -ENOMEM. */
int dispatch_tables_build(const struct dispatch_plan *plan, const uint16_t *places,
			  const struct dispatch_hash_key *key, struct dispatch_tables *ret,
			  const char **ret_why) WARN_UNUSED;
void dispatch_tables_done(struct dispatch_tables *tables);

/* v4-mapped for IPv4; without the port. */
void dispatch_address(const struct address *address, uint8_t ret[16]);

/* --- Server ids of QUIC (dispatch_quic.c)
 * --------------------------------------------------------
 */

/* @fd: of the map. @place: of the service; @reals: of its endpoints. Return: 0; -errno. */
int dispatch_server_ids_put(struct map_journal *journal, int fd,
			    const struct dispatch_service *service, uint16_t place,
			    const uint16_t *reals) WARN_UNUSED;

/* Removes what @plan, whose services are at @places, does not have. */
void dispatch_server_ids_trim(int fd, const struct dispatch_plan *plan, const uint16_t *places);

/* --- Answers by us: form DNAT (dispatch_answers.c)
 * --------------------------------------------------------
 */

struct dispatch_placed_answer {
	struct dispatch_address address; /* the endpoint's */
	struct dispatch_answer answer;
	const struct dispatch_service *service; /* borrowed */
};

/* Of all endpoints of a plan. Zero is empty. */
struct dispatch_answers {
	struct dispatch_placed_answer *all;
	size_t count, cap;
};

/* Those of a service, if it is of form DNAT. @reals: of its endpoints; NULL: not known yet.
 * Return: 0; -ENOMEM. */
int dispatch_answers_add(struct dispatch_answers *answers, const struct dispatch_service *service,
			 const uint16_t *reals) WARN_UNUSED;
/* Drops what is there twice of one service. */
void dispatch_answers_sort(struct dispatch_answers *answers);
/* @answers: sorted. Return: why they cannot be told apart; NULL: they can. */
const char *dispatch_answers_collide(const struct dispatch_answers *answers);
/* @key: the tables' secret. */
void dispatch_answers_mark(const struct dispatch_answers *answers,
			   const struct dispatch_hash_key *key, struct dispatch_answerer_bits *ret);
/* @fd: of the map. @answers: sorted, with reals. Return: 0; -errno. */
int dispatch_answers_put(struct map_journal *journal, int fd,
			 const struct dispatch_answers *answers) WARN_UNUSED;
/* Removes what @answers, sorted, does not have. */
void dispatch_answers_trim(int fd, const struct dispatch_answers *answers);
void dispatch_answers_done(struct dispatch_answers *answers);

/* --- Flows of each endpoint (dispatch_loads.c)
 * --------------------------------------------------------
 */

struct dispatch_loads;

/* The tables, shared with the programs; borrowed. */
struct dispatch_load_tables {
	struct dispatch_load_of_real *loads; /* DISPATCH_ENDPOINTS_MAX + 1 */
	const struct dispatch_line *lines;
	const struct dispatch_nat *nats;
	const struct dispatch_run *runs; /* DISPATCH_RUN_PLACES */
	uint32_t nlines, nnats;
};

/* Return: NULL: out of memory. */
struct dispatch_loads *dispatch_loads_new(const struct dispatch_load_tables *tables) WARN_UNUSED;
void dispatch_loads_free(struct dispatch_loads *loads); /* NULL is allowed */
/* Reads a part of the table of flows. @now_s: dispatch_seconds(). Return: ms until the next. */
uint32_t dispatch_loads_step(struct dispatch_loads *loads, uint32_t now_s);

/* --- SYNs to endpoints that were lost (dispatch_asks.c)
 * --------------------------------------------------------
 */

/* The tables, shared with the programs; borrowed. */
struct dispatch_ask_tables {
	uint64_t *asked; /* DISPATCH_ASKED_PLACES */
	const struct dispatch_nat *nats;
	const struct dispatch_real *reals; /* DISPATCH_ENDPOINTS_MAX + 1 */
	const struct dispatch_run *runs;   /* DISPATCH_RUN_PLACES */
	uint32_t nnats;
	const int *fds; /* raw_open() of IPv4 and IPv6; negative: none */
};

struct dispatch_asks {
	struct dispatch_ask_tables tables;
	uint32_t looked_s; /* the last time; 0: never */
	uint32_t next;     /* place to begin with: what one time has no room for comes first then */
	uint32_t nleft;    /* so many from there on were last looked at earlier, */
	uint32_t left_s;   /* at that time */
};

/* Once a second or so. @now_s: dispatch_seconds(). */
void dispatch_asks_step(struct dispatch_asks *asks, uint32_t now_s);

/* --- Rings (dispatch_ring.c) --------------------------------------------------------------------
 */

struct dispatch_ring_builder {
	void *state; /* of maglev; kept, so that what has not changed is not computed again */
};

/* Fills @size slots with @reals by the endpoints' weights. Return: 0: *@ret_size: @size, or 0 if no
 * endpoint has a weight; -ENOMEM; -EINVAL. */
int dispatch_ring_fill(struct dispatch_ring_builder *builder,
		       const struct dispatch_endpoint *endpoints, const uint16_t *reals,
		       size_t count, uint32_t size, uint16_t *slots,
		       uint32_t *ret_size) WARN_UNUSED;
void dispatch_ring_done(struct dispatch_ring_builder *builder);

/* A service's rings. Zero is empty. */
struct dispatch_rings {
	struct dispatch_ring_builder *all;
	size_t count;
};

/* Slots of all that is a service's: of its areas, and of its rings. */
uint64_t dispatch_rings_slots(const struct dispatch_service *service, uint32_t nareas);
/* Fills them, zeroed before; as dispatch_ring_fill(). *@ret_size: of each ring. */
int dispatch_rings_fill(struct dispatch_rings *rings, const struct dispatch_service *service,
			uint32_t nareas, const uint16_t *reals, uint16_t *slots,
			uint32_t *ret_size) WARN_UNUSED;
void dispatch_rings_done(struct dispatch_rings *rings);

/* --- Where clients are (dispatch_areas.c)
 * --------------------------------------------------------
 */

/* Nodes of the tree of so many changes. */
size_t dispatch_nodes_count(size_t nchanges);
/* @nodes: dispatch_nodes_count() of them. */
void dispatch_nodes_fill(const struct dispatch_areas *areas, struct dispatch_node *nodes);
/* Those that were made last, which may be in both halves. */
struct dispatch_area_map {
	uint64_t id; /* 0: there are none */
	int fd;
	uint64_t in_half[DISPATCH_HALVES]; /* ids of those that are there; 0: unknown */
};

/* Puts @areas, or with NULL none, into a half of the map @outer. Return: 0; -errno. */
int dispatch_areas_put(struct dispatch_area_map *map, int outer, uint32_t half,
		       const struct dispatch_areas *areas) WARN_UNUSED;
void dispatch_areas_done(struct dispatch_area_map *map);

/* --- Runs of source ports (dispatch_runs.c)
 * --------------------------------------------------------
 */

struct dispatch_runs {
	struct dispatch_run *all; /* DISPATCH_RUN_PLACES; shared with the programs, borrowed */
	struct dispatch_nat *nats;
	uint32_t nnats;
	const struct dispatch_hash_key *key;
	uint32_t wanted; /* by the plan that is being put in force */
	uint16_t refs[DISPATCH_RUN_PLACES];
};

/* One for each source address of a service. */
struct dispatch_run_list {
	uint8_t count;
	uint16_t place[DISPATCH_SOURCES_MAX];
};

/* Whether @real has those that @service wants. */
bool dispatch_runs_are_for(const struct dispatch_runs *runs, const struct dispatch_service *service,
			   const struct dispatch_real *real);
/* Those that @service wants of an endpoint, made or shared. Return: 0; -ENOSPC. */
int dispatch_runs_hold(struct dispatch_runs *runs, const struct dispatch_service *service,
		       const uint8_t endpoint[16], struct dispatch_run_list *ret) WARN_UNUSED;
void dispatch_runs_drop(struct dispatch_runs *runs, const struct dispatch_run_list *list);
/* Gives up those that nobody holds, unless flows have their ports and may go on. @now_s:
 * dispatch_seconds(). */
void dispatch_runs_sweep(struct dispatch_runs *runs, uint32_t now_s);

/* --- Endpoints (dispatch_reals.c) ---------------------------------------------------------------
 */

struct dispatch_reals;

/* The tables, shared with the programs; borrowed. */
struct dispatch_real_tables {
	struct dispatch_real *reals; /* DISPATCH_ENDPOINTS_MAX + 1 */
	struct dispatch_run *runs;   /* DISPATCH_RUN_PLACES */
	struct dispatch_nat *nats;
	struct dispatch_line *lines;
	struct dispatch_load_of_real *loads; /* DISPATCH_ENDPOINTS_MAX + 1; their weights alone */
	uint32_t nnats, nlines;
	struct nexthops *nexthops;
	const struct dispatch_hash_key *key; /* of the runs */
};

/* With what is in the tables already. Return: NULL: out of memory. */
struct dispatch_reals *dispatch_reals_new(const struct dispatch_real_tables *tables) WARN_UNUSED;
void dispatch_reals_free(struct dispatch_reals *reals); /* NULL is allowed */

/* Begins a plan that wants @nruns runs in all. */
void dispatch_reals_begin(struct dispatch_reals *reals, uint32_t nruns);
/* Return: how many endpoints have kept source ports that the plan does not want, for want of room.
 */
uint32_t dispatch_reals_kept(const struct dispatch_reals *reals);
/* Puts an endpoint in force, with the place that it has or a new one. */
int dispatch_reals_take(struct dispatch_reals *reals, const struct dispatch_service *service,
			uint16_t place, const struct dispatch_endpoint *endpoint,
			uint16_t *ret_real, const char **ret_why) WARN_UNUSED;
/* Those that were not taken since begin are gone. */
void dispatch_reals_end(struct dispatch_reals *reals);
/* Or, in its place: those that were taken are as they were at begin. */
void dispatch_reals_abort(struct dispatch_reals *reals);
/* Return: the place of one that is in force, or was; 0: there is none. */
uint16_t dispatch_reals_find(const struct dispatch_reals *reals, uint64_t service_id,
			     uint64_t endpoint_id);

/* --- What an earlier daemon has left (dispatch_adopt.c) ----------------------------------------
 */

/* Before any other use of @nexthops. */
void dispatch_adopt_ways(const struct ingress *ingress, struct nexthops *nexthops);

#endif
