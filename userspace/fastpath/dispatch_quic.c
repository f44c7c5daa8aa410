// SPDX-License-Identifier: Apache-2.0
/* Which endpoint a server id of QUIC is of: the map that bpf/lib/dispatch_quic.h asks. */
#include "fastpath/dispatch_internal.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct dispatch_server_id key_of(const struct dispatch_service *service, uint16_t place,
					const struct dispatch_endpoint *endpoint)
{
	struct dispatch_server_id key = {.service = place};

	memcpy(key.id, endpoint->server_id, service->server_id_len);
	return key;
}

/* --- Put, and put back ------------------------------------------------------------------------ */

struct dispatch_server_id_before {
	struct dispatch_server_id key;
	uint32_t real; /* 0: there was none */
};

static int remember(struct dispatch_server_ids_before *before, const struct dispatch_server_id *key,
		    uint32_t real)
{
	size_t cap = before->cap ? 2 * before->cap : 16;
	struct dispatch_server_id_before *all = before->all;

	if (before->count == before->cap) {
		all = realloc(all, cap * sizeof(*all));
		if (!all)
			return -ENOMEM;
		before->all = all;
		before->cap = cap;
	}
	all[before->count++] = (struct dispatch_server_id_before){.key = *key, .real = real};
	return 0;
}

static int put(int fd, const struct dispatch_server_id *key, uint32_t real,
	       struct dispatch_server_ids_before *before)
{
	uint32_t old = 0;
	int err;

	(void)bpf_map_lookup_elem(fd, key, &old); /* or there is none */
	if (old == real)
		return 0;
	err = remember(before, key, old);
	if (!err && bpf_map_update_elem(fd, key, &real, BPF_ANY) < 0)
		err = -errno;
	return err;
}

int dispatch_server_ids_put(int fd, const struct dispatch_service *service, uint16_t place,
			    const uint16_t *reals, struct dispatch_server_ids_before *before)
{
	int err = 0;

	for (size_t i = 0; !err && service->server_id_len && i < service->nendpoints; i++) {
		struct dispatch_server_id key = key_of(service, place, &service->endpoints[i]);

		err = put(fd, &key, reals[i], before);
	}
	return err;
}

void dispatch_server_ids_restore(int fd, const struct dispatch_server_ids_before *before)
{
	for (size_t i = before->count; i-- > 0;) {
		const struct dispatch_server_id_before *one = &before->all[i];

		if (one->real)
			(void)bpf_map_update_elem(fd, &one->key, &one->real, BPF_ANY);
		else
			(void)bpf_map_delete_elem(fd, &one->key);
	}
}

void dispatch_server_ids_before_done(struct dispatch_server_ids_before *before)
{
	free(before->all);
}

/* --- What is not planned any more ------------------------------------------------------------- */

static bool is_of(const struct dispatch_server_id *key, const struct dispatch_service *service,
		  uint16_t place)
{
	if (key->service != place || !service->server_id_len)
		return false;
	for (size_t i = 0; i < service->nendpoints; i++) {
		struct dispatch_server_id planned = key_of(service, place, &service->endpoints[i]);

		if (memcmp(&planned, key, sizeof(planned)) == 0)
			return true;
	}
	return false;
}

static bool is_planned(const struct dispatch_server_id *key, const struct dispatch_plan *plan,
		       const uint16_t *places)
{
	for (size_t i = 0; i < plan->nservices; i++)
		if (is_of(key, &plan->services[i], places[i]))
			return true;
	return false;
}

void dispatch_server_ids_trim(int fd, const struct dispatch_plan *plan, const uint16_t *places)
{
	struct dispatch_server_id key, next;
	bool has_key = bpf_map_get_next_key(fd, NULL, &key) == 0, has_next;

	for (; has_key; has_key = has_next, key = next) {
		has_next = bpf_map_get_next_key(fd, &key, &next) == 0;
		if (!is_planned(&key, plan, places))
			(void)bpf_map_delete_elem(fd, &key);
	}
}
