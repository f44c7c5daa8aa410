/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CONFIG_ROUTE_H
#define SLUICE_CONFIG_ROUTE_H

#include "config/filter.h"
#include "config/file.h"
#include "core/address.h"
#include "core/earth.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What routes match, and what is then done; the rules of config.h hold. */

/* A header field, a query parameter or a cookie, one of whose values passes the test. */
enum config_value_test {
	CONFIG_VALUE_PRESENT,
	CONFIG_VALUE_ABSENT, /* there is none of that name */
	CONFIG_VALUE_EXACT,
	CONFIG_VALUE_PREFIX,
	CONFIG_VALUE_SUFFIX,
	CONFIG_VALUE_REGEX,
};

struct config_value_match {
	const char *name;
	enum config_value_test test;
	const char **value; /* EXACT: one of these */
	size_t nvalue;
	const char *text; /* PREFIX, SUFFIX, REGEX */
	const char *prefix, *suffix, *regex;
	bool is_absent;
};

/* The client's certificate, which was verified. */
struct config_certificate_match {
	bool is_asked;        /* the condition is there */
	bool is_present;      /* verified: true; false: the client has shown none */
	const char **subject; /* RFC 2253; one of these */
	size_t nsubject;
	const char *subject_regex; /* compiles; NULL: any */
	const char **fingerprint;  /* SHA-256, lower case; one of these */
	size_t nfingerprint;
	const char **issuer; /* as subject */
	size_t nissuer;
	const char *issuer_regex;
	const char **serial; /* lower case hexadecimal, two digits an octet */
	size_t nserial;
	const char **dns, **uri, **email; /* of each kind one of these is among its names */
	size_t ndns, nuri, nemail;
	const char *uri_regex; /* matches one of its URIs */
};

/* How the request goes on; at most one of path, prefix and regex is not NULL. */
struct config_rewrite {
	const char *path;       /* the whole path */
	const char *prefix;     /* in place of the prefix that the route matched */
	const char *regex, *to; /* where it matches: the whole path; "$1" in it is a group */
	const char *host;       /* NULL: as asked */
};

struct config_pool_name {
	const char *name;
	size_t index; /* into config.pools */
};

/* A copy of requests for another pool, beside the action. */
struct config_mirror {
	struct config_pool_name pool; /* no name: none */
	uint32_t share_percent;       /* 100: of the requests */
	uint32_t max_body_bytes;      /* 64 KiB: larger requests are not copied */
};

enum config_action_kind {
	CONFIG_ACTION_POOL,
	CONFIG_ACTION_SPLIT,
	CONFIG_ACTION_REDIRECT,
	CONFIG_ACTION_RESPOND,
	CONFIG_ACTION_FILES,
	CONFIG_ACTION_DENY,
};

enum config_split_by {
	CONFIG_SPLIT_BY_REQUEST, /* each is drawn */
	CONFIG_SPLIT_BY_CLIENT,  /* the same address goes to the same pool */
};

/* A pool's part of the requests. */
struct config_share {
	struct config_pool_name pool;
	uint32_t weight; /* 0..10000; the sum is not 0 */
};

/* What is left out stays as the request has it. */
struct config_redirect {
	uint32_t status;    /* 302 */
	const char *scheme; /* NULL: as asked */
	const char *host;   /* NULL: as asked */
	uint16_t port;      /* 0: none where scheme or host are given, else as asked */
	const char *path;   /* NULL: as asked */
	bool keeps_query;   /* true */
};

/* An answer of our own. */
struct config_respond {
	uint32_t status;  /* 200 */
	const char *type; /* media type; "text/plain; charset=utf-8" */
	const char *body; /* NULL: empty */
};

enum config_symlinks { CONFIG_SYMLINKS_BENEATH, CONFIG_SYMLINKS_OFF };

/* Files of a directory. */
struct config_files {
	struct config_file root;
	const char **index; /* "index.html": names looked for in directories, in order */
	size_t nindex;
	enum config_symlinks symlinks; /* beneath: followed as long as they stay in root */
	bool shows_hidden;             /* false: names that begin with a dot are not served */
	bool is_precompressed;         /* true: name.br, .zst and .gz stand beside name */
	const char *cache_control;     /* NULL: none */
};

/* One of these, by @kind: the others have their defaults. */
struct config_action {
	enum config_action_kind kind;
	struct config_pool_name pool;
	struct config_share *split;
	size_t nsplit;
	enum config_split_by split_by;
	struct config_redirect redirect;
	struct config_respond respond;
	struct config_files files;
	uint32_t deny_status; /* 0: the connection is closed without an answer */
};

struct config_route {
	const char *name; /* in metrics; unique in its listener; NULL: not counted apart */
	/* A route holds if each list that is not empty has a member that holds. */
	const char **sni; /* lower case; "*.example.com" and "*" are wildcards */
	size_t nsni;
	const char **alpn;
	size_t nalpn;
	struct prefix *source;
	size_t nsource;
	earth_code *country, *continent; /* by config.geo */
	size_t ncountry, ncontinent;
	uint32_t *asn;
	size_t nasn;
	uint16_t *port; /* destination ports, host order */
	size_t nport;
	/* Mode http alone. */
	const char **host; /* lower case; wildcards as above */
	size_t nhost;
	const char **path, **path_prefix; /* begin with "/" */
	size_t npath, npath_prefix;
	const char **path_regex; /* compile; with path and path_prefix one condition */
	size_t npath_regex;
	const char **method;
	size_t nmethod;
	struct config_value_match *header, *query, *cookie; /* all of which must hold */
	size_t nheader, nquery, ncookie;
	struct config_certificate_match certificate;
	struct config_rewrite rewrite;
	struct config_mirror mirror; /* beside pool and split */
	struct config_action action;
	struct config_filter *filters; /* behind the listener's */
	size_t nfilters;
	uint32_t line; /* in the file */
};

#endif
