// SPDX-License-Identifier: Apache-2.0
/* Conditional requests, judged in the order of RFC 9110 section 13.2.2. */
#include "http/conditional.h"

#include "http/date.h"
#include "http/http_internal.h"
#include "http/list.h"

#include <errno.h>

int http_etag_parse(struct slice text, struct http_etag *ret)
{
	struct http_etag etag = {};

	if (slice_starts_with(text, HTTP_TEXT("W/"))) {
		etag.is_weak = true;
		text = slice_skip(text, 2);
	}
	if (text.len < 2 || text.ptr[0] != '"' || text.ptr[text.len - 1] != '"')
		return -EINVAL;
	etag.opaque = slice_of(text.ptr + 1, text.len - 2);
	if (etag.opaque.len && memchr(etag.opaque.ptr, '"', etag.opaque.len))
		return -EINVAL;
	*ret = etag;
	return 0;
}

/* Section 8.8.3.2. */
static bool etags_match(const struct http_etag *a, const struct http_etag *b, bool is_strong)
{
	if (!a->opaque.ptr || !b->opaque.ptr || (is_strong && (a->is_weak || b->is_weak)))
		return false;
	return slice_equal(a->opaque, b->opaque);
}

/* Whether a list of tags, or "*", names what the server has. */
static bool names_ours(const struct http_fields *fields, enum http_field_id id,
		       const struct http_validators *have, bool is_strong)
{
	const struct http_field *field = http_fields_find(fields, id);

	for (; field; field = http_fields_find_next(fields, field)) {
		struct slice list = field->value, member;

		if (slice_equal_str(list, "*"))
			return have->exists;
		while (http_list_next(&list, &member)) {
			struct http_etag etag;

			if (!http_etag_parse(member, &etag) && have->exists &&
			    etags_match(&etag, &have->etag, is_strong))
				return true;
		}
	}
	return false;
}

/* The field's date, if there is one, and the server has one to compare it with. */
static bool comparable_date(const struct http_fields *fields, enum http_field_id id,
			    const struct http_validators *have, int64_t now, int64_t *ret)
{
	const struct http_field *field = http_fields_find(fields, id);

	return field && have->exists && have->modified != INT64_MIN &&
	       http_date_parse(field->value, now, ret) == 0;
}

static bool is_read(const struct http_request *request)
{
	return request->method == HTTP_METHOD_GET || request->method == HTTP_METHOD_HEAD;
}

enum http_condition http_condition_judge(const struct http_request *request,
					 const struct http_validators *have, int64_t now)
{
	const struct http_fields *fields = &request->fields;
	int64_t date;

	if (http_fields_has(fields, HTTP_FIELD_IF_MATCH)) {
		if (!names_ours(fields, HTTP_FIELD_IF_MATCH, have, true))
			return HTTP_CONDITION_FAILED;
	} else if (comparable_date(fields, HTTP_FIELD_IF_UNMODIFIED_SINCE, have, now, &date)) {
		if (have->modified > date)
			return HTTP_CONDITION_FAILED;
	}
	if (http_fields_has(fields, HTTP_FIELD_IF_NONE_MATCH)) {
		if (names_ours(fields, HTTP_FIELD_IF_NONE_MATCH, have, false))
			return is_read(request) ? HTTP_CONDITION_NOT_MODIFIED
						: HTTP_CONDITION_FAILED;
	} else if (is_read(request) &&
		   comparable_date(fields, HTTP_FIELD_IF_MODIFIED_SINCE, have, now, &date)) {
		if (have->modified <= date)
			return HTTP_CONDITION_NOT_MODIFIED;
	}
	return HTTP_CONDITION_PERFORM;
}

bool http_if_range_holds(const struct http_request *request, const struct http_validators *have,
			 int64_t now)
{
	const struct http_field *field = http_fields_find(&request->fields, HTTP_FIELD_IF_RANGE);
	struct http_etag etag;
	int64_t date;

	if (!field)
		return true;
	if (!http_etag_parse(field->value, &etag))
		return etags_match(&etag, &have->etag, true);
	/* A date is strong if no other change can have it: section 8.8.2.2. */
	return comparable_date(&request->fields, HTTP_FIELD_IF_RANGE, have, now, &date) &&
	       have->modified == date && date < now;
}
