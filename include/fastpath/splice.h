/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FASTPATH_SPLICE_H
#define SLUICE_FASTPATH_SPLICE_H

#include "abi/flow.h"
#include "core/address.h"
#include "core/compiler.h"
#include "io/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Packet splice: joins two established TCP connections in the kernel. The daemon loads and attaches
 * the programs once (splice_new), registers each pair while its sockets still relay (observe), and
 * hands it over (join). userspace/fastpath/handoff.c has the mechanism.
 */
struct pin;
struct splice;
struct splice_pair;

/* Why a connection is not spliced; for the access log, metrics and sluicectl. */
#define SPLICE_REASONS(X)                                                                        \
	X(NONE, "-")                          /* it is spliced, or will be */                    \
	X(OFF, "off")                         /* the configuration says so */                    \
	X(UNAVAILABLE, "unavailable")         /* no privilege, or the kernel lacks something */  \
	X(TLS, "tls")                         /* a leg has TLS: the bytes differ */              \
	X(NOT_TCP_SOCKETS, "not_tcp_sockets") /* a unix socket on one side */                    \
	X(FAMILY, "family")                   /* IPv4 on one side, IPv6 on the other */          \
	X(LOOPBACK, "loopback")               /* a leg does not cross an Ethernet-like device */ \
	X(NO_NEXTHOP, "no_nexthop")           /* no route, or an unusable device */              \
	X(OPTIONS, "options")                 /* the legs differ in timestamps or SACK */        \
	X(MSS, "mss") /* one leg sends larger segments than the other takes */                   \
	X(TABLE_FULL, "table_full")                                                              \
	X(TUPLE_IN_USE, "tuple_in_use")                                                          \
	X(NEVER_QUIET, "never_quiet") /* no quiet moment was found yet */                        \
	X(KERNEL, "kernel")           /* a system call failed */

enum splice_reason {
#define X(name, text) SPLICE_REASON_##name,
	SPLICE_REASONS(X)
#undef X
		SPLICE_REASON_COUNT
};

const char *splice_reason_name(enum splice_reason reason);

/* Where packets are taken, device by device. */
enum splice_hook {
	SPLICE_HOOK_AUTO, /* at XDP where the driver can redirect there, otherwise at TC */
	SPLICE_HOOK_XDP,  /* at XDP where the driver takes the program at all */
	SPLICE_HOOK_TC,
};

struct splice_options {
	uint32_t max_flows;     /* pairs; 0: 262144 */
	uint32_t guard_sources; /* whose rates the guard may know at once */
	/* With dispatch, for so many flows: 80 bytes each; 0: none. What an earlier daemon has left
	 * keeps its size. */
	uint32_t dispatch_flows;
	enum splice_hook hook;
	const char *const *interfaces; /* names; borrowed for the call */
	size_t ninterfaces;            /* 0: every Ethernet-like device, and lo */
	/* Where what is joined outlives us, and where we find what outlived others; borrowed until
	 * splice_free(). NULL: nothing does. */
	const struct pin *pin;
	/* A joined pair has nothing left to say: splice_owner() knows whose it is. Now and then
	 * one is told of twice, or, under a flood of ends, not at all. Thread: control. NULL:
	 * nobody wants to know. */
	void (*on_end)(void *context, uint32_t slot, uint64_t id);
	void *context;
};

/**
 * Loads the programs, attaches them (TC ingress, and egress for option matching; XDP by
 * @options->hook) to devices, follows links, routes and neighbours over rtnetlink on @loop.
 * Return: 0; -EPERM; -ENOTSUP with @ret_why (static text) where the kernel lacks something; -errno.
 * Thread: control, as everything here unless said otherwise.
 */
int splice_new(const struct splice_options *options, struct io_loop *loop, struct splice **ret,
	       const char **ret_why) WARN_UNUSED;

/* Detaches the programs and removes what is pinned, unless something outlives us: adopted pairs
 * that were not closed, those that were left, dispatch's plan. NULL is allowed. */
void splice_free(struct splice *splice);

struct splice_facts {
	uint32_t pairs, max_pairs; /* in use: observed or joined */
	uint64_t verdicts[FLOW_VERDICT_COUNT];
};

const char *splice_event_name(enum flow_event_kind kind);
/* Adds the events that the programs, for whatever they were loaded, have not told of. Thread: any.
 */
void splice_untold(const struct splice *splice, uint64_t ret[FLOW_EVENT_KINDS]);

/* A dozen system calls. Thread: any. */
void splice_describe(struct splice *splice, struct splice_facts *ret);

/* Longest text of a device's @why, with its end. */
#define SPLICE_WHY_SIZE 128

struct splice_device {
	const char *name, *driver; /* driver: "" where there is none */
	const char *hook;          /* "xdp", "tc" or "none" */
	const char *why;           /* it has no better one; "" at XDP */
};

/* Every device there is. Texts are borrowed for the call. Thread: any. */
void splice_for_each_device(struct splice *splice,
			    void (*visit)(const struct splice_device *device, void *context),
			    void *context);

/* SO_MARK etc. of a backend socket before it connects, so that its SYN offers what the client's leg
 * has. @client_fd is established. Thread: any. Return: 0; -errno, harmless. */
int splice_prepare_backend(struct splice *splice, int client_fd, int backend_fd);

/* Whose connection it is: for on_end, for sluicectl, and for a later daemon that adopts it. */
struct splice_label {
	uint64_t id;          /* unique in this daemon; tells the thread that observes it */
	uint64_t accepted_us; /* when the client came, since 1970; 0: unknown */
	uint32_t listener_hash, pool_hash;
	void *owner; /* what splice_owner() returns */
};

