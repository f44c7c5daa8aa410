// SPDX-License-Identifier: Apache-2.0
/*
 * The filter compression: answers that shrink, in a coding that the client takes. What a cache or a
 * client could mistake for something else is left alone: parts, what is coded already, what must
 * not be transformed. encoder_pool.c has the encoders.
 */
#include "filter/encoder_pool.h"
#include "filter/filter_internal.h"
#include "http/conditional.h"
#include "http/list.h"
#include "http/media_type.h"
#include "http/negotiate.h"

#include <errno.h>

struct coding {
	const struct encoder_kind *kind;
	int level;
};

struct compression {
	struct filter filter;
	struct coding codings[CONFIG_CODING_COUNT]; /* as preferred */
	struct slice offers[CONFIG_CODING_COUNT];   /* their names */
	size_t ncodings;
};

/* Of an exchange whose answer is being compressed. */
struct body {
	const struct coding *coding; /* NULL: it is not */
	void *state;
	bool has_pending; /* the encoder may hold bytes back */
};

/* Text of the usual kinds: what is compressed already only costs. */
static const char *const usual_types[] = {
	"text/*",
	"application/javascript",
	"application/json",
	"application/ld+json",
	"application/manifest+json",
	"application/problem+json",
	"application/rss+xml",
	"application/atom+xml",
	"application/xhtml+xml",
	"application/xml",
	"application/wasm",
	"application/vnd.ms-fontobject",
	"font/otf",
	"font/ttf",
	"image/bmp",
	"image/svg+xml",
	"image/x-icon",
};

/* --- Which answers ---------------------------------------------------------------- */

static bool has_good_status(unsigned status)
{
	return (status >= 200 && status < 300 && status != 204 && status != 205 && status != 206) ||
	       status >= 400;
}

