// SPDX-License-Identifier: Apache-2.0
/* Opens databases, and looks addresses up in them; record.c knows what their records look like. */
#include "geo/geo_internal.h"

#include "core/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

/* The largest known is a tenth of it. */
#define FILE_MAX ((off_t)8 << 30)

/* --- Opening -------------------------------------------------------------------- */

/* Return: 0; -errno. */
static int copy_file(int from, int to)
{
	struct stat stat;
	ssize_t n;

	if (fstat(from, &stat) < 0)
		return -errno;
	if (!S_ISREG(stat.st_mode))
		return -EINVAL;
	if (stat.st_size > FILE_MAX)
		return -EFBIG;
	do
		n = sendfile(to, from, NULL, 1u << 30);
	while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? -errno : 0;
}

/* A copy without a name. Return: its descriptor; -errno. */
static int open_copy(const char *path)
{
	int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), to, err;

	if (from < 0)
		return -errno;
	to = memfd_create("geo", MFD_CLOEXEC);
	err = to < 0 ? -errno : copy_file(from, to);
	close(from);
	if (!err)
		return to;
	if (to >= 0)
		close(to);
	return err;
}

/* Return: what is wrong; NULL: nothing. @ret is untouched where something is. */
static const char *map_database(const char *path, MMDB_s *ret)
{
	int fd = open_copy(path), status;
	char name[64];

	if (fd < 0)
		return strerror(-fd);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	status = MMDB_open(name, MMDB_MODE_MMAP, ret);
	close(fd);
	if (status == MMDB_OUT_OF_MEMORY_ERROR)
		return "out of memory";
	return status == MMDB_SUCCESS ? NULL : "is not a database in MaxMind's format";
}

/* Return: what is wrong, likewise. */
static const char *open_database(struct geo_database *database, const char *path)
{
	const char *problem = map_database(path, &database->file);

	if (problem)
		return problem;
	database->path = strdup(path);
	database->contents = geo_record_contents(&database->file);
	if (database->path && database->contents)
		return NULL;
	problem = database->path ? "tells neither country, continent, autonomous system nor place"
				 : "out of memory";
	MMDB_close(&database->file);
	free(database->path);
	return problem;
}

static void free_databases(struct geo *geo)
{
	for (size_t i = 0; i < geo->count; i++) {
		MMDB_close(&geo->databases[i].file);
		free(geo->databases[i].path);
	}
	free(geo);
}

int geo_open(const char *const *paths, size_t count, struct geo **ret, struct strbuf *ret_errors)
{
	static _Atomic uint64_t opened;
	struct geo *geo = calloc(1, sizeof(*geo) + count * sizeof(geo->databases[0]));
	int err = 0;

	if (!geo)
		return -ENOMEM;
	geo->refs = 1;
	geo->id = atomic_fetch_add_explicit(&opened, 1, memory_order_relaxed) + 1;
	geo->stamp = geo_stamp(paths, count);
	for (size_t i = 0; i < count; i++) {
		struct geo_database *database = &geo->databases[geo->count];
		const char *problem = open_database(database, paths[i]);

		if (problem) {
			strbuf_printf(ret_errors, "%s: %s\n", paths[i], problem);
			err = -EINVAL;
			continue;
		}
		geo->contents |= database->contents;
		geo->count++;
	}
	if (err)
		free_databases(geo);
	else
		*ret = geo;
	return err;
}

struct geo *geo_ref(struct geo *geo)
{
	atomic_fetch_add_explicit(&geo->refs, 1, memory_order_relaxed);
	return geo;
}

void geo_unref(struct geo *geo)
{
	if (geo && atomic_fetch_sub_explicit(&geo->refs, 1, memory_order_acq_rel) == 1)
		free_databases(geo);
}

uint64_t geo_stamp(const char *const *paths, size_t count)
{
	uint64_t stamp = count;

	for (size_t i = 0; i < count; i++) {
		struct stat stat_of = {};
		uint64_t parts[5] = {};

		if (stat(paths[i], &stat_of) == 0) {
			parts[0] = stat_of.st_dev;
			parts[1] = stat_of.st_ino;
			parts[2] = (uint64_t)stat_of.st_size;
			parts[3] = (uint64_t)stat_of.st_mtim.tv_sec;
			parts[4] = (uint64_t)stat_of.st_mtim.tv_nsec;
		}
		stamp = hash_bytes(slice_of(parts, sizeof(parts)), stamp);
	}
	return stamp;
}

uint64_t geo_opened_stamp(const struct geo *geo)
{
	return geo->stamp;
}

/* --- Looking up ----------------------------------------------------------------- */

/* @address: unmapped. Return: whether there is a record. */
static bool find_record(const MMDB_s *file, const struct address *address, MMDB_entry_s *ret)
{
	int status = MMDB_SUCCESS;
	MMDB_lookup_result_s found = MMDB_lookup_sockaddr(file, &address->sa, &status);

	if (status != MMDB_SUCCESS || !found.found_entry)
		return false;
	*ret = found.entry;
	return true;
}

void geo_look(const struct geo *geo, const struct address *address, struct geo_facts *ret)
{
	struct address plain = *address;
	MMDB_entry_s record;

	*ret = (struct geo_facts){};
	address_unmap(&plain);
	if (!geo || !address_is_ip(&plain))
		return;
	for (size_t i = 0; i < geo->count; i++)
		if (find_record(&geo->databases[i].file, &plain, &record))
			geo_record_read(&record, geo->databases[i].contents, ret);
}

bool geo_look_in(const struct geo *geo, size_t index, const struct address *address,
		 struct geo_facts *ret, struct slice *ret_organisation)
{
	const struct geo_database *database = &geo->databases[index];
	struct address plain = *address;
	MMDB_entry_s record;

	address_unmap(&plain);
	if (!address_is_ip(&plain) || !find_record(&database->file, &plain, &record))
		return false;
	*ret = (struct geo_facts){};
	geo_record_read(&record, database->contents, ret);
	*ret_organisation = geo_record_organisation(&record);
	return true;
}

struct slice geo_organisation(const struct geo *geo, const struct address *address)
{
	struct address plain = *address;
	struct slice name = {};
	MMDB_entry_s record;

	address_unmap(&plain);
	if (!geo || !address_is_ip(&plain))
		return name;
	for (size_t i = 0; i < geo->count && !name.len; i++)
		if (find_record(&geo->databases[i].file, &plain, &record))
			name = geo_record_organisation(&record);
	return name;
}

/* --- What they are -------------------------------------------------------------- */

uint32_t geo_contents(const struct geo *geo)
{
	return geo->contents;
}

size_t geo_count(const struct geo *geo)
{
	return geo->count;
}

void geo_describe(const struct geo *geo, size_t index, struct geo_description *ret)
{
	const struct geo_database *database = &geo->databases[index];

	*ret = (struct geo_description){
		.path = database->path,
		.type = database->file.metadata.database_type,
		.built_s = database->file.metadata.build_epoch,
		.contents = database->contents,
	};
}
