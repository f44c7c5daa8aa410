// SPDX-License-Identifier: Apache-2.0
/*
 * The cookie is "ID.SIGNATURE": the endpoint's number, the hash of its address, in hexadecimal,
 * and a signature of pool and number. It tells nobody where the endpoint is, and nobody else can
 * make one that is taken.
 */
#include "proxy/sticky.h"

#include "core/hash.h"
#include "http/cookie.h"
#include "proxy/exchange.h"
#include "proxy/http_client.h"
#include "proxy/session.h"
#include "tls/sign.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ID_DIGITS  16
#define VALUE_SIZE (ID_DIGITS + 1 + TLS_SIGNATURE_LEN)

static const struct config_sticky *config_of(const struct exchange *exchange)
{
	return &exchange_pool(exchange)->sticky;
}

/* A configured key, or the one that all workers drew at the start. */
static struct slice key_of(const struct exchange *exchange)
{
	const char *key = config_of(exchange)->key;

	return key ? slice_from_str(key)
		   : slice_of(exchange_worker(exchange)->shared->signing_key, TLS_SIGNING_KEY_LEN);
}

/* What is signed: a cookie of one pool is none of another's. Return: NULL: out of memory. */
static char *signed_text(struct exchange *exchange, struct slice id)
{
	return arena_printf(&exchange->arena, "%s %.*s", exchange_pool(exchange)->name,
			    SLICE_FMT(id));
}

static uint64_t read_id(struct slice id)
{
	char text[ID_DIGITS + 1] = "";

	memcpy(text, id.ptr, ID_DIGITS);
	return strtoull(text, NULL, 16);
}

/* Return: 0; -ENOMEM. */
static int read_cookie(struct exchange *exchange, struct slice value)
{
	struct slice id = slice_of(value.ptr, ID_DIGITS), signature;
	const char *text;

	if (value.len != VALUE_SIZE || value.ptr[ID_DIGITS] != '.')
		return 0;
	text = signed_text(exchange, id);
	if (!text)
		return -ENOMEM;
	signature = slice_skip(value, ID_DIGITS + 1);
	if (tls_signature_holds(key_of(exchange), slice_from_str(text), signature))
		exchange->leg->dial.wanted = read_id(id);
	return 0;
}

uint64_t sticky_key(const struct http_fields *fields, const struct config_hash_key *config)
{
	const struct http_field *field;
	struct slice value = {};

	if (config->cookie) {
		if (http_cookie_find(fields, slice_from_str(config->cookie), &value) < 0)
			return 0;
	} else if (config->header) {
		field = http_fields_find_name(fields, slice_from_str(config->header));
		value = field ? field->value : value;
	}
	return value.len ? hash_bytes(value, 0) : 0;
}

int sticky_read(struct exchange *exchange)
{
	const struct config_pool *pool = exchange_pool(exchange);
	struct slice name, value;
	int err;

	exchange->leg->dial.key = sticky_key(&exchange->request.fields, &pool->hash_key);
	if (!pool->sticky.cookie)
		return 0;
	name = slice_from_str(pool->sticky.cookie);
	if (http_cookie_find(&exchange->request.fields, name, &value) < 0)
		return 0;
	err = read_cookie(exchange, value);
	return err ? err : http_cookie_remove(&exchange->request.fields, name);
}

/* --- The answer ----------------------------------------------------------------- */

static enum http_same_site same_site_of(const struct config_sticky *config)
{
	switch (config->same_site) {
	case CONFIG_SAME_SITE_STRICT:
		return HTTP_SAME_SITE_STRICT;
	case CONFIG_SAME_SITE_NONE:
		return HTTP_SAME_SITE_NONE;
	case CONFIG_SAME_SITE_LAX:
		break;
	}
	return HTTP_SAME_SITE_LAX;
}

static bool is_secure(const struct exchange *exchange)
{
	const struct config_sticky *config = config_of(exchange);

	return config->secure == CONFIG_SECURE_ON ||
	       (config->secure == CONFIG_SECURE_AUTO && exchange_is_https(exchange));
}

static int write_value(struct exchange *exchange, char ret[VALUE_SIZE + 1])
{
	char id[ID_DIGITS + 1];
	const char *text;

	snprintf(id, sizeof(id), "%016" PRIx64, exchange->leg->dial.endpoint->id);
	text = signed_text(exchange, slice_of(id, ID_DIGITS));
	if (!text)
		return -ENOMEM;
	memcpy(ret, id, ID_DIGITS);
	ret[ID_DIGITS] = '.';
	return tls_sign(key_of(exchange), slice_from_str(text), ret + ID_DIGITS + 1);
}

int sticky_mark(struct exchange *exchange)
{
	const struct config_sticky *config = config_of(exchange);
	char value[VALUE_SIZE + 1] = "";
	struct http_set_cookie cookie;
	struct slice text;
	int err;

	if (!config->cookie || exchange->leg->dial.endpoint->id == exchange->leg->dial.wanted)
		return 0;
	err = write_value(exchange, value);
	if (err)
		return err;
	cookie = (struct http_set_cookie){
		.name = slice_from_str(config->cookie),
		.value = slice_of(value, VALUE_SIZE),
		.path = slice_from_str(config->path),
		.max_age = config->ttl_ms ? (int64_t)(config->ttl_ms / 1000) : -1,
		.is_secure = is_secure(exchange),
		.is_http_only = config->is_http_only,
		.same_site = same_site_of(config),
	};
	if (http_set_cookie_format(&cookie, &exchange->arena, &text) < 0)
		return -ENOMEM;
	return http_fields_add_id(&exchange->response.fields, HTTP_FIELD_SET_COOKIE, text);
}
