/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CONFIG_INTERNAL_H
#define SLUICE_CONFIG_INTERNAL_H

#include "config/config.h"
#include "core/address.h"
#include "core/arena.h"
#include "core/slice.h"
#include "core/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The way of a file: text → document (document.c) → struct config by the schema table (decode.c,
 * schema.c, types.c, shapes.c) → checks between options (check.c, check_binds.c). Each step reports
 * into one list of diagnostics and goes on, so that all errors come out at once.
 */

/* --- Diagnostics: diagnostics.c ------------------------------------------------ */

/* A file that is wrong in more places than this is wrong altogether. */
#define DIAGNOSTICS_MAX 1000

struct diagnostic;

struct diagnostics {
	struct arena arena;
	struct diagnostic *all;
	size_t kept;
	size_t count;     /* with those that were not kept */
	size_t nwarnings; /* of those */
	bool is_failed;   /* out of memory */
};

struct node;

/* @line and @column count from 1; line 0 stands for the file as a whole. */
void diagnose_at(struct diagnostics *diagnostics, uint32_t line, uint32_t column, const char *fmt,
		 ...) PRINTF(4, 5);
void diagnose(struct diagnostics *diagnostics, const struct node *at, const char *fmt, ...)
	PRINTF(3, 4);
/* One that refuses nothing. */
void warn(struct diagnostics *diagnostics, const struct node *at, const char *fmt, ...)
	PRINTF(3, 4);

/* All of them, ordered by place; @name is the file's. */
void diagnostics_render(struct diagnostics *diagnostics, const char *name, struct strbuf *out);
void diagnostics_done(struct diagnostics *diagnostics);

/* Room for a quoted value: 64 bytes of it, each escaped at worst. */
#define QUOTE_SIZE 280

/*
 * The text in double quotes, control characters escaped, long ones cut. Of a scalar it is what the
 * file says, not what the environment made of it: that may be a secret. Return: @ret.
 */
const char *quote(struct slice text, char ret[QUOTE_SIZE]);
const char *node_quote(const struct node *node, char ret[QUOTE_SIZE]);

/* --- The nearest known name: suggestion.c -------------------------------------- */

struct suggestion {
	struct slice word;
	const char *best;
	size_t distance;
};

#define SUGGESTION_SIZE 96

void suggestion_offer(struct suggestion *suggestion, const char *candidate);

/* "; did you mean "x"?", or "" if nothing is near. Return: @ret. */
const char *suggestion_format(const struct suggestion *suggestion, char ret[SUGGESTION_SIZE]);

/* --- The document: document.c, environment.c ----------------------------------- */

#define DOCUMENT_SIZE_MAX  ((size_t)16 << 20)
#define DOCUMENT_DEPTH_MAX 32
#define DOCUMENT_NODES_MAX 1000000
#define MAPPING_KEYS_MAX   256

enum node_kind {
	NODE_BROKEN, /* already reported: say nothing more about it */
	NODE_NULL,   /* "key:" without a value, "~" or "null" */
	NODE_SCALAR,
	NODE_LIST,
	NODE_MAPPING,
};

struct node {
	enum node_kind kind;
	uint32_t line, column; /* from 1 */
	struct node *key;      /* of a mapping's member */
	struct slice raw;      /* of a scalar: as the file has it, quotes and escapes undone */
	struct slice text;     /* the same after "${NAME}" */
	bool is_from_environment;
	struct node *first, *last; /* items, or a mapping's values in the file's order */
	struct node *next;
	size_t count;
};

struct document {
	struct arena arena;
	struct node *root; /* NULL: there is none, and a diagnostic says why */
};

/* Return: 0, also where diagnostics were made; -ENOMEM. @text is borrowed for the call. */
int document_parse(struct slice text, struct diagnostics *diagnostics,
		   struct document *ret) WARN_UNUSED;
void document_done(struct document *document);

/* The value of a mapping's key; NULL if absent or @node is no mapping (or NULL). */
const struct node *node_member(const struct node *node, const char *key);

