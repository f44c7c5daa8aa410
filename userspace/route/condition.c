// SPDX-License-Identifier: Apache-2.0
/* Conditions on named values of a request: header fields, parameters of the query, cookies. */
#include "route/condition.h"

#include "http/cookie.h"
#include "http/path.h"

#include <errno.h>

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

static int test_cookies(const struct condition *condition, const struct condition_input *input)
{
	const struct http_fields *fields = &input->request->fields;
	const struct http_field *field = http_fields_find(fields, HTTP_FIELD_COOKIE);
	int result = 0;

	for (; field && result == 0; field = http_fields_find_next(fields, field)) {
		struct slice cookies = field->value, name, value;

		while (result == 0 && http_cookie_next(&cookies, &name, &value))
			if (slice_equal_str(name, condition->match->name))
				result = test(condition, value, input->scratch);
	}
	return result;
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

static int test_query(const struct condition *condition, const struct condition_input *input)
{
	struct slice query = input->request->target.query, name, value;
	int result = 0;

	while (result == 0 && http_query_next(&query, &name, &value)) {
		result = decode(input, name, &name);
		if (result == 0 && slice_equal_str(name, condition->match->name))
			result = decode(input, value, &value) < 0
					 ? -ENOMEM
					 : test(condition, value, input->scratch);
	}
	return result;
}

int condition_holds(const struct condition *condition, const struct condition_input *input)
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

int condition_init(struct condition *condition, enum condition_kind kind,
		   const struct config_value_match *match)
{
	char problem[REGEX_PROBLEM_SIZE];

	*condition = (struct condition){.kind = kind, .match = match};
	if (match->test != CONFIG_VALUE_REGEX)
		return 0;
	return regex_new(slice_from_str(match->text), &condition->regex, problem);
}

void condition_done(struct condition *condition)
{
	regex_free(condition->regex);
}
