/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_TEMPLATE_H
#define SLUICE_CORE_TEMPLATE_H

#include "core/arena.h"
#include "core/compiler.h"
#include "core/slice.h"
#include "core/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Text with variables in it: "id=${request_id}; agent=${header:User-Agent}". It is taken apart
 * once, when the configuration is read, and filled in for each request. Which variables there are
 * is their owner's affair: it gives their names here and their values when a template is filled in.
 */
struct template_name {
	const char *name;    /* NULL: no such number */
	bool takes_argument; /* "${name:argument}", which is not empty */
};

/* Numbers of variables are indexes; 0 is none. */
struct template_names {
	const struct template_name *names;
	size_t count;
};

struct template_part {
	struct slice text; /* literal, or the variable's argument */
	uint32_t variable; /* 0: literal */
};

/* A zeroed one is empty text. Immutable; lives in the arena that it was compiled in. */
struct template
{
	const struct template_part *parts;
	size_t count;
};

#define TEMPLATE_PARTS_MAX 64

/* What a variable's name may be followed by; longer ones are no arguments. */
#define TEMPLATE_ARGUMENT_MAX 128

/**
 * @text: "${" begins a variable, everything else is literal.
 * @ret_problem: static: what is wrong, as in "has a variable without an end".
 * Return: 0; -EINVAL with @ret_problem; -ENOMEM.
 */
int template_compile(struct slice text, const struct template_names *names, struct arena *arena,
		     struct template *ret, const char **ret_problem) WARN_UNUSED;

/* The number of the variable at the beginning of @text, which starts with "${". @ret_len: bytes of
 * it with the "}"; @ret_argument may be NULL. Return: 0: none is there. */
uint32_t template_variable(struct slice text, const struct template_names *names, size_t *ret_len,
			   struct slice *ret_argument);

bool template_equal(const struct template *a, const struct template *b);

bool template_has(const struct template *template, uint32_t variable);

/* The value of a variable; lives as long as what is made of it. Empty: there is none. */
typedef struct slice template_value(void *context, uint32_t variable, struct slice argument);

/**
 * Fills in. Nothing is copied where the template is one literal or one variable.
 * Return: 0; -ENOMEM. Thread: any. Allocates in @arena alone.
 */
int template_render(const struct template *template, struct arena *arena, template_value *value_of,
		    void *context, struct slice *ret) WARN_UNUSED;

/* The same behind what @out holds. */
void template_append(const struct template *template, template_value *value_of, void *context,
		     struct strbuf *out);

#endif
