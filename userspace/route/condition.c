// SPDX-License-Identifier: Apache-2.0
/* Conditions on named values of a request: header fields, parameters of the query, cookies. */
#include "route/condition.h"

#include "http/cookie.h"
#include "http/path.h"

#include <errno.h>

/* Comparisons that one request may take with all but the first of its values under one name, by all
 * conditions together: below a millisecond's work. A match of a pattern counts for so many. */
#define WORK_MAX     131072
#define PATTERN_WORK 16

static bool ends_with(struct slice value, struct slice suffix)
{
	return value.len >= suffix.len &&
	       slice_equal(slice_skip(value, value.len - suffix.len), suffix);
}

static bool is_one_of(const struct config_value_match *match, struct slice value)
{
	for (size_t i = 0; i < match->nvalue; i++)
		if (slice_equal_str(value, match->value[i]))
			return true;
	return false;
}

/* Return: 1: passes; 0; -errno of regex_match(). */
static int test(const struct condition *condition, struct slice value,
		struct regex_scratch *scratch)
{
	const struct config_value_match *match = condition->match;

	switch (match->test) {
	case CONFIG_VALUE_EXACT:
		return is_one_of(match, value);
	case CONFIG_VALUE_PREFIX:
		return slice_starts_with(value, slice_from_str(match->text));
	case CONFIG_VALUE_SUFFIX:
		return ends_with(value, slice_from_str(match->text));
	case CONFIG_VALUE_REGEX:
		return regex_match(condition->regex, value, scratch);
	default:
		return 1;
	}
}

static int test_fields(const struct condition *condition, const struct condition_input *input)
{
	const struct http_fields *fields = &input->request->fields;
	const struct http_field *field = http_fields_find_name(
		fields, slice_from_str(condition->match->name));
	int result = 0;

	for (; field && result == 0; field = http_fields_find_next(fields, field))
		result = test(condition, field->value, input->scratch);
	return result;
}

/* --- Values that are read once ------------------------------------------------------ */

static int keep(struct condition_input *input, struct named_value **at, struct slice value)
{
	return at ? named_value_push(at, value, input->arena) : 0;
}

/* Return: 0; -ENOMEM. */
static int read_cookies(struct condition_input *input)
{
	const struct value_names *names = &input->names->cookies;
	const struct http_fields *fields = &input->request->fields;
	const struct http_field *field = http_fields_find(fields, HTTP_FIELD_COOKIE);
	int err = named_values_begin(&input->cookies, names, input->arena);

	for (; field && !err; field = http_fields_find_next(fields, field)) {
		struct slice cookies = field->value, name, value;

		while (!err && http_cookie_next(&cookies, &name, &value))
			err = keep(input, named_values_at(&input->cookies, names, name), value);
	}
	return err;
}

/* Return: 0; -ENOMEM. What cannot be decoded is compared as it is. */
static int decode(const struct condition_input *input, struct slice text, struct slice *ret)
{
	char *buf;
	int err;

	*ret = text;
	if (!text.len || (!memchr(text.ptr, '%', text.len) && !memchr(text.ptr, '+', text.len)))
		return 0;
	buf = arena_alloc(input->arena, text.len);
	if (!buf)
		return -ENOMEM;
	err = http_query_decode(text, buf, ret);
	if (err)
		*ret = text;
	return 0;
}

static int keep_parameter(struct condition_input *input, struct slice name, struct slice value)
{
	struct named_value **at;
	int err = decode(input, name, &name);

	if (err)
		return err;
	at = named_values_at(&input->query, &input->names->query, name);
	if (at)
		err = decode(input, value, &value);
	return err ? err : keep(input, at, value);
}

/* Return: 0; -ENOMEM. */
static int read_query(struct condition_input *input)
{
	struct slice query = input->request->target.query, name, value;
	int err = named_values_begin(&input->query, &input->names->query, input->arena);

	while (!err && http_query_next(&query, &name, &value))
		err = keep_parameter(input, name, value);
	return err;
}

static uint32_t work_of(const struct config_value_match *match)
{
	switch (match->test) {
	case CONFIG_VALUE_EXACT:
		return (uint32_t)match->nvalue;
	case CONFIG_VALUE_REGEX:
		return PATTERN_WORK;
	default:
		return 1;
	}
}

/* A client may send thousands of values under a name that many routes ask for. */
static int test_values(const struct condition *condition, struct condition_input *input,
		       const struct named_value *value)
{
	for (; value; value = value->next) {
		int result = test(condition, value->value, input->scratch);

		if (result)
			return result;
		input->work += value->next ? work_of(condition->match) : 0;
		if (input->work > WORK_MAX)
			return -E2BIG;
	}
	return 0;
}

static int test_cookies(const struct condition *condition, struct condition_input *input)
{
	int err = named_values_are_read(&input->cookies) ? 0 : read_cookies(input);

	return err ? err
		   : test_values(condition, input, input->cookies.by_number[condition->number]);
}

static int test_query(const struct condition *condition, struct condition_input *input)
{
	int err = named_values_are_read(&input->query) ? 0 : read_query(input);

	return err ? err : test_values(condition, input, input->query.by_number[condition->number]);
}

/* --- Conditions --------------------------------------------------------------------- */

int condition_names_init(struct condition_names *names, size_t nquery, size_t ncookie)
{
	int err = value_names_init(&names->query, nquery);

	return err ? err : value_names_init(&names->cookies, ncookie);
}

void condition_names_done(struct condition_names *names)
{
	value_names_done(&names->query);
	value_names_done(&names->cookies);
}

int condition_holds(const struct condition *condition, struct condition_input *input)
{
	int result = 0;

	switch (condition->kind) {
	case CONDITION_HEADER:
		result = test_fields(condition, input);
		break;
	case CONDITION_QUERY:
		result = test_query(condition, input);
		break;
	case CONDITION_COOKIE:
		result = test_cookies(condition, input);
		break;
	}
	if (result >= 0 && condition->match->test == CONFIG_VALUE_ABSENT)
		return !result;
	return result;
}

static uint32_t number_of(struct condition_names *names, enum condition_kind kind, const char *name)
{
	switch (kind) {
	case CONDITION_QUERY:
		return value_names_add(&names->query, slice_from_str(name));
	case CONDITION_COOKIE:
		return value_names_add(&names->cookies, slice_from_str(name));
	case CONDITION_HEADER:
		break;
	}
	return 0;
}

int condition_init(struct condition *condition, enum condition_kind kind,
		   const struct config_value_match *match, struct condition_names *names)
{
	char problem[REGEX_PROBLEM_SIZE];

	*condition = (struct condition){
		.kind = kind,
		.match = match,
		.number = number_of(names, kind, match->name),
	};
	if (match->test != CONFIG_VALUE_REGEX)
		return 0;
	return regex_new(slice_from_str(match->text), &condition->regex, problem);
}

void condition_done(struct condition *condition)
{
	regex_free(condition->regex);
}
