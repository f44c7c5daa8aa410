/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_GUARD_BANS_H
#define SLUICE_GUARD_BANS_H

#include "core/address.h"
#include "core/compiler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sources (guard_source_key() of abi/guard.h) that are refused for a time. Thread: one at a time.
 */
#define GUARD_BANS_MAX        65536
#define GUARD_BAN_REASON_SIZE 48

struct guard_ban_entry {
	struct guard_ban_entry *next; /* of the bucket */
	uint8_t key[16];
	uint64_t until_ns; /* CLOCK_MONOTONIC */
	char reason[GUARD_BAN_REASON_SIZE];
};

/* Whether people may ban @prefix: an IPv4 address, an IPv6 address, which stands for its /64, or
 * that itself. Of a larger network only the first source would be banned. */
static inline bool guard_is_one_source(const struct prefix *prefix)
{
	return prefix->family == AF_INET ? prefix->bits == 32
					 : prefix->bits == 64 || prefix->bits == 128;
}

struct guard_bans;

/* Return: NULL: out of memory. */
struct guard_bans *guard_bans_new(void) WARN_UNUSED;
void guard_bans_free(struct guard_bans *bans); /* NULL is allowed */

/* One that is there already is made longer, never shorter; @reason is cut.
 * Return: 0; -EEXIST: it was banned for at least as long; -ENOSPC; -ENOMEM. */
int guard_bans_put(struct guard_bans *bans, const uint8_t key[16], uint64_t until_ns,
		   const char *reason);
/* Return: whether it was there. */
bool guard_bans_remove(struct guard_bans *bans, const uint8_t key[16]);
bool guard_bans_has(const struct guard_bans *bans, const uint8_t key[16], uint64_t now_ns);
size_t guard_bans_count(const struct guard_bans *bans);

/* Removes those that are over, and tells of each before. */
void guard_bans_expire(struct guard_bans *bans, uint64_t now_ns,
		       void (*on_over)(const struct guard_ban_entry *ban, void *context),
		       void *context);
void guard_bans_for_each(const struct guard_bans *bans,
			 void (*visit)(const struct guard_ban_entry *ban, void *context),
			 void *context);

#endif
