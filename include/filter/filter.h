/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_FILTER_FILTER_H
#define SLUICE_FILTER_FILTER_H

#include "config/filter.h"
#include "core/address.h"
#include "core/arena.h"
#include "core/compiler.h"
#include "core/slice.h"
#include "core/template.h"
#include "http/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A filter looks at exchanges and changes them. It is one file: a struct that embeds struct filter,
 * hooks named for events, and a struct filter_kind that names both; its line in CONFIG_FILTERS
 * registers it. A chain is the filters of a listener followed by those of a route.
 *
 *                on_request_head      on_request_body
 *   client ──────► first ► … ► last ──────────────────────► backend
 *          ◄────── first ◄ … ◄ last ◄──────────────────────
 *                on_response_head     on_response_body           then on_end, first to last
 *
 * The first filter is the nearest to the client: it sees the request first and the answer last. An
 * answer that a filter gives by itself, and the pages of the daemon's own, pass on_response_head of
 * the filters whose on_request_head has run, but no on_response_body.
 *
 * Two kinds of state. What the configuration makes is built with the snapshot, on the control
 * thread, and shared by all workers: immutable or atomic. What an exchange needs is @own: as many
 * zeroed bytes as the kind asks for, in the exchange's arena. Hooks run on the worker's thread,
 * never block, and allocate from the arena alone.
 */
struct filter;
struct filter_exchange;
struct filter_output;

enum filter_verdict {
	FILTER_CONTINUE,
	FILTER_ANSWER, /* the response is the filter's: see filter_answer() */
	FILTER_WAIT,   /* on_request_head alone: filter_resume() goes on */
};

/* Where in a body a run of its bytes stands. */
enum filter_phase {
	FILTER_MORE,
	FILTER_FLUSH, /* nothing more has come yet: what is held back should go on; no bytes */
	FILTER_END,   /* nothing comes any more; no bytes */
};

/* What a filter is built from. Control thread. */
struct filter_setup {
	const struct config_filter *config; /* outlives the filter */
	const char *config_path; /* the configuration's file: others are relative to it */
	const struct filter_events *events; /* outlives the filter; NULL: nobody listens */
	struct strbuf *errors;              /* a line for each file that cannot be used */
	/* What stood in the same place before a reload; NULL: nothing. */
	const struct filter_chain *previous;
	/* The chain's: the filter among them that this one goes on from; NULL: none. */
	const struct filter *before;
};

/* News for whoever guards the daemon; any worker's thread. */
struct filter_events {
	/* @client has been refused by the filter of that name, and goes on. @ban_ms: for so long
	 * none of its packets should be let in; 0: that is not asked for. */
	void (*on_offender)(void *context, const char *filter, const struct address *client,
			    uint64_t ban_ms);
	void *context;
};

struct filter_kind {
	enum config_filter_kind id;
	size_t size;          /* of the struct that embeds struct filter; it begins with it */
	size_t exchange_size; /* of @own, 4096 at most */
	/* @filter is zeroed but for its kind and configuration. Return: 0; -EINVAL with a line in
	 * the errors; -ENOMEM; on failure done() is called too. NULL: nothing is to be built. */
	int (*build)(struct filter *filter, const struct filter_setup *setup);
	void (*done)(struct filter *filter); /* NULL: nothing is to be let go */
	/* Whether one that is built from @b goes on from where one of @a was; both are of this
	 * kind. NULL: each begins anew. */
	bool (*is_same)(const struct config_filter *a, const struct config_filter *b);

	/* Each may be NULL. */
	enum filter_verdict (*on_request_head)(const struct filter *filter,
					       struct filter_exchange *exchange, void *own);
	/* After filter_watch_request(): @bytes of content, before they go on. CONTINUE or ANSWER.
	 */
	enum filter_verdict (*on_request_body)(const struct filter *filter,
					       struct filter_exchange *exchange, void *own,
					       struct slice bytes, enum filter_phase phase);
	/* CONTINUE or ANSWER. */
	enum filter_verdict (*on_response_head)(const struct filter *filter,
						struct filter_exchange *exchange, void *own);
	/* After filter_watch_response() or filter_replace_response(). One that replaces passes on
	 * what it makes by filter_output(), any number of times. Return: 0; -errno ends the
	 * exchange in mid-body. */
	int (*on_response_body)(const struct filter *filter, struct filter_exchange *exchange,
				void *own, struct slice bytes, enum filter_phase phase,
				struct filter_output *output);
	/* A trailer has come, and has not gone on yet. */
	void (*on_request_trailer)(const struct filter *filter, struct http_fields *trailer);
	void (*on_response_trailer)(const struct filter *filter, struct http_fields *trailer);
	/* Once, however the exchange ended, if on_request_head has run. A wait is over with it. */
	void (*on_end)(const struct filter *filter, struct filter_exchange *exchange, void *own);
};

/* Embedded first in what a kind builds. */
struct filter {
	const struct filter_kind *kind;
	const struct config_filter *config;
};

