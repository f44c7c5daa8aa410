/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TRAFFIC_H
#define TESTS_TRAFFIC_H

#include "transfer.h"

/* What the client is asked to do. */
struct plan {
	struct sockaddr_storage target, source;
	socklen_t target_len, source_len; /* source_len 0: the kernel chooses */
	uint64_t connections;             /* in all; UINT64_MAX: until standard input ends */
	uint64_t concurrency;
	uint64_t up, down;
	uint64_t read_rate;      /* of the client */
	uint64_t reset_after;    /* the client resets */
	uint64_t peer_read_rate; /* of the server */
	uint64_t peer_reset_after;
	uint64_t seed;
	uint64_t timeout_ms;
	uint64_t mixed; /* not 0: each connection differs, up and down are the most */
	enum close_order order;
};

/* Return: the process's exit status; 0 if every connection ended well. */
int run_client(const struct plan *plan);

/* Serves until it is killed. */
int serve(const char *listen_on);

#endif
