// SPDX-License-Identifier: Apache-2.0
/* Which endpoint a server id of QUIC is of: the map that bpf/lib/dispatch_quic.h asks. */
#include "fastpath/dispatch_internal.h"
#include "fastpath/map_journal.h"

#include <bpf/bpf.h>
#include <string.h>

static struct dispatch_server_id key_of(const struct dispatch_service *service, uint16_t place,
					const struct dispatch_endpoint *endpoint)
{
	struct dispatch_server_id key = {.service = place};

	memcpy(key.id, endpoint->server_id, service->server_id_len);
	return key;
}

int dispatch_server_ids_put(struct map_journal *journal, int fd,
			    const struct dispatch_service *service, uint16_t place,
			    const uint16_t *reals)
{
	int err = 0;

	for (size_t i = 0; !err && service->server_id_len && i < service->nendpoints; i++) {
		struct dispatch_server_id key = key_of(service, place, &service->endpoints[i]);
		uint32_t real = reals[i];

		err = map_journal_put(journal, fd, slice_of(&key, sizeof(key)),
				      slice_of(&real, sizeof(real)));
	}
	return err;
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
