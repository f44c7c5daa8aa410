// SPDX-License-Identifier: Apache-2.0
/* The guard's tables in the packet programs: written by the daemon, read by whoever asks. */
#include "fastpath/guard_maps.h"
#include "core/clock.h"
#include "core/rng.h"
#include "fastpath/fastpath_internal.h"
#include "fastpath/map_array.h"
#include "guard/list6.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct guard_maps {
	const struct bpf_object *object; /* borrowed */
	uint32_t nbuckets;
	struct captured {
		struct ring_buffer *ring;
		void (*on_packet)(const struct guard_capture *packet, void *context);
		void *context;
	} * captured;
};

static int fd_of(const struct guard_maps *maps, const char *name)
{
	return bpf_object__find_map_fd_by_name(maps->object, name);
}

static int set_element(int fd, uint32_t index, const void *value)
{
	return bpf_map_update_elem(fd, &index, value, BPF_ANY) < 0 ? -errno : 0;
}

int guard_maps_set(const struct guard_maps *maps, const struct guard_settings *settings)
{
	return set_element(fd_of(maps, "guard_settings"), 0, settings);
}

uint32_t guard_maps_buckets(const struct guard_maps *maps)
{
	return maps->nbuckets;
}

/* --- Start and end ---------------------------------------------------------------------------- */

/* Room for @sources, four a bucket. */
static uint32_t buckets_for(uint32_t sources)
{
	uint32_t nbuckets = 1;

	while (nbuckets * GUARD_BUCKET_PLACES < sources)
		nbuckets *= 2;
	return nbuckets;
}

/* Return: a descriptor; -errno. */
static int new_buckets(uint32_t nbuckets)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "guard_buckets", sizeof(uint32_t),
				sizeof(struct guard_bucket), nbuckets, NULL);

	return fd < 0 ? -errno : fd;
}

