// SPDX-License-Identifier: Apache-2.0
/*
 * stalled.so: preloaded into a process, it makes a disk that gives nothing, for as long as there is
 * a file of that name: nothing of a file is in the cache, and reads wait.
 *
 *   LD_PRELOAD=stalled.so STALLED_FILE=path program
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAUSE_US 10000

static bool is_stalled(void)
{
	const char *path = getenv("STALLED_FILE");

	return path && access(path, F_OK) == 0;
}

ssize_t pread(int fd, void *buf, size_t len, off_t offset)
{
	ssize_t (*next)(int, void *, size_t, off_t) = dlsym(RTLD_NEXT, "pread");

	while (is_stalled())
		usleep(PAUSE_US);
	return next(fd, buf, len, offset);
}

ssize_t preadv2(int fd, const struct iovec *vectors, int count, off_t offset, int flags)
{
	ssize_t (*next)(int, const struct iovec *, int, off_t, int) = dlsym(RTLD_NEXT, "preadv2");

	if (is_stalled() && flags & RWF_NOWAIT) {
		errno = EAGAIN;
		return -1;
	}
	return next(fd, vectors, count, offset, flags);
}
