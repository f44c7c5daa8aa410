// SPDX-License-Identifier: Apache-2.0
/* What the packet programs have counted for services and endpoints, and what that is called. */
#include "fastpath/dispatch_state.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

int dispatch_clear_counts(const struct dispatch *dispatch, uint16_t place)
{
	size_t ncpus = (size_t)libbpf_num_possible_cpus();
	struct dispatch_service_count *zeros = calloc(ncpus, sizeof(*zeros));
	int err = zeros ? dispatch_map_put(fd_of(dispatch, "dispatch_service_counts"), place, zeros)
			: -ENOMEM;

	free(zeros);
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

uint32_t dispatch_max_flows(const struct dispatch *dispatch)
{
	return (uint32_t)(dispatch->nats.size / sizeof(struct dispatch_nat));
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
