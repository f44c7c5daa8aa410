// SPDX-License-Identifier: Apache-2.0
/* Mode dispatch's start and end: its tables are mapped, its settings made or taken over. */
#include "core/clock.h"
#include "core/log.h"
#include "fastpath/dispatch_state.h"
#include "fastpath/map_array.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static int map_elements(const struct dispatch *dispatch, const char *name, size_t element_size,
			struct mapped *ret)
{
	size_t size = ingress_map_size(dispatch->ingress, name) * element_size;
	void *elements = map_array(fd_of(dispatch, name), size);

	if (!elements)
		return -errno;
	*ret = (struct mapped){.elements = elements, .size = size};
	return 0;
}

static int map_arrays(struct dispatch *dispatch)
{
	int err = map_elements(dispatch, "dispatch_reals", sizeof(struct dispatch_real),
			       &dispatch->reals);

	if (!err)
		err = map_elements(dispatch, "dispatch_runs", sizeof(struct dispatch_run),
				   &dispatch->runs);
	if (!err)
		err = map_elements(dispatch, "dispatch_nats", sizeof(struct dispatch_nat),
				   &dispatch->nats);
	if (!err)
		err = map_elements(dispatch, "dispatch_lines", sizeof(struct dispatch_line),
				   &dispatch->lines);
	if (!err)
		err = map_elements(dispatch, "dispatch_loads", sizeof(struct dispatch_load_of_real),
				   &dispatch->loads);
	if (!err)
		err = map_elements(dispatch, "dispatch_asked", sizeof(uint64_t), &dispatch->asked);
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

int dispatch_renew_cookies(struct dispatch *dispatch)
{
	struct dispatch_settings *settings = &dispatch->settings;
	uint32_t next = dispatch_cookie_epoch(clock_monotonic_ns()) + 2;
	struct dispatch_cookie_key *key = &settings->cookie_keys[next % DISPATCH_COOKIE_KEYS];

	if (getrandom(key, sizeof(*key), 0) != sizeof(*key))
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

static int start(struct dispatch *dispatch, struct splice *programs)
{
	struct dispatch_real_tables tables = {.nexthops = programs->nexthops};
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
	tables.loads = dispatch->loads.elements;
	tables.nnats = (uint32_t)(dispatch->nats.size / sizeof(struct dispatch_nat));
	tables.nlines = (uint32_t)(dispatch->lines.size / sizeof(struct dispatch_line));
	tables.key = &dispatch->settings.secret;
	dispatch->endpoints = dispatch_reals_new(&tables);
	dispatch->counted = dispatch_loads_new(
		&(struct dispatch_load_tables){.loads = tables.loads,
					       .lines = tables.lines,
					       .nats = tables.nats,
					       .runs = tables.runs,
					       .nlines = tables.nlines,
					       .nnats = tables.nnats});
	dispatch->asks.tables = (struct dispatch_ask_tables){.asked = dispatch->asked.elements,
							     .nats = tables.nats,
							     .reals = tables.reals,
							     .runs = tables.runs,
							     .nnats = tables.nnats,
							     .fds = programs->reset_fd};
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
	err = start(dispatch, programs);
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
	unmap_array(mapped->elements, mapped->size);
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
	unmap(&dispatch->asked);
	free(dispatch);
}
