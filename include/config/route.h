/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CONFIG_ROUTE_H
#define SLUICE_CONFIG_ROUTE_H

#include "core/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What routes match, and what is then done; the rules of config.h hold. */

enum config_action_kind {
	CONFIG_ACTION_POOL,
	CONFIG_ACTION_SPLIT,
	CONFIG_ACTION_REDIRECT,
	CONFIG_ACTION_RESPOND,
	CONFIG_ACTION_DENY,
};

struct config_pool_name {
	const char *name;
	size_t index; /* into config.pools */
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

/* One of these, by @kind: the others have their defaults. */
struct config_action {
	enum config_action_kind kind;
	struct config_pool_name pool;
	struct config_share *split;
	size_t nsplit;
	struct config_redirect redirect;
	struct config_respond respond;
	uint32_t deny_status; /* 0: the connection is closed without an answer */
};

struct config_route {
	/* A route holds if each list that is not empty has a member that holds. */
	const char **sni; /* lower case; "*.example.com" and "*" are wildcards */
	size_t nsni;
	const char **alpn;
	size_t nalpn;
	struct prefix *source;
	size_t nsource;
	uint16_t *port; /* destination ports, host order */
	size_t nport;
	/* Mode http alone. */
	const char **host; /* lower case; wildcards as above */
	size_t nhost;
	const char **path, **path_prefix; /* begin with "/"; one condition together */
	size_t npath, npath_prefix;
	const char **method;
	size_t nmethod;
	struct config_action action;
	uint32_t line; /* in the file */
};

#endif