/**
 * Registers a pair in state OBSERVE; both sockets are established and idle or relaying.
 * Return: 0; -ENOTSUP with *ret_reason where it is not eligible. Thread: any worker.
 */
int splice_observe(struct splice *splice, int client_fd, int backend_fd,
		   const struct splice_label *label, struct splice_pair **ret,
		   enum splice_reason *ret_reason) WARN_UNUSED;

/* An adopted pair's beginning, as far as it is known. */
struct splice_origin {
	struct splice_label label; /* no owner */
	uint64_t relayed_up, relayed_down;
	uint64_t age_ms; /* since it was joined */
	struct address client, local, backend;
};

/**
 * The joined pairs that an earlier daemon has left in @splice_options.pin: they are followed like
 * those that one has joined oneself, but there are no sockets to close.
 * Return: one that has not been taken yet; the caller's, until splice_pair_close() or
 * splice_pair_leave(). NULL: there is none left. Thread: control, all its life.
 */
struct splice_pair *splice_take_adopted(struct splice *splice, struct splice_origin *ret);

/* Whether the pair of @slot, that @on_end told of, is an adopted one: then it is not a worker's,
 * though its id may look like that. */
bool splice_is_adopted(const struct splice *splice, uint32_t slot);

/* What splice_owner() returns from now on. Thread: whose the pair is. */
void splice_pair_set_owner(struct splice_pair *pair, void *owner);

/* The owner of the pair that @on_end told of; NULL: it has been closed since. Thread: the worker
 * that observed @id. */
void *splice_owner(struct splice *splice, uint32_t slot, uint64_t id);

/* What the relay has carried: joined, the pair keeps it for whoever accounts for it. */
void splice_pair_set_relayed(struct splice_pair *pair, uint64_t bytes_up, uint64_t bytes_down);

/* Whether the programs have seen a packet of either side; a side that they have not is asked for
 * one. Thread: the worker that observed it. */
bool splice_is_watched(const struct splice_pair *pair);

/**
 * Tries to hand over, at any moment, while the relay reads nothing and every byte that it had read
 * is with the kernel; bytes may wait in both sockets' queues. Some microseconds, one system call.
 * Return: 0: joined, and the relay may go on: it delivers what is in the queues, and nothing else
 * comes; -EAGAIN: a packet came in between, or much is waiting: relay on and try again later;
 * another -errno: never will be. Thread: the worker that observed it.
 */
int splice_join(struct splice_pair *pair) WARN_UNUSED;

/* Whether all that was in the queues has been delivered: from now on the sockets carry nothing. One
 * system call. Thread: the worker that observed it. */
bool splice_is_delivered(const struct splice_pair *pair) WARN_UNUSED;

/* From now on nobody may read or write the sockets of a joined pair, and they end without a word if
 * the daemon does. All is delivered. Thread: the worker that observed it. */
void splice_cut_tail(struct splice_pair *pair);

/* How long after the tail was cut nothing is under way to the sockets any more, and nothing is left
 * that they would say by themselves (the longest that Linux holds an ACK back, and some). */
#define SPLICE_SETTLE_MS 250

/* Puts the sockets of a joined pair to sleep: from now on they may not be used or asked, only
 * closed, and that after splice_pair_close(). Thread: the worker that observed it. */
void splice_freeze(struct splice_pair *pair);

struct splice_traffic {
	uint64_t bytes_up, bytes_down, packets_up, packets_down; /* spliced only */
	uint64_t idle_ms;                      /* since a packet went through, either way */
	uint64_t silent_up_ms, silent_down_ms; /* since the client, the backend was heard */
	bool is_over;                          /* both FINs acknowledged, or an RST went through */
	bool is_superseded; /* is over, and a new connection has begun on its tuple */
	bool is_reset_by_client, is_reset_by_backend;
};

/* By the devices that its packets arrive on. */
#define SPLICE_RUNGS(X)      \
	X(TC, "splice-tc")   \
	X(XDP, "splice-xdp") \
	X(MIXED, "splice-mixed") /* one direction at TC, the other at XDP */

enum splice_rung {
#define X(name, text) SPLICE_RUNG_##name,
	SPLICE_RUNGS(X)
#undef X
};

const char *splice_rung_name(enum splice_rung rung);

/* As things stand now. Thread: any that the pair cannot be closed under. */
enum splice_rung splice_pair_rung(const struct splice_pair *pair);

/* Reads shared memory, no system call. Thread: any. */
void splice_pair_traffic(const struct splice_pair *pair, struct splice_traffic *ret);

/* Makes both ends of a joined pair say something, if they are there. Thread: any. */
void splice_pair_probe(const struct splice_pair *pair);

/**
 * Ends it and forgets the pair: removes its flows, and with @is_reset sends RST to both ends of a
 * joined one, built from the recorded numbers. The sockets stay the caller's. Those of a joined
 * pair hold their ports until the caller closes them, which nobody hears of (they are in
 * TCP_REPAIR): so the flows go first. Thread: the worker that observed it.
 */
void splice_pair_close(struct splice_pair *pair, bool is_reset);

/* Forgets a joined pair, which goes on in the kernel for a later daemon: only where there is a
 * pin. The caller closes its sockets, of which nobody hears. Thread: whose the pair is. */
void splice_pair_leave(struct splice_pair *pair);

/* Whether what is joined can outlive us. */
bool splice_can_leave(const struct splice *splice);

/* Dispatch's plan outlives us: only where there is a pin. Thread: control. */
void splice_leave_dispatch(struct splice *splice);

/* How many joined pairs will: those that were left, and adopted ones that are not over. */
uint32_t splice_lasting(const struct splice *splice);

#endif