static bool has_good_type(const struct config_compression *config, const struct http_fields *fields)
{
	const char *const *types = config->ntypes ? config->types : usual_types;
	size_t count = config->ntypes ? config->ntypes : ARRAY_SIZE(usual_types);
	struct slice value = http_fields_value(fields, HTTP_FIELD_CONTENT_TYPE);
	struct http_media_type type;

	if (value.len == 0 || http_media_type_parse(value, &type) < 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if (http_media_type_matches(&type, slice_from_str(types[i])))
			return true;
	return false;
}

/* Whether some client gets it compressed: then caches must be told (RFC 9110 12.5.5). */
static bool may_shrink(const struct config_compression *config,
		       const struct filter_exchange *exchange)
{
	const struct http_response *response = exchange->response;
	const struct http_fields *fields = &response->fields;

	return !exchange->is_own && has_good_status(response->status) &&
	       !http_fields_has(fields, HTTP_FIELD_CONTENT_ENCODING) &&
	       !http_fields_has(fields, HTTP_FIELD_CONTENT_RANGE) &&
	       !filter_field_has(fields, HTTP_FIELD_CACHE_CONTROL, "no-transform") &&
	       !(response->framing.kind == HTTP_FRAMING_LENGTH &&
		 response->framing.length < config->min_size_bytes) &&
	       has_good_type(config, fields);
}

/* The client's favourite, if it does not like the plain form better. */
static const struct coding *choose(const struct compression *compression,
				   const struct filter_exchange *exchange)
{
	const struct http_fields *fields = &exchange->request->fields;
	size_t best;

	if (exchange->request->version < HTTP_VERSION_1_1 ||
	    exchange->response->framing.kind == HTTP_FRAMING_NONE ||
	    filter_field_has(fields, HTTP_FIELD_CACHE_CONTROL, "no-transform"))
		return NULL;
	best = http_choose_coding(fields, compression->offers, compression->ncodings);
	if (best == compression->ncodings ||
	    http_accepts_coding(fields, slice_from_str("identity")) >
		    http_accepts_coding(fields, compression->offers[best]))
		return NULL;
	return &compression->codings[best];
}

/* --- What they say ---------------------------------------------------------------- */

/* Other bytes than those that a strong validator stands for (RFC 9110 8.8.1). */
static int weaken_etag(struct filter_exchange *exchange)
{
	struct http_fields *fields = &exchange->response->fields;
	struct slice etag = http_fields_value(fields, HTTP_FIELD_ETAG);
	const char *weak;

	if (etag.len == 0 || slice_starts_with(etag, slice_of("W/", 2)))
		return 0;
	weak = arena_printf(exchange->arena, "W/%.*s", SLICE_FMT(etag));
	return weak ? http_fields_set_id(fields, HTTP_FIELD_ETAG, slice_from_str(weak)) : -ENOMEM;
}

/* Whether the client has what was weakened here, when it was compressed. */
static bool names_weakened(const struct http_fields *request, const struct http_etag *ours)
{
	const struct http_field *field = http_fields_find(request, HTTP_FIELD_IF_NONE_MATCH);

	for (; field; field = http_fields_find_next(request, field)) {
		struct slice list = field->value, member;
		struct http_etag etag;

		while (http_list_next(&list, &member))
			if (!http_etag_parse(member, &etag) && etag.is_weak &&
			    slice_equal(etag.opaque, ours->opaque))
				return true;
	}
	return false;
}

/* A 304 says what the 200 said (RFC 9110 15.4.5); with a strong validator caches would not know
 * what of theirs it is about (RFC 9111 4.3.4). */
static enum filter_verdict say_alike(struct filter_exchange *exchange)
{
	struct http_fields *fields = &exchange->response->fields;
	struct http_etag etag;

	if (exchange->is_own ||
	    http_etag_parse(http_fields_value(fields, HTTP_FIELD_ETAG), &etag) ||
	    !names_weakened(&exchange->request->fields, &etag))
		return FILTER_CONTINUE;
	if (weaken_etag(exchange) < 0 || filter_add_vary(fields, "Accept-Encoding") < 0)
		return filter_answer(exchange, 503);
	return FILTER_CONTINUE;
}

/* Sums of the plain bytes. */
static void remove_digests(struct http_fields *fields)
{
	static const char *const names[] = {"content-md5", "digest", "content-digest",
					    "repr-digest"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		http_fields_remove_name(fields, slice_from_str(names[i]));
}

static int tell(struct filter_exchange *exchange, const struct coding *coding)
{
	struct http_fields *fields = &exchange->response->fields;
	int err = weaken_etag(exchange);

	if (!err)
		err = http_fields_set_id(fields, HTTP_FIELD_CONTENT_ENCODING,
					 slice_from_str(coding->kind->name));
	if (!err)
		remove_digests(fields);
	return err;
}

/* --- Hooks ------------------------------------------------------------------------ */

static enum filter_verdict on_response_head(const struct filter *filter,
					    struct filter_exchange *exchange, void *own)
{
	const struct compression *compression = (const struct compression *)filter;
	const struct config_compression *config = &filter->config->compression;
	struct body *body = own;
	const struct coding *coding;

	if (exchange->response->status == 304)
		return say_alike(exchange);
	if (!may_shrink(config, exchange) ||
	    filter_add_vary(&exchange->response->fields, "Accept-Encoding") < 0)
		return FILTER_CONTINUE;
	coding = choose(compression, exchange);
	if (!coding)
		return FILTER_CONTINUE;
	body->state = encoder_pool_take(coding->kind, coding->level, config->max_active);
	if (!body->state)
		return FILTER_CONTINUE;
	body->coding = coding;
	if (tell(exchange, coding) < 0)
		return filter_answer(exchange, 503);
	filter_replace_response(exchange, filter);
	return FILTER_CONTINUE;
}

static int put(void *output, struct slice bytes)
{
	return filter_output(output, bytes);
}

static int on_response_body(const struct filter *filter, struct filter_exchange *exchange,
			    void *own, struct slice bytes, enum filter_phase phase,
			    struct filter_output *output)
{
	struct body *body = own;

	(void)filter;
	(void)exchange;
	if (phase == FILTER_FLUSH && !body->has_pending)
		return 0;
	body->has_pending = phase == FILTER_MORE;
	return body->coding->kind->encode(body->state, bytes, phase, put, output);
}

static void on_end(const struct filter *filter, struct filter_exchange *exchange, void *own)
{
	struct body *body = own;

	(void)filter;
	(void)exchange;
	if (body->coding)
		encoder_pool_give(body->coding->kind, body->coding->level, body->state);
	body->coding = NULL;
}

static struct coding coding_of(const struct config_compression *config, enum config_coding coding)
{
	switch (coding) {
	case CONFIG_CODING_ZSTD:
		return (struct coding){&encoder_zstd, (int)config->zstd_level};
	case CONFIG_CODING_BROTLI:
		return (struct coding){&encoder_brotli, (int)config->brotli_level};
	default:
		return (struct coding){&encoder_gzip, (int)config->gzip_level};
	}
}

static int build(struct filter *filter, const struct filter_setup *setup)
{
	static const enum config_coding usual[] = {CONFIG_CODING_ZSTD, CONFIG_CODING_BROTLI,
						   CONFIG_CODING_GZIP};
	struct compression *compression = (struct compression *)filter;
	const struct config_compression *config = &filter->config->compression;
	const enum config_coding *codings = config->ncodings ? config->codings : usual;
	size_t count = config->ncodings ? config->ncodings : ARRAY_SIZE(usual);

	(void)setup;
	for (size_t i = 0; i < count && i < CONFIG_CODING_COUNT; i++) {
		struct coding coding = coding_of(config, codings[i]);

		compression->codings[i] = coding;
		compression->offers[i] = slice_from_str(coding.kind->name);
		compression->ncodings++;
	}
	return 0;
}

const struct filter_kind filter_compression = {
	.id = CONFIG_FILTER_COMPRESSION,
	.size = sizeof(struct compression),
	.exchange_size = sizeof(struct body),
	.build = build,
	.on_response_head = on_response_head,
	.on_response_body = on_response_body,
	.on_end = on_end,
};
