// SPDX-License-Identifier: Apache-2.0
/* The filter limits: how large a request may be, and of which methods. */
#include "filter/filter_internal.h"

#include <errno.h>

static enum filter_verdict refuse(struct filter_exchange *exchange, unsigned status,
				  const char *detail)
{
	exchange->detail = detail;
	return filter_answer(exchange, status);
}

static bool has_method(const struct config_filter_limits *config, struct slice method)
{
	for (size_t i = 0; i < config->nmethods; i++)
		if (slice_equal_str(method, config->methods[i]))
			return true;
	return config->nmethods == 0;
}

/* RFC 9110 section 15.5.6. */
static enum filter_verdict refuse_method(struct filter_exchange *exchange,
					 const struct config_filter_limits *config)
{
	enum filter_verdict verdict = refuse(exchange, 405, "limits.methods");
	int err = 0;

	for (size_t i = 0; !err && i < config->nmethods; i++)
		err = http_fields_add_id(&exchange->response->fields, HTTP_FIELD_ALLOW,
					 slice_from_str(config->methods[i]));
	return err ? filter_answer(exchange, 503) : verdict;
}

static const char *too_large(const struct config_filter_limits *config,
			     const struct http_fields *fields)
{
	uint32_t count = 0;

	for (const struct http_field *field = NULL; (field = http_fields_next(fields, field));
	     count++)
		if (config->max_field_bytes &&
		    field->name.len + field->value.len > config->max_field_bytes)
			return "limits.max_field";
	return config->max_fields && count > config->max_fields ? "limits.max_fields" : NULL;
}

static enum filter_verdict on_request_head(const struct filter *filter,
					   struct filter_exchange *exchange, void *own)
{
	const struct config_filter_limits *config = &filter->config->limits;
	const struct http_request *request = exchange->request;
	const char *detail;

	(void)own;
	if (!has_method(config, request->method_text))
		return refuse_method(exchange, config);
	if (config->max_uri_bytes && request->target.text.len > config->max_uri_bytes)
		return refuse(exchange, 414, "limits.max_uri");
	detail = too_large(config, &request->fields);
	if (detail)
		return refuse(exchange, 431, detail);
	if (config->max_body_bytes && config->max_body_bytes < exchange->max_request_body)
		exchange->max_request_body = config->max_body_bytes;
	return FILTER_CONTINUE;
}

const struct filter_kind filter_limits = {
	.id = CONFIG_FILTER_LIMITS,
	.size = sizeof(struct filter),
	.on_request_head = on_request_head,
};
