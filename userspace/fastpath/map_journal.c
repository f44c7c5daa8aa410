// SPDX-License-Identifier: Apache-2.0
/* Changes of hash maps that can be taken back: a plan is put in force whole or not at all. */
#include "fastpath/map_journal.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct map_change {
	int fd;
	bool is_new;     /* there was none */
	char *key, *old; /* @key owns the memory of both */
};

static bool make_room(struct map_journal *journal)
{
	size_t cap = journal->cap ? 2 * journal->cap : 16;
	struct map_change *all = journal->all;

	if (journal->count < journal->cap)
		return true;
	all = reallocarray(all, cap, sizeof(*all));
	if (!all)
		return false;
	journal->all = all;
	journal->cap = cap;
	return true;
}

/* What is at @key, not in the journal yet. Return: 0; -errno. */
static int look(int fd, struct slice key, size_t value_size, struct map_change *ret)
{
	struct map_change change = {.fd = fd, .key = malloc(key.len + value_size)};
	int err;

	if (!change.key)
		return -ENOMEM;
	change.old = change.key + key.len;
	memcpy(change.key, key.ptr, key.len);
	change.is_new = bpf_map_lookup_elem(fd, change.key, change.old) < 0;
	err = change.is_new && errno != ENOENT ? -errno : 0;
	if (err) {
		free(change.key);
		return err;
	}
	*ret = change;
	return 0;
}

int map_journal_put(struct map_journal *journal, int fd, struct slice key, struct slice value)
{
	struct map_change change;
	int err;

	if (!make_room(journal))
		return -ENOMEM;
	err = look(fd, key, value.len, &change);
	if (err)
		return err;
	if (!change.is_new && memcmp(change.old, value.ptr, value.len) == 0) {
		free(change.key);
		return 0;
	}
	if (bpf_map_update_elem(fd, key.ptr, value.ptr, BPF_ANY) < 0) {
		err = -errno;
		free(change.key);
		return err;
	}
	journal->all[journal->count++] = change;
	return 0;
}

static int undo(const struct map_change *change)
{
	int err = change->is_new
			  ? bpf_map_delete_elem(change->fd, change->key)
			  : bpf_map_update_elem(change->fd, change->key, change->old, BPF_ANY);

	return err < 0 ? -errno : 0;
}

/* The latest first: an element may have been put more than once. */
int map_journal_undo(const struct map_journal *journal)
{
	int first = 0;

	for (size_t i = journal->count; i-- > 0;) {
		int err = undo(&journal->all[i]);

		if (!first)
			first = err;
	}
	return first;
}

void map_journal_done(struct map_journal *journal)
{
	for (size_t i = 0; i < journal->count; i++)
		free(journal->all[i].key);
	free(journal->all);
	*journal = (struct map_journal){};
}
