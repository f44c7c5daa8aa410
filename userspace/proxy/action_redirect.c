// SPDX-License-Identifier: Apache-2.0
/* Tells the client to ask elsewhere. */
#include "proxy/action.h"

#include <stdio.h>

/* ":port", or "" where it goes without saying. */
static const char *port_of(const struct exchange *exchange, const char *scheme, char ret[8])
{
	const struct config_redirect *config = &exchange->route->action.redirect;
	uint16_t usual = strcmp(scheme, "https") == 0 ? 443 : 80, port = config->port;

	if (!port && !config->scheme && !config->host)
		port = exchange->request.authority.port;
	if (port && port != usual)
		snprintf(ret, 8, ":%u", port);
	else
		ret[0] = '\0';
	return ret;
}

/* A path that begins with two slashes is fine behind a host, which always stands here. */
static const char *location_of(struct exchange *exchange)
{
	const struct config_redirect *config = &exchange->route->action.redirect;
	const struct http_request *request = &exchange->request;
	const struct http_target *target = &request->target;
	const char *asked = exchange_is_https(exchange) ? "https" : "http";
	const char *scheme = config->scheme ? config->scheme : asked;
	struct slice host = config->host ? slice_from_str(config->host) : request->authority.host;
	struct slice path = exchange->new_path.len ? exchange->new_path : target->path;
	bool has_query = config->keeps_query && target->has_query;
	char port[8];

	if (config->path)
		path = slice_from_str(config->path);
	if (path.len == 0 || path.ptr[0] != '/')
		path = slice_from_str("/");
	return arena_printf(&exchange->arena, "%s://%.*s%s%.*s%s%.*s", scheme, SLICE_FMT(host),
			    port_of(exchange, scheme, port), SLICE_FMT(path), has_query ? "?" : "",
			    SLICE_FMT(has_query ? target->query : (struct slice){}));
}

void action_redirect(struct exchange *exchange)
{
	const struct config_redirect *config = &exchange->route->action.redirect;
	struct reply reply = {
		.status = (uint16_t)config->status,
		.fields = {.arena = &exchange->arena},
	};
	const char *location;

	if (!config->host && !exchange->request.authority.host.len) {
		exchange_refuse(exchange, 400, EXCHANGE_END_BAD_REQUEST,
				"a redirect needs to know the host");
		return;
	}
	location = location_of(exchange);
	if (!location ||
	    http_fields_add_id(&reply.fields, HTTP_FIELD_LOCATION, slice_from_str(location)) < 0)
		exchange_abort(exchange, EXCHANGE_END_NO_MEMORY, NULL);
	else
		exchange_reply(exchange, &reply, EXCHANGE_END_DONE);
}
