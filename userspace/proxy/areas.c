// SPDX-License-Identifier: Apache-2.0
/*
 * From databases to areas. All that mode dispatch wants to know of a place are questions: which
 * pool a listener's routes lead to, which order a pool's sites have. Places with the same answers
 * are one area, however far apart they lie; the walk asks of each place once.
 */
#include "proxy/areas.h"
#include "proxy/geography.h"
#include "core/hash.h"
#include "route/tcp_route.h"
#include "upstream/sites.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SITE_NONE UINT8_MAX /* in an order: nobody knows */

/* The first addresses that are not where IPv4 lies. */
#define FIRST_V6 ((uint64_t)1 << 32)

enum question_kind {
	QUESTION_POOL,  /* of a listener's routes: a pool's index, four bytes */
	QUESTION_ORDER, /* of a pool's sites: their indexes */
};

struct question {
	enum question_kind kind;
	size_t index;   /* of the listener or the pool */
	size_t at, len; /* of the answer among all */
	uint32_t line;
	/* Until all is answered: */
	const struct config_listener *listener; /* QUESTION_POOL */
	struct tcp_route_table *routes;
	struct earth_direction *sites; /* QUESTION_ORDER: @len */
};

struct areas {
	_Atomic uint32_t refs;
	uint64_t digest; /* of what they were made from */
	struct dispatch_areas table;
	struct dispatch_change *changes; /* of the table */
	struct question *questions;
	size_t nquestions;
	size_t len;       /* of an area's answers */
	uint8_t *answers; /* by area */
};

/* --- Questions ---------------------------------------------------------------------------------*/

static bool is_asked(const struct config *config, size_t pool)
{
	for (size_t i = 0; i < config->nlisteners; i++)
		if (config_dispatch_asks(&config->listeners[i], pool))
			return config->pools[pool].is_nearest;
	return false;
}

static struct question *add_question(struct areas *areas, enum question_kind kind, size_t index,
				     size_t len)
{
	struct question *question = &areas->questions[areas->nquestions++];

	*question = (struct question){.kind = kind, .index = index, .at = areas->len, .len = len};
	areas->len += len;
	return question;
}

static int ask_routes(struct areas *areas, const struct config *config, size_t index)
{
	const struct config_listener *listener = &config->listeners[index];
	struct question *question;

	if (listener->mode != CONFIG_MODE_DISPATCH || !listener->nroutes)
		return 0;
	question = add_question(areas, QUESTION_POOL, index, sizeof(uint32_t));
	question->line = listener->routes[0].line;
	question->listener = listener;
	question->routes = tcp_route_table_new(listener);
	return question->routes ? 0 : -ENOMEM;
}

static int ask_order(struct areas *areas, const struct config *config, size_t index)
{
	struct question *question;
	struct site_list sites;

	if (!is_asked(config, index))
		return 0;
	site_list_make(&config->pools[index], &sites);
	question = add_question(areas, QUESTION_ORDER, index, sites.count);
	question->line = config->pools[index].line;
	question->sites = calloc(sites.count + 1, sizeof(*question->sites));
	for (size_t i = 0; question->sites && i < sites.count; i++)
		question->sites[i] = earth_direction_of(&sites.points[i]);
	return question->sites ? 0 : -ENOMEM;
}

static int ask_all(struct areas *areas, const struct config *config)
{
	int err = 0;

	areas->questions = calloc(config->nlisteners + config->npools + 1,
				  sizeof(*areas->questions));
	if (!areas->questions)
		return -ENOMEM;
	for (size_t i = 0; !err && i < config->nlisteners; i++)
		err = ask_routes(areas, config, i);
	for (size_t i = 0; !err && i < config->npools; i++)
		err = ask_order(areas, config, i);
	return err;
}

static const struct question *find_question(const struct areas *areas, enum question_kind kind,
					    size_t index)
{
	for (size_t i = 0; i < areas->nquestions; i++)
		if (areas->questions[i].kind == kind && areas->questions[i].index == index)
			return &areas->questions[i];
	return NULL;
}

/* --- What they were made from ------------------------------------------------------------------*/

static void add_bytes(struct strbuf *out, const void *bytes, size_t len)
{
	strbuf_append(out, slice_of(bytes, len));
}