/* Where an option's value is, or else the mapping that should have it. */
const struct node *node_member_or_self(const struct node *node, const char *key);

/* The first item of a list; NULL also where there is no list. */
static inline const struct node *node_first(const struct node *list)
{
	return list ? list->first : NULL;
}

#define node_for_each(item, parent) \
	for (const struct node *item = node_first(parent); item; item = item->next)

/*
 * Fills in node->text from node->raw. @allowance: bytes that the whole document may still grow to.
 * Return: 0, also where a diagnostic was made (the node is then broken); -ENOMEM.
 */
int environment_expand(struct node *node, struct arena *arena, size_t *allowance,
		       struct diagnostics *diagnostics) WARN_UNUSED;

/* --- Values: types.c, units.c, binds.c ----------------------------------------- */

struct option;

/* One value on its way into its field. */
struct reading {
	struct arena *arena; /* the configuration's */
	const struct option *option;
	const struct node *node; /* NULL: a default */
	size_t count;            /* elements written, for lists: usually 1 */
	bool is_out_of_memory;
};

struct option_type {
	const char *name; /* in the option tables: "duration" */
	size_t size;      /* of the field, or of a list's element */
	size_t elements;  /* at most, that one scalar makes; 0 stands for 1 */
	/* Return: NULL; or what is wrong with the value: "has no unit". */
	const char *(*read)(struct reading *reading, struct slice text, void *field);
	/* "a duration such as 250ms, from 1ms to 1h" */
	void (*expect)(const struct option *option, struct strbuf *out);
	/* The keywords of a JSON Schema, without braces. */
	void (*schema)(const struct option *option, struct strbuf *out);
	bool is_text; /* any "${NAME}" is also valid text of the type */
};

extern const struct option_type type_boolean, type_flag, type_count, type_size, type_duration,
	type_percent, type_mode, type_port, type_word, type_name, type_text, type_path,
	type_address, type_ip, type_network, type_bind, type_endpoint, type_status, type_sni,
	type_alpn, type_port_range, type_server_id, type_url_path, type_method, type_host,
	type_file, type_mapping, type_field_value, type_scheme, type_regex, type_fingerprint,
	type_serial, type_file_name, type_field, type_template, type_country, type_continent,
	type_asn, type_media_range, type_origin, type_field_or_all, type_realm, type_degrees;

/* What several types have in common. store_text(): a copy in the configuration's arena. */
const char *store_text(struct reading *reading, struct slice text, void *field);
void schema_text(const struct option *option, struct strbuf *out);
void expect_word(const struct option *option, struct strbuf *out);
void schema_word(const struct option *option, struct strbuf *out);

/* What parse functions return is NULL or what is wrong, as above. */
const char *parse_count(struct slice text, uint64_t *ret);
const char *parse_size(struct slice text, uint64_t *ret_bytes);
const char *parse_duration(struct slice text, uint64_t *ret_ms);
const char *parse_percent(struct slice text, uint64_t *ret);
const char *parse_mode(struct slice text, uint64_t *ret);
const char *parse_status_range(struct slice text, uint64_t *ret_first, uint64_t *ret_last);

/* In the largest unit that divides it: "90s", "16KiB". */
void format_size(uint64_t bytes, struct strbuf *out);
void format_duration(uint64_t ms, struct strbuf *out);

#define BINDS_PER_TEXT 2

/* "*:80" and ":80" are two: 0.0.0.0 and [::]. "/udp" may follow. @ret: line and column stay as they
 * are. */
const char *parse_bind(struct slice text, struct config_bind ret[BINDS_PER_TEXT],
		       size_t *ret_count);

/* "8000-8010", or one port; none is 0. */
const char *parse_port_range(struct slice text, struct config_port_range *ret);

/* "host:8080" for resolve: dns; @ret_host borrows from @text. */
const char *parse_host_port(struct slice text, struct slice *ret_host, uint16_t *ret_port);

/* What an error of address_parse() means. */
const char *address_problem(int err);

