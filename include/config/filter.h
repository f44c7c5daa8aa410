/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CONFIG_FILTER_H
#define SLUICE_CONFIG_FILTER_H

#include "config/file.h"
#include "core/address.h"
#include "core/template.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Filters of mode http, as configured. X(NAME, "name", member): the list is also the registry of
 * the room filter, whose filter_<member> each line stands for.
 */
#define CONFIG_FILTERS(X)                          \
	X(HEADERS, "headers", headers)             \
	X(COMPRESSION, "compression", compression) \
	X(ACCESS, "access", access)                \
	X(LIMITS, "limits", limits)                \
	X(CORS, "cors", cors)                      \
	X(RATE_LIMIT, "rate_limit", rate_limit)    \
	X(BASIC_AUTH, "basic_auth", basic_auth)

/* Of one list. */
#define CONFIG_FILTERS_MAX 16

enum config_filter_kind {
#define X(name, text, member) CONFIG_FILTER_##name,
	CONFIG_FILTERS(X)
#undef X
		CONFIG_FILTER_COUNT
};

struct config_field {
	const char *name;
	struct template value;
};

/* What is done to the fields of one direction, in this order. */
struct config_field_changes {
	const char **remove;
	size_t nremove;
	struct config_field *set;
	size_t nset;
	struct config_field *add;
	size_t nadd;
};

struct config_headers {
	struct config_field_changes request, response;
};

enum config_coding {
	CONFIG_CODING_GZIP,
	CONFIG_CODING_BROTLI,
	CONFIG_CODING_ZSTD,
	CONFIG_CODING_COUNT
};

struct config_compression {
	enum config_coding *codings; /* in order of preference; none: zstd, br, gzip */
	size_t ncodings;
	const char **types; /* media types, "text/" and "*" stands for any text; none: the usual */
	size_t ntypes;
	uint32_t min_size_bytes; /* 1 KiB */
	uint32_t gzip_level;     /* 4 in 1..9 */
	uint32_t brotli_level;   /* 4 in 0..11 */
	uint32_t zstd_level;     /* 3 in 1..19 */
	uint32_t max_active;     /* 256: bodies at once, of a worker */
};

struct config_access {
	struct prefix *allow, *deny; /* the longer prefix decides, deny among equals */
	size_t nallow, ndeny;
	uint32_t status; /* 403: what the others get */
};

/* Of a request; 0: no limit. */
struct config_filter_limits {
	uint32_t max_body_bytes; /* 413 */
	uint32_t max_uri_bytes;  /* 414 */
	uint32_t max_fields;     /* 431, as the next */
	uint32_t max_field_bytes;
	const char **methods; /* others get 405; none: all */
	size_t nmethods;
};

struct config_cors {
	const char **origins; /* "https://app.example", "https://" and "*.example", "null" or "*" */
	size_t norigins;
	const char **methods; /* none: GET, HEAD, POST */
	size_t nmethods;
	const char **headers; /* that requests may have; "*": whatever is asked for */
	size_t nheaders;
	const char **expose; /* that scripts may see in answers */
	size_t nexpose;
	bool has_credentials; /* false */
	uint32_t max_age_ms;  /* 10m: how long a browser may remember a preflight */
};

struct config_rate_limit {
	const char *name; /* "default" */
	struct template key;
	uint32_t requests, per_ms;
	uint32_t burst;  /* 0: requests, at most 100000 */
	uint32_t status; /* 429 */
	bool has_fields; /* true */
	bool is_dry_run; /* false */
	uint32_t max_keys;
	uint32_t ban_ms;    /* 0: nobody is banned */
	uint32_t ban_after; /* 100 refusals */
};

struct config_basic_auth {
	struct config_file file; /* of "name:hash" lines */
	const char *realm;       /* "restricted" */
	bool is_forwarded;       /* false: the pool does not get the password */
};

/* One filter: @kind says which of the members is meant; the others hold their defaults. */
struct config_filter {
	enum config_filter_kind kind;
	struct config_headers headers;
	struct config_compression compression;
	struct config_access access;
	struct config_filter_limits limits;
	struct config_cors cors;
	struct config_rate_limit rate_limit;
	struct config_basic_auth basic_auth;
	uint32_t line;
};

const char *config_filter_name(enum config_filter_kind kind);

#endif
