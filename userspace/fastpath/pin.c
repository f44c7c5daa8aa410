// SPDX-License-Identifier: Apache-2.0
/*
 * The directory of an instance on bpffs: its lock, and the maps in it. It is reached through its
 * descriptor, for after root is given up nobody may pass through the directories above it.
 */
#include "fastpath/pin.h"
#include "core/hash.h"
#include "core/strbuf.h"
#include "fastpath/fastpath_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define SYSTEM_BPFFS "/sys/fs/bpf"
#define META         "meta"

struct pin {
	int fd;          /* of the directory; holds the lock */
	uint32_t handle; /* of the instance's filters */
};

/* --- The directory ------------------------------------------------------------------------------
 */

static bool is_bpffs(const char *path)
{
	struct statfs facts;

	return statfs(path, &facts) == 0 && facts.f_type == BPF_FS_MAGIC;
}

/* A machine without systemd may not have it. */
static void mount_bpffs(const char *directory)
{
	size_t len = strlen(SYSTEM_BPFFS);

	if (strncmp(directory, SYSTEM_BPFFS "/", len + 1) != 0 || is_bpffs(SYSTEM_BPFFS))
		return;
	(void)mount("bpf", SYSTEM_BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700");
}

static int make_directory(const char *directory, mode_t mode)
{
	return mkdir(directory, mode) < 0 && errno != EEXIST ? -errno : 0;
}

static int make_directories(const char *directory)
{
	const char *slash = strrchr(directory, '/');
	char parent[PATH_MAX];
	int err = 0;

	if (slash && slash != directory) {
		if (slash - directory >= (ptrdiff_t)sizeof(parent))
			return -ENAMETOOLONG;
		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - directory), directory);
		mount_bpffs(directory);
		err = make_directory(parent, 0755);
	}
	return err ? err : make_directory(directory, 0700);
}

static int lock_directory(const char *directory, int operation, int *ret_fd)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	if (flock(fd, operation | LOCK_NB) == 0) {
		*ret_fd = fd;
		return 0;
	}
	err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	close(fd);
	return err;
}

static int open_directory(const char *directory, uid_t uid, gid_t gid, int *ret_fd)
{
	int err = make_directories(directory);

	if (err)
		return err;
	if (!is_bpffs(directory))
		return -ENODEV;
	err = lock_directory(directory, LOCK_EX, ret_fd);
	if (err)
		return err;
	if ((uid != (uid_t)-1 || gid != (gid_t)-1) && fchown(*ret_fd, uid, gid) < 0) {
		err = -errno;
		close(*ret_fd);
	}
	return err;
}

/* Of the whole path: below another `pin_path` the same name is another instance. */
static uint32_t handle_of(const char *directory)
{
	return HOOK_TC_HANDLE +
	       (uint32_t)(hash_bytes(slice_from_str(directory), 0) % HOOK_TC_HANDLES);
}

uint32_t pin_handle(const struct pin *pin)
{
	return pin ? pin->handle : HOOK_TC_HANDLE;
}

static int pin_of(int fd, const char *directory, struct pin **ret)
{
	struct pin *pin = calloc(1, sizeof(*pin));

	if (!pin) {
		close(fd);
		return -ENOMEM;
	}
	pin->fd = fd;
	pin->handle = handle_of(directory);
	*ret = pin;
	return 0;
}

int pin_open(const char *directory, uid_t uid, gid_t gid, struct pin **ret)
{
	int fd = -1, err = open_directory(directory, uid, gid, &fd);

	return err ? err : pin_of(fd, directory, ret);
}

/* Without a lock: whoever shows what is pinned does not mind a daemon. */
int pin_open_to_read(const char *directory, struct pin **ret)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : pin_of(fd, directory, ret);
}

int pin_open_to_discard(const char *directory, struct pin **ret)
{
	int fd = -1, err = lock_directory(directory, LOCK_EX, &fd);

	return err ? err : pin_of(fd, directory, ret);
}

void pin_close(struct pin *pin)
{
	if (!pin)
		return;
	close(pin->fd);
	free(pin);
}

/* --- What is in it ------------------------------------------------------------------------------
 */

#define PATH_SIZE 64

static const char *path_of(const struct pin *pin, const char *name, char ret[PATH_SIZE])
{
	snprintf(ret, PATH_SIZE, "/proc/self/fd/%d/%s", pin->fd, name);
	return ret;
}

int pin_map(const struct pin *pin, const char *name)
{
	char path[PATH_SIZE];
	int fd = bpf_obj_get(path_of(pin, name, path));

	return fd < 0 ? -errno : fd;
}

/* A longer one of a later version is read as far as we know it. */
int pin_read_meta(const struct pin *pin, struct flow_meta *ret)
{
	struct bpf_map_info facts = {};
	uint32_t len = sizeof(facts), zero = 0;
	char value[256] = {};
	int fd = pin_map(pin, META), err = 0;

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &facts, &len) < 0 || facts.value_size > sizeof(value) ||
	    bpf_map_lookup_elem(fd, &zero, value) < 0)
		err = -EPROTO;
	close(fd);
	if (!err)
		memcpy(ret, value, sizeof(*ret));
	return err;
}

