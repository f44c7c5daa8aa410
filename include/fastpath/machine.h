/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FASTPATH_MACHINE_H
#define SLUICE_FASTPATH_MACHINE_H

#include "core/address.h"
#include "core/compiler.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What packet splice would find on this machine, for `sluicectl doctor`: asked and tried, not
 * concluded from versions, and nothing is left behind. Thread: any, one at a time.
 */
struct machine_device {
	const char *name, *driver;    /* driver: "" where there is none */
	const char *xdp_obstacle;     /* why `hook: auto` takes TC; NULL: it takes XDP */
	bool can_redirect, can_send;  /* at XDP: from the device; into it */
	uint32_t xdp_id;              /* of the XDP program that is attached; 0: none */
	bool is_xdp_ours, is_tc_ours; /* programs of a sluiced are attached */
	uint32_t other_filters;       /* at TC ingress */
};

/* Every Ethernet-like device, and lo. Texts are borrowed for the call. */
void machine_for_each_device(void (*visit)(const struct machine_device *device, void *context),
			     void *context);

/* Loads the programs and lets them go. Return: 0; -errno. */
int machine_try_tc(void);
int machine_try_xdp(void);

struct machine_way {
	char device[16]; /* IF_NAMESIZE */
	uint32_t mtu;
	bool is_local;      /* to this machine */
	bool is_routed;     /* by a gateway */
	bool has_neighbour; /* the link layer address is known; if not, it is asked for */
	bool forwards;      /* what comes in by the device, and is for others, is passed on */
};

/* How packets get from here to an address; its port is not used. Return: 0; -ENETUNREACH; -errno.
 */
int machine_find_way(const struct address *to, struct machine_way *ret) WARN_UNUSED;

/* The addresses of its devices, as they are when they are read. Zero has none. */
struct ifaddrs;
struct machine_addresses {
	struct ifaddrs *all;
};

/* Return: 0; -errno. */
int machine_addresses_read(struct machine_addresses *ret) WARN_UNUSED;
void machine_addresses_done(struct machine_addresses *here);
/* The port is not looked at. */
bool machine_has_address(const struct machine_addresses *here, const struct address *address);

/* Whether what comes in by @device, and by any at all, is passed on if it is for others. */
bool machine_device_forwards(const char *device, sa_family_t family);
bool machine_forwards(sa_family_t family);

/* Whether the kernel has what the sockmap rung is made of. Needs CAP_BPF. */
bool machine_has_sockmap(void);

#endif
