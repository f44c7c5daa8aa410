// SPDX-License-Identifier: Apache-2.0
/*
 * scarce.so: preloaded into a process, it lets allocations fail, one of so many by chance, for as
 * long as a file says so that the test writes while the process runs:
 *
 *   LD_PRELOAD=scarce.so SCARCE_FILE=path program
 *
 * Libraries are not spared, the C library included. Below it may stand a sanitizer's allocator.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* As the file has it; lib/scarce.py knows it too. */
struct scarcity {
	_Atomic uint64_t one_in; /* 0: none fails */
	_Atomic uint64_t seed;   /* which ones do */
	_Atomic uint64_t asked;  /* since the file was made, while any may fail */
	_Atomic uint64_t denied;
};

static struct scarcity plenty;
static struct scarcity *scarcity = &plenty;

__attribute__((constructor)) static void open_file(void)
{
	const char *path = getenv("SCARCE_FILE");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *bytes;

	if (fd < 0)
		return;
	bytes = mmap(NULL, sizeof(*scarcity), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (bytes != MAP_FAILED)
		scarcity = bytes;
}

/* Source: Vigna's splitmix64. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static int is_denied(void)
{
	uint64_t one_in = scarcity->one_in;

	if (!one_in || mix(scarcity->seed + ++scarcity->asked * 0x9e3779b97f4a7c15ULL) % one_in)
		return 0;
	scarcity->denied++;
	errno = ENOMEM;
	return 1;
}

/* dlsym() of glibc 2.34 and later allocates nothing for a symbol that is there. */
#define NEXT(function)                                                 \
	({                                                             \
		static __typeof__(&(function)) next;                   \
		if (!next)                                             \
			*(void **)&next = dlsym(RTLD_NEXT, #function); \
		next;                                                  \
	})

void *malloc(size_t size)
{
	return is_denied() ? NULL : NEXT(malloc)(size);
}

void *calloc(size_t items, size_t size)
{
	return is_denied() ? NULL : NEXT(calloc)(items, size);
}

void *realloc(void *ptr, size_t size)
{
	return is_denied() ? NULL : NEXT(realloc)(ptr, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return is_denied() ? NULL : NEXT(aligned_alloc)(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
	return is_denied() ? ENOMEM : NEXT(posix_memalign)(ret, alignment, size);
}

/* A sanitizer's do not come by here otherwise. */
char *strdup(const char *text)
{
	return is_denied() ? NULL : NEXT(strdup)(text);
}

char *strndup(const char *text, size_t len)
{
	return is_denied() ? NULL : NEXT(strndup)(text, len);
}
