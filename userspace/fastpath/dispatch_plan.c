// SPDX-License-Identifier: Apache-2.0
/* What is wrong with a plan, and its tables of addresses and ports. Pure. */
#include "fastpath/dispatch_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MAX 32767

void dispatch_address(const struct address *address, uint8_t ret[16])
{
	memset(ret, 0, 16);
	if (address->sa.sa_family == AF_INET6) {
		memcpy(ret, &address->v6.sin6_addr, 16);
		return;
	}
	ret[10] = ret[11] = 0xff;
	memcpy(ret + 12, &address->v4.sin_addr, 4);
}

/* --- What is wrong ---------------------------------------------------------------------------- */

static bool is_of_family(const struct address *address, const struct dispatch_service *service)
{
	return address_is_ip(address) && address->sa.sa_family == service->address.sa.sa_family;
}

static bool are_of_family(const struct dispatch_service *service)
{
	for (size_t i = 0; i < service->nsources; i++)
		if (!is_of_family(&service->sources[i], service))
			return false;
	for (size_t i = 0; i < service->nendpoints; i++)
		if (!is_of_family(&service->endpoints[i].address, service))
			return false;
	return true;
}

static const char *why_ports_cannot_be(const struct dispatch_service *service)
{
	uint16_t first = address_port(&service->address);

	if (first == 0 || (service->last_port && service->last_port < first))
		return "the ports of a service are no range";
	if (service->first_source_port > service->last_source_port)
		return "the source ports of a service are no range";
	return NULL;
}

static const char *why_sources_cannot_be(const struct dispatch_service *service)
{
	if (service->form == DISPATCH_NAT &&
	    (service->nsources == 0 || service->nsources > DISPATCH_SOURCES_MAX))
		return "form nat wants one to eight source addresses";
	if (service->form != DISPATCH_NAT && service->nsources > 1)
		return "only form nat has more than one source address";
	return NULL;
}

/* Of several ports at one the answers would be of any. */
static const char *why_endpoint_ports_cannot_be(const struct dispatch_service *service)
{
	bool is_range = service->last_port && service->last_port != address_port(&service->address);

	for (size_t i = 0; i < service->nendpoints && is_range && service->form == DISPATCH_DNAT;
	     i++)
		if (address_port(&service->endpoints[i].address))
			return "form dnat keeps the ports of a range";
	return NULL;
}

/* NULL: nothing. */
static const char *why_service_cannot_be(const struct dispatch_service *service)
{
	const char *why;

	if (!service->id || !address_is_ip(&service->address))
		return "a service lacks its id or its address";
	if (service->protocol != IPPROTO_TCP && service->protocol != IPPROTO_UDP)
		return "a service is neither TCP nor UDP";
	if (service->form >= DISPATCH_FORM_COUNT)
		return "a service's form is not known";
	if (!are_of_family(service))
		return "a service has addresses of another family";
	if (service->server_id_len > DISPATCH_SERVER_ID_MAX)
		return "a server id of QUIC is longer than eight bytes";
	if (service->tcp_timeout_s > TIMEOUT_MAX || service->udp_timeout_s > TIMEOUT_MAX)
		return "a timeout is longer than 32767 seconds";
	why = why_ports_cannot_be(service);
	if (!why)
		why = why_endpoint_ports_cannot_be(service);
	return why ? why : why_sources_cannot_be(service);
}

static uint16_t last_port(const struct dispatch_service *service)
{
	return service->last_port ? service->last_port : address_port(&service->address);
}

/* --- Ranges ----------------------------------------------------------------------------------- */

/* A range with its address, while they are sorted. */
struct placed {
	_Alignas(uint32_t) uint8_t address[16]; /* it is hashed */
	struct dispatch_range range;
};

static int compare_placed(const void *a, const void *b)
{
	const struct placed *left = a, *right = b;
	int order = memcmp(left->address, right->address, sizeof(left->address));

	if (order)
		return order;
	if (left->range.protocol != right->range.protocol)
		return left->range.protocol < right->range.protocol ? -1 : 1;
	return left->range.first < right->range.first ? -1 : left->range.first > right->range.first;
}

/* Return: sorted; NULL: out of memory. */
static struct placed *place_ranges(const struct dispatch_plan *plan, const uint16_t *places)
{
	struct placed *placed = calloc(plan->nservices ? plan->nservices : 1, sizeof(*placed));

	for (size_t i = 0; placed && i < plan->nservices; i++) {
		const struct dispatch_service *service = &plan->services[i];

		dispatch_address(&service->address, placed[i].address);
		placed[i].range = (struct dispatch_range){.protocol = service->protocol,
							  .first = address_port(&service->address),
							  .last = last_port(service),
							  .service = places ? places[i]
									    : (uint16_t)i};
	}
	if (placed)
		qsort(placed, plan->nservices, sizeof(*placed), compare_placed);
	return placed;
}

static bool overlaps(const struct placed *a, const struct placed *b)
{
	return memcmp(a->address, b->address, sizeof(a->address)) == 0 &&
	       a->range.protocol == b->range.protocol && b->range.first <= a->range.last;
}

static const char *why_services_collide(const struct dispatch_plan *plan)
{
	struct placed *placed = place_ranges(plan, NULL);
	const char *why = placed ? NULL : "out of memory";

	for (size_t i = 1; !why && i < plan->nservices; i++)
		if (overlaps(&placed[i - 1], &placed[i]))
			why = "two services overlap";
	free(placed);
	return why;
}

