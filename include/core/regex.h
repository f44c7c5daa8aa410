/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_REGEX_H
#define SLUICE_CORE_REGEX_H

#include "core/compiler.h"
#include "core/slice.h"

#include <stddef.h>

/*
 * Perl's regular expressions over bytes, by PCRE2 and its JIT where the system lets memory be made
 * executable. A compiled one is immutable and may be used by any thread; what a match needs is in a
 * scratch of which each thread has its own. However a pattern and a subject play together, a match
 * ends after a bounded number of steps.
 */
struct regex;
struct regex_scratch;

#define REGEX_PROBLEM_SIZE 160

/**
 * @ret_problem: on -EINVAL what is wrong, and where: "missing closing parenthesis at offset 3".
 * Return: 0; -EINVAL; -ENOMEM.
 */
int regex_new(struct slice pattern, struct regex **ret,
	      char ret_problem[REGEX_PROBLEM_SIZE]) WARN_UNUSED;
void regex_free(struct regex *regex); /* NULL is allowed */

/* How many groups the pattern captures; group 0, the whole match, is not counted. */
size_t regex_groups(const struct regex *regex);

struct regex_scratch *regex_scratch_new(void) WARN_UNUSED; /* NULL: out of memory */
void regex_scratch_free(struct regex_scratch *scratch);    /* NULL is allowed */

/**
 * Return: 1: it matches somewhere in @subject; 0: it does not; -E2BIG: it took too many steps to
 * tell; -ENOMEM.
 */
int regex_match(const struct regex *regex, struct slice subject,
		struct regex_scratch *scratch) WARN_UNUSED;

/* What group @index, below REGEX_GROUPS_MAX, took of the subject of the last match, which held.
 * Empty if the group took no part. */
#define REGEX_GROUPS_MAX 10
struct slice regex_group(const struct regex_scratch *scratch, struct slice subject, size_t index);

#endif
