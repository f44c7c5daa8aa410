/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FILTER_HTPASSWD_H
#define SLUICE_FILTER_HTPASSWD_H

#include "core/arena.h"
#include "core/compiler.h"
#include "core/slice.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * A file of users and hashes of their passwords, "name:hash" a line, as htpasswd -B writes it.
 * Hashes of crypt(3) that are slow to guess: bcrypt, sha512-crypt, sha256-crypt, scrypt, yescrypt.
 */
struct htpasswd_user {
	struct slice name;
	const char *hash;
};

struct htpasswd {
	struct htpasswd_user *users; /* sorted by name */
	size_t count;
};

#define HTPASSWD_PROBLEM_SIZE 256
#define HTPASSWD_HASH_SIZE    384 /* with its NUL; crypt(3) makes no longer ones */

/**
 * @text: lines; empty ones and those that begin with "#" are skipped.
 * @ret_problem: what is wrong, and in which line. Hashes are not shown.
 * Return: 0, with everything in @arena; -EINVAL; -ENOMEM.
 */
int htpasswd_parse(struct slice text, struct arena *arena, struct htpasswd *ret,
		   char ret_problem[HTPASSWD_PROBLEM_SIZE]) WARN_UNUSED;

/* The hash of @name's password; of somebody else's if there is no such user, so that nobody learns
 * that from the time it takes. @ret_is_known: whether there is. */
const char *htpasswd_hash(const struct htpasswd *htpasswd, struct slice name, bool *ret_is_known);

/* Whether @password is the one of @hash. Takes long, on purpose. Thread: any. */
bool htpasswd_verify(const char *password, const char *hash);

#endif
