// SPDX-License-Identifier: Apache-2.0
/*
 * The filter cors: who may use answers from other origins. It is the authority: what the backend
 * says of it goes. Requests are not refused for their origin, only preflights are: browsers do the
 * rest. Source: the Fetch standard, "HTTP extensions", CORS protocol.
 */
#include "filter/filter_internal.h"
#include "http/list.h"

#include <errno.h>

/* Lists of the configuration, as they stand in fields. */
struct cors {
	struct filter filter;
	struct arena arena;
	struct slice methods, headers, expose, max_age; /* empty: none */
	bool is_open;                                   /* any origin, the same answer for all */
	bool takes_any_header;
};

struct cors_exchange {
	struct slice origin; /* that may use the answer; empty: none */
};

/* --- Origins ------------------------------------------------------------------------- */

/* "https://" and "*.example.com": the scheme, and labels before ".example.com". */
static bool matches(struct slice origin, struct slice pattern)
{
	const char *star = memchr(pattern.ptr, '*', pattern.len);
	struct slice scheme, tail, labels;

	if (!star)
		return slice_equal_nocase(origin, pattern);
	scheme = slice_of(pattern.ptr, (size_t)(star - pattern.ptr));
	tail = slice_skip(pattern, scheme.len + 1);
	if (origin.len <= scheme.len + tail.len ||
	    !slice_equal_nocase(slice_of(origin.ptr, scheme.len), scheme) ||
	    !slice_equal_nocase(slice_skip(origin, origin.len - tail.len), tail))
		return false;
	labels = slice_of(origin.ptr + scheme.len, origin.len - scheme.len - tail.len);
	return !memchr(labels.ptr, '/', labels.len) && !memchr(labels.ptr, '@', labels.len) &&
	       !memchr(labels.ptr, ':', labels.len);
}

/* The request's origin, if it is one of ours; two Origin fields are none. */
static struct slice find_origin(const struct config_cors *config, const struct http_fields *fields)
{
	const struct http_field *field = http_fields_find(fields, HTTP_FIELD_ORIGIN);

	if (!field || field->value.len == 0 || http_fields_find_next(fields, field))
		return (struct slice){};
	for (size_t i = 0; i < config->norigins; i++) {
		struct slice known = slice_from_str(config->origins[i]);

		if (slice_equal_str(known, "*") || matches(field->value, known))
			return field->value;
	}
	return (struct slice){};
}

/* --- Preflights ---------------------------------------------------------------------- */

static bool is_preflight(const struct http_request *request)
{
	return request->method == HTTP_METHOD_OPTIONS &&
	       http_fields_has(&request->fields, HTTP_FIELD_ORIGIN) &&
	       http_fields_has(&request->fields, HTTP_FIELD_ACCESS_CONTROL_REQUEST_METHOD);
}

static bool is_list_of_tokens(struct slice list)
{
	struct slice member;

	while (http_list_next(&list, &member))
		if (!http_is_token(member))
			return false;
	return true;
}

static int add(struct http_fields *fields, enum http_field_id id, struct slice value)
{
	return value.len ? http_fields_add_id(fields, id, value) : 0;
}

static int add_permissions(const struct cors *cors, struct filter_exchange *exchange)
{
	struct http_fields *fields = &exchange->response->fields;
	struct slice headers = cors->headers;
	int err;

	if (cors->takes_any_header) {
		headers = http_fields_value(&exchange->request->fields,
					    HTTP_FIELD_ACCESS_CONTROL_REQUEST_HEADERS);
		if (!is_list_of_tokens(headers))
			headers = (struct slice){};
	}
	err = add(fields, HTTP_FIELD_ACCESS_CONTROL_ALLOW_METHODS, cors->methods);
	if (!err)
		err = add(fields, HTTP_FIELD_ACCESS_CONTROL_ALLOW_HEADERS, headers);
	if (!err)
		err = add(fields, HTTP_FIELD_ACCESS_CONTROL_MAX_AGE, cors->max_age);
	if (!err && cors->takes_any_header)
		err = filter_add_vary(fields, "Access-Control-Request-Headers");
	return err;
}

/* on_response_head adds what every answer has. */
static enum filter_verdict answer_preflight(const struct cors *cors,
					    struct filter_exchange *exchange,
					    const struct cors_exchange *own)
{
	if (!own->origin.len) {
		exchange->detail = "cors: the origin may not";
		return filter_answer(exchange, 403);
	}
	filter_answer(exchange, 204);
	if (add_permissions(cors, exchange) < 0)
		return filter_answer(exchange, 503);
	return FILTER_ANSWER;
}

