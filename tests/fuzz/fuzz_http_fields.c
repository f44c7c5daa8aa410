// SPDX-License-Identifier: Apache-2.0
// The grammars of field values and paths: what is read stays within what was given, and what is
// made of it can be read again.
#include "http/conditional.h"
#include "http/cookie.h"
#include "http/date.h"
#include "http/forwarded.h"
#include "http/list.h"
#include "http/media_type.h"
#include "http/negotiate.h"
#include "http/path.h"
#include "http/range.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define NOW 1795000000

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_within(struct slice part, struct slice whole)
{
	check(part.len <= whole.len &&
	      (part.len == 0 ||
	       (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len)));
}

static void read_lists(struct slice value, char *buf)
{
	struct slice list = value, member;
	struct http_param param;

	while (http_list_next(&list, &member)) {
		check_within(member, value);
		check(member.len > 0);
		check_within(http_member_take(&member), value);
		while (http_param_next(&member, &param) > 0)
			check(http_unquote(param.value, buf).len <= param.value.len);
	}
}

static void read_ranges(struct slice value)
{
	struct http_range ranges[4];
	struct http_content_range content;
	int count = http_range_parse(value, 1000, ranges, 4);

	for (int i = 0; i < count; i++)
		check(ranges[i].first <= ranges[i].last && ranges[i].last < 1000);
	if (!http_content_range_parse(value, &content) && !content.is_unsatisfied)
		check(content.first <= content.last);
}

static void read_date(struct slice value)
{
	char text[HTTP_DATE_LEN];
	int64_t seconds, again;

	if (http_date_parse(value, NOW, &seconds))
		return;
	http_date_format(seconds, text);
	check(http_date_parse(slice_of(text, sizeof(text)), NOW, &again) == 0 && again == seconds);
}

/* A normal path is its own normal form, but for what was encoded. */
static void read_path(struct slice value, char *buf, char *again)
{
	struct slice normal, twice;

	if (http_path_normalize(value, buf, &normal))
		return;
	normal = http_path_merge(normal, buf);
	check(normal.len > 0 && normal.len <= value.len && normal.ptr[0] == '/');
	check(!memmem(normal.ptr, normal.len, "/../", 4) &&
	      !memmem(normal.ptr, normal.len, "//", 2));
	check(http_path_normalize(normal, again, &twice) == 0 && slice_equal(normal, twice));
}

static void read_fields(struct slice value)
{
	static const enum http_field_id ids[] = {
		HTTP_FIELD_ACCEPT,        HTTP_FIELD_ACCEPT_ENCODING, HTTP_FIELD_COOKIE,
		HTTP_FIELD_FORWARDED,     HTTP_FIELD_X_FORWARDED_FOR, HTTP_FIELD_VIA,
		HTTP_FIELD_IF_NONE_MATCH, HTTP_FIELD_IF_RANGE,        HTTP_FIELD_IF_MODIFIED_SINCE};
	struct arena arena = {};
	struct http_request request = {.method = HTTP_METHOD_GET, .fields.arena = &arena};
	const struct http_validators have = {
		.etag = {.opaque = {"x", 1}}, .modified = NOW, .exists = true};
	const struct http_hop hop = {.host = value, .scheme = {"http", 4}};
	struct http_way_client client;
	struct address peer = {};
	struct prefix trusted = {.family = AF_INET};
	struct slice found;

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		if (http_fields_add_id(&request.fields, ids[i], value))
			goto out;
	(void)!address_parse_ip(slice_of("192.0.2.1", 9), 0, &peer);
	(void)!http_way_find_client(&request.fields, &peer, &trusted, 1, &client);
	check(http_accepts_coding(&request.fields, slice_of("gzip", 4)) <= 1000);
	check(http_accepts_type(&request.fields, slice_of("text/html", 9)) <= 1000);
	(void)http_condition_judge(&request, &have, NOW);
	(void)http_if_range_holds(&request, &have, NOW);
	(void)http_via_count(&request.fields, slice_of("x", 1));
	check(http_forwarded_add(&request.fields, &hop) == 0);
	if (!http_cookie_remove(&request.fields, slice_of("x", 1)))
		check(http_cookie_find(&request.fields, slice_of("x", 1), &found) != 0);
out:
	arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *copy = malloc(len + 1), *buf = malloc(len + 1), *again = malloc(len + 1);
	struct slice value = slice_of(copy, len), rest, name, part;
	struct http_media_type type;

	/* The byte behind it belongs to nobody. */
	copy = realloc(copy, len ? len : 1);
	value.ptr = copy;
	if (len)
		memcpy(copy, bytes, len);
	read_lists(value, buf);
	read_ranges(value);
	read_date(value);
	read_path(value, buf, again);
	read_fields(value);
	if (!http_media_type_parse(value, &type))
		check_within(http_media_type_param(&type, slice_of("charset", 7)), value);
	rest = value;
	while (http_query_next(&rest, &name, &part))
		check_within(part, value);
	if (http_query_decode(value, buf, &part) == 0)
		check(part.ptr == buf && part.len <= len);
	check(http_percent_decode(value, buf) <= (long)len);
	free(copy);
	free(buf);
	free(again);
	return 0;
}
