/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_GUARD_INTERNAL_H
#define SLUICE_PROXY_GUARD_INTERNAL_H

/* Between the guard's files. */
#include "fastpath/guard_maps.h"
#include "guard/limiter.h"
#include "guard/table.h"
#include "io/timer.h"
#include "proxy/guard.h"

#include <pthread.h>
#include <stdatomic.h>

struct guard {
	struct io_loop *loop;
	const struct guard_maps *_Atomic maps; /* NULL: there are no packet programs */
	char no_packets[GUARD_WHY_SIZE];       /* why */
	struct io_timer tend;                  /* what expires */
	_Atomic int mode;                      /* enum guard_mode */

	/* Thread: control. */
	struct guard_list files, places;
	char *places_problem; /* NULL: none */
	struct guard_live *live;
	size_t nlive;
	/* In force in the packet programs. */
	bool has_lists;
	struct guard_map_lists lists;
	struct guard_services *services; /* NULL: none */

	pthread_rwlock_t lock; /* of all below: workers look, and ban */
	struct guard_settings settings;
	struct guard_table *table;
	struct guard_bans *bans;
	struct guard_limiter *limiter; /* NULL: none was needed yet */
	_Atomic uint64_t counts[GUARD_COUNTS];
};

/* Takes mode and flags to the packet programs. The lock is held for writing. Return: 0; -errno. */
int guard_publish_settings(struct guard *guard) WARN_UNUSED;

/* Makes the table of all lists anew. Return: 0; -ENOMEM; -errno. Thread: control. */
int guard_renew_table(struct guard *guard) WARN_UNUSED;

/* What expires is taken back from now on. Thread: control. */
void guard_begin_to_tend(struct guard *guard);

static inline enum guard_mode guard_current_mode(const struct guard *guard)
{
	return (enum guard_mode)atomic_load(&guard->mode);
}

/* Return: net.ipv4.tcp_syncookies; -1: it cannot be read. */
int guard_kernel_syncookies(void);

uint64_t guard_wall_s(void); /* since 1970 */

#endif