/* --- Hooks --------------------------------------------------------------------------- */

static enum filter_verdict on_request_head(const struct filter *filter,
					   struct filter_exchange *exchange, void *own)
{
	const struct cors *cors = (const struct cors *)filter;
	struct cors_exchange *state = own;

	state->origin = find_origin(&filter->config->cors, &exchange->request->fields);
	if (is_preflight(exchange->request))
		return answer_preflight(cors, exchange, state);
	return FILTER_CONTINUE;
}

static int mark(const struct cors *cors, struct http_fields *fields, struct slice origin)
{
	bool has_credentials = cors->filter.config->cors.has_credentials;
	int err = 0;

	if (!cors->is_open)
		err = filter_add_vary(fields, "Origin");
	/* Open to all it says so to all: a cache may keep any of them. */
	if (err || (!origin.len && !cors->is_open))
		return err;
	err = http_fields_add_id(fields, HTTP_FIELD_ACCESS_CONTROL_ALLOW_ORIGIN,
				 cors->is_open ? slice_from_str("*") : origin);
	if (!err && has_credentials)
		err = http_fields_add_id(fields, HTTP_FIELD_ACCESS_CONTROL_ALLOW_CREDENTIALS,
					 slice_from_str("true"));
	if (!err)
		err = add(fields, HTTP_FIELD_ACCESS_CONTROL_EXPOSE_HEADERS, cors->expose);
	return err;
}

static enum filter_verdict on_response_head(const struct filter *filter,
					    struct filter_exchange *exchange, void *own)
{
	const struct cors *cors = (const struct cors *)filter;
	const struct cors_exchange *state = own;
	struct http_fields *fields = &exchange->response->fields;

	http_fields_remove(fields, HTTP_FIELD_ACCESS_CONTROL_ALLOW_ORIGIN);
	http_fields_remove(fields, HTTP_FIELD_ACCESS_CONTROL_ALLOW_CREDENTIALS);
	http_fields_remove(fields, HTTP_FIELD_ACCESS_CONTROL_EXPOSE_HEADERS);
	if (mark(cors, fields, state->origin) < 0)
		return filter_answer(exchange, 503);
	return FILTER_CONTINUE;
}

/* --- What the configuration makes ---------------------------------------------------- */

static int join(struct cors *cors, const char *const *names, size_t count, struct slice *ret)
{
	struct strbuf text = {};
	char *copy;

	for (size_t i = 0; i < count; i++)
		strbuf_printf(&text, "%s%s", i ? ", " : "", names[i]);
	copy = text.is_failed ? NULL : arena_strdup(&cors->arena, slice_of(text.text, text.len));
	*ret = slice_of(copy, text.len);
	strbuf_done(&text);
	return copy ? 0 : -ENOMEM;
}

static bool has_star(const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], "*") == 0)
			return true;
	return false;
}

static int build(struct filter *filter, const struct filter_setup *setup)
{
	static const char *const usual[] = {"GET", "HEAD", "POST"};
	const struct config_cors *config = &filter->config->cors;
	struct cors *cors = (struct cors *)filter;
	const char *age = arena_printf(&cors->arena, "%u", config->max_age_ms / 1000);
	int err = age ? 0 : -ENOMEM;

	(void)setup;
	if (!err)
		err = join(cors, config->nmethods ? config->methods : usual,
			   config->nmethods ? config->nmethods : ARRAY_SIZE(usual), &cors->methods);
	if (!err)
		err = join(cors, config->headers, config->nheaders, &cors->headers);
	if (!err)
		err = join(cors, config->expose, config->nexpose, &cors->expose);
	if (err)
		return err;
	cors->max_age = slice_from_str(age);
	cors->is_open = has_star(config->origins, config->norigins);
	cors->takes_any_header = has_star(config->headers, config->nheaders);
	return 0;
}

static void done(struct filter *filter)
{
	arena_done(&((struct cors *)filter)->arena);
}

const struct filter_kind filter_cors = {
	.id = CONFIG_FILTER_CORS,
	.size = sizeof(struct cors),
	.exchange_size = sizeof(struct cors_exchange),
	.build = build,
	.done = done,
	.on_request_head = on_request_head,
	.on_response_head = on_response_head,
};