bool pin_is_abandoned(const char *directory)
{
	struct flow_meta meta;
	struct pin *pin;
	bool is_ours;

	if (pin_open_to_discard(directory, &pin) != 0)
		return false;
	is_ours = pin_read_meta(pin, &meta) == 0 && meta.netns == pin_netns();
	pin_close(pin);
	return is_ours;
}

static int store(const struct pin *pin, const char *name, int fd)
{
	char path[PATH_SIZE];

	return bpf_obj_pin(fd, path_of(pin, name, path)) < 0 ? -errno : 0;
}

static int store_meta(const struct pin *pin, const struct flow_meta *meta)
{
	uint32_t zero = 0;
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "sluice_meta", sizeof(zero), sizeof(*meta), 1,
				NULL);
	int err;

	if (fd < 0)
		return -errno;
	err = bpf_map_update_elem(fd, &zero, meta, BPF_ANY) < 0 ? -errno : store(pin, META, fd);
	close(fd);
	return err;
}

/* Maps that libbpf makes for variables belong to the programs alone, what the guard knows is the
 * configuration's, checks are our sockets', and nobody else is told of events: only connections
 * outlive us. */
static bool is_shared(const struct bpf_map *map)
{
	const char *name = bpf_map__name(map);

	return !bpf_map__is_internal(map) && strncmp(name, "guard_", 6) != 0 &&
	       strncmp(name, "check", 5) != 0 && strcmp(name, "event_uses") != 0;
}

int pin_store(const struct pin *pin, const struct bpf_object *object, const struct flow_meta *meta)
{
	const struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, object) if (!err && is_shared(map))
		err = store(pin, bpf_map__name(map), bpf_map__fd(map));
	return err ? err : store_meta(pin, meta);
}

static int reuse(const struct pin *pin, struct bpf_map *map)
{
	int fd = pin_map(pin, bpf_map__name(map)), err;

	if (fd < 0)
		return fd;
	err = bpf_map__reuse_fd(map, fd); /* has a descriptor of its own then */
	close(fd);
	return err;
}

/* dispatch_maps.c decides about them. */
static bool is_dispatch(const struct bpf_map *map)
{
	return strncmp(bpf_map__name(map), "dispatch_", 9) == 0;
}

/* In the place of what is there. */
int pin_store_dispatch(const struct pin *pin, const struct bpf_object *object)
{
	const struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, object)
	{
		if (err || !is_dispatch(map))
			continue;
		(void)unlinkat(pin->fd, bpf_map__name(map), 0);
		err = store(pin, bpf_map__name(map), bpf_map__fd(map));
	}
	return err;
}

int pin_reuse(const struct pin *pin, struct bpf_object *object)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, object)
	{
		if (!err && is_shared(map) && !is_dispatch(map))
			err = reuse(pin, map);
	}
	return err;
}

/* --- Programs -----------------------------------------------------------------------------------
 */

#define NAME_SIZE 32

static const char *old_name(const char *name, char ret[NAME_SIZE])
{
	snprintf(ret, NAME_SIZE, "%s_old", name);
	return ret;
}

int pin_store_program(const struct pin *pin, const struct bpf_program *program)
{
	const char *name = bpf_program__name(program);
	char old[NAME_SIZE];

	(void)renameat(pin->fd, name, pin->fd, old_name(name, old));
	return store(pin, name, bpf_program__fd(program));
}

void pin_forget_program(const struct pin *pin, const struct bpf_program *program)
{
	char old[NAME_SIZE];

	(void)unlinkat(pin->fd, old_name(bpf_program__name(program), old), 0);
}

static int open_program(const struct pin *pin, const char *name, uint32_t id)
{
	struct bpf_prog_info facts = {};
	uint32_t len = sizeof(facts);
	int fd = pin_map(pin, name);

	if (fd < 0)
		return -ENOENT;
	if (bpf_obj_get_info_by_fd(fd, &facts, &len) == 0 && facts.id == id)
		return fd;
	close(fd);
	return -ENOENT;
}

int pin_program(const struct pin *pin, const char *name, uint32_t id)
{
	char old[NAME_SIZE];
	int fd = open_program(pin, name, id);

	return fd >= 0 ? fd : open_program(pin, old_name(name, old), id);
}

/* --- The end ------------------------------------------------------------------------------------
 */

static bool is_program(const char *name)
{
	return strncmp(name, "tc_", 3) == 0 || strncmp(name, "xdp_", 4) == 0;
}

static void clear(const struct pin *pin, bool spares_programs)
{
	int fd = openat(pin->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	/* `meta` goes first: without it the others mean nothing. */
	(void)unlinkat(pin->fd, META, 0);
	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.' && !(spares_programs && is_program(entry->d_name)))
			(void)unlinkat(pin->fd, entry->d_name, 0);
	if (directory)
		closedir(directory);
	else if (fd >= 0)
		close(fd);
}

void pin_clear(const struct pin *pin)
{
	clear(pin, false);
}

void pin_clear_maps(const struct pin *pin)
{
	clear(pin, true);
}

uint64_t pin_netns(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (fd < 0)
		return 0;
	(void)getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len);
	close(fd);
	return cookie;
}
