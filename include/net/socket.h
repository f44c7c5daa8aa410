/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_NET_SOCKET_H
#define SLUICE_NET_SOCKET_H

#include "core/address.h"
#include "core/compiler.h"

#include <stdbool.h>
#include <stdint.h>

/* Sockets with the options that a proxy wants. All are CLOEXEC and non-blocking. Thread: any. */

struct socket_listen_options {
	uint32_t backlog;
	bool is_v6only;
	bool is_reuseport;   /* one socket a worker, spread by the kernel */
	bool is_transparent; /* IP_TRANSPARENT, where there is the privilege */
	uint32_t unix_mode;  /* permissions of a unix socket's file */
};

/**
 * A listening socket. A unix socket's stale file (nobody accepts on it) is replaced; one in use is
 * -EADDRINUSE.
 * Return: the descriptor; -errno.
 */
int socket_listen(const struct address *address,
		  const struct socket_listen_options *options) WARN_UNUSED;

/* What an operator does about @error of socket_listen(), behind its text: "; …", or nothing. */
const char *socket_listen_remedy(const struct address *address, int error);

/* How many connections the kernel lets wait in a backlog at most, whatever is asked for:
 * net.core.somaxconn as it is now; its default where it cannot be read. */
uint32_t socket_backlog_limit(void);

struct socket_connect_options {
	const struct address *source; /* bind to it before connecting; NULL: the kernel chooses */
	bool is_transparent;          /* @source is not ours: IP_TRANSPARENT */
};

/* A TCP or unix socket, ready to connect to @address. Return: the descriptor; -errno. */
int socket_for_connect(const struct address *address,
		       const struct socket_connect_options *options) WARN_UNUSED;

/*
 * TCP_NODELAY and keep-alive (0: left as it is); sockets accepted from a tuned one inherit both.
 * Does nothing to unix sockets. One for connecting has TCP_NODELAY already.
 */
void socket_tune(int fd, sa_family_t family, uint32_t keepalive_ms);

/*
 * The ACK that ends the handshake of a socket that is yet to connect waits for the first bytes, and
 * goes with them: a segment and a wake-up of the other side less. Whoever then has nothing to say
 * releases it; by itself it goes after 40 ms or more. Nothing happens to unix sockets.
 */
void socket_hold_ack(int fd);
void socket_release_ack(int fd);

/*
 * Whether a TCP socket whose receiving has ended, and from which @taken bytes were read, ended by
 * the peer's FIN: one that was reset looks the same once its error has been told. A FIN takes a
 * sequence number, which tcpi_bytes_received counts. Any other socket has always ended by FIN.
 */
bool socket_heard_fin(int fd, uint64_t taken);

/* Bytes (and a FIN) that the kernel has taken and the peer has not acknowledged; of a unix socket,
 * not read. 0 where it cannot be told. */
uint32_t socket_unacknowledged(int fd);

int socket_peer(int fd, struct address *ret) WARN_UNUSED;
int socket_local(int fd, struct address *ret) WARN_UNUSED;

#endif