static void add_list(struct strbuf *out, const void *list, size_t count, size_t size)
{
	add_bytes(out, &count, sizeof(count));
	add_bytes(out, list, count * size);
}

static void add_routes(struct strbuf *out, const struct config_listener *listener)
{
	for (size_t i = 0; i < listener->nroutes; i++) {
		const struct config_route *route = &listener->routes[i];

		add_list(out, route->country, route->ncountry, sizeof(*route->country));
		add_list(out, route->continent, route->ncontinent, sizeof(*route->continent));
		add_list(out, route->asn, route->nasn, sizeof(*route->asn));
		add_bytes(out, &route->action.pool.index, sizeof(route->action.pool.index));
	}
	add_bytes(out, &listener->default_pool, sizeof(listener->default_pool));
}

/* Return: -ENOMEM; *@ret: of the databases and of all that is asked. */
static int digest(const struct areas *areas, const struct geo *geo, uint64_t *ret)
{
	uint64_t stamp = geo_opened_stamp(geo);
	struct strbuf all = {};

	add_bytes(&all, &stamp, sizeof(stamp));
	for (size_t i = 0; i < areas->nquestions; i++) {
		const struct question *question = &areas->questions[i];

		add_bytes(&all, &question->kind, sizeof(question->kind));
		add_bytes(&all, &question->index, sizeof(question->index));
		if (question->kind == QUESTION_POOL)
			add_routes(&all, question->listener);
		else
			add_list(&all, question->sites, question->len, sizeof(*question->sites));
	}
	*ret = hash_bytes(slice_of(all.text, all.len), 0);
	strbuf_done(&all);
	return all.is_failed ? -ENOMEM : 0;
}

/* --- Answers -----------------------------------------------------------------------------------*/

static void answer_pool(const struct question *question, const struct geo_facts *facts,
			uint8_t *ret)
{
	const struct address nobody = {};
	const struct tcp_route_request request = {.source = &nobody, .facts = facts};
	int pool = tcp_route_match(question->routes, &request);
	uint32_t index = pool < 0 ? 0 : (uint32_t)pool; /* a listener of mode dispatch has one */

	memcpy(ret, &index, sizeof(index));
}

/* As upstream/sites.c does it for a connection: of two equally far the first. */
static void answer_order(const struct question *question, const struct geo_facts *facts,
			 uint8_t *ret)
{
	double distances[CONFIG_LOCATIONS_MAX];
	struct earth_direction client;

	memset(ret, SITE_NONE, question->len);
	if (!facts->has_point)
		return;
	client = earth_direction_of(&facts->point);
	for (size_t i = 0; i < question->len; i++) {
		double distance = earth_chord_squared(&question->sites[i], &client);
		size_t at = i;

		for (; at > 0 && distances[at - 1] > distance; at--) {
			distances[at] = distances[at - 1];
			ret[at] = ret[at - 1];
		}
		distances[at] = distance;
		ret[at] = (uint8_t)i;
	}
}

static void answer_all(const struct areas *areas, const struct geo_facts *facts, uint8_t *ret)
{
	for (size_t i = 0; i < areas->nquestions; i++) {
		const struct question *question = &areas->questions[i];

		if (question->kind == QUESTION_POOL)
			answer_pool(question, facts, ret + question->at);
		else
			answer_order(question, facts, ret + question->at);
	}
}

/* --- The walk ----------------------------------------------------------------------------------*/

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
	struct areas *areas;
	uint32_t wanted; /* GEO_… */
	size_t depth;    /* so many of an order's sites tell areas apart */
	struct places places;
	uint8_t *keys;    /* of areas: answers, cut to @depth */
	uint16_t *slots;  /* AREA_SLOTS: a hash table of areas, and one; 0: free */
	uint8_t *scratch; /* answers, and behind them the key */
	size_t cap;       /* of changes */
};

static void cut_orders(const struct walk *walk, uint8_t *key)
{
	for (size_t i = 0; i < walk->areas->nquestions; i++) {
		const struct question *question = &walk->areas->questions[i];

		if (question->kind == QUESTION_ORDER && question->len > walk->depth)
			memset(key + question->at + walk->depth, 0, question->len - walk->depth);
	}
}

