// SPDX-License-Identifier: Apache-2.0
/*
 * Walks the trees of all databases at once, so that what is asked of each network may rest on
 * several of them, and tells of all networks, or of the largest whose addresses all have the same
 * answer.
 */
#include "geo/geo_internal.h"

#include <errno.h>
#include <stdlib.h>

/* Nodes that are looked at: ten times those of the largest databases. What needs more has circles.
 */
#define STEPS_MAX 200000000u

/* Between two looks whether it is still wanted: some milliseconds. */
#define STEPS_PATIENT 65536u

/* Answers of records that were asked for last, a power of two. */
#define RECENT 8192u

/* Where a database's tree stands on the way. */
struct cursor {
	uint8_t type; /* MMDB_RECORD_TYPE_… */
	uint64_t node;
	MMDB_entry_s record;
};

struct recent {
	bool is_used;
	uint32_t offset;
	struct geo_facts facts;
};

struct walk {
	const struct geo *geo;
	bool (*judge)(const struct geo_facts *facts, void *context);
	int (*visit)(const struct prefix *network, void *context);
	int (*visit_all)(const struct prefix *network, const struct geo_facts *facts,
			 void *context);
	void *context;
	const struct patience *patience;
	sa_family_t family;
	uint8_t depth_max;
	uint32_t steps;
	uint64_t v4[GEO_DATABASES_MAX]; /* nodes where IPv4 begins; UINT64_MAX: at none */
	struct recent *recent;          /* RECENT of each database */
};

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_MIXED };

/* --- Cursors -------------------------------------------------------------------- */

/* Return: 0; -EINVAL. */
static int step(const MMDB_s *file, struct cursor *cursor, bool is_right)
{
	MMDB_search_node_s node;

	if (cursor->type != MMDB_RECORD_TYPE_SEARCH_NODE)
		return 0;
	if (MMDB_read_node(file, (uint32_t)cursor->node, &node) != MMDB_SUCCESS)
		return -EINVAL;
	*cursor = is_right ? (struct cursor){node.right_record_type, node.right_record,
					     node.right_record_entry}
			   : (struct cursor){node.left_record_type, node.left_record,
					     node.left_record_entry};
	return cursor->type == MMDB_RECORD_TYPE_INVALID ? -EINVAL : 0;
}

/* In trees for IPv6 it lies at ::/96. */
static int go_to_v4(const MMDB_s *file, struct cursor *cursor)
{
	int err = 0;

	for (int i = 0; !err && file->metadata.ip_version == 6 && i < 96; i++)
		err = step(file, cursor, false);
	return err;
}

static int begin(struct walk *walk, struct cursor *cursors)
{
	int err = 0;

	for (size_t i = 0; !err && i < walk->geo->count; i++) {
		const MMDB_s *file = &walk->geo->databases[i].file;
		struct cursor v4 = {.type = MMDB_RECORD_TYPE_SEARCH_NODE};

		cursors[i] = v4;
		err = go_to_v4(file, &v4);
		walk->v4[i] = v4.type == MMDB_RECORD_TYPE_SEARCH_NODE ? v4.node : UINT64_MAX;
		if (walk->family == AF_INET)
			cursors[i] = v4;
		else if (file->metadata.ip_version != 6)
			cursors[i].type = MMDB_RECORD_TYPE_EMPTY;
	}
	return err;
}

/* --- Answers -------------------------------------------------------------------- */

static const struct geo_facts *facts_of(const struct walk *walk, size_t index, MMDB_entry_s record)
{
	struct recent *recent = &walk->recent[index * RECENT + record.offset % RECENT];

	if (recent->is_used && recent->offset == record.offset)
		return &recent->facts;
	*recent = (struct recent){.is_used = true, .offset = record.offset};
	geo_record_read(&record, walk->geo->databases[index].contents, &recent->facts);
	return &recent->facts;
}

static void merge(struct geo_facts *facts, const struct geo_facts *more)
{
	if (!facts->country)
		facts->country = more->country;
	if (!facts->continent)
		facts->continent = more->continent;
	if (!facts->asn)
		facts->asn = more->asn;
	if (!facts->has_point) {
		facts->has_point = more->has_point;
		facts->point = more->point;
	}
}

static struct geo_facts facts_at(const struct walk *walk, const struct cursor *cursors)
{
	struct geo_facts facts = {};

	for (size_t i = 0; i < walk->geo->count; i++)
		if (cursors[i].type == MMDB_RECORD_TYPE_DATA)
			merge(&facts, facts_of(walk, i, cursors[i].record));
	return facts;
}

static enum answer judge(const struct walk *walk, const struct cursor *cursors)
{
	const struct geo_facts facts = facts_at(walk, cursors);

	return walk->judge(&facts, walk->context) ? ANSWER_YES : ANSWER_NO;
}

/* --- The walk ------------------------------------------------------------------- */

static bool has_branches(const struct walk *walk, const struct cursor *cursors)
{
	for (size_t i = 0; i < walk->geo->count; i++)
		if (cursors[i].type == MMDB_RECORD_TYPE_SEARCH_NODE)
			return true;
	return false;
}

/* What leads to IPv4 from elsewhere is unknown. */
static int descend(const struct walk *walk, const struct cursor *from, bool is_right,
		   struct cursor *ret)
{
	int err = 0;

