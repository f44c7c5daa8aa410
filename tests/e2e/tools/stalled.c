// SPDX-License-Identifier: Apache-2.0
/*
 * stalled.so: preloaded into a process, it makes a disk that gives nothing, for as long as there is
 * a file of that name: no name and nothing of a file is in the cache; look-ups and reads wait. For
 * as long as there is the other one, look-ups fail.
 *
 *   LD_PRELOAD=stalled.so STALLED_FILE=path FAILING_FILE=path program
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAUSE_US 10000

static bool is_there(const char *variable)
{
	const char *path = getenv(variable);

	return path && access(path, F_OK) == 0;
}

static bool is_stalled(void)
{
	return is_there("STALLED_FILE");
}

static void wait_for_disk(void)
{
	while (is_stalled())
		usleep(PAUSE_US);
}

long syscall(long number, ...)
{
	long (*next)(long, ...) = dlsym(RTLD_NEXT, "syscall"), given[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		given[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_openat2 && is_there("FAILING_FILE")) {
		errno = EIO;
		return -1;
	}
	if (number == SYS_openat2 && is_stalled()) {
		if (((const struct open_how *)given[2])->resolve & RESOLVE_CACHED) {
			errno = EAGAIN;
			return -1;
		}
		wait_for_disk();
	}
	return next(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}

ssize_t pread(int fd, void *buf, size_t len, off_t offset)
{
	ssize_t (*next)(int, void *, size_t, off_t) = dlsym(RTLD_NEXT, "pread");

	wait_for_disk();
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