/* Return: its number; -E2BIG. */
static int add_area(struct walk *walk, const uint8_t *answers, const uint8_t *key, size_t slot)
{
	struct areas *areas = walk->areas;
	uint32_t area = areas->table.count;

	if (area == DISPATCH_AREAS_MAX)
		return -E2BIG;
	memcpy(areas->answers + area * areas->len, answers, areas->len);
	memcpy(walk->keys + area * areas->len, key, areas->len);
	walk->slots[slot] = (uint16_t)(area + 1);
	areas->table.count++;
	return (int)area;
}

/* Of answers that differ in far sites alone, those that came first are the area's. */
static int area_of_facts(struct walk *walk, const struct geo_facts *facts)
{
	size_t len = walk->areas->len;
	uint8_t *answers = walk->scratch, *key = answers + len;
	size_t slot;

	answer_all(walk->areas, facts, answers);
	memcpy(key, answers, len);
	cut_orders(walk, key);
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
	struct areas *areas = walk->areas;
	size_t cap = walk->cap ? 2 * walk->cap : 4096;
	struct dispatch_change *changes;

	if (areas->table.nchanges < walk->cap)
		return 0;
	if (areas->table.nchanges >= DISPATCH_CHANGES_MAX)
		return -EOVERFLOW;
	changes = realloc(areas->changes, cap * sizeof(*changes));
	if (!changes)
		return -ENOMEM;
	areas->changes = changes;
	walk->cap = cap;
	return 0;
}

