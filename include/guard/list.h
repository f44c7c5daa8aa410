/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_GUARD_LIST_H
#define SLUICE_GUARD_LIST_H

#include "abi/guard.h"
#include "core/address.h"
#include "core/compiler.h"
#include "core/slice.h"
#include "core/strbuf.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Networks and what is to become of packets from them: gathered from files, by hand, and from rules
 * of places, then made a guard_table. Thread: one at a time.
 */
struct guard_entry {
	struct prefix prefix;
	uint8_t why;        /* enum guard_why; NONE: an exception from a wider GEO */
	uint64_t expires_s; /* since 1970; 0: never */
};

/* A zeroed list is empty and ready. */
struct guard_list {
	struct guard_entry *entries;
	size_t count, cap;
	bool is_failed; /* out of memory */
};

void guard_list_add(struct guard_list *list, const struct guard_entry *entry);
void guard_list_done(struct guard_list *list);

/* More is a mistake, and not a list. */
#define GUARD_LIST_FILE_MAX ((size_t)64 << 20)
#define GUARD_LIST_MAX      2000000

/**
 * One network a line, as prefix_parse() reads it, then perhaps "until 2026-12-31" or "until
 * 2026-12-31T12:00:00Z", then perhaps a comment after "#" or ";". Empty lines are fine.
 * @errors: "name:line: …" for each bad line, up to a hundred of them.
 * Return: 0; -EINVAL: there are errors; the good lines are in @list all the same.
 */
int guard_list_parse(struct guard_list *list, const char *name, struct slice text,
		     enum guard_why why, struct strbuf *errors) WARN_UNUSED;

/* The same from a file. What cannot be read is an error too, "name: …". */
int guard_list_read(struct guard_list *list, const char *path, enum guard_why why,
		    struct strbuf *errors) WARN_UNUSED;

/* "2026-12-31" or "2026-12-31T12:00:00Z". Return: 0; -EINVAL. */
int guard_parse_time(struct slice text, uint64_t *ret_s) WARN_UNUSED;

#endif
