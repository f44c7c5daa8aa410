// SPDX-License-Identifier: Apache-2.0
/* Upgrades: what may be offered, and whether what was chosen had been. */
#include "http/upgrade.h"

#include "core/compiler.h"
#include "http/http_internal.h"
#include "http/list.h"

/* Whatever its version. */
static bool carries_requests(struct slice protocol)
{
	static const struct slice names[] = {{"h2c", 3}, {"h2", 2}, {"http", 4}, {"tls", 3}};
	const char *slash = memchr(protocol.ptr, '/', protocol.len);
	struct slice name = slice_of(protocol.ptr,
				     slash ? (size_t)(slash - protocol.ptr) : protocol.len);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (slice_equal_nocase(name, names[i]))
			return true;
	return false;
}

static bool has_any_that_may_not(struct slice list)
{
	struct slice protocol;

	while (http_list_next(&list, &protocol))
		if (carries_requests(protocol))
			return true;
	return false;
}

/* The rest of @list in @buf, which has room for each member's comma to become ", ". */
static struct slice without_them(struct slice list, char *buf)
{
	struct slice protocol;
	char *to = buf;

	while (http_list_next(&list, &protocol)) {
		if (carries_requests(protocol))
			continue;
		if (to != buf)
			to = mempcpy(to, ", ", 2);
		to = mempcpy(to, protocol.ptr, protocol.len);
	}
	return slice_of(buf, (size_t)(to - buf));
}

int http_upgrade_offer(const struct http_fields *request, struct slice *ret)
{
	struct slice list = {};
	char *buf;
	int err = http_fields_join(request, HTTP_FIELD_UPGRADE, &list);

	if (err == -ENOMEM)
		return err;
	if (has_any_that_may_not(list)) {
		buf = request->arena ? arena_alloc(request->arena, 2 * list.len) : NULL;
		if (!buf)
			return -ENOMEM;
		list = without_them(list, buf);
	}
	*ret = list;
	return 0;
}

bool http_upgrade_was_offered(const struct http_fields *response, struct slice offer)
{
	const struct http_field *field = http_fields_find(response, HTTP_FIELD_UPGRADE);

	for (; field; field = http_fields_find_next(response, field)) {
		struct slice list = field->value, protocol;

		while (http_list_next(&list, &protocol))
			if (!http_list_has(offer, protocol))
				return false;
	}
	return true;
}