/* Letters, digits, "-" and "_" in labels of at most 63 bytes, 253 in all. */
bool is_host_name(struct slice text);

/* --- The schema: schema.c ------------------------------------------------------ */

/* A word that an option may be set to, and the value of its enum. */
struct word {
	const char *name;
	uint32_t value;
};

struct option {
	const char *name;
	const struct option_type *type;
	const char *help;
	const char *default_text; /* as one would write it; NULL: none, the field is zero */
	const char *example;      /* YAML, where there is no default */
	const char *zero_word;    /* stands for zero or nothing: "auto", "off" */
	const char *problem;      /* replaces the type's words for what is wrong */
	uint32_t min, max;
	const struct word *words;     /* ended by an empty one */
	const struct schema *members; /* of a mapping, or of a list of mappings */
	size_t offset;                /* in the struct of the mapping that the option is in */
	size_t field_size;            /* of that field; of a list's, its elements */
	size_t count_offset;          /* of lists: where their length goes */
	bool is_list;
	bool is_required;
	bool is_shown;       /* the reference sets it, though it has no default */
	bool is_choice;      /* to name the mapping chooses it: the reference leaves it out */
	const char *same_as; /* members stand elsewhere, for people; NULL: they stand here */
};

struct decoder;

/* The options of one mapping. */
struct schema {
	const char *name; /* in messages: "a listener" */
	const struct option *options;
	size_t count;
	size_t size;        /* of the struct, for lists of it */
	size_t line_offset; /* of its field line; 0: it has none */
	/* What a scalar in place of the mapping sets; NULL: none may stand there. */
	const struct option *scalar;
	/* What the table cannot say: shapes.c. NULL: nothing. */
	void (*finish)(struct decoder *decoder, const struct node *node, void *base);
};

extern const struct schema schema_config, schema_forwarding, schema_listener, schema_listener_tls,
	schema_pool, schema_pool_tls, schema_pool_http, schema_outlier, schema_breaker,
	schema_route, schema_share, schema_redirect, schema_respond, schema_filter,
	schema_error_page, schema_mirror, schema_sticky, schema_hash_key, schema_files, schema_geo,
	schema_guard, schema_listener_guard, schema_dispatch, schema_listener_dispatch;
extern const struct schema schema_tracing;

/* For the tables. FIELD, FIELDS and LIST: where the value goes, in the struct of the option's
 * mapping. */
#define SECOND 1000u
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define KIB    1024u
#define MIB    (1024 * KIB)

#define CONNECTIONS_MAX 100000000u

#define FIELD(type, field) \
	.offset = offsetof(struct type, field), .field_size = sizeof(((struct type *)NULL)->field)
/* Two that stand side by side, and that one value fills. */
#define FIELDS(type, first, last)                                                         \
	.offset = offsetof(struct type, first),                                           \
	.field_size = offsetof(struct type, last) + sizeof(((struct type *)NULL)->last) - \
		      offsetof(struct type, first)
#define LIST(type, field) LIST_AT(type, field, n##field)

/* The same where the list is in a struct of the struct. */
#define LIST_AT(type, field, number)                             \
	.is_list = true, .offset = offsetof(struct type, field), \
	.field_size = sizeof(*((struct type *)NULL)->field),     \
	.count_offset = offsetof(struct type, number)

#define RANGE(low, high) .min = (low), .max = (high)

#define SCHEMA(title, table) .name = (title), .options = (table), .count = ARRAY_SIZE(table)

/* --- Decoding: decode.c, shapes.c ---------------------------------------------- */

struct decoder {
	struct arena *arena;
	struct diagnostics *diagnostics;
	bool is_out_of_memory;
};

/* @base: zeroed struct of @schema; gets the defaults, then what @node says. */
void decode_mapping(struct decoder *decoder, const struct schema *schema, const struct node *node,
		    void *base);

/* Does the schema have an option that must be there? */
bool schema_has_required(const struct schema *schema);

