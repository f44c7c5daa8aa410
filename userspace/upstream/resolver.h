/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_UPSTREAM_RESOLVER_H
#define SLUICE_UPSTREAM_RESOLVER_H

#include "io/loop.h"
#include "io/timer.h"
#include "upstream/address_set.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Names → addresses, again and again: all A and AAAA records, looked up anew when the shortest TTL
 * has passed. /etc/hosts and the search list count as the system has them. All on one loop's
 * thread.
 */
struct resolver;

/* Bounds of how long an answer is believed. An entry of /etc/hosts has no TTL and gets the least.
 */
#define RESOLVER_TTL_MIN_MS 1000
#define RESOLVER_TTL_MAX_MS 3600000
/* Between tries that fail: doubles from the first to the last. */
#define RESOLVER_RETRY_MIN_MS 1000
#define RESOLVER_RETRY_MAX_MS 60000

struct resolver_options {
	const char *servers; /* "192.0.2.53:53,…"; NULL: as /etc/resolv.conf says */
};

/* Return: 0; -ENOMEM; -EINVAL if the system's or the options' servers are unusable. */
int resolver_new(struct io_loop *loop, const struct resolver_options *options,
		 struct resolver **ret) WARN_UNUSED;

/* At once: no callback follows, names belong to their owners again. NULL is allowed. */
void resolver_free(struct resolver *resolver);

struct resolver_name;

struct resolver_ops {
	/*
	 * The addresses are others than before, none if the name is gone for good; @set is borrowed
	 * for the call. Return: 0; an error makes the resolver come again soon.
	 */
	int (*on_addresses)(struct resolver_name *name, const struct address_set *set);
	/*
	 * No family has an address to offer, for the first time in a row; what was known stays.
	 * @is_denied: there is no such name any more, so that it stays for @hold_ms. @reason:
	 * static text.
	 */
	void (*on_failed)(struct resolver_name *name, const char *reason, bool is_denied);
};

/* What one family's lookup said, and what it said last when it could say anything. */
struct resolver_family {
	struct resolver_name *name;
	int family;
	enum lookup_outcome { LOOKUP_FAILED, LOOKUP_NONE, LOOKUP_GOOD } outcome;
	struct address_set fresh, good;
	uint32_t ttl_s;
};

/* Embedded in its owner. */
struct resolver_name {
	const char *host; /* borrowed */
	uint16_t port;    /* host order: of the addresses */
	uint32_t hold_ms; /* how long servers must deny the name (RFC 2308) to be believed */
	const struct resolver_ops *ops;

	/* The resolver's: zero at first. */
	struct resolver *resolver;
	struct list_node node;
	struct io_timer timer;
	struct resolver_family families[2];
	struct address_set current; /* what on_addresses was told last */
	unsigned pending;
	unsigned failures;
	const char *reason;
	bool is_failing, is_denied, is_forgotten;
	uint64_t denied_ms; /* what has been waited since it was denied first */
};

/* Begins with the next round of the loop. @name lives until resolver_free(). */
void resolver_add(struct resolver *resolver, struct resolver_name *name);

#endif
