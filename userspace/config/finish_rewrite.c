// SPDX-License-Identifier: Apache-2.0
/* What the options of a rewrite ask of each other. */
#include "config/config_internal.h"

#include "core/regex.h"

#include <errno.h>

/* The largest group that @to names. */
static size_t largest_group(const char *to)
{
	size_t largest = 0;

	for (; *to; to++) {
		if (*to != '$' || !to[1])
			continue;
		to++;
		if (*to >= '0' && *to <= '9' && (size_t)(*to - '0') > largest)
			largest = (size_t)(*to - '0');
	}
	return largest;
}

static void check_groups(struct decoder *decoder, const struct config_rewrite *rewrite,
			 const struct node *node)
{
	char problem[REGEX_PROBLEM_SIZE];
	struct regex *regex = NULL;
	size_t largest = largest_group(rewrite->to);
	int err = regex_new(slice_from_str(rewrite->regex), &regex, problem);

	decoder->is_out_of_memory |= err == -ENOMEM;
	if (err)
		return;
	if (largest > regex_groups(regex))
		diagnose(decoder->diagnostics, node_member_or_self(node, "to"),
			 "to: there is no group %zu; expected at most the %zu of regex", largest,
			 regex_groups(regex));
	regex_free(regex);
}

void finish_rewrite(struct decoder *decoder, const struct node *node, void *base)
{
	static const char *const ways[] = {"path", "prefix", "regex"};
	const struct config_rewrite *rewrite = base;
	const char *first = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		const struct node *found = node_member(node, ways[i]);

		if (found && first)
			diagnose(decoder->diagnostics, found,
				 "%s stands beside %s; expected one of the two", ways[i], first);
		first = found ? ways[i] : first;
	}
	if (!node_member(node, "regex") != !node_member(node, "to"))
		diagnose(decoder->diagnostics, node,
			 "rewrite has one of regex and to; expected both or none");
	else if (rewrite->regex && rewrite->to)
		check_groups(decoder, rewrite, node);
	if (!first && !node_member(node, "host") && !node_member(node, "to"))
		diagnose(decoder->diagnostics, node,
			 "rewrite changes nothing; expected one of path, prefix, regex, host");
}