/* What the proxy does for filters. @exchange is of the chain that it has begun. */
struct filter_host {
	template_value *value_of; /* of a variable; context is the filter_exchange */
	/* The chain went on after a wait, and stands as filter_chain_on_request_head() says. */
	void (*on_resumed)(struct filter_exchange *exchange, enum filter_verdict verdict);
	uint64_t (*now_ms)(const struct filter_exchange *exchange); /* monotonic */
	struct io_loop *(*loop)(const struct filter_exchange *exchange);
};

/* An exchange as filters see it. */
struct filter_exchange {
	const struct filter_chain *chain;
	const struct filter_host *host;
	void *owner; /* the host's */
	struct arena *arena;
	const struct address *client; /* after the PROXY protocol */
	struct http_request *request; /* fields of the connection are gone */
	struct slice path;            /* its path as routes compare it */
	struct http_response *response;

	/* Of an answer by a filter. */
	struct slice body;  /* lives as long as the arena; NULL: the page of its status */
	struct slice user;  /* that a filter has recognised; empty: none */
	const char *detail; /* static, for the log; NULL: the filter's name is enough */
	bool is_own;        /* the response is not a backend's */
	bool has_answered;  /* the host's: the response has passed on_response_head already */

	uint64_t max_request_body; /* bytes; more is answered 413. UINT64_MAX: as configured */

	/* The chain's own. */
	uint32_t next, entered; /* filters that have seen the request's head */
	uint32_t request_watchers, response_watchers, replacers; /* bits by place in the chain */
	bool is_waiting, is_ended;
	const char *answered_by; /* the filter that has answered, or waits */
	void *own[];             /* by place in the chain */
};

/* --- For hooks -------------------------------------------------------------------- */

/* Clears the response and gives it @status; fields and body may follow. Return: FILTER_ANSWER. */
enum filter_verdict filter_answer(struct filter_exchange *exchange, unsigned status);

/* The end of a wait: goes on behind the filter that waits (CONTINUE), or answers. On the worker's
 * thread, not from within the hook, not after on_end. */
void filter_resume(struct filter_exchange *exchange, enum filter_verdict verdict);

/* In on_request_head: on_request_body is wanted. */
void filter_watch_request(struct filter_exchange *exchange, const struct filter *filter);

/* In on_response_head: on_response_body is wanted, for bytes that go on as they are; or for bytes
 * that the filter takes: the response then has no length of its own and no ranges. */
void filter_watch_response(struct filter_exchange *exchange, const struct filter *filter);
void filter_replace_response(struct filter_exchange *exchange, const struct filter *filter);

/* Passes bytes on to the next filter, or the client. Return: 0; -errno, to be returned. */
int filter_output(struct filter_output *output, struct slice bytes) WARN_UNUSED;

/* The text of @template for this exchange. Return: 0; -ENOMEM. */
int filter_render(struct filter_exchange *exchange, const struct template *template,
		  struct slice *ret) WARN_UNUSED;

/* --- For the proxy: chains ------------------------------------------------------- */

struct filter_chain;

struct filter_list {
	const struct config_filter *items;
	size_t count;
};

/**
 * Builds the filters of @list, in order. Blocks on files.
 * @base: a chain whose filters come first and are shared: what they count, they count for both.
 *        Outlives the new one. NULL: none.
 * Return: 0, with *@ret NULL if there are none at all; -EINVAL with errors; -ENOMEM. Thread:
 * control.
 */
int filter_chain_new(const struct filter_chain *base, const struct filter_list *list,
		     const struct filter_setup *setup, struct filter_chain **ret) WARN_UNUSED;
void filter_chain_free(struct filter_chain *chain); /* NULL is allowed */

/* An exchange's view of @chain; all fields but the chain's own are for the caller to fill in.
 * Return: NULL: out of memory. */
struct filter_exchange *filter_exchange_new(const struct filter_chain *chain,
					    struct arena *arena) WARN_UNUSED;

/* From the first filter, or from the one behind it that has waited. */
enum filter_verdict filter_chain_on_request_head(struct filter_exchange *exchange);

/* Bytes of the request's body. Return: CONTINUE or ANSWER. */
enum filter_verdict filter_chain_on_request_body(struct filter_exchange *exchange,
						 struct slice bytes, enum filter_phase phase);

/* Over those that have seen the request. Return: CONTINUE; ANSWER: exchange->response is another
 * one than it was, and has passed the rest of the chain. */
enum filter_verdict filter_chain_on_response_head(struct filter_exchange *exchange);

/* Where the body goes in the end. Return: 0; -errno. */
typedef int filter_sink(void *context, struct slice bytes);

/* Bytes of the response's body. @sink: gets what replacers have made of them; not called if there
 * are none. Return: 0; -errno. */
int filter_chain_on_response_body(struct filter_exchange *exchange, struct slice bytes,
				  enum filter_phase phase, filter_sink *sink,
				  void *context) WARN_UNUSED;

/* What follows a body in chunks: filters take out what they decide. */
void filter_chain_on_request_trailer(const struct filter_exchange *exchange,
				     struct http_fields *trailer);
void filter_chain_on_response_trailer(const struct filter_exchange *exchange,
				      struct http_fields *trailer);

/* What the log is to say of an answer by a filter. Static. */
const char *filter_chain_detail(const struct filter_exchange *exchange);

/* The exchange is over. Twice is harmless; NULL is allowed. */
void filter_chain_on_end(struct filter_exchange *exchange);

#endif