/* The array itself is the model: libbpf 1.1 cannot set the size of its own. */
int guard_maps_size(struct bpf_object *object, uint32_t sources)
{
	int fd = new_buckets(buckets_for(sources)), err;

	if (fd < 0)
		return fd;
	err = bpf_map__set_inner_map_fd(bpf_object__find_map_by_name(object, "guard_sources"), fd);
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int on_captured(void *context, void *record, size_t size)
{
	const struct captured *captured = context;

	if (size >= sizeof(struct guard_capture) && captured->on_packet)
		captured->on_packet(record, captured->context);
	return 0;
}

int guard_maps_new(const struct bpf_object *object, uint32_t sources, struct guard_maps **ret)
{
	struct guard_maps *maps = calloc(1, sizeof(*maps));

	if (!maps)
		return -ENOMEM;
	maps->object = object;
	maps->nbuckets = buckets_for(sources);
	maps->captured = calloc(1, sizeof(*maps->captured));
	if (maps->captured)
		maps->captured->ring = ring_buffer__new(fd_of(maps, "guard_captured"), on_captured,
							maps->captured, NULL);
	if (!maps->captured || !maps->captured->ring) {
		guard_maps_free(maps);
		return -ENOMEM;
	}
	*ret = maps;
	return 0;
}

void guard_maps_free(struct guard_maps *maps)
{
	if (!maps)
		return;
	if (maps->captured)
		ring_buffer__free(maps->captured->ring);
	free(maps->captured);
	free(maps);
}

/* --- Lists ------------------------------------------------------------------------------------ */

/* Return: a descriptor; -errno. */
static int new_lines(const struct guard_table *table, size_t nlines)
{
	void *lines = NULL;
	int fd;

	if (nlines > GUARD_LINES_MAX)
		return -E2BIG;
	fd = map_array_new("guard_lines", sizeof(struct guard_line), nlines, &lines);
	if (fd < 0 || !lines)
		return fd;
	guard_table_fill(table, lines);
	unmap_array(lines, nlines * sizeof(struct guard_line));
	return fd;
}

/* Return: a descriptor; -errno. */
static int new_pages6(const struct guard_list6 *list)
{
	size_t size = list->npages * sizeof(*list->pages);
	void *pages = NULL;
	int fd = map_array_new("guard_pages6", sizeof(*list->pages), list->npages, &pages);

	if (fd < 0 || !pages)
		return fd;
	memcpy(pages, list->pages, size);
	unmap_array(pages, size);
	return fd;
}

#define NO_TABLE (-1)

/* @fd: of a new table; NO_TABLE: it is empty. */
static int exchange(const struct guard_maps *maps, const char *outer, int fd)
{
	uint32_t zero = 0;

	if (fd != NO_TABLE)
		return set_element(fd_of(maps, outer), 0, &fd);
	(void)bpf_map_delete_elem(fd_of(maps, outer), &zero);
	return 0;
}

static void close_table(int fd)
{
	if (fd >= 0)
		close(fd);
}

static uint64_t new_seed(void)
{
	struct rng rng;

	rng_seed_random(&rng);
	return rng_next(&rng);
}

int guard_map_lists_make(const struct guard_table *table, struct guard_map_lists *ret)
{
	struct guard_map_lists lists = {.lines = NO_TABLE, .pages6 = NO_TABLE};
	size_t nlines = guard_table_lines(table);
	struct guard_list6 list6 = {};
	int err = guard_list6_new(table, new_seed(), &list6);

	if (err)
		return err;
	if (nlines) {
		lists.flags |= GUARD_HAS_LIST4;
		lists.lines = new_lines(table, nlines);
		err = lists.lines < 0 ? lists.lines : 0;
	}
	if (!err && list6.npages) {
		lists.flags |= GUARD_HAS_LIST6;
		lists.pages6 = new_pages6(&list6);
		err = lists.pages6 < 0 ? lists.pages6 : 0;
	}
	guard_list6_done(&list6);
	if (err)
		guard_map_lists_done(&lists);
	else
		*ret = lists;
	return err;
}

void guard_map_lists_done(struct guard_map_lists *lists)
{
	close_table(lists->lines);
	close_table(lists->pages6);
	*lists = (struct guard_map_lists){.lines = NO_TABLE, .pages6 = NO_TABLE};
}

int guard_maps_use_lists(const struct guard_maps *maps, const struct guard_map_lists *lists)
{
	int err = exchange(maps, "guard_list4", lists->lines);

	return err ? err : exchange(maps, "guard_list6", lists->pages6);
}

/* --- Sources ---------------------------------------------------------------------------------- */

int guard_maps_make_sources(const struct guard_maps *maps)
{
	int outer = fd_of(maps, "guard_sources"), fd, err;
	uint32_t zero = 0, id;

	if (bpf_map_lookup_elem(outer, &zero, &id) == 0)
		return 0;
	fd = new_buckets(maps->nbuckets);
	if (fd < 0)
		return fd;
	err = set_element(outer, 0, &fd);
	close(fd);
	return err;
}

/* --- Services and bans ------------------------------------------------------------------------ */

/* All at once: a system call for each of 65,536 ports takes longer than all the rest. */
static int set_elements(int fd, const void *values, uint32_t count)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options);
	uint32_t *indices;
	int err;

	if (!count)
		return 0;
	indices = malloc(count * sizeof(*indices));
	if (!indices)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		indices[i] = i;
	err = bpf_map_update_batch(fd, indices, values, &count, &options) < 0 ? -errno : 0;
	free(indices);
	return err;
}

/* What leads to others is written after them. */
int guard_maps_set_services(const struct guard_maps *maps, const struct guard_services *services)
{
	int err = set_elements(fd_of(maps, "guard_services"), services->services,
			       services->nservices);

	if (!err)
		err = set_elements(fd_of(maps, "guard_places"), services->places,
				   services->nplaces);
	if (!err)
		err = set_elements(fd_of(maps, "guard_ports"), services->ports, 65536);
	return err;
}

int guard_maps_ban(const struct guard_maps *maps, const uint8_t key[16], uint64_t until_ns)
{
	const struct guard_ban ban = {.until_ns = until_ns};

	return bpf_map_update_elem(fd_of(maps, "guard_bans"), key, &ban, BPF_ANY) < 0 ? -errno : 0;
}

void guard_maps_unban(const struct guard_maps *maps, const uint8_t key[16])
{
	(void)bpf_map_delete_elem(fd_of(maps, "guard_bans"), key);
}

/* --- Reading ---------------------------------------------------------------------------------- */

