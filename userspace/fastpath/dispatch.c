// SPDX-License-Identifier: Apache-2.0
/*
 * Mode dispatch as the proxy sees it: plans become tables of the packet programs. A plan is written
 * into the half that is not in force, and put there by one store. Endpoints and their source ports
 * are in dispatch_reals.c, addresses and ports in dispatch_plan.c, rings in dispatch_ring.c, where
 * clients are in dispatch_areas.c.
 */
#include "core/clock.h"
#include "core/log.h"
#include "fastpath/dispatch_internal.h"
#include "fastpath/fastpath_internal.h"
#include "guard/limiter.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define DEFAULT_TCP_TIMEOUT 3600
#define DEFAULT_UDP_TIMEOUT 60
#define DEFAULT_GUE_PORT    6080
#define DEFAULT_RATE        125000
#define RATE_BURST_MS       100
#define NO_PLACE            UINT16_MAX
#define SLOTS_MAX           (1u << 28) /* of all rings: half a GiB */

struct mapped {
	void *elements;
	size_t size;
};

struct dispatch {
	const struct ingress *ingress; /* borrowed */
	struct attach *attach;         /* borrowed; NULL: not watched yet */
	struct dispatch_settings settings;
	struct mapped reals, runs, nats, lines, loads;
	struct dispatch_reals *endpoints;
	struct dispatch_loads *counted;
	bool chooses_by_load;                        /* some service in force does */
	uint64_t service_ids[DISPATCH_SERVICES_MAX]; /* by place; 0: free */
	struct dispatch_rings rings[DISPATCH_SERVICES_MAX];
	struct dispatch_area_map areas;
};

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
	struct dispatch_server_ids_before server_ids;
};

const char *dispatch_form_name(enum dispatch_form form)
{
	static const char *const names[] = {
#define X(name, text) text,
		DISPATCH_FORMS(X)
#undef X
	};

	return names[form];
}

const char *dispatch_drop_name(enum dispatch_drop drop)
{
	static const char *const names[] = {
#define X(name, text) text,
		DISPATCH_DROPS(X)
#undef X
	};

	return names[drop];
}

static int fd_of(const struct dispatch *dispatch, const char *name)
{
	return ingress_map(dispatch->ingress, name);
}

/* --- Services keep their places ----------------------------------------------------------------
 */

static uint16_t place_of(const struct dispatch *dispatch, uint64_t id)
{
	for (uint16_t place = 0; place < DISPATCH_SERVICES_MAX; place++)
		if (dispatch->service_ids[place] == id)
			return place;
	return NO_PLACE;
}

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
	for (size_t n = 0; !err && n < service->nendpoints; n++)
		dispatch_loads_weigh(applying->dispatch->counted, reals[n],
				     service->endpoints[n].weight);
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
	return dispatch_server_ids_put(fd_of(applying->dispatch, "dispatch_server_ids"),
				       &applying->plan->services[i], applying->places[i], reals,
				       &applying->server_ids);
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

/* Waits until no program reads the half any more: it was in force before. */
static int put_rings(const struct applying *applying)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	uint32_t nlines = applying->nslots / DISPATCH_RING_SLOTS + 1;
	size_t size = nlines * sizeof(struct dispatch_ring_line);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "dispatch_ring", sizeof(uint32_t),
				sizeof(struct dispatch_ring_line), nlines, &options);
	void *lines;
	int err;

	if (fd < 0)
		return -errno;
	lines = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (lines == MAP_FAILED) {
		err = -errno;
	} else {
		memcpy(lines, applying->slots, applying->nslots * sizeof(*applying->slots));
		munmap(lines, size);
		err = dispatch_map_put(fd_of(applying->dispatch, "dispatch_rings"), applying->half,
				       &fd);
	}
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
	if (!err)
		err = dispatch_answers_put(fd_of(dispatch, "dispatch_answerers"),
					   &applying->answers);
	return err;
}

