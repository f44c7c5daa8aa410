// SPDX-License-Identifier: Apache-2.0
/* The filter headers: removes, sets and adds fields, by templates. */
#include "filter/filter_internal.h"

/*
 * Which fields a direction's changes are made to. Of a request, what only looks like a field of the
 * name to CGI goes too: backends would not know ours from the client's.
 */
struct target {
	struct http_fields *fields;
	bool is_request;
};

static void remove_all(const struct target *target, const char *name)
{
	http_fields_remove_name(target->fields, slice_from_str(name));
	if (target->is_request)
		http_fields_remove_twins(target->fields, slice_from_str(name));
}

/* A value that no field may have (a variable held a control character) leaves the field out. */
static bool render(struct filter_exchange *exchange, const struct config_field *field,
		   struct slice *ret_value)
{
	return filter_render(exchange, &field->value, ret_value) == 0 && ret_value->len;
}

static void set_field(struct filter_exchange *exchange, const struct target *target,
		      const struct config_field *field)
{
	struct slice value;

	if (!render(exchange, field, &value) ||
	    http_fields_set(target->fields, slice_from_str(field->name), value) < 0)
		http_fields_remove_name(target->fields, slice_from_str(field->name));
	if (target->is_request)
		http_fields_remove_twins(target->fields, slice_from_str(field->name));
}

static void change(struct filter_exchange *exchange, const struct config_field_changes *changes,
		   const struct target *target)
{
	for (size_t i = 0; i < changes->nremove; i++)
		remove_all(target, changes->remove[i]);
	for (size_t i = 0; i < changes->nset; i++)
		set_field(exchange, target, &changes->set[i]);
	for (size_t i = 0; i < changes->nadd; i++) {
		struct slice value;

		if (render(exchange, &changes->add[i], &value))
			(void)!http_fields_add(target->fields, slice_from_str(changes->add[i].name),
					       value);
	}
}

static enum filter_verdict on_request_head(const struct filter *filter,
					   struct filter_exchange *exchange, void *own)
{
	const struct target target = {&exchange->request->fields, .is_request = true};

	(void)own;
	change(exchange, &filter->config->headers.request, &target);
	return FILTER_CONTINUE;
}

static enum filter_verdict on_response_head(const struct filter *filter,
					    struct filter_exchange *exchange, void *own)
{
	const struct target target = {&exchange->response->fields, .is_request = false};

	(void)own;
	change(exchange, &filter->config->headers.response, &target);
	return FILTER_CONTINUE;
}

/* What may not come in the head, or is ours there, does not come behind the body: endpoints may
 * read both as one list (RFC 9110 section 6.5.1). */
static void change_trailer(const struct config_field_changes *changes, const struct target *target)
{
	for (size_t i = 0; i < changes->nremove; i++)
		remove_all(target, changes->remove[i]);
	for (size_t i = 0; i < changes->nset; i++)
		remove_all(target, changes->set[i].name);
}

static void on_request_trailer(const struct filter *filter, struct http_fields *trailer)
{
	const struct target target = {trailer, .is_request = true};

	change_trailer(&filter->config->headers.request, &target);
}

static void on_response_trailer(const struct filter *filter, struct http_fields *trailer)
{
	const struct target target = {trailer, .is_request = false};

	change_trailer(&filter->config->headers.response, &target);
}

const struct filter_kind filter_headers = {
	.id = CONFIG_FILTER_HEADERS,
	.size = sizeof(struct filter),
	.on_request_head = on_request_head,
	.on_response_head = on_response_head,
	.on_request_trailer = on_request_trailer,
	.on_response_trailer = on_response_trailer,
};
