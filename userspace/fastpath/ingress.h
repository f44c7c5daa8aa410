/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FASTPATH_INGRESS_H
#define SLUICE_FASTPATH_INGRESS_H

#include "core/compiler.h"

#include <stdbool.h>
#include <stdint.h>

/* The programs at ingress, loaded but nowhere attached. Thread: control. */
struct bpf_object;
struct bpf_program;
struct pin;
struct tc_ingress_bpf;
struct xdp_ingress_bpf;

struct ingress {
	struct tc_ingress_bpf *tc;
	struct xdp_ingress_bpf *xdp; /* NULL: everything at TC */
};

struct ingress_options {
	uint32_t max_flows, nbuckets; /* elements of `pairs`; of `buckets` */
	uint32_t guard_sources;       /* whose rates the guard may know at once */
	uint32_t dispatch_flows;      /* 0: no dispatch */
	const struct pin *pin;        /* whose maps are to be taken over, as far as wanted: */
	bool is_adopting_flows, is_adopting_dispatch;
};

/* Return: 0; -errno. To be done in any case. */
int ingress_load(struct ingress *ingress, const struct ingress_options *options) WARN_UNUSED;
/* What XDP does TC can do as well: that it cannot be loaded is logged. After ingress_load(). */
void ingress_load_xdp(struct ingress *ingress);
void ingress_done(struct ingress *ingress);

/* Of the maps, borrowed. Return: of ingress_map(): the descriptor, the ingress's. */
struct bpf_object *ingress_object(const struct ingress *ingress);
int ingress_map(const struct ingress *ingress, const char *name);
uint32_t ingress_map_size(const struct ingress *ingress, const char *name); /* elements */

const struct bpf_program *ingress_tc(const struct ingress *ingress);
const struct bpf_program *ingress_xdp(const struct ingress *ingress); /* NULL: none */

#endif
