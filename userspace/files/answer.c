// SPDX-License-Identifier: Apache-2.0
/* Status and fields of an answer with a file. */
#include "files/answer.h"

#include "http/conditional.h"
#include "http/date.h"
#include "http/range.h"

#include <errno.h>
#include <inttypes.h>

/* Changes with every change of the file that its time can tell, and with the coding (RFC 9110
 * 8.8.3.3): byte for byte the same, so it is strong. */
static const char *etag_of(const struct file *file, const struct file_traits *traits,
			   struct arena *arena)
{
	return arena_printf(arena, "\"%" PRIx64 ".%" PRIx32 "-%" PRIx64 "%s%.*s\"",
			    (uint64_t)file->modified, file->modified_ns, file->size,
			    traits->coding.len ? "-" : "", SLICE_FMT(traits->coding));
}

static int add(struct http_fields *fields, enum http_field_id id, struct slice value)
{
	return value.len ? http_fields_add_id(fields, id, value) : 0;
}

static int add_validators(struct http_fields *fields, const char *etag, int64_t modified)
{
	char *date = arena_alloc(fields->arena, HTTP_DATE_LEN);
	int err;

	if (!date)
		return -ENOMEM;
	err = add(fields, HTTP_FIELD_ETAG, slice_from_str(etag));
	if (err)
		return err;
	return add(fields, HTTP_FIELD_LAST_MODIFIED,
		   slice_of(http_date_format(modified, date), HTTP_DATE_LEN));
}

static int add_content_range(struct http_fields *fields, const struct http_range *range,
			     uint64_t size)
{
	char *text = arena_alloc(fields->arena, HTTP_CONTENT_RANGE_SIZE);

	if (!text)
		return -ENOMEM;
	return add(fields, HTTP_FIELD_CONTENT_RANGE,
		   slice_of(text, http_content_range_format(range, size, text)));
}

/* Every answer that a cache may keep, 304 too (RFC 9110 15.4.5). */
static int add_caching(struct http_fields *fields, const struct file_traits *traits)
{
	int err = add(fields, HTTP_FIELD_CACHE_CONTROL, traits->cache_control);

	if (!err && traits->varies)
		err = add(fields, HTTP_FIELD_VARY, slice_of("accept-encoding", 15));
	return err;
}

static int add_content(struct http_fields *fields, const struct file_traits *traits)
{
	int err = add(fields, HTTP_FIELD_CONTENT_TYPE, traits->type);

	if (!err)
		err = add(fields, HTTP_FIELD_CONTENT_ENCODING, traits->coding);
	if (!err)
		err = add(fields, HTTP_FIELD_ACCEPT_RANGES, slice_of("bytes", 5));
	return err;
}

/* Range is for GET alone (RFC 9110 14.2). */
static int judge_range(const struct http_request *request, const struct http_validators *have,
		       uint64_t size, int64_t now, struct http_range *ret)
{
	struct slice value = http_fields_value(&request->fields, HTTP_FIELD_RANGE);

	if (!value.len || request->method != HTTP_METHOD_GET ||
	    !http_if_range_holds(request, have, now))
		return 0;
	return http_range_parse(value, size, ret, 1);
}

static int answer_whole_or_part(const struct http_request *request, const struct file *file,
				const struct http_validators *have, int64_t now,
				struct http_fields *fields, struct file_answer *ret)
{
	struct http_range range;
	int found = judge_range(request, have, file->size, now, &range);

	*ret = (struct file_answer){.status = 200, .length = file->size, .has_body = true};
	if (found == 1) {
		ret->status = 206;
		ret->first = range.first;
		ret->length = range.last - range.first + 1;
		return add_content_range(fields, &range, file->size);
	}
	if (found == -ERANGE) {
		ret->status = 416;
		ret->length = 0;
		return add_content_range(fields, NULL, file->size);
	}
	return 0;
}

int file_answer_make(const struct http_request *request, const struct file *file,
		     const struct file_traits *traits, int64_t now, struct http_fields *fields,
		     struct file_answer *ret)
{
	struct http_validators have = {.modified = file->modified, .exists = true};
	const char *etag = etag_of(file, traits, fields->arena);
	int err;

	if (!etag || http_etag_parse(slice_from_str(etag), &have.etag) < 0)
		return -ENOMEM;
	err = add_validators(fields, etag, file->modified);
	if (!err)
		err = add_caching(fields, traits);
	if (err)
		return err;
	switch (http_condition_judge(request, &have, now)) {
	case HTTP_CONDITION_NOT_MODIFIED:
		*ret = (struct file_answer){.status = 304};
		return 0;
	case HTTP_CONDITION_FAILED:
		*ret = (struct file_answer){.status = 412, .has_body = true};
		return 0;
	case HTTP_CONDITION_PERFORM:
		break;
	}
	err = answer_whole_or_part(request, file, &have, now, fields, ret);
	if (!err && ret->status != 416)
		err = add_content(fields, traits);
	return err;
}
