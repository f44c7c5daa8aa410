/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_BINDING_H
#define SLUICE_PROXY_BINDING_H

#include "config/config.h"
#include "core/address.h"
#include "core/compiler.h"
#include "fastpath/reuseport.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct worker_acceptor;

/*
 * The listening sockets of one address: one a worker, spread by SO_REUSEPORT; a unix socket is one
 * that all workers share. A binding lives on through reloads for as long as the configuration names
 * its address, so that no connection in a backlog is lost.
 */
struct binding {
	struct address requested; /* as configured */
	struct address address;   /* as bound: port 0 has become a real one */
	bool is_v6only;
	_Atomic uint32_t refs;
	_Atomic uint32_t nworkers; /* that may still accept from a shared socket */
	dev_t device;              /* of a unix socket's file: the path may become another's */
	ino_t inode;
	struct reuseport_group
		*group; /* balances accepts between workers; NULL: the kernel's hash */
	struct worker_acceptor **acceptors; /* by worker: who accepts; each worker's own */
	uint32_t nsockets;
	int sockets[]; /* by worker; -1: closed */
};

/**
 * @loads: the workers' loads, by which accepts are balanced; NULL: by the kernel's hash.
 * Return: 0 with one reference; -errno of the socket; of what balances, that memory or descriptors
 * are lacking. Thread: control.
 */
int binding_open(const struct config_listener *listener, const struct address *address,
		 uint32_t workers, const struct reuseport_loads *loads,
		 struct binding **ret) WARN_UNUSED;
struct binding *binding_ref(struct binding *binding);

/* The last one closes what is open. A unix socket's file goes with its socket. */
void binding_unref(struct binding *binding);

/* Whether the sockets can serve this address of @listener as they are. */
bool binding_fits(const struct binding *binding, const struct config_listener *listener,
		  const struct address *address);

/* Applies what can be changed on open sockets: backlog, keep-alive, a unix socket's mode. */
void binding_apply(struct binding *binding, const struct config_listener *listener);

int binding_socket(const struct binding *binding, uint32_t worker);

/* A worker is done with its socket; one that all share closes with the last of them. Once for each
 * worker. Thread: that worker. */
void binding_close_socket(struct binding *binding, uint32_t worker);

#endif
