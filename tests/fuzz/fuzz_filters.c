// SPDX-License-Identifier: Apache-2.0
// Filters between heads that are well-formed and hold whatever they like: Accept-Encoding, Origin,
// Authorization. The input is a request's head, a response's head, and a body in runs that its
// bytes choose. What comes out can be written, and what was compressed comes back.
#include "config/config.h"
#include "config/variable.h"
#include "filter/filter.h"
#include "http/basic.h"
#include "http/h1_parse.h"
#include "http/h1_write.h"

#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const char text[] =
	"listeners: [{name: l, bind: '127.0.0.1:1', mode: http, pool: p, filters: ["
	"headers: {request: {set: [{name: X-A, value: '${header:X-B}-${header:Cookie}'}]}, "
	"response: {add: [{name: X-A, value: '${response_header:X-B}'}]}}, "
	"cors: {origins: ['https://*.a.b', 'null'], headers: '*', credentials: true}, "
	"limits: {max_uri: 100, max_field: 200, methods: [GET, HEAD, OPTIONS]}, "
	"rate_limit: {requests: 100000, key: '${header:X-B}'}, "
	"compression: {codings: gzip, min_size: 0}]}]\n"
	"pools: [{name: p, endpoints: ['127.0.0.1:2']}]\n";

static void check(bool holds)
{
	if (!holds)
		abort();
}

static struct slice value_of(void *context, uint32_t variable, struct slice argument)
{
	const struct filter_exchange *exchange = context;
	const struct http_fields *fields = variable == CONFIG_VARIABLE_RESPONSE_HEADER
						   ? &exchange->response->fields
						   : &exchange->request->fields;
	const struct http_field *field = http_fields_find_name(fields, argument);

	return field ? field->value : (struct slice){};
}

static uint64_t now_ms(const struct filter_exchange *exchange)
{
	(void)exchange;
	return 1000;
}

static const struct filter_host host = {.value_of = value_of, .now_ms = now_ms};

static struct filter_chain *make_chain(void)
{
	static struct config *config;
	struct filter_chain *chain = NULL;
	struct strbuf errors = {};
	struct filter_setup setup = {.config_path = "t", .errors = &errors};
	struct filter_list list;

	check(config_parse("t", slice_of(text, sizeof(text) - 1), &config, &errors) == 0);
	list = (struct filter_list){config->listeners[0].filters, config->listeners[0].nfilters};
	check(filter_chain_new(NULL, &list, &setup, &chain) == 0);
	return chain;
}

static void write_response(const struct http_response *response)
{
	static char buf[1 << 20];
	const struct h1_wire wire = {.framing.kind = HTTP_FRAMING_CHUNKED};
	size_t len;

	check(h1_write_response(response, &wire, buf, sizeof(buf), &len) == 0);
}

static void read_authorization(const struct http_fields *fields)
{
	char buf[HTTP_BASIC_MAX + 1];
	struct http_basic credentials;

	if (http_basic_read(fields, buf, &credentials) < 0)
		return;
	check(credentials.whole.len == credentials.name.len + 1 + credentials.password.len);
	check(!memchr(credentials.name.ptr, ':', credentials.name.len));
	check(strlen(credentials.password.ptr) == credentials.password.len);
}

static int sink(void *context, struct slice bytes)
{
	strbuf_append(context, bytes);
	return 0;
}

static void check_gzip(const struct strbuf *coded, struct slice plain)
{
	z_stream stream = {.next_in = (unsigned char *)coded->text,
			   .avail_in = (unsigned)coded->len};
	char *back = malloc(plain.len + 1);

	check(back && inflateInit2(&stream, 15 + 16) == Z_OK);
	stream.next_out = (unsigned char *)back;
	stream.avail_out = (unsigned)plain.len + 1;
	check(inflate(&stream, Z_FINISH) == Z_STREAM_END);
	check(stream.total_out == plain.len);
	check(plain.len == 0 || memcmp(back, plain.ptr, plain.len) == 0);
	inflateEnd(&stream);
	free(back);
}

static void pass_body(struct filter_exchange *exchange, struct slice body)
{
	struct strbuf coded = {};
	struct slice rest = body;

	while (rest.len) {
		size_t run = 1 + (unsigned char)rest.ptr[0] % 64;

		run = run < rest.len ? run : rest.len;
		check(filter_chain_on_response_body(exchange, slice_of(rest.ptr, run), FILTER_MORE,
						    sink, &coded) == 0);
		if (run % 3 == 0)
			check(filter_chain_on_response_body(exchange, (struct slice){},
							    FILTER_FLUSH, sink, &coded) == 0);
		rest = slice_skip(rest, run);
	}
	check(filter_chain_on_response_body(exchange, (struct slice){}, FILTER_END, sink, &coded) ==
	      0);
	if (exchange->replacers)
		check_gzip(&coded, body);
	strbuf_done(&coded);
}

static void answer(struct filter_exchange *exchange, struct slice bytes, enum http_method method)
{
	struct h1_parser parser = {.limits = &h1_limits_default};
	const struct h1_asked asked = {.method = method};
	size_t len;

	http_fields_clear(&exchange->response->fields);
	if (h1_parse_response(&parser, bytes, &asked, exchange->response, &len) < 0)
		return;
	if (filter_chain_on_response_head(exchange) == FILTER_CONTINUE &&
	    exchange->response->framing.kind != HTTP_FRAMING_NONE)
		pass_body(exchange, slice_skip(bytes, len));
	write_response(exchange->response);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct filter_chain *chain;
	static struct arena arena;
	struct h1_parser parser = {.limits = &h1_limits_default};
	struct http_request request = {.fields.arena = &arena};
	struct http_response response = {.fields.arena = &arena};
	struct slice input = slice_of(bytes, len);
	struct filter_exchange *exchange;
	struct address client = {};
	size_t head;

	if (!chain)
		chain = make_chain();
	arena_reset(&arena);
	if (len == 0 || h1_parse_request(&parser, input, &request, &head) < 0)
		return 0;
	read_authorization(&request.fields);
	exchange = filter_exchange_new(chain, &arena);
	check(exchange);
	exchange->host = &host;
	exchange->client = &client;
	exchange->request = &request;
	exchange->response = &response;
	exchange->path = request.target.path;
	if (filter_chain_on_request_head(exchange) == FILTER_CONTINUE) {
		if (head < len)
			answer(exchange, slice_skip(input, head), request.method);
	} else {
		filter_chain_on_response_head(exchange);
		write_response(&response);
	}
	filter_chain_on_end(exchange);
	return 0;
}