/* Of one position what comes last holds: where one /64 has several networks, the last of them. */
static int add_change(struct walk *walk, uint64_t position, uint16_t area)
{
	struct areas *areas = walk->areas;
	size_t count = areas->table.nchanges;
	int err;

	if (count && areas->changes[count - 1].first == position)
		count--;
	areas->table.nchanges = count;
	if (count && areas->changes[count - 1].area == area && position != DISPATCH_NOWHERE)
		return 0;
	err = make_room(walk);
	if (!err)
		areas->changes[areas->table.nchanges++] = (struct dispatch_change){position, area};
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

static uint32_t wanted_by_routes(const struct config_listener *listener)
{
	uint32_t wanted = 0;

	for (size_t i = 0; i < listener->nroutes; i++)
		wanted |= geography_wanted_by(&listener->routes[i]);
	return wanted;
}

static uint32_t wanted_by(const struct areas *areas)
{
	uint32_t wanted = 0;

	for (size_t i = 0; i < areas->nquestions; i++)
		wanted |= areas->questions[i].kind == QUESTION_ORDER
				  ? GEO_POINT
				  : wanted_by_routes(areas->questions[i].listener);
	return wanted;
}

static int start_walk(struct walk *walk)
{
	struct areas *areas = walk->areas;
	const struct geo_facts unknown = {};

	areas->table.count = 0;
	areas->table.nchanges = 0;
	walk->keys = calloc(DISPATCH_AREAS_MAX, areas->len);
	walk->slots = calloc(AREA_SLOTS, sizeof(*walk->slots));
	walk->scratch = calloc(2, areas->len);
	if (!walk->keys || !walk->slots || !walk->scratch)
		return -ENOMEM;
	return area_of(walk, &unknown); /* the first: DISPATCH_AREA_UNKNOWN */
}

/* Return: 0; -E2BIG: too many areas; -EOVERFLOW: too many changes; -EINVAL; -ENOMEM. */
static int walk_once(struct areas *areas, const struct geo *geo, size_t depth)
{
	struct walk walk = {.areas = areas, .wanted = wanted_by(areas), .depth = depth};
	int err = start_walk(&walk);

	if (!err)
		err = geo_walk(geo, visit, &walk);
	if (!err)
		err = add_change(&walk, DISPATCH_NOWHERE, DISPATCH_AREA_UNKNOWN);
	free(walk.places.slots);
	free(walk.keys);
	free(walk.slots);
	free(walk.scratch);
	return err;
}

/* Where there are too many areas, they are told apart by their nearest sites alone. */
static int walk_all(struct areas *areas, const struct geo *geo)
{
	size_t depth = CONFIG_LOCATIONS_MAX;
	int err;

	areas->answers = calloc(DISPATCH_AREAS_MAX, areas->len);
	if (!areas->answers)
		return -ENOMEM;
	err = walk_once(areas, geo, depth);
	while (err == -E2BIG && depth > 1) {
		depth /= 2;
		err = walk_once(areas, geo, depth);
	}
	return err;
}

/* --- Making and looking ------------------------------------------------------------------------*/

static void say_why(int err, const struct areas *areas, const struct config *config,
		    struct strbuf *out)
{
	if (areas->nquestions)
		strbuf_printf(out, "%s:%u: ", config->path, areas->questions[0].line);
	else
		strbuf_printf(out, "%s: ", config->path);
	if (err == -E2BIG)
		strbuf_printf(out,
			      "routes and pools of mode dispatch tell more than %d areas apart; "
			      "expected fewer of them, or of their locations\n",
			      DISPATCH_AREAS_MAX);
	else if (err == -EOVERFLOW)
		strbuf_printf(out,
			      "in geo.databases the areas of mode dispatch are more than %zu "
			      "networks\n",
			      DISPATCH_CHANGES_MAX);
	else if (err == -EINVAL)
		strbuf_append_str(out, "one of geo.databases is damaged\n");
	else
		strbuf_append_str(out, "out of memory\n");
}

static uint64_t next_id(void)
{
	static _Atomic uint64_t last;

	return atomic_fetch_add(&last, 1) + 1;
}

/* What answers are made with: it belongs to a configuration. */
static void forget_questions(struct areas *areas)
{
	for (size_t i = 0; i < areas->nquestions; i++) {
		tcp_route_table_free(areas->questions[i].routes);
		free(areas->questions[i].sites);
		areas->questions[i].routes = NULL;
		areas->questions[i].sites = NULL;
		areas->questions[i].listener = NULL;
	}
}

static int fill(struct areas *areas, const struct geo *geo)
{
	int err = walk_all(areas, geo);
	struct dispatch_change *changes;
	uint8_t *answers;

	if (err)
		return err;
	answers = realloc(areas->answers, areas->table.count * areas->len);
	areas->answers = answers ? answers : areas->answers;
	changes = realloc(areas->changes, (areas->table.nchanges + 1) * sizeof(*changes));
	areas->changes = changes ? changes : areas->changes;
	areas->table.changes = areas->changes;
	areas->table.id = next_id();
	forget_questions(areas);
	return 0;
}

int areas_make(const struct config *config, const struct geo *geo, struct areas *like,
	       struct areas **ret, struct strbuf *ret_errors)
{
	struct areas *areas = calloc(1, sizeof(*areas));
	int err = areas ? ask_all(areas, config) : -ENOMEM;

	*ret = NULL;
	if (!areas)
		return -ENOMEM;
	areas->refs = 1;
	if (!err && (!areas->nquestions || !geo)) {
		areas_unref(areas);
		return 0;
	}
	if (!err)
		err = digest(areas, geo, &areas->digest);
	if (!err && like && like->digest == areas->digest) {
		areas_unref(areas);
		*ret = areas_ref(like);
		return 0;
	}
	if (!err)
		err = fill(areas, geo);
	if (err) {
		say_why(err, areas, config, ret_errors);
		areas_unref(areas);
		return err == -EOVERFLOW ? -E2BIG : err;
	}
	*ret = areas;
	return 0;
}

struct areas *areas_ref(struct areas *areas)
{
	if (areas)
		atomic_fetch_add(&areas->refs, 1);
	return areas;
}

void areas_unref(struct areas *areas)
{
	if (!areas || atomic_fetch_sub(&areas->refs, 1) > 1)
		return;
	forget_questions(areas);
	free(areas->questions);
	free(areas->changes);
	free(areas->answers);
	free(areas);
}

const struct dispatch_areas *areas_table(const struct areas *areas)
{
	return areas ? &areas->table : NULL;
}

size_t areas_pool(const struct areas *areas, const struct config *config, size_t listener,
		  uint32_t area)
{
	const struct question *question = find_question(areas, QUESTION_POOL, listener);
	uint32_t index;

	if (!question)
		return config->listeners[listener].default_pool;
	memcpy(&index, areas->answers + area * areas->len + question->at, sizeof(index));
	return index;
}

const uint8_t *areas_order(const struct areas *areas, size_t pool, uint32_t area)
{
	const struct question *question = find_question(areas, QUESTION_ORDER, pool);
	const uint8_t *order;

	if (!question)
		return NULL;
	order = areas->answers + area * areas->len + question->at;
	return order[0] == SITE_NONE ? NULL : order;
}
