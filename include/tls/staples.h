/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TLS_STAPLES_H
#define SLUICE_TLS_STAPLES_H

#include "core/compiler.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * OCSP responses that are fetched: threads ask the responders of certificates that are in use, in
 * time before an answer runs out, and contexts staple what is there. An answer outlives reloads for
 * as long as its certificate is in use.
 */
struct tls_staples;

struct tls_staple_news {
	const char *certificate; /* its subject; borrowed for the call */
	const char *url;
	const char *problem; /* static text; NULL: it was fetched */
	uint32_t failures;   /* in a row, before this */
	bool is_first;       /* nothing was fetched before */
	uint32_t next_s;     /* until it is asked for again */
};

/* @on_news: called by a thread for each answer and each failure, one at a time; NULL: nobody wants
 * to know. Return: 0; -ENOMEM; -EMFILE or -ENFILE: out of descriptors. */
int tls_staples_new(void (*on_news)(const struct tls_staple_news *news, void *context),
		    void *context, struct tls_staples **ret) WARN_UNUSED;

/* After the contexts that use it. Waits for the threads, which may be looking up names. NULL is
 * allowed. */
void tls_staples_free(struct tls_staples *staples);

#endif
