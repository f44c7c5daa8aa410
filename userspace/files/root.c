// SPDX-License-Identifier: Apache-2.0
/* Opens what is beneath a directory. Source: openat2(2). */
#include "files/root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct file_root {
	_Atomic uint32_t refs;
	uint64_t id;
	int fd;
	bool allows_links;
};

int file_root_open(const char *path, bool allows_links, struct file_root **ret)
{
	static _Atomic uint64_t next_id = 1;
	struct file_root *root = calloc(1, sizeof(*root));
	int err;

	if (!root)
		return -ENOMEM;
	root->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root->fd < 0) {
		err = -errno;
		free(root);
		return err;
	}
	root->refs = 1;
	root->id = atomic_fetch_add(&next_id, 1);
	root->allows_links = allows_links;
	*ret = root;
	return 0;
}

struct file_root *file_root_ref(struct file_root *root)
{
	atomic_fetch_add(&root->refs, 1);
	return root;
}

void file_root_unref(struct file_root *root)
{
	if (!root || atomic_fetch_sub(&root->refs, 1) != 1)
		return;
	close(root->fd);
	free(root);
}

uint64_t file_root_id(const struct file_root *root)
{
	return root->id;
}

static int describe(int fd, struct file *ret)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
		return -ENOENT;
	*ret = (struct file){
		.fd = fd,
		.is_directory = S_ISDIR(status.st_mode),
		.size = (uint64_t)status.st_size,
		.modified = status.st_mtim.tv_sec,
		.modified_ns = (uint32_t)status.st_mtim.tv_nsec,
	};
	return 0;
}

/* A FIFO or a device must not hold us up. */
int file_root_get(const struct file_root *root, const char *name, bool may_block, struct file *ret)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS |
			   (root->allows_links ? 0 : RESOLVE_NO_SYMLINKS) |
			   (may_block ? 0 : RESOLVE_CACHED),
	};
	long fd = syscall(SYS_openat2, root->fd, *name ? name : ".", &how, sizeof(how));
	struct file file = {.fd = -1};
	int err;

	if (fd < 0)
		return errno == ENXIO ? -ENOENT : -errno;
	err = describe((int)fd, &file);
	if (err || file.is_directory) {
		close((int)fd);
		file.fd = -1;
	}
	if (!err)
		*ret = file;
	return err;
}