static const char *why_answers_collide(const struct dispatch_plan *plan)
{
	struct dispatch_answers answers = {};
	const char *why = NULL;
	int err = 0;

	for (size_t i = 0; !err && i < plan->nservices; i++)
		err = dispatch_answers_add(&answers, &plan->services[i], NULL);
	dispatch_answers_sort(&answers);
	why = err ? "out of memory" : dispatch_answers_collide(&answers);
	dispatch_answers_done(&answers);
	return why;
}

/* Mistakes of ours, which would lead programs astray. */
static const char *why_areas_cannot_be(const struct dispatch_plan *plan)
{
	const struct dispatch_areas *areas = plan->areas;

	for (size_t i = 0; i < plan->nservices && !areas; i++)
		if (plan->services[i].nrings)
			return "a service goes by place, and no places are known";
	if (!areas)
		return NULL;
	if (!areas->id || areas->count == 0 || areas->count > DISPATCH_AREAS_MAX)
		return "places are of no areas, or of too many";
	if (areas->nchanges < 2 || areas->nchanges > DISPATCH_CHANGES_MAX)
		return "areas change nowhere, or at too many addresses";
	return NULL;
}

int dispatch_plan_check(const struct dispatch_plan *plan, const char **ret_why)
{
	const char *why = plan->nservices > DISPATCH_SERVICES_MAX ? "too many services" : NULL;

	for (size_t i = 0; !why && i < plan->nservices; i++)
		why = why_service_cannot_be(&plan->services[i]);
	if (!why)
		why = why_areas_cannot_be(plan);
	if (!why)
		why = why_services_collide(plan);
	if (!why)
		why = why_answers_collide(plan);
	if (!why)
		return 0;
	*ret_why = why;
	return -EINVAL;
}

/* --- Addresses -------------------------------------------------------------------------------- */

/* Return: the place of @address, its own or an empty one; NULL: there is none. */
static struct dispatch_vip *vip_of(const struct dispatch_tables *tables,
				   const struct dispatch_hash_key *key, const uint8_t address[16])
{
	uint32_t place = (uint32_t)dispatch_hash_address(address, key);

	for (uint32_t i = 0; i < DISPATCH_VIP_PROBES; i++) {
		struct dispatch_vip *vip = &tables->vips[(place + i) & tables->vip_mask];

		if (!vip->flags || memcmp(vip->address, address, sizeof(vip->address)) == 0)
			return vip;
	}
	return NULL;
}

static struct dispatch_vip *add_vip(const struct dispatch_tables *tables,
				    const struct dispatch_hash_key *key, const uint8_t address[16],
				    uint32_t flag)
{
	struct dispatch_vip *vip = vip_of(tables, key, address);

	if (vip) {
		memcpy(vip->address, address, sizeof(vip->address));
		vip->flags |= flag;
	}
	return vip;
}

static bool add_served(struct dispatch_tables *tables, const struct dispatch_hash_key *key,
		       const struct placed *placed, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct dispatch_vip *vip = add_vip(tables, key, placed[i].address,
						   DISPATCH_VIP_SERVES);

		if (!vip)
			return false;
		if (!vip->nranges)
			vip->first_range = (uint16_t)i;
		vip->nranges++;
		tables->ranges[i] = placed[i].range;
	}
	return true;
}

static bool add_addresses(struct dispatch_tables *tables, const struct dispatch_hash_key *key,
			  const struct address *addresses, size_t count, uint32_t flag)
{
	_Alignas(uint32_t) uint8_t address[16]; /* it is hashed */

	for (size_t i = 0; i < count; i++) {
		dispatch_address(&addresses[i], address);
		if (!add_vip(tables, key, address, flag))
			return false;
	}
	return true;
}

static bool add_returned(struct dispatch_tables *tables, const struct dispatch_plan *plan,
			 const struct dispatch_hash_key *key)
{
	for (size_t i = 0; i < plan->nservices; i++) {
		const struct dispatch_service *service = &plan->services[i];

		if (service->form == DISPATCH_NAT &&
		    !add_addresses(tables, key, service->sources, service->nsources,
				   DISPATCH_VIP_RETURNS))
			return false;
	}
	return true;
}

/* As small as it can be, so that it stays in a cache: larger ones until all have a place. */
static bool place_vips(struct dispatch_tables *tables, const struct dispatch_plan *plan,
		       const struct dispatch_hash_key *key, const struct placed *placed)
{
	for (uint32_t size = 16; size <= DISPATCH_VIP_PLACES; size *= 2) {
		memset(tables->vips, 0, DISPATCH_VIP_PLACES * sizeof(*tables->vips));
		tables->vip_mask = size - 1;
		if (add_served(tables, key, placed, plan->nservices) &&
		    add_returned(tables, plan, key))
			return true;
	}
	return false;
}

int dispatch_tables_build(const struct dispatch_plan *plan, const uint16_t *places,
			  const struct dispatch_hash_key *key, struct dispatch_tables *ret,
			  const char **ret_why)
{
	struct dispatch_tables tables = {.nranges = (uint32_t)plan->nservices};
	struct placed *placed = place_ranges(plan, places);
	int err = 0;

	tables.vips = calloc(DISPATCH_VIP_PLACES, sizeof(*tables.vips));
	tables.ranges = calloc(plan->nservices ? plan->nservices : 1, sizeof(*tables.ranges));
	if (!placed || !tables.vips || !tables.ranges) {
		*ret_why = "out of memory";
		err = -ENOMEM;
	} else if (!place_vips(&tables, plan, key, placed)) {
		*ret_why = "too many addresses";
		err = -ENOSPC;
	}
	free(placed);
	if (err)
		dispatch_tables_done(&tables);
	else
		*ret = tables;
	return err;
}

void dispatch_tables_done(struct dispatch_tables *tables)
{
	free(tables->vips);
	free(tables->ranges);
	*tables = (struct dispatch_tables){};
}
