// SPDX-License-Identifier: Apache-2.0
/* From rules of places to networks: every place of the databases is held against the rules. */
#include "proxy/places.h"

#include <errno.h>
#include <stdlib.h>

/* In order: lists of autonomous systems have thousands of them. */
struct numbers {
	uint32_t *list;
	size_t count;
};

struct place_set {
	struct numbers countries, continents, systems;
};

struct gathering {
	struct place_set block, allow;
	struct guard_list *list;
	size_t count, max;
};

/* --- Sets ----------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b)
{
	uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;

	return one < other ? -1 : one > other;
}

static int take_numbers(struct numbers *numbers, const uint32_t *list, size_t count)
{
	numbers->list = calloc(count + 1, sizeof(*numbers->list));
	if (!numbers->list)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		numbers->list[numbers->count++] = list[i];
	qsort(numbers->list, count, sizeof(*numbers->list), compare_numbers);
	return 0;
}

static int take_codes(struct numbers *numbers, const earth_code *list, size_t count)
{
	uint32_t *wide = calloc(count + 1, sizeof(*wide));
	int err;

	if (!wide)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		wide[i] = list[i];
	err = take_numbers(numbers, wide, count);
	free(wide);
	return err;
}

static bool has_number(const struct numbers *numbers, uint32_t number)
{
	return bsearch(&number, numbers->list, numbers->count, sizeof(number), compare_numbers);
}

static int take_places(struct place_set *set, const struct config_places *places)
{
	int err = take_codes(&set->countries, places->country, places->ncountry);

	if (!err)
		err = take_codes(&set->continents, places->continent, places->ncontinent);
	return err ? err : take_numbers(&set->systems, places->asn, places->nasn);
}

static void forget_places(struct place_set *set)
{
	free(set->countries.list);
	free(set->continents.list);
	free(set->systems.list);
}

/* What is unknown is 0, and in no set. */
static bool is_in(const struct place_set *set, const struct geo_facts *facts)
{
	return has_number(&set->countries, facts->country) ||
	       has_number(&set->continents, facts->continent) ||
	       has_number(&set->systems, facts->asn);
}

/* --- Gathering ------------------------------------------------------------------ */

static bool is_blocked(const struct geo_facts *facts, void *context)
{
	const struct gathering *gathering = context;

	return is_in(&gathering->block, facts) && !is_in(&gathering->allow, facts);
}

/* Counts on beyond the bound, so that it can be said how many there are. */
static int take_network(const struct prefix *network, void *context)
{
	struct gathering *gathering = context;
	const struct guard_entry entry = {.prefix = *network, .why = GUARD_WHY_GEO};

	if (++gathering->count <= gathering->max)
		guard_list_add(gathering->list, &entry);
	return gathering->list->is_failed ? -ENOMEM : 0;
}

static int walk(struct gathering *gathering, const struct config_guard_geo *rules,
		const struct geo *geo, const struct patience *patience)
{
	int err = take_places(&gathering->block, &rules->block);

	if (!err)
		err = take_places(&gathering->allow, &rules->allow);
	if (!err)
		err = geo_for_each(geo, is_blocked, take_network, gathering, patience);
	if (!err && gathering->count > gathering->max)
		err = -E2BIG;
	forget_places(&gathering->block);
	forget_places(&gathering->allow);
	return err;
}

static void say_why(int err, const struct gathering *gathering, const struct config *config,
		    struct strbuf *out)
{
	const struct config_places *block = &config->guard.geo.block;

	if (err == -ECANCELED)
		return;
	strbuf_printf(out, "%s:%u:%u: guard.geo: ", config->path, block->line, block->column);
	if (err == -E2BIG)
		strbuf_printf(out,
			      "the places to block are %zu networks in the databases; expected at "
			      "most %zu\n",
			      gathering->count, gathering->max);
	else if (err == -EINVAL)
		strbuf_append_str(out, "one of geo.databases is damaged\n");
	else
		strbuf_append_str(out, "out of memory\n");
}

int places_gather(const struct config *config, const struct geo *geo, size_t max,
		  const struct patience *patience, struct guard_list *ret,
		  struct strbuf *ret_errors)
{
	struct gathering gathering = {.list = ret, .max = max};
	int err = walk(&gathering, &config->guard.geo, geo, patience);

	if (err)
		say_why(err, &gathering, config, ret_errors);
	return err;
}

/* --- What is asked for ---------------------------------------------------------- */

uint32_t places_wanted(const struct config_places *places)
{
	return (places->ncountry ? GEO_COUNTRY : 0) | (places->ncontinent ? GEO_CONTINENT : 0) |
	       (places->nasn ? GEO_ASN : 0);
}

bool places_are_ruled(const struct config *config)
{
	return places_wanted(&config->guard.geo.block) != 0;
}
