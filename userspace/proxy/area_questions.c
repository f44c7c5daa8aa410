// SPDX-License-Identifier: Apache-2.0
/* What mode dispatch asks of places, and the bytes that it is told. */
#include "proxy/area_questions.h"
#include "proxy/geography.h"
#include "core/hash.h"
#include "route/tcp_route.h"
#include "upstream/sites.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SITE_NONE UINT8_MAX /* in an order: nobody knows */

enum question_kind {
	QUESTION_POOL,  /* of a listener's routes: a pool's index, four bytes */
	QUESTION_ORDER, /* of a pool's sites: their indexes */
};

struct area_question {
	enum question_kind kind;
	size_t index;   /* of the listener or the pool */
	size_t at, len; /* of the answer among all */
	uint32_t line;
	/* Until all is answered: */
	const struct config_listener *listener; /* QUESTION_POOL */
	struct tcp_route_table *routes;
	struct earth_direction *sites; /* QUESTION_ORDER: @len */
};

static bool is_asked(const struct config *config, size_t pool)
{
	for (size_t i = 0; i < config->nlisteners; i++)
		if (config_dispatch_asks(&config->listeners[i], pool))
			return config->pools[pool].is_nearest;
	return false;
}

static struct area_question *add_question(struct area_questions *questions, enum question_kind kind,
					  size_t index, size_t len)
{
	struct area_question *question = &questions->all[questions->count++];

	*question = (struct area_question){
		.kind = kind, .index = index, .at = questions->len, .len = len};
	questions->len += len;
	return question;
}

static int ask_routes(struct area_questions *questions, const struct config *config, size_t index)
{
	const struct config_listener *listener = &config->listeners[index];
	struct area_question *question;

	if (listener->mode != CONFIG_MODE_DISPATCH || !listener->nroutes)
		return 0;
	question = add_question(questions, QUESTION_POOL, index, sizeof(uint32_t));
	question->line = listener->routes[0].line;
	question->listener = listener;
	question->routes = tcp_route_table_new(listener);
	return question->routes ? 0 : -ENOMEM;
}

static int ask_order(struct area_questions *questions, const struct config *config, size_t index)
{
	struct area_question *question;
	struct site_list sites;

	if (!is_asked(config, index))
		return 0;
	site_list_make(&config->pools[index], &sites);
	question = add_question(questions, QUESTION_ORDER, index, sites.count);
	question->line = config->pools[index].line;
	question->sites = calloc(sites.count + 1, sizeof(*question->sites));
	for (size_t i = 0; question->sites && i < sites.count; i++)
		question->sites[i] = earth_direction_of(&sites.points[i]);
	return question->sites ? 0 : -ENOMEM;
}

int area_questions_make(const struct config *config, struct area_questions *ret)
{
	int err = 0;

	*ret = (struct area_questions){
		.all = calloc(config->nlisteners + config->npools + 1, sizeof(*ret->all)),
	};
	if (!ret->all)
		return -ENOMEM;
	for (size_t i = 0; !err && i < config->nlisteners; i++)
		err = ask_routes(ret, config, i);
	for (size_t i = 0; !err && i < config->npools; i++)
		err = ask_order(ret, config, i);
	return err;
}

void area_questions_close(struct area_questions *questions)
{
	for (size_t i = 0; i < questions->count; i++) {
		struct area_question *question = &questions->all[i];

		tcp_route_table_free(question->routes);
		free(question->sites);
		question->routes = NULL;
		question->sites = NULL;
		question->listener = NULL;
	}
}

void area_questions_done(struct area_questions *questions)
{
	area_questions_close(questions);
	free(questions->all);
	*questions = (struct area_questions){};
}

uint32_t area_questions_line(const struct area_questions *questions)
{
	return questions->count ? questions->all[0].line : 0;
}

static uint32_t wanted_by_routes(const struct config_listener *listener)
{
	uint32_t wanted = 0;

	for (size_t i = 0; i < listener->nroutes; i++)
		wanted |= geography_wanted_by(&listener->routes[i]);
	return wanted;
}

uint32_t area_questions_want(const struct area_questions *questions)
{
	uint32_t wanted = 0;

	for (size_t i = 0; i < questions->count; i++)
		wanted |= questions->all[i].kind == QUESTION_ORDER
				  ? GEO_POINT
				  : wanted_by_routes(questions->all[i].listener);
	return wanted;
}

/* --- Digest ------------------------------------------------------------------------------------*/

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

int area_questions_digest(const struct area_questions *questions, const struct geo *geo,
			  uint64_t *ret)
{
	uint64_t stamp = geo_opened_stamp(geo);
	struct strbuf all = {};
	int err;

	add_bytes(&all, &stamp, sizeof(stamp));
	for (size_t i = 0; i < questions->count; i++) {
		const struct area_question *question = &questions->all[i];

		add_bytes(&all, &question->kind, sizeof(question->kind));
		add_bytes(&all, &question->index, sizeof(question->index));
		if (question->kind == QUESTION_POOL)
			add_routes(&all, question->listener);
		else
			add_list(&all, question->sites, question->len, sizeof(*question->sites));
	}
	err = all.is_failed ? -ENOMEM : 0;
	*ret = hash_bytes(slice_of(all.text, all.len), 0);
	strbuf_done(&all);
	return err;
}

/* --- Answers -----------------------------------------------------------------------------------*/

static void answer_pool(const struct area_question *question, const struct geo_facts *facts,
			uint8_t *ret)
{
	const struct address nobody = {};
	const struct tcp_route_request request = {.source = &nobody, .facts = facts};
	int pool = tcp_route_match(question->routes, &request);
	uint32_t index = pool < 0 ? 0 : (uint32_t)pool; /* a listener of mode dispatch has one */

	memcpy(ret, &index, sizeof(index));
}

/* As upstream/sites.c does it for a connection: of two equally far the first. */
static void answer_order(const struct area_question *question, const struct geo_facts *facts,
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

void area_questions_answer(const struct area_questions *questions, const struct geo_facts *facts,
			   uint8_t *ret)
{
	for (size_t i = 0; i < questions->count; i++) {
		const struct area_question *question = &questions->all[i];

		if (question->kind == QUESTION_POOL)
			answer_pool(question, facts, ret + question->at);
		else
			answer_order(question, facts, ret + question->at);
	}
}

void area_questions_cut(const struct area_questions *questions, size_t depth, uint8_t *answers)
{
	for (size_t i = 0; i < questions->count; i++) {
		const struct area_question *question = &questions->all[i];

		if (question->kind == QUESTION_ORDER && question->len > depth)
			memset(answers + question->at + depth, 0, question->len - depth);
	}
}

/* Return: where the answer is; NULL: nobody has asked. */
static const uint8_t *find_answer(const struct area_questions *questions, const uint8_t *answers,
				  enum question_kind kind, size_t index)
{
	for (size_t i = 0; i < questions->count; i++)
		if (questions->all[i].kind == kind && questions->all[i].index == index)
			return answers + questions->all[i].at;
	return NULL;
}

size_t area_answer_pool(const struct area_questions *questions, const uint8_t *answers,
			size_t listener, size_t otherwise)
{
	const uint8_t *answer = find_answer(questions, answers, QUESTION_POOL, listener);
	uint32_t index;

	if (!answer)
		return otherwise;
	memcpy(&index, answer, sizeof(index));
	return index;
}

const uint8_t *area_answer_order(const struct area_questions *questions, const uint8_t *answers,
				 size_t pool)
{
	const uint8_t *order = find_answer(questions, answers, QUESTION_ORDER, pool);

	return order && order[0] != SITE_NONE ? order : NULL;
}
