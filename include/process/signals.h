/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROCESS_SIGNALS_H
#define SLUICE_PROCESS_SIGNALS_H

#include "core/compiler.h"

#include <stdbool.h>

/*
 * SIGTERM, SIGINT and SIGQUIT (what nginx's operators send) drain, SIGHUP reloads, SIGUSR1 opens
 * the access log anew. Others that would end a process without a word, or stop it, are no more than
 * told of.
 */

/**
 * Keeps what is no end from being one: whoever sends a signal cannot know how far the start has
 * come. First of all; those that end the daemon may still end its start.
 */
void signals_hold(void);

/**
 * All of them by a descriptor (signalfd(2), not blocking), which is the caller's. Before the first
 * thread. Return: the descriptor; -errno, told in the log.
 */
int signals_open(void) WARN_UNUSED;

/* Whether one that ends the daemon waits to be read from that descriptor. Thread: any. */
bool signals_have_end(void);

#endif
