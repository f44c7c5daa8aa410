// SPDX-License-Identifier: Apache-2.0
/* What several filters do with fields. */
#include "filter/filter_internal.h"
#include "http/list.h"

bool filter_field_has(const struct http_fields *fields, enum http_field_id id, const char *token)
{
	const struct http_field *field = http_fields_find(fields, id);

	for (; field; field = http_fields_find_next(fields, field))
		if (http_list_has(field->value, slice_from_str(token)))
			return true;
	return false;
}

int filter_add_vary(struct http_fields *fields, const char *name)
{
	if (filter_field_has(fields, HTTP_FIELD_VARY, "*") ||
	    filter_field_has(fields, HTTP_FIELD_VARY, name))
		return 0;
	return http_fields_add_id(fields, HTTP_FIELD_VARY, slice_from_str(name));
}
