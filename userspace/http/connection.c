// SPDX-License-Identifier: Apache-2.0
/* What a message says of its connection, and how that is taken out of it. */
#include "http/connection.h"

#include "http/http_internal.h"
#include "http/list.h"

#include <errno.h>

static void read_option(struct slice option, struct http_connection_options *options)
{
	if (slice_equal_nocase(option, slice_of("close", 5)))
		options->close = true;
	else if (slice_equal_nocase(option, slice_of("keep-alive", 10)))
		options->keep_alive = true;
	else if (slice_equal_nocase(option, slice_of("upgrade", 7)))
		options->upgrade = true;
	else if (slice_equal_nocase(option, slice_of("te", 2)))
		options->te = true;
	else
		options->names_others = true;
}

int http_connection_options(const struct http_fields *fields, struct http_connection_options *ret)
{
	const struct http_field *field = http_fields_find(fields, HTTP_FIELD_CONNECTION);
	struct http_connection_options options = {};

	for (; field; field = http_fields_find_next(fields, field)) {
		struct slice list = field->value, option;

		while (http_list_next(&list, &option)) {
			if (!http_is_token(option))
				return -EINVAL;
			read_option(option, &options);
		}
	}
	*ret = options;
	return 0;
}

static void remove_nominated(struct http_fields *fields, struct slice name)
{
	enum http_field_id id = http_field_id(name);

	if (http_field_flags(id) & HTTP_FIELD_IS_FIXED)
		return;
	http_fields_remove_name(fields, name);
}

void http_fields_strip_connection(struct http_fields *fields)
{
	static const enum http_field_id always[] = {
		HTTP_FIELD_CONNECTION,        HTTP_FIELD_KEEP_ALIVE,
		HTTP_FIELD_PROXY_CONNECTION,  HTTP_FIELD_TE,
		HTTP_FIELD_TRANSFER_ENCODING, HTTP_FIELD_UPGRADE,
		HTTP_FIELD_HTTP2_SETTINGS,
	};
	const struct http_field *field = http_fields_find(fields, HTTP_FIELD_CONNECTION);

	for (; field; field = http_fields_find_next(fields, field)) {
		struct slice list = field->value, option;

		while (http_list_next(&list, &option))
			if (http_field_id(option) != HTTP_FIELD_CONNECTION)
				remove_nominated(fields, option);
	}
	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		http_fields_remove(fields, always[i]);
}
