/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_AREA_QUESTIONS_H
#define SLUICE_PROXY_AREA_QUESTIONS_H

#include "config/config.h"
#include "core/compiler.h"
#include "geo/geo.h"

#include <stddef.h>
#include <stdint.h>

/*
 * All that mode dispatch wants to know of a place: which pool a listener's routes lead to, and
 * which order a pool's sites have from there. The answers are bytes, those of every place in the
 * same positions; places whose bytes are the same are one area.
 */
struct area_questions {
	struct area_question *all;
	size_t count;
	size_t len; /* of a place's answers */
};

/* @config: borrowed until area_questions_close(). Return: 0; -ENOMEM, with some of them there. */
int area_questions_make(const struct config *config, struct area_questions *ret) WARN_UNUSED;
/* All is answered: what answers are made with goes, and answers can still be read. */
void area_questions_close(struct area_questions *questions);
void area_questions_done(struct area_questions *questions);

/* Of the configuration; 0: there are no questions. */
uint32_t area_questions_line(const struct area_questions *questions);
/* GEO_…: what decides the answers. */
uint32_t area_questions_want(const struct area_questions *questions);
/* *@ret: the same for the same questions of the same databases. Return: 0; -ENOMEM. */
int area_questions_digest(const struct area_questions *questions, const struct geo *geo,
			  uint64_t *ret) WARN_UNUSED;

/* @ret: @questions->len bytes. */
void area_questions_answer(const struct area_questions *questions, const struct geo_facts *facts,
			   uint8_t *ret);
/* Leaves the @depth nearest sites of every order; the others become the same everywhere. */
void area_questions_cut(const struct area_questions *questions, size_t depth, uint8_t *answers);

/* The pool that @listener's routes lead to; @otherwise: nobody has asked. */
size_t area_answer_pool(const struct area_questions *questions, const uint8_t *answers,
			size_t listener, size_t otherwise);
/* The pool's sites, nearest first; NULL: nobody knows, or has asked. */
const uint8_t *area_answer_order(const struct area_questions *questions, const uint8_t *answers,
				 size_t pool);

#endif
