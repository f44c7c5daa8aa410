// SPDX-License-Identifier: Apache-2.0
/* Lists, parameters, quoted strings and weights: the grammar that field values share. */
#include "http/list.h"

#include "http/http_internal.h"

#include <errno.h>

struct slice http_trim(struct slice s)
{
	while (s.len > 0 && http_is_blank(s.ptr[0]))
		s = slice_skip(s, 1);
	while (s.len > 0 && http_is_blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

/* The index of the first @separator outside quoted strings; text.len if there is none. */
static size_t find_separator(struct slice text, char separator)
{
	bool is_quoted = false;

	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '"')
			is_quoted = !is_quoted;
		else if (is_quoted && text.ptr[i] == '\\')
			i++;
		else if (!is_quoted && text.ptr[i] == separator)
			return i;
	}
	return text.len;
}

/* Cuts what stands before @separator off @text, and the separator, if there is one. */
static struct slice take_until(struct slice *text, char separator)
{
	size_t len = find_separator(*text, separator);
	struct slice taken = slice_of(text->ptr, len);

	*text = slice_skip(*text, len < text->len ? len + 1 : len);
	return taken;
}

bool http_list_next(struct slice *list, struct slice *ret)
{
	while (list->len > 0) {
		struct slice member = http_trim(take_until(list, ','));

		if (member.len > 0) {
			*ret = member;
			return true;
		}
	}
	return false;
}

bool http_list_has(struct slice list, struct slice token)
{
	struct slice member;

	while (http_list_next(&list, &member))
		if (slice_equal_nocase(member, token))
			return true;
	return false;
}

struct slice http_member_take(struct slice *member)
{
	return http_trim(take_until(member, ';'));
}

static bool is_quoted_string(struct slice text)
{
	if (text.len < 2 || text.ptr[0] != '"')
		return false;
	for (size_t i = 1; i < text.len; i++) {
		if (text.ptr[i] == '"')
			return i == text.len - 1;
		if (text.ptr[i] == '\\')
			i++;
	}
	return false;
}

int http_param_next(struct slice *params, struct http_param *ret)
{
	struct http_param param = {};
	struct slice text;
	size_t equals;

	do {
		if (params->len == 0)
			return 0;
		text = http_trim(take_until(params, ';'));
	} while (text.len == 0);
	equals = find_separator(text, '=');
	param.name = slice_of(text.ptr, equals);
	if (equals == text.len || !http_is_token(param.name))
		return -EINVAL;
	param.value = slice_skip(text, equals + 1);
	param.is_quoted = is_quoted_string(param.value);
	if (param.is_quoted)
		param.value = slice_of(param.value.ptr + 1, param.value.len - 2);
	else if (!http_is_token(param.value))
		return -EINVAL;
	*ret = param;
	return 1;
}

struct slice http_unquote(struct slice value, char *buf)
{
	size_t len = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] == '\\' && i + 1 < value.len)
			i++;
		buf[len++] = value.ptr[i];
	}
	return slice_of(buf, len);
}

/* RFC 9110 section 12.4.2: at most three digits behind the point. */
int http_weight_parse(struct slice text)
{
	int weight = 0;

	if (text.len == 0 || text.len > 5 || (text.ptr[0] != '0' && text.ptr[0] != '1') ||
	    (text.len > 1 && text.ptr[1] != '.'))
		return -EINVAL;
	weight = (text.ptr[0] - '0') * 1000;
	for (size_t i = 2, unit = 100; i < text.len; i++, unit /= 10) {
		if (!http_is_digit(text.ptr[i]))
			return -EINVAL;
		weight += (text.ptr[i] - '0') * (int)unit;
	}
	return weight <= 1000 ? weight : -EINVAL;
}
