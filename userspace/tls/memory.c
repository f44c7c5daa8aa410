// SPDX-License-Identifier: Apache-2.0
/*
 * Allocations of OpenSSL's that fail are noted. It goes on without some of what it could not have:
 * SSL_CTX_new() leaves out ciphers, groups and signature algorithms, a verification finds a good
 * certificate's key too weak.
 */
#include "tls/memory.h"
#include "tls/tls_internal.h"

#include <openssl/crypto.h>
#include <stdlib.h>

static _Thread_local bool is_denied; /* since tls_errors_begin() */

static void *note(void *memory)
{
	if (!memory)
		is_denied = true;
	return memory;
}

static void *allocate(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return size ? note(malloc(size)) : NULL;
}

static void release(void *memory, const char *file, int line)
{
	(void)file;
	(void)line;
	free(memory);
}

static void *resize(void *memory, size_t size, const char *file, int line)
{
	if (size)
		return note(realloc(memory, size));
	release(memory, file, line);
	return NULL;
}

void tls_memory_watch(void)
{
	(void)CRYPTO_set_mem_functions(allocate, resize, release);
}

void tls_memory_forget(void)
{
	is_denied = false;
}

bool tls_memory_is_denied(void)
{
	return is_denied;
}
