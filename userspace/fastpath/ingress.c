// SPDX-License-Identifier: Apache-2.0
/*
 * The programs at ingress and their maps: one worker at two hooks, for the splice, the guard and
 * dispatch, each of which has its own tables in it. The program at TC brings the maps, new or
 * pinned by an earlier daemon; the one at XDP has the same.
 */
#include "fastpath/ingress.h"
#include "abi/dispatch_check.h"
#include "core/log.h"
#include "fastpath/dispatch_internal.h"
#include "fastpath/fastpath_internal.h"

#include "tc_ingress.skel.h"
#include "xdp_ingress.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

struct bpf_object *ingress_object(const struct ingress *ingress)
{
	return ingress->tc->obj;
}

int ingress_map(const struct ingress *ingress, const char *name)
{
	return bpf_object__find_map_fd_by_name(ingress->tc->obj, name);
}

uint32_t ingress_map_size(const struct ingress *ingress, const char *name)
{
	return bpf_map__max_entries(bpf_object__find_map_by_name(ingress->tc->obj, name));
}

/* --- Load ------------------------------------------------------------------------------------- */

static int set_flow_sizes(struct tc_ingress_bpf *tc, const struct ingress_options *options)
{
	int err = bpf_map__set_max_entries(tc->maps.buckets, options->nbuckets);

	if (!err)
		err = bpf_map__set_max_entries(tc->maps.pairs, options->max_flows);
	return err;
}

/* A way for each pair and each endpoint, though they share most of them. */
static int set_nexthops_size(struct tc_ingress_bpf *tc, const struct ingress_options *options)
{
	uint32_t endpoints = options->dispatch_flows ? DISPATCH_ENDPOINTS_MAX : 0;

	return bpf_map__set_max_entries(tc->maps.nexthops, options->max_flows + endpoints);
}

static int take_flow_maps(struct tc_ingress_bpf *tc, const struct ingress_options *options)
{
	if (options->is_adopting_flows)
		return pin_reuse(options->pin, tc->obj);
	return set_flow_sizes(tc, options);
}

static int take_dispatch_maps(struct tc_ingress_bpf *tc, const struct ingress_options *options)
{
	if (options->is_adopting_dispatch)
		return dispatch_maps_reuse(options->pin, tc->obj);
	return options->dispatch_flows ? dispatch_maps_size(tc->obj, options->dispatch_flows) : 0;
}

static int load(struct tc_ingress_bpf *tc, const struct ingress_options *options)
{
	int sources = guard_maps_size(tc->obj, options->guard_sources), err;

	if (sources < 0)
		return sources;
	err = tc_ingress_bpf__load(tc);
	close(sources);
	return err;
}

static int set_checks_size(struct tc_ingress_bpf *tc, const struct ingress_options *options)
{
	return options->dispatch_flows
		       ? bpf_map__set_max_entries(tc->maps.checks, DISPATCH_CHECK_PORTS)
		       : 0;
}

int ingress_load(struct ingress *ingress, const struct ingress_options *options)
{
	struct tc_ingress_bpf *tc = tc_ingress_bpf__open();
	int err;

	if (!tc)
		return -errno;
	ingress->tc = tc;
	tc->rodata->bucket_mask = options->nbuckets - 1;
	err = set_nexthops_size(tc, options);
	if (!err)
		err = set_checks_size(tc, options);
	if (!err)
		err = take_flow_maps(tc, options);
	if (!err)
		err = take_dispatch_maps(tc, options);
	return err ? err : load(tc, options);
}

/* --- The same at XDP -------------------------------------------------------------------------- */

/* The maps are the same, by their names. */
static int share_maps(struct xdp_ingress_bpf *xdp, const struct tc_ingress_bpf *tc)
{
	const struct bpf_map *shared;
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, xdp->obj)
	{
		shared = bpf_object__find_map_by_name(tc->obj, bpf_map__name(map));
		if (!err && shared && !bpf_map__is_internal(map))
			err = bpf_map__reuse_fd(map, bpf_map__fd(shared));
	}
	return err;
}

void ingress_load_xdp(struct ingress *ingress)
{
	struct xdp_ingress_bpf *xdp = xdp_ingress_bpf__open();
	int err = xdp ? share_maps(xdp, ingress->tc) : -errno;

	if (!err) {
		xdp->rodata->bucket_mask = ingress->tc->rodata->bucket_mask;
		err = xdp_ingress_bpf__load(xdp);
	}
	if (!err) {
		ingress->xdp = xdp;
		return;
	}
	log_info("splice: everything at TC: the program for XDP cannot be loaded: %s",
		 strerror(-err));
	xdp_ingress_bpf__destroy(xdp);
}

/* --- The programs ----------------------------------------------------------------------------- */

const struct bpf_program *ingress_tc(const struct ingress *ingress)
{
	return ingress->tc->progs.tc_ingress;
}

const struct bpf_program *ingress_xdp(const struct ingress *ingress)
{
	return ingress->xdp ? ingress->xdp->progs.xdp_ingress : NULL;
}

void ingress_done(struct ingress *ingress)
{
	xdp_ingress_bpf__destroy(ingress->xdp);
	tc_ingress_bpf__destroy(ingress->tc);
	*ingress = (struct ingress){};
}
