// SPDX-License-Identifier: Apache-2.0
/* Dispatch's maps before the programs are loaded: their sizes, or those that are pinned. */
#include "core/log.h"
#include "fastpath/dispatch_internal.h"
#include "fastpath/fastpath_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Twice as many places as flows, so that few are pushed out before their time. */
static uint32_t lines_for(uint32_t flows)
{
	uint32_t lines = 1;

	while (lines * (DISPATCH_LINE_PLACES / 2) < flows && lines < 1u << 26)
		lines *= 2;
	return lines;
}

int dispatch_maps_size(struct bpf_object *object, uint32_t flows)
{
	const struct {
		const char *name;
		uint32_t count;
	} sizes[] = {
		{"dispatch_vips", DISPATCH_HALVES * DISPATCH_VIP_PLACES},
		{"dispatch_ranges", DISPATCH_HALVES * DISPATCH_RANGES_MAX},
		{"dispatch_services", DISPATCH_HALVES * DISPATCH_SERVICES_MAX},
		{"dispatch_service_counts", DISPATCH_SERVICES_MAX},
		{"dispatch_cookies", DISPATCH_SERVICES_MAX},
		{"dispatch_asked", DISPATCH_ASKED_PLACES},
		{"dispatch_reals", DISPATCH_ENDPOINTS_MAX + 1},
		{"dispatch_real_counts", DISPATCH_ENDPOINTS_MAX + 1},
		{"dispatch_loads", DISPATCH_ENDPOINTS_MAX + 1},
		{"dispatch_runs", DISPATCH_RUN_PLACES},
		{"dispatch_lines", lines_for(flows)},
		{"dispatch_fronts", lines_for(flows)},
		{"dispatch_nats", flows},
		{"dispatch_fragments", DISPATCH_FRAGMENTS_MAX},
		{"dispatch_server_ids", DISPATCH_ENDPOINTS_MAX},
		{"dispatch_answerers", 2 * DISPATCH_ENDPOINTS_MAX}, /* a plan's, and the next's */
	};
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(sizes); i++)
		err = bpf_map__set_max_entries(bpf_object__find_map_by_name(object, sizes[i].name),
					       sizes[i].count);
	return err;
}

int dispatch_map_get(int fd, uint32_t index, void *ret)
{
	return bpf_map_lookup_elem(fd, &index, ret) < 0 ? -errno : 0;
}

int dispatch_map_put(int fd, uint32_t index, const void *value)
{
	return bpf_map_update_elem(fd, &index, value, BPF_ANY) < 0 ? -errno : 0;
}

/* --- Pinned ------------------------------------------------------------------------------------*/

/* Those of another version may be longer than we know. Return: 0; -EPROTO: they are of another
 * version; -errno. */
static int read_settings(int fd, struct dispatch_settings *ret)
{
	struct bpf_map_info facts = {};
	uint32_t len = sizeof(facts);
	int err;

	if (bpf_obj_get_info_by_fd(fd, &facts, &len) < 0)
		return -errno;
	if (facts.value_size != sizeof(*ret))
		return -EPROTO;
	err = dispatch_map_get(fd, 0, ret);
	if (err || ret->abi_version == DISPATCH_ABI_VERSION)
		return err;
	return ret->abi_version ? -EPROTO : -ENOENT; /* its daemon has not come as far */
}

bool dispatch_maps_are_pinned(const struct pin *pin)
{
	struct dispatch_settings settings = {};
	struct flow_meta meta;
	int fd, err;

	if (pin_read_meta(pin, &meta) < 0 || meta.netns != pin_netns())
		return false;
	fd = pin_map(pin, "dispatch_settings");
	if (fd < 0)
		return false;
	err = read_settings(fd, &settings);
	close(fd);
	if (err == -EPROTO)
		log_warn("dispatch: flows of an earlier daemon are not known any more: another "
			 "version of sluiced has made their tables");
	return !err && settings.is_on;
}

/* What flows and endpoints are in; their ways belong to them. */
static bool is_ours(const struct bpf_map *map)
{
	const char *name = bpf_map__name(map);

	return strncmp(name, "dispatch_", 9) == 0 || strcmp(name, "nexthops") == 0;
}

int dispatch_maps_reuse(const struct pin *pin, struct bpf_object *object)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, object)
	{
		int fd = !err && is_ours(map) ? pin_map(pin, bpf_map__name(map)) : -1;

		if (err || !is_ours(map))
			continue;
		err = fd < 0 ? fd : bpf_map__reuse_fd(map, fd);
		if (fd >= 0)
			close(fd);
	}
	return err;
}
