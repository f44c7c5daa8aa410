// SPDX-License-Identifier: Apache-2.0
/* How far a request goes: CONNECT and TRACE, and OPTIONS within so many hops (RFC 9110
 * sections 7.6.2, 9.3.6 and 9.3.8); and one that goes round in a loop. */
#include "http/forwarded.h"
#include "http/max_forwards.h"
#include "proxy/exchange.h"

/* Through proxies of our name, this one included: nobody has so many in a row. */
#define PASSES_MAX 10

static bool is_named(const struct config_route *route, struct slice method)
{
	for (size_t i = 0; i < route->nmethod; i++)
		if (slice_equal_str(method, route->method[i]))
			return true;
	return false;
}

/*
 * Who wants them names the method in a route. An endpoint's answer to TRACE would show the client's
 * scripts its cookies, and the client what we add of it and of us. To CONNECT any 2xx makes a
 * tunnel, and many an endpoint says 200 to whatever method: what the client asks for in it would go
 * past every route and filter.
 */
static bool is_unwanted(const struct exchange *exchange)
{
	enum http_method method = exchange->request.method;

	return (method == HTTP_METHOD_CONNECT || method == HTTP_METHOD_TRACE) &&
	       !is_named(exchange->route, exchange->request.method_text);
}

static void refuse_method(struct exchange *exchange)
{
	struct reply reply = {.fields = {.arena = &exchange->arena}};
	int err = exchange_page(exchange, 405, true, &reply);

	if (!err)
		err = http_fields_add_id(
			&reply.fields, HTTP_FIELD_ALLOW,
			slice_from_str("GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"));
	if (err)
		exchange_abort(exchange, EXCHANGE_END_NO_MEMORY, NULL);
	else
		exchange_reply(exchange, &reply, EXCHANGE_END_DENIED);
}

/* Nothing is known of what endpoints can do. */
static void answer_options(struct exchange *exchange)
{
	const struct reply reply = {.status = 204, .fields = {.arena = &exchange->arena}};

	exchange_reply(exchange, &reply, EXCHANGE_END_DONE);
}

/* Other actions answer by themselves. */
static bool is_forwarded(const struct config_route *route)
{
	return route->action.kind == CONFIG_ACTION_POOL ||
	       route->action.kind == CONFIG_ACTION_SPLIT;
}

/* All of us have one name in Via, so that one more pass is no loop yet: two in a row are common.
 * The status is none for which those before us would try again. */
static bool is_in_loop(const struct exchange *exchange)
{
	return http_via_count(&exchange->request.fields, slice_from_str(EXCHANGE_PSEUDONYM)) >
	       PASSES_MAX;
}

static void answer_as_last(struct exchange *exchange)
{
	if (exchange->request.method == HTTP_METHOD_OPTIONS)
		answer_options(exchange);
	else
		refuse_method(exchange);
}

bool exchange_ends_here(struct exchange *exchange)
{
	enum http_method method = exchange->request.method;
	int last = 0;

	if (is_forwarded(exchange->route) && is_in_loop(exchange)) {
		exchange_refuse(exchange, 508, EXCHANGE_END_LOOP, NULL);
		return true;
	}
	if (is_unwanted(exchange))
		last = 1;
	else if (method != HTTP_METHOD_TRACE && method != HTTP_METHOD_OPTIONS)
		return false;
	else if (is_forwarded(exchange->route))
		last = http_max_forwards_take(&exchange->request.fields);
	if (last < 0)
		exchange_refuse(exchange, 503, EXCHANGE_END_NO_MEMORY, NULL);
	else if (last > 0)
		answer_as_last(exchange);
	return last != 0;
}
