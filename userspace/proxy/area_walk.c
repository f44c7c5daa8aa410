// SPDX-License-Identifier: Apache-2.0
/* The walk over all places of the databases. Places with the same answers are one area, however far
 * apart they lie; of each place it is asked once. */
#include "proxy/area_walk.h"
#include "core/hash.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The first addresses that are not where IPv4 lies. */
#define FIRST_V6 ((uint64_t)1 << 32)

/* What is asked of a place; all bytes count. */
struct place_key {
	uint64_t latitude, longitude; /* the bits of a double */
	uint32_t asn;
	earth_code country, continent;
	uint64_t has_point;
};

_Static_assert(sizeof(struct place_key) == 32, "no hidden padding");

struct place {
	struct place_key key;
	uint32_t area; /* and one; 0: the slot is free */
};

/* A hash table of places, never more than half full. */
struct places {
	struct place *slots;
	size_t count, size;
};

#define AREA_SLOTS ((size_t)2 * DISPATCH_AREAS_MAX)

struct walk {
	const struct area_questions *questions;
	struct area_list *list;
	uint32_t wanted; /* GEO_… */
	size_t depth;    /* so many of an order's sites tell areas apart */
	struct places places;
	uint8_t *keys;    /* of areas: answers, cut to @depth */
	uint16_t *slots;  /* AREA_SLOTS: a hash table of areas, and one; 0: free */
	uint8_t *scratch; /* answers, and behind them the key */
	size_t cap;       /* of changes */
};

/* Return: its number; -E2BIG. */
static int add_area(struct walk *walk, const uint8_t *answers, const uint8_t *key, size_t slot)
{
	struct area_list *list = walk->list;
	size_t len = walk->questions->len;
	uint32_t area = list->count;

	if (area == DISPATCH_AREAS_MAX)
		return -E2BIG;
	memcpy(list->answers + area * len, answers, len);
	memcpy(walk->keys + area * len, key, len);
	walk->slots[slot] = (uint16_t)(area + 1);
	list->count++;
	return (int)area;
}

/* Of answers that differ in far sites alone, those that came first are the area's. */
static int area_of_facts(struct walk *walk, const struct geo_facts *facts)
{
	size_t len = walk->questions->len;
	uint8_t *answers = walk->scratch, *key = answers + len;
	size_t slot;

	area_questions_answer(walk->questions, facts, answers);
	memcpy(key, answers, len);
	area_questions_cut(walk->questions, walk->depth, key);
	slot = hash_bytes(slice_of((const char *)key, len), 0) % AREA_SLOTS;
	for (; walk->slots[slot]; slot = (slot + 1) % AREA_SLOTS) {
		size_t area = walk->slots[slot] - 1u;

		if (memcmp(walk->keys + area * len, key, len) == 0)
			return (int)area;
	}
	return add_area(walk, answers, key, slot);
}

static struct place_key key_of(const struct walk *walk, const struct geo_facts *facts)
{
	struct place_key key = {};

	if (walk->wanted & GEO_COUNTRY)
		key.country = facts->country;
	if (walk->wanted & GEO_CONTINENT)
		key.continent = facts->continent;
	if (walk->wanted & GEO_ASN)
		key.asn = facts->asn;
	if (walk->wanted & GEO_POINT && facts->has_point) {
		key.has_point = true;
		memcpy(&key.latitude, &facts->point.latitude, sizeof(key.latitude));
		memcpy(&key.longitude, &facts->point.longitude, sizeof(key.longitude));
	}
	return key;
}

static struct place *place_slot(const struct places *places, const struct place_key *key)
{
	size_t slot = hash_bytes(slice_of((const char *)key, sizeof(*key)), 0) % places->size;

	while (places->slots[slot].area && memcmp(&places->slots[slot].key, key, sizeof(*key)) != 0)
		slot = (slot + 1) % places->size;
	return &places->slots[slot];
}

static int grow_places(struct places *places)
{
	struct places larger = {.size = places->size ? 2 * places->size : 4096};

	larger.slots = calloc(larger.size, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < places->size; i++)
		if (places->slots[i].area)
			*place_slot(&larger, &places->slots[i].key) = places->slots[i];
	larger.count = places->count;
	free(places->slots);
	*places = larger;
	return 0;
}

/* Return: the area; -errno. */
static int area_of(struct walk *walk, const struct geo_facts *facts)
{
	const struct place_key key = key_of(walk, facts);
	struct place *place;
	int area;

	if (2 * walk->places.count >= walk->places.size && grow_places(&walk->places) < 0)
		return -ENOMEM;
	place = place_slot(&walk->places, &key);
	if (place->area)
		return (int)place->area - 1;
	area = area_of_facts(walk, facts);
	if (area < 0)
		return area;
	*place = (struct place){key, (uint32_t)area + 1};
	walk->places.count++;
	return area;
}