void guard_maps_counts(const struct guard_maps *maps, struct guard_count ret[GUARD_COUNTS])
{
	int ncpus = libbpf_num_possible_cpus(), fd = fd_of(maps, "guard_counts");
	struct guard_count *parts = calloc(ncpus > 0 ? (size_t)ncpus : 1, sizeof(*parts));

	memset(ret, 0, GUARD_COUNTS * sizeof(*ret));
	for (uint32_t i = 0; parts && i < GUARD_COUNTS; i++) {
		if (bpf_map_lookup_elem(fd, &i, parts) < 0)
			continue;
		for (int cpu = 0; cpu < ncpus; cpu++) {
			ret[i].packets += parts[cpu].packets;
			ret[i].bytes += parts[cpu].bytes;
		}
	}
	free(parts);
}

static int compare_sources(const struct guard_talker *one, const struct guard_talker *other)
{
	return memcmp(one->source, other->source, sizeof(one->source));
}

/* A source's slots together, and those of one CPU (in ->padding) the larger first. */
static int by_source(const void *a, const void *b)
{
	const struct guard_talker *one = a, *other = b;
	int order = compare_sources(one, other);

	if (!order && one->padding != other->padding)
		order = one->padding < other->padding ? -1 : 1;
	if (!order && one->count != other->count)
		order = one->count < other->count ? 1 : -1;
	return order;
}

static int by_count(const void *a, const void *b)
{
	const struct guard_talker *one = a, *other = b;

	if (one->count != other->count)
		return one->count < other->count ? 1 : -1;
	return compare_sources(one, other);
}

/* Of the slots of one CPU that a source has, the larger one is right; CPUs add up. */
static size_t merge(struct guard_talker *talkers, size_t count)
{
	size_t kept = 0;

	qsort(talkers, count, sizeof(*talkers), by_source);
	for (size_t i = 0; i < count; i++) {
		struct guard_talker *last = kept ? &talkers[kept - 1] : NULL;

		if (!last || compare_sources(last, &talkers[i]) != 0) {
			talkers[kept++] = talkers[i];
		} else if (last->padding != talkers[i].padding) {
			last->count += talkers[i].count;
			last->dropped += talkers[i].dropped;
			last->padding = talkers[i].padding;
		}
	}
	qsort(talkers, kept, sizeof(*talkers), by_count);
	return kept;
}

/* As the programs age them. */
static struct guard_talker aged(const struct guard_talker *slot, uint32_t now, uint32_t cpu)
{
	uint32_t passed = now - slot->epoch;
	struct guard_talker talker = *slot;

	talker.count = passed > 31 ? 0 : talker.count >> passed;
	talker.dropped = passed > 31 ? 0 : talker.dropped >> passed;
	talker.padding = cpu;
	return talker;
}

/* Return: how many slots are in use. */
static size_t read_talkers(int fd, uint32_t nslots, uint32_t ncpus, struct guard_talker *slots,
			   struct guard_talker *ret)
{
	uint32_t now = (uint32_t)(clock_monotonic_ns() >> GUARD_TALKER_EPOCH_BITS);
	size_t count = 0;

	for (uint32_t i = 0; i < nslots; i++) {
		if (bpf_map_lookup_elem(fd, &i, slots) < 0)
			continue;
		for (uint32_t cpu = 0; cpu < ncpus; cpu++) {
			ret[count] = aged(&slots[cpu], now, cpu);
			count += ret[count].count > 0;
		}
	}
	return count;
}

size_t guard_maps_talkers(const struct guard_maps *maps, struct guard_talker *ret, size_t cap)
{
	const uint32_t nslots = GUARD_TALKER_ROWS * GUARD_TALKER_SLOTS;
	uint32_t ncpus = (uint32_t)libbpf_num_possible_cpus();
	struct guard_talker *all = calloc((size_t)nslots * ncpus + 1, sizeof(*all));
	struct guard_talker *slots = calloc(ncpus, sizeof(*slots));
	size_t count = 0;

	if (all && slots)
		count = merge(
			all, read_talkers(fd_of(maps, "guard_talkers"), nslots, ncpus, slots, all));
	count = count < cap ? count : cap;
	if (count)
		memcpy(ret, all, count * sizeof(*ret));
	free(all);
	free(slots);
	return count;
}

size_t guard_maps_read_captured(const struct guard_maps *maps,
				void (*on_packet)(const struct guard_capture *packet,
						  void *context),
				void *context)
{
	int count;

	maps->captured->on_packet = on_packet;
	maps->captured->context = context;
	count = ring_buffer__consume(maps->captured->ring);
	return count > 0 ? (size_t)count : 0;
}
