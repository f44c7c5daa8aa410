/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_GUARD_H
#define SLUICE_PROXY_GUARD_H

#include "abi/guard.h"
#include "config/config.h"
#include "core/address.h"
#include "core/compiler.h"
#include "core/strbuf.h"
#include "guard/bans.h"
#include "guard/list.h"
#include "io/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The guard of the daemon: lists, bans and rates, kept by the packet programs where they are
 * loaded, and otherwise looked at when a connection is accepted. Thread: control, unless said
 * otherwise.
 */
struct guard;
struct guard_maps;

#define GUARD_LIVE_MAX 10000 /* networks that are listed by hand */

/* Off, and without packet programs. Return: 0; -ENOMEM. */
int guard_new(struct io_loop *loop, struct guard **ret) WARN_UNUSED;
void guard_free(struct guard *guard); /* NULL is allowed */

#define GUARD_WHY_SIZE 128

/* There are packet programs from now on, though they know nothing before guard_hand_over() or the
 * next guard_commit(). @maps: borrowed. */
void guard_use_packets(struct guard *guard, const struct guard_maps *maps);
/* What is in force, to programs that have come meanwhile. @config: in force. Return: 0; -errno. */
int guard_hand_over(struct guard *guard, const struct config *config) WARN_UNUSED;

/* For who asks: why there are none, cut to GUARD_WHY_SIZE. */
void guard_note_no_packets(struct guard *guard, const char *why);

/* What a configuration asks of the guard, made and not in force. */
struct guard_change;

/**
 * Makes all that may be refused, at start and with each reload: reads the lists, fills tables.
 * @config:     borrowed for the life of @ret.
 * @ret:        for guard_commit(), before anything else is ordered, or guard_change_free().
 * @ret_errors: what could not be done, a line each.
 * Return: 0; -EINVAL; -E2BIG: more networks than packet programs have room for; -ENOMEM; -errno.
 */
int guard_prepare(struct guard *guard, const struct config *config, struct guard_change **ret,
		  struct strbuf *ret_errors) WARN_UNUSED;

/* Puts lists, rates and listeners in force; takes @change. What was listed or banned by hand stays.
 * Return: 0; -errno: the kernel refuses what is there; lists and rates are those before. */
int guard_commit(struct guard *guard, struct guard_change *change) WARN_UNUSED;
void guard_change_free(struct guard_change *change); /* NULL is allowed */

/* Whether the files of lists can be read. Return: 0; -EINVAL with @ret_errors. */
int guard_check_files(const struct config *config, struct strbuf *ret_errors) WARN_UNUSED;

/* What rules of places come to; takes the entries. Return: 0; -ENOMEM, -errno: those before stay.
 */
int guard_set_places(struct guard *guard, struct guard_list *places) WARN_UNUSED;

/* For who asks: why those of the configuration are not in force; its first line is kept. */
void guard_note_places(struct guard *guard, const char *problem);

/**
 * Refuses @address for @ttl_ms: an IPv4 address, or the /64 of an IPv6 address.
 * @reason: for who asks, cut to GUARD_BAN_REASON_SIZE.
 * Return: 0; -EEXIST: it was banned for longer already; -ENOSPC: GUARD_BANS_MAX are; -EAFNOSUPPORT:
 * no IP address; -EOPNOTSUPP: the guard is off. Thread: any.
 */
int guard_ban(struct guard *guard, const struct address *address, uint64_t ttl_ms,
	      const char *reason);

/* Whether a connection from @address is to be served, where no packet program says so. @guard may
 * be NULL. Thread: any. */
bool guard_admits(struct guard *guard, const struct address *address);

/* Whether guard_admits() would look at all. @guard may be NULL. Thread: any. */
bool guard_looks_at_connections(const struct guard *guard);

/* --- By hand ---------------------------------------------------------------------------------- */

/* @why: BLOCK or ALLOW. @ttl_s: 0: until the daemon ends. Return: 0; -ENOSPC; -errno: nothing
 * has changed. */
int guard_list_live(struct guard *guard, const struct prefix *prefix, enum guard_why why,
		    uint64_t ttl_s, const char *reason) WARN_UNUSED;
/* Takes back what was listed or banned by hand, or pushed down. Return: 0; -ENOENT; -errno:
 * it is listed as before. */
int guard_unlist(struct guard *guard, const struct prefix *prefix) WARN_UNUSED;
/* Until the next guard_commit(). @config: in force. Return: 0; -errno: the mode before stays. */
int guard_set_mode(struct guard *guard, enum guard_mode mode,
		   const struct config *config) WARN_UNUSED;

struct guard_live {
	struct guard_entry entry;
	char reason[GUARD_BAN_REASON_SIZE];
};

void guard_for_each_live(const struct guard *guard,
			 void (*visit)(const struct guard_live *live, void *context),
			 void *context);
void guard_for_each_ban(struct guard *guard,
			void (*visit)(const struct guard_ban_entry *ban, void *context),
			void *context);

struct guard_facts {
	enum guard_mode mode;
	bool is_in_kernel;   /* packet programs keep it */
	const char *why_not; /* "": they do, or nobody has asked yet; the guard's */
	size_t listed;       /* networks of files */
	size_t live, places, bans;
	const char *places_problem; /* "": none; the guard's */
	bool has_cookies;
	struct guard_count counts[GUARD_COUNTS];
	struct guard_count seen; /* all of them */
};

void guard_describe(struct guard *guard, struct guard_facts *ret);

const char *guard_mode_name(enum guard_mode mode);
/* Return: 0; -EINVAL. */
int guard_mode_parse(const char *name, enum guard_mode *ret) WARN_UNUSED;
const char *guard_reason_name(enum guard_reason reason);

/* The heaviest sources, of the packet programs. Return: how many. */
size_t guard_talkers(const struct guard *guard, struct guard_talker *ret, size_t cap);

/* Captured packets for so long. Return: 0; -EOPNOTSUPP: the guard is off; -ENODEV:
 * there are no packet programs. */
int guard_capture(struct guard *guard, uint32_t seconds, uint32_t per_second) WARN_UNUSED;
size_t guard_read_captured(const struct guard *guard,
			   void (*on_packet)(const struct guard_capture *packet, void *context),
			   void *context);

#endif
