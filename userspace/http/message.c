// SPDX-License-Identifier: Apache-2.0
/* Methods and what they promise; moving the bytes that a head's slices point at. */
#include "http/message.h"

#include "core/compiler.h"
#include "http/http_internal.h"

static const struct {
	struct slice name;
	bool is_safe, is_idempotent;
} methods[HTTP_METHOD_COUNT] = {
#define X(name, is_safe, is_idempotent) \
	[HTTP_METHOD_##name] = {{#name, sizeof(#name) - 1}, is_safe, is_idempotent},
	HTTP_METHODS(X)
#undef X
};

enum http_method http_method_of(struct slice text)
{
	for (unsigned i = HTTP_METHOD_OTHER + 1; i < HTTP_METHOD_COUNT; i++)
		if (slice_equal(text, methods[i].name))
			return (enum http_method)i;
	return HTTP_METHOD_OTHER;
}

struct slice http_method_name(enum http_method method)
{
	return methods[method].name;
}

bool http_method_is_safe(enum http_method method)
{
	return methods[method].is_safe;
}

bool http_method_is_idempotent(enum http_method method)
{
	return methods[method].is_idempotent;
}

static void rebase_authority(struct http_authority *authority, const char *from, size_t len,
			     const char *to)
{
	http_slice_rebase(&authority->text, from, len, to);
	http_slice_rebase(&authority->host, from, len, to);
}

static void rebase_target(struct http_target *target, const char *from, size_t len, const char *to)
{
	http_slice_rebase(&target->text, from, len, to);
	http_slice_rebase(&target->scheme, from, len, to);
	http_slice_rebase(&target->path, from, len, to);
	http_slice_rebase(&target->query, from, len, to);
	rebase_authority(&target->authority, from, len, to);
}

void http_request_rebase(struct http_request *request, const char *from, size_t len, const char *to)
{
	http_slice_rebase(&request->method_text, from, len, to);
	rebase_target(&request->target, from, len, to);
	rebase_authority(&request->authority, from, len, to);
	http_fields_rebase(&request->fields, from, len, to);
}

void http_response_rebase(struct http_response *response, const char *from, size_t len,
			  const char *to)
{
	http_slice_rebase(&response->reason, from, len, to);
	http_fields_rebase(&response->fields, from, len, to);
}

bool http_response_is_bodiless(unsigned status, enum http_method method)
{
	return status < 200 || status == 204 || status == 304 || method == HTTP_METHOD_HEAD;
}
