// SPDX-License-Identifier: Apache-2.0
/* From a configuration and its databases to areas: area_questions.c says what is asked of places,
 * area_walk.c asks it of all of them. */
#include "proxy/areas.h"
#include "proxy/area_questions.h"
#include "proxy/area_walk.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

struct areas {
	_Atomic uint32_t refs;
	uint64_t digest; /* of what they were made from */
	struct area_questions questions;
	struct area_list list;
	struct dispatch_areas table; /* of @list */
};

static void say_why(int err, const struct areas *areas, const struct config *config,
		    struct strbuf *out)
{
	if (err == -ECANCELED)
		return;
	strbuf_printf(out, "%s:", config->path);
	if (area_questions_line(&areas->questions))
		strbuf_printf(out, "%u:", area_questions_line(&areas->questions));
	if (err == -E2BIG)
		strbuf_printf(out,
			      " routes and pools of mode dispatch tell more than %d areas apart; "
			      "expected fewer of them, or of their locations\n",
			      DISPATCH_AREAS_MAX);
	else if (err == -EOVERFLOW)
		strbuf_printf(out,
			      " in geo.databases the areas of mode dispatch are more than %zu "
			      "networks\n",
			      DISPATCH_CHANGES_MAX);
	else if (err == -EINVAL)
		strbuf_append_str(out, " one of geo.databases is damaged\n");
	else
		strbuf_append_str(out, " out of memory\n");
}

static uint64_t next_id(void)
{
	static _Atomic uint64_t last;

	return atomic_fetch_add(&last, 1) + 1;
}

static int fill(struct areas *areas, const struct geo *geo, const struct patience *patience)
{
	int err = area_walk(&areas->questions, geo, patience, &areas->list);

	if (err)
		return err;
	areas->table = (struct dispatch_areas){
		.id = next_id(),
		.count = areas->list.count,
		.changes = areas->list.changes,
		.nchanges = areas->list.nchanges,
	};
	area_questions_close(&areas->questions);
	return 0;
}

int areas_make(const struct config *config, const struct geo *geo, struct areas *like,
	       const struct patience *patience, struct areas **ret, struct strbuf *ret_errors)
{
	struct areas *areas = calloc(1, sizeof(*areas));
	int err = areas ? area_questions_make(config, &areas->questions) : -ENOMEM;

	*ret = NULL;
	if (!areas)
		return -ENOMEM;
	areas->refs = 1;
	if (!err && (!areas->questions.count || !geo)) {
		areas_unref(areas);
		return 0;
	}
	if (!err)
		err = area_questions_digest(&areas->questions, geo, &areas->digest);
	if (!err && like && like->digest == areas->digest) {
		areas_unref(areas);
		*ret = areas_ref(like);
		return 0;
	}
	if (!err)
		err = fill(areas, geo, patience);
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
	area_questions_done(&areas->questions);
	area_list_done(&areas->list);
	free(areas);
}

const struct dispatch_areas *areas_table(const struct areas *areas)
{
	return areas ? &areas->table : NULL;
}

static const uint8_t *answers_of(const struct areas *areas, uint32_t area)
{
	return areas->list.answers + area * areas->questions.len;
}

size_t areas_pool(const struct areas *areas, const struct config *config, size_t listener,
		  uint32_t area)
{
	return area_answer_pool(&areas->questions, answers_of(areas, area), listener,
				config->listeners[listener].default_pool);
}

const uint8_t *areas_order(const struct areas *areas, size_t pool, uint32_t area)
{
	return area_answer_order(&areas->questions, answers_of(areas, area), pool);
}