	for (size_t i = 0; !err && i < walk->geo->count; i++) {
		ret[i] = from[i];
		err = step(&walk->geo->databases[i].file, &ret[i], is_right);
		if (walk->family == AF_INET6 && ret[i].type == MMDB_RECORD_TYPE_SEARCH_NODE &&
		    ret[i].node == walk->v4[i])
			ret[i].type = MMDB_RECORD_TYPE_EMPTY;
	}
	return err;
}

static int count_step(struct walk *walk, uint8_t depth)
{
	if (depth == walk->depth_max || walk->steps++ == STEPS_MAX)
		return -EINVAL;
	if (walk->steps % STEPS_PATIENT == 1 && patience_is_over(walk->patience))
		return -ECANCELED;
	return 0;
}

static int tell(const struct walk *walk, struct prefix network, uint8_t bits)
{
	network.bits = bits;
	return walk->visit(&network, walk->context);
}

static void set_bit(struct prefix *network, uint8_t bit)
{
	network->ip[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
}

/* @network: its first @depth bits count. Return: an enum answer, where MIXED has been told of;
 * -errno. As deep as an address has bits. */
static int visit_tree(struct walk *walk, struct prefix network, uint8_t depth,
		      const struct cursor *cursors) // NOLINT(misc-no-recursion)
{
	struct cursor below[GEO_DATABASES_MAX];
	struct prefix right = network;
	int left_answer, right_answer, err;

	if (!has_branches(walk, cursors))
		return (int)judge(walk, cursors);
	err = count_step(walk, depth);
	if (!err)
		err = descend(walk, cursors, false, below);
	left_answer = err ? err : visit_tree(walk, network, depth + 1, below);
	if (left_answer < 0)
		return left_answer;
	set_bit(&right, depth);
	err = descend(walk, cursors, true, below);
	right_answer = err ? err : visit_tree(walk, right, depth + 1, below);
	if (right_answer < 0 || (right_answer == left_answer && left_answer != ANSWER_MIXED))
		return right_answer;
	err = left_answer == ANSWER_YES ? tell(walk, network, depth + 1) : 0;
	if (!err && right_answer == ANSWER_YES)
		err = tell(walk, right, depth + 1);
	return err ? err : ANSWER_MIXED;
}

/* The same in order, of every network. Return: 0; what the visitor returned; -EINVAL; -ECANCELED.
 */
static int visit_leaves(struct walk *walk, struct prefix network, uint8_t depth,
			const struct cursor *cursors) // NOLINT(misc-no-recursion)
{
	struct cursor below[GEO_DATABASES_MAX];
	int err;

	if (!has_branches(walk, cursors)) {
		const struct geo_facts facts = facts_at(walk, cursors);

		network.bits = depth;
		return walk->visit_all(&network, &facts, walk->context);
	}
	err = count_step(walk, depth);
	if (!err)
		err = descend(walk, cursors, false, below);
	if (!err)
		err = visit_leaves(walk, network, depth + 1, below);
	if (!err)
		err = descend(walk, cursors, true, below);
	set_bit(&network, depth);
	return err ? err : visit_leaves(walk, network, depth + 1, below);
}

/* All addresses of the walk's family. */
typedef int walk_tree(struct walk *walk, const struct cursor *cursors);

static int tell_yes(struct walk *walk, const struct cursor *cursors)
{
	const struct prefix all = {.family = walk->family};
	int answer = visit_tree(walk, all, 0, cursors);

	if (answer == ANSWER_YES)
		return tell(walk, all, 0);
	return answer < 0 ? answer : 0;
}

static int tell_all(struct walk *walk, const struct cursor *cursors)
{
	const struct prefix all = {.family = walk->family};

	return visit_leaves(walk, all, 0, cursors);
}

static int walk_family(struct walk *walk, sa_family_t family, walk_tree *visit)
{
	struct cursor cursors[GEO_DATABASES_MAX];
	int err;

	walk->family = family;
	walk->depth_max = family == AF_INET ? 32 : 128;
	err = begin(walk, cursors);
	return err ? err : visit(walk, cursors);
}

static int walk_families(struct walk *walk, walk_tree *visit)
{
	int err;

	walk->recent = calloc(walk->geo->count * RECENT, sizeof(*walk->recent));
	if (!walk->recent)
		return -ENOMEM;
	err = walk_family(walk, AF_INET, visit);
	if (!err)
		err = walk_family(walk, AF_INET6, visit);
	free(walk->recent);
	return err;
}

int geo_for_each(const struct geo *geo, bool (*judge_facts)(const struct geo_facts *, void *),
		 int (*visit)(const struct prefix *, void *), void *context,
		 const struct patience *patience)
{
	struct walk walk = {.geo = geo,
			    .judge = judge_facts,
			    .visit = visit,
			    .context = context,
			    .patience = patience};

	return walk_families(&walk, tell_yes);
}

int geo_walk(const struct geo *geo,
	     int (*visit)(const struct prefix *, const struct geo_facts *, void *), void *context,
	     const struct patience *patience)
{
	struct walk walk = {
		.geo = geo, .visit_all = visit, .context = context, .patience = patience};

	return walk_families(&walk, tell_all);
}
