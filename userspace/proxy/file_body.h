/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_FILE_BODY_H
#define SLUICE_PROXY_FILE_BODY_H

#include "files/cache.h"
#include "proxy/exchange.h"

#include <stdint.h>

struct file_read;

/*
 * The bytes of a file as the body of an answer whose head has been sent: read as the client takes
 * them, from the kernel's memory on the worker's thread, and by a thread of io/offload.h where they
 * are on the disk.
 */
struct file_body {
	struct exchange_source source;
	struct exchange *exchange;
	struct file_entry *entry;
	uint64_t offset, end;   /* what is still to be sent */
	struct file_read *read; /* under way on a thread; NULL: none */
};

/* Ends the exchange once all is sent, or cuts it short. @body: in the exchange's arena. @entry: the
 * reference is taken over. */
void file_body_start(struct file_body *body, struct exchange *exchange, struct file_entry *entry,
		     uint64_t first, uint64_t length);

/* Reads what a small answer needs if it can be had at once. Return: whether all of it was. */
bool file_read_now(int fd, char *buf, size_t len, uint64_t offset);

#endif