void finish_listener(struct decoder *decoder, const struct node *node, void *base);
void finish_endpoint(struct decoder *decoder, const struct node *node, void *base);
void finish_listener_tls(struct decoder *decoder, const struct node *node, void *base);
void finish_pool_tls(struct decoder *decoder, const struct node *node, void *base);
void finish_route(struct decoder *decoder, const struct node *node, void *base);
void finish_value_match(struct decoder *decoder, const struct node *node, void *base);
void finish_certificate_match(struct decoder *decoder, const struct node *node, void *base);
void finish_rewrite(struct decoder *decoder, const struct node *node, void *base);
void finish_respond(struct decoder *decoder, const struct node *node, void *base);
void finish_places(struct decoder *decoder, const struct node *node, void *base);
void finish_health(struct decoder *decoder, const struct node *node, void *base);

/* --- Checks between options: check.c, check_pool.c, check_binds.c -------------- */

/*
 * Lists in the document and arrays in the configuration run in parallel, element by element, except
 * binds, of which one scalar may make two.
 */
struct checker {
	struct arena *arena; /* scratch */
	struct config *config;
	const struct node *root;
	struct diagnostics *diagnostics;
	bool is_out_of_memory;
	bool is_partial; /* some listener could not be read: who is used is not known */
};

/* A value that must not occur twice. */
struct site {
	const char *text;
	const struct node *node;
	size_t index; /* of what the text names */
};

/* The pools in the order of their names. */
struct pool_names {
	struct site *sites;
	size_t count;
};

/* @name: NULL if there is none, or none that could be read. @node: the value, for messages. */
bool resolve_pool(struct checker *checker, const struct pool_names *names, const char *name,
		  const struct node *node, size_t *ret);

/* What a listener's routes match and do. */
void check_filters(struct checker *checker, const struct config_listener *listener,
		   const struct node *node);
void check_routes(struct checker *checker, const struct pool_names *names,
		  struct config_listener *listener, const struct node *node);

/* Mode dispatch, and what stands in other modes and is for it alone: check_dispatch.c. */
void check_dispatch(struct checker *checker, const struct pool_names *names,
		    struct config_listener *listener, const struct node *node);
void check_no_dispatch(struct checker *checker, const struct config_listener *listener,
		       const struct node *node);

/* The first action that a route names. NULL: none. */
const struct node *route_action_node(const struct node *route, const char **ret_name);

/* What a route and a pool ask of places; how many databases there are, and what the guard asks of
 * them: check_geo.c. */
void check_place(struct checker *checker, const struct node *route);
void check_nearest(struct checker *checker, const struct config_pool *pool,
		   const struct node *node);
void check_geo(struct checker *checker);

/* Resolves pool names too. */
void check_config(struct checker *checker);
void check_pools(struct checker *checker);
void check_pool_use(struct checker *checker);
void check_binds(struct checker *checker);
/* Whether answers of dispatch.forward: dnat can be told apart: check_answers.c. */
void check_answers(struct checker *checker);
/* Whether mode dispatch has room for all: check_dispatch_size.c. */
void check_dispatch_size(struct checker *checker);
/* Whether what an endpoint gets comes back to it: check_loops.c. */
void check_loops(struct checker *checker);

/* Visits the pools that what a listener takes may go to, mirrors aside, some of them more than
 * once: check_pool_use.c. */
void for_each_pool_of(const struct config_listener *listener,
		      void (*visit)(size_t pool, void *context), void *context);
/* Different ones of a pool's endpoints; stops counting above CONFIG_LOCATIONS_MAX: check_geo.c. */
size_t count_locations(const struct config_pool *pool);

/* Reports where option @small_name of @node is above the other one. */
void check_at_most(struct checker *checker, const struct node *node, const char *small_name,
		   uint32_t small, const char *large_name, uint32_t large);

/* Room for @count of them. NULL: out of memory, remembered in @checker. */
struct site *new_sites(struct checker *checker, size_t count) WARN_UNUSED;

/* Sorts @sites by text; reports each that has the text of an earlier one. @what: "name". */
void check_unique(struct checker *checker, struct site *sites, size_t count, const char *what);

#endif