static int make_room(struct walk *walk)
{
	struct area_list *list = walk->list;
	size_t cap = walk->cap ? 2 * walk->cap : 4096;
	struct dispatch_change *changes;

	if (list->nchanges < walk->cap)
		return 0;
	if (list->nchanges >= DISPATCH_CHANGES_MAX)
		return -EOVERFLOW;
	changes = realloc(list->changes, cap * sizeof(*changes));
	if (!changes)
		return -ENOMEM;
	list->changes = changes;
	walk->cap = cap;
	return 0;
}

/* Of one position what comes last holds: where one /64 has several networks, the last of them. */
static int add_change(struct walk *walk, uint64_t position, uint16_t area)
{
	struct area_list *list = walk->list;
	size_t count = list->nchanges;
	int err;

	if (count && list->changes[count - 1].first == position)
		count--;
	list->nchanges = count;
	if (count && list->changes[count - 1].area == area && position != DISPATCH_NOWHERE)
		return 0;
	err = make_room(walk);
	if (!err)
		list->changes[list->nchanges++] = (struct dispatch_change){position, area};
	return err;
}

static uint64_t position_of(const struct prefix *network)
{
	size_t len = network->family == AF_INET ? 4 : 8;
	uint64_t position = 0;

	for (size_t i = 0; i < len; i++)
		position = position << 8 | network->ip[i];
	return network->family == AF_INET6 && position < FIRST_V6 ? FIRST_V6 : position;
}

static int visit(const struct prefix *network, const struct geo_facts *facts, void *context)
{
	struct walk *walk = context;
	int area = area_of(walk, facts);

	return area < 0 ? area : add_change(walk, position_of(network), (uint16_t)area);
}

static int start_walk(struct walk *walk)
{
	const struct geo_facts unknown = {};
	size_t len = walk->questions->len;

	walk->list->count = 0;
	walk->list->nchanges = 0;
	walk->keys = calloc(DISPATCH_AREAS_MAX, len);
	walk->slots = calloc(AREA_SLOTS, sizeof(*walk->slots));
	walk->scratch = calloc(2, len);
	if (!walk->keys || !walk->slots || !walk->scratch)
		return -ENOMEM;
	return area_of(walk, &unknown); /* the first: DISPATCH_AREA_UNKNOWN */
}

/* Return: as area_walk(); @list: with room for all answers. */
static int walk_once(const struct area_questions *questions, const struct geo *geo, size_t depth,
		     const struct patience *patience, struct area_list *list)
{
	struct walk walk = {.questions = questions,
			    .list = list,
			    .wanted = area_questions_want(questions),
			    .depth = depth};
	int err = start_walk(&walk);

	if (!err)
		err = geo_walk(geo, visit, &walk, patience);
	if (!err)
		err = add_change(&walk, DISPATCH_NOWHERE, DISPATCH_AREA_UNKNOWN);
	free(walk.places.slots);
	free(walk.keys);
	free(walk.slots);
	free(walk.scratch);
	return err;
}

static int walk_all(const struct area_questions *questions, const struct geo *geo,
		    const struct patience *patience, struct area_list *list)
{
	size_t depth = CONFIG_LOCATIONS_MAX;
	int err;

	list->answers = calloc(DISPATCH_AREAS_MAX, questions->len);
	if (!list->answers)
		return -ENOMEM;
	err = walk_once(questions, geo, depth, patience, list);
	while (err == -E2BIG && depth > 1) {
		depth /= 2;
		err = walk_once(questions, geo, depth, patience, list);
	}
	return err;
}

static void *shrink(void *all, size_t size)
{
	void *smaller = realloc(all, size);

	return smaller ? smaller : all;
}

int area_walk(const struct area_questions *questions, const struct geo *geo,
	      const struct patience *patience, struct area_list *ret)
{
	struct area_list list = {};
	int err = walk_all(questions, geo, patience, &list);

	if (err) {
		area_list_done(&list);
		return err;
	}
	list.answers = shrink(list.answers, list.count * questions->len);
	list.changes = shrink(list.changes, list.nchanges * sizeof(*list.changes));
	*ret = list;
	return 0;
}

void area_list_done(struct area_list *list)
{
	free(list->answers);
	free(list->changes);
	*list = (struct area_list){};
}
