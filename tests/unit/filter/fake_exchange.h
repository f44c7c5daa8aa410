/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TESTS_UNIT_FILTER_FAKE_EXCHANGE_H
#define SLUICE_TESTS_UNIT_FILTER_FAKE_EXCHANGE_H

/*
 * An exchange without a proxy: a chain from a configuration, a request from text, a clock that the
 * test moves, and what would go to the client.
 */
#include "config/config.h"
#include "config/variable.h"
#include "core/strbuf.h"
#include "filter/filter.h"
#include "http/h1_parse.h"
#include "io/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define FAKE_FIELDS 48

struct fake_exchange {
	struct config *config;
	struct filter_chain *chain;
	const struct filter_chain *previous; /* before a reload; NULL: none */
	struct filter_exchange *exchange;
	struct arena arena;
	struct http_request request;
	struct http_response response;
	struct http_field request_fields[FAKE_FIELDS], response_fields[FAKE_FIELDS];
	struct address client;
	uint64_t now_ms;
	struct io_loop *loop; /* NULL unless a test has one */
	struct strbuf sent, errors;
	unsigned resumed;
	enum filter_verdict resumed_as;
};

static struct fake_exchange *fake_of(const struct filter_exchange *exchange)
{
	return exchange->owner;
}

static struct slice fake_value(void *context, uint32_t variable, struct slice argument)
{
	struct filter_exchange *exchange = context;
	const struct http_field *field;

	switch (variable) {
	case CONFIG_VARIABLE_CLIENT_IP:
	case CONFIG_VARIABLE_CLIENT_NET:
		return slice_from_str("192.0.2.1");
	case CONFIG_VARIABLE_METHOD:
		return exchange->request->method_text;
	case CONFIG_VARIABLE_PATH:
		return exchange->path;
	case CONFIG_VARIABLE_HEADER:
		field = http_fields_find_name(&exchange->request->fields, argument);
		return field ? field->value : (struct slice){};
	default:
		return (struct slice){};
	}
}

static void fake_on_resumed(struct filter_exchange *exchange, enum filter_verdict verdict)
{
	fake_of(exchange)->resumed++;
	fake_of(exchange)->resumed_as = verdict;
	if (fake_of(exchange)->loop)
		io_loop_stop(fake_of(exchange)->loop);
}

static uint64_t fake_now_ms(const struct filter_exchange *exchange)
{
	return fake_of(exchange)->now_ms;
}

static struct io_loop *fake_loop(const struct filter_exchange *exchange)
{
	return fake_of(exchange)->loop;
}

static const struct filter_host fake_host = {
	.value_of = fake_value,
	.on_resumed = fake_on_resumed,
	.now_ms = fake_now_ms,
	.loop = fake_loop,
};

/* @filters: YAML of the list, in flow style. Return: of filter_chain_new(). */
static inline int fake_build(struct fake_exchange *fake, const char *filters,
			     const struct filter_events *events)
{
	struct filter_setup setup = {.config_path = "t",
				     .events = events,
				     .errors = &fake->errors,
				     .previous = fake->previous};
	struct filter_list list;
	char text[4096];

	snprintf(text, sizeof(text),
		 "listeners: [{name: l, bind: '127.0.0.1:1', mode: http, pool: p, filters: %s}]\n"
		 "pools: [{name: p, endpoints: [{address: '127.0.0.1:2'}]}]\n",
		 filters);
	if (config_parse("t", slice_from_str(text), &fake->config, &fake->errors) < 0)
		fail_msg("%s", fake->errors.text);
	list = (struct filter_list){fake->config->listeners[0].filters,
				    fake->config->listeners[0].nfilters};
	return filter_chain_new(NULL, &list, &setup, &fake->chain);
}

static inline void fake_init(struct fake_exchange *fake, const char *filters)
{
	*fake = (struct fake_exchange){.now_ms = 1000000};
	assert_int_equal(address_parse_ip(slice_from_str("192.0.2.1"), 1234, &fake->client), 0);
	assert_int_equal(fake_build(fake, filters, NULL), 0);
}

static inline void fake_done(struct fake_exchange *fake)
{
	filter_chain_on_end(fake->exchange);
	filter_chain_free(fake->chain);
	config_free(fake->config);
	arena_done(&fake->arena);
	strbuf_done(&fake->sent);
	strbuf_done(&fake->errors);
}

/* The one before is over; @head must outlive this one. */
static inline void fake_begin(struct fake_exchange *fake, const char *head)
{
	struct h1_parser parser = {.limits = &h1_limits_default};
	size_t len;

	filter_chain_on_end(fake->exchange);
	arena_reset(&fake->arena);
	fake->sent.len = 0;
	fake->request = (struct http_request){.fields = {.items = fake->request_fields,
							 .cap = FAKE_FIELDS,
							 .arena = &fake->arena}};
	fake->response = (struct http_response){.status = 200,
						.version = HTTP_VERSION_1_1,
						.fields = {.items = fake->response_fields,
							   .cap = FAKE_FIELDS,
							   .arena = &fake->arena}};
	assert_int_equal(h1_parse_request(&parser, slice_from_str(head), &fake->request, &len), 0);
	fake->exchange = filter_exchange_new(fake->chain, &fake->arena);
	assert_non_null(fake->exchange);
	fake->exchange->owner = fake;
	fake->exchange->host = &fake_host;
	fake->exchange->client = &fake->client;
	fake->exchange->request = &fake->request;
	fake->exchange->response = &fake->response;
	fake->exchange->path = fake->request.target.path;
}

/* "GET @path HTTP/1.1" with @fields, each with its CR LF. */
static inline enum filter_verdict fake_ask(struct fake_exchange *fake, const char *head)
{
	fake_begin(fake, head);
	return filter_chain_on_request_head(fake->exchange);
}

/* The backend's answer. @head: fields as above. */
static inline enum filter_verdict fake_answer(struct fake_exchange *fake, const char *head,
					      enum http_method method)
{
	struct h1_parser parser = {.limits = &h1_limits_default};
	const struct h1_asked asked = {.method = method};
	size_t len;

	http_fields_clear(&fake->response.fields);
	assert_int_equal(
		h1_parse_response(&parser, slice_from_str(head), &asked, &fake->response, &len), 0);
	return filter_chain_on_response_head(fake->exchange);
}

static inline int fake_sink(void *context, struct slice bytes)
{
	strbuf_append(&((struct fake_exchange *)context)->sent, bytes);
	return 0;
}

static inline int fake_body(struct fake_exchange *fake, struct slice bytes, enum filter_phase phase)
{
	return filter_chain_on_response_body(fake->exchange, bytes, phase, fake_sink, fake);
}

static inline void expect_field(const struct http_fields *fields, const char *name,
				const char *value)
{
	const struct http_field *field = http_fields_find_name(fields, slice_from_str(name));

	if (!value) {
		assert_null(field);
		return;
	}
	if (!field)
		fail_msg("there is no %s", name);
	if (!slice_equal_str(field->value, value))
		fail_msg("%s is \"%.*s\", not \"%s\"", name, SLICE_FMT(field->value), value);
}

#endif
