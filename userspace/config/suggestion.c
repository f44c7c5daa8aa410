// SPDX-License-Identifier: Apache-2.0
/*
 * The known name that is nearest to a misspelt one, by edit distance: insertions, deletions,
 * substitutions and swaps of neighbours count one each; case counts nothing.
 * Source: Damerau 1964, in the restricted form (optimal string alignment).
 */
#include "config/config_internal.h"

#include <ctype.h>
#include <stdio.h>

#define WORD_MAX 64

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t distance(struct slice a, struct slice b)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b.len; j++)
		above[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t changed = same(a.ptr[i - 1], b.ptr[j - 1]) ? 0 : 1;

			row[j] = least(above[j - 1] + changed, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && same(a.ptr[i - 1], b.ptr[j - 2]) &&
			    same(a.ptr[i - 2], b.ptr[j - 1]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
		before = above;
		above = row;
		row = spare;
	}
	return above[b.len];
}

void suggestion_offer(struct suggestion *suggestion, const char *candidate)
{
	struct slice known = slice_from_str(candidate);
	size_t limit = suggestion->word.len / 3, found;

	if (suggestion->word.len == 0 || suggestion->word.len > WORD_MAX || known.len > WORD_MAX)
		return;
	found = distance(suggestion->word, known);
	/* Too far away is another word, not a misspelling. */
	if (found > limit || (suggestion->best && suggestion->distance <= found))
		return;
	suggestion->best = candidate;
	suggestion->distance = found;
}

const char *suggestion_format(const struct suggestion *suggestion, char ret[SUGGESTION_SIZE])
{
	ret[0] = '\0';
	if (suggestion->best)
		snprintf(ret, SUGGESTION_SIZE, "; did you mean \"%s\"?", suggestion->best);
	return ret;
}