int dispatch_renew_cookies(struct dispatch *dispatch)
{
	struct dispatch_settings *settings = &dispatch->settings;
	uint32_t next = dispatch_cookie_epoch(clock_monotonic_ns()) + 2;
	struct dispatch_cookie_key *key = &settings->cookie_keys[next % DISPATCH_COOKIE_KEYS];

	if (getrandom(key, sizeof(*key), 0) != sizeof(*key))
		return -errno;
	return dispatch_map_put(fd_of(dispatch, "dispatch_settings"), 0, settings);
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

static uint32_t count_runs(const struct dispatch_plan *plan)
{
	uint32_t count = 0;

	for (size_t i = 0; i < plan->nservices; i++)
		if (plan->services[i].form == DISPATCH_NAT)
			count += (uint32_t)(plan->services[i].nendpoints *
					    plan->services[i].nsources);
	return count;
}

static uint64_t count_slots(const struct dispatch_plan *plan)
{
	uint64_t count = 1;

	for (size_t i = 0; i < plan->nservices; i++)
		count += dispatch_rings_slots(&plan->services[i], nareas_of(plan));
	return count;
}

static int prepare(struct applying *applying)
{
	size_t count = applying->plan->nservices;
	uint64_t nslots = count_slots(applying->plan);

	if (nslots > SLOTS_MAX) {
		applying->why = "the rings of all services have more than 268435456 slots";
		return -ENOSPC;
	}
	applying->places = calloc(count ? count : 1, sizeof(*applying->places));
	applying->services = calloc(DISPATCH_SERVICES_MAX, sizeof(*applying->services));
	applying->slots = calloc(nslots, sizeof(*applying->slots));
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
		err = put_in_force(applying);
	if (err)
		return err;
	dispatch_server_ids_trim(fd_of(dispatch, "dispatch_server_ids"), applying->plan,
				 applying->places);
	dispatch_answers_trim(fd_of(dispatch, "dispatch_answerers"), &applying->answers);
	dispatch_reals_end(dispatch->endpoints);
	dispatch->chooses_by_load = has_choice_by_load(applying->plan);
	return 0;
}

/* The plan before, of which the other half has all the rest, is in force alone. */
static void undo(struct applying *applying)
{
	struct dispatch *dispatch = applying->dispatch;

	dispatch_server_ids_restore(fd_of(dispatch, "dispatch_server_ids"), &applying->server_ids);
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
	err = apply(&applying);
	if (err) {
		undo(&applying);
		*ret_why = applying.why;
	}
	dispatch_server_ids_before_done(&applying.server_ids);
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

/* --- Counts ------------------------------------------------------------------------------------
 */

/* Sums what every CPU has counted: @count numbers. */
static int sum_counts(int fd, uint32_t index, uint64_t *ret, size_t count)
{
	size_t ncpus = (size_t)libbpf_num_possible_cpus();
	uint64_t *parts = calloc(ncpus * count, sizeof(*parts));
	int err = parts ? dispatch_map_get(fd, index, parts) : -ENOMEM;

	for (size_t i = 0; !err && i < ncpus * count; i++)
		ret[i % count] += parts[i];
	free(parts);
	return err;
}

static struct dispatch_traffic traffic_of(const struct dispatch_real_count *count)
{
	return (struct dispatch_traffic){
		.packets = count->packets,
		.bytes = count->bytes,
		.flows = count->flows,
		.returned_packets = count->returned_packets,
		.returned_bytes = count->returned_bytes,
	};
}

int dispatch_count_service(struct dispatch *dispatch, uint64_t service_id,
			   struct dispatch_service_counts *ret)
{
	uint16_t place = service_id ? place_of(dispatch, service_id) : NO_PLACE;
	struct dispatch_service_count count = {};
	int err;

	if (place == NO_PLACE)
		return -ENOENT;
	err = sum_counts(fd_of(dispatch, "dispatch_service_counts"), place, (uint64_t *)&count,
			 sizeof(count) / sizeof(uint64_t));
	if (err)
		return err;
	ret->traffic = traffic_of(&count.traffic);
	ret->unlisted = count.unlisted;
	ret->cookies = count.cookies;
	ret->cookie_flows = count.cookie_flows;
	memcpy(ret->drops, count.drops, sizeof(ret->drops));
	return 0;
}

int dispatch_count_endpoint(struct dispatch *dispatch, uint64_t service_id, uint64_t endpoint_id,
			    struct dispatch_traffic *ret)
{
	uint16_t real = dispatch_reals_find(dispatch->endpoints, service_id, endpoint_id);
	struct dispatch_real_count count = {};
	int err;

	if (!real)
		return -ENOENT;
	err = sum_counts(fd_of(dispatch, "dispatch_real_counts"), real, (uint64_t *)&count,
			 sizeof(count) / sizeof(uint64_t));
	if (!err)
		*ret = traffic_of(&count);
	return err;
}

/* --- Start and end -----------------------------------------------------------------------------
 */

static int map_array(const struct dispatch *dispatch, const char *name, size_t element_size,
		     struct mapped *ret)
{
	size_t size = ingress_map_size(dispatch->ingress, name) * element_size;
	void *elements = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_of(dispatch, name),
			      0);

	if (elements == MAP_FAILED)
		return -errno;
	*ret = (struct mapped){.elements = elements, .size = size};
	return 0;
}

static int map_arrays(struct dispatch *dispatch)
{
	int err = map_array(dispatch, "dispatch_reals", sizeof(struct dispatch_real),
			    &dispatch->reals);

	if (!err)
		err = map_array(dispatch, "dispatch_runs", sizeof(struct dispatch_run),
				&dispatch->runs);
	if (!err)
		err = map_array(dispatch, "dispatch_nats", sizeof(struct dispatch_nat),
				&dispatch->nats);
	if (!err)
		err = map_array(dispatch, "dispatch_lines", sizeof(struct dispatch_line),
				&dispatch->lines);
	if (!err)
		err = map_array(dispatch, "dispatch_loads", sizeof(struct dispatch_load_of_real),
				&dispatch->loads);
	return err;
}

static int make_settings(struct dispatch *dispatch)
{
	struct dispatch_settings *settings = &dispatch->settings;

	*settings = (struct dispatch_settings){
		.abi_version = DISPATCH_ABI_VERSION,
		.line_mask = (uint32_t)(dispatch->lines.size / sizeof(struct dispatch_line)) - 1,
		.run_mask = DISPATCH_RUN_PLACES - 1,
	};
	if (getrandom(&settings->secret, sizeof(settings->secret), 0) != sizeof(settings->secret) ||
	    getrandom(settings->cookie_keys, sizeof(settings->cookie_keys), 0) !=
		    sizeof(settings->cookie_keys))
		return -errno;
	return dispatch_map_put(fd_of(dispatch, "dispatch_settings"), 0, settings);
}

/* Of an earlier daemon: their flows are known by them. */
static int read_services(struct dispatch *dispatch)
{
	struct dispatch_virtual virtual;
	int fd = fd_of(dispatch, "dispatch_services"), err = 0;

	for (uint32_t place = 0; !err && place < DISPATCH_SERVICES_MAX; place++) {
		err = dispatch_map_get(fd, dispatch->settings.half * DISPATCH_SERVICES_MAX + place,
				       &virtual);
		if (!err)
			dispatch->service_ids[place] = virtual.id;
	}
	return err;
}

/* An answer has no next hop that would say so. What is not written holds with the next plan. */
static void on_sending(bool all_send, void *context)
{
	struct dispatch *dispatch = context;

	dispatch->settings.flags = all_send ? DISPATCH_SENDS_XDP : 0;
	if (dispatch_map_put(fd_of(dispatch, "dispatch_settings"), 0, &dispatch->settings) < 0)
		log_warn("dispatch: whether devices send for XDP cannot be told to the programs");
}

static int start(struct dispatch *dispatch, struct nexthops *nexthops)
{
	struct dispatch_real_tables tables = {.nexthops = nexthops};
	int err = map_arrays(dispatch);

	if (!err)
		err = dispatch_map_get(fd_of(dispatch, "dispatch_settings"), 0,
				       &dispatch->settings);
	if (!err && dispatch->settings.abi_version != DISPATCH_ABI_VERSION)
		err = make_settings(dispatch);
	if (!err)
		err = read_services(dispatch);
	if (err)
		return err;
	tables.reals = dispatch->reals.elements;
	tables.runs = dispatch->runs.elements;
	tables.nats = dispatch->nats.elements;
	tables.lines = dispatch->lines.elements;
	tables.nnats = (uint32_t)(dispatch->nats.size / sizeof(struct dispatch_nat));
	tables.nlines = (uint32_t)(dispatch->lines.size / sizeof(struct dispatch_line));
	tables.key = &dispatch->settings.secret;
	dispatch->endpoints = dispatch_reals_new(&tables);
	dispatch->counted = dispatch_loads_new(
		&(struct dispatch_load_tables){.loads = dispatch->loads.elements,
					       .lines = tables.lines,
					       .nats = tables.nats,
					       .nlines = tables.nlines,
					       .nnats = tables.nnats});
	return dispatch->endpoints && dispatch->counted ? 0 : -ENOMEM;
}

int dispatch_new(struct splice *programs, struct dispatch **ret)
{
	struct dispatch *dispatch;
	int err;

	if (!programs->has_dispatch)
		return -ENOTSUP;
	dispatch = calloc(1, sizeof(*dispatch));
	if (!dispatch)
		return -ENOMEM;
	dispatch->ingress = &programs->ingress;
	err = start(dispatch, programs->nexthops);
	if (err) {
		dispatch_free(dispatch);
		return err;
	}
	dispatch->attach = programs->attach;
	attach_watch_sending(dispatch->attach, on_sending, dispatch);
	*ret = dispatch;
	return 0;
}

static void unmap(const struct mapped *mapped)
{
	if (mapped->elements)
		munmap(mapped->elements, mapped->size);
}

void dispatch_free(struct dispatch *dispatch)
{
	if (!dispatch)
		return;
	if (dispatch->attach)
		attach_watch_sending(dispatch->attach, NULL, NULL);
	dispatch_reals_free(dispatch->endpoints);
	dispatch_loads_free(dispatch->counted);
	for (size_t place = 0; place < DISPATCH_SERVICES_MAX; place++)
		dispatch_rings_done(&dispatch->rings[place]);
	dispatch_areas_done(&dispatch->areas);
	unmap(&dispatch->reals);
	unmap(&dispatch->runs);
	unmap(&dispatch->nats);
	unmap(&dispatch->lines);
	unmap(&dispatch->loads);
	free(dispatch);
}
