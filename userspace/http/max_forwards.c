// SPDX-License-Identifier: Apache-2.0
/* How many servers a request may still pass. */
#include "http/max_forwards.h"

#include "http/http_internal.h"

int http_max_forwards_take(struct http_fields *request)
{
	const struct http_field *field = http_fields_find(request, HTTP_FIELD_MAX_FORWARDS);
	char digits[20], *copy;
	uint64_t left;

	if (!field || http_decimal_parse(field->value, &left))
		return 0;
	if (!left)
		return 1;
	copy = request->arena ? arena_strdup(request->arena, http_decimal(left - 1, digits)) : NULL;
	return copy ? http_fields_set_id(request, HTTP_FIELD_MAX_FORWARDS, slice_from_str(copy))
		    : -ENOMEM;
}
