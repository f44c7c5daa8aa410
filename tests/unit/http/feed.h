/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TESTS_UNIT_HTTP_FEED_H
#define SLUICE_TESTS_UNIT_HTTP_FEED_H

#include "http/h1_body.h"
#include "http/h1_parse.h"

#include <errno.h>
#include <stdlib.h>

/*
 * Feeds messages to the parsers whole and in pieces. Between pieces the bytes move to new memory,
 * and the old one is overwritten, so that a slice that was left behind shows.
 */
struct feed {
	struct h1_parser parser;
	struct http_field items[8]; /* fewer than some heads have: the list must grow as well */
	struct arena arena;
	char *bytes; /* what the slices point at */
};

typedef int feed_parse(struct feed *feed, struct slice bytes, void *message, size_t *ret_len);

static inline void feed_begin(struct feed *feed, const struct h1_limits *limits,
			      struct http_fields *fields)
{
	*feed = (struct feed){.parser.limits = limits};
	*fields = (struct http_fields){
		.items = feed->items, .cap = ARRAY_SIZE(feed->items), .arena = &feed->arena};
}

static inline void feed_done(struct feed *feed)
{
	arena_done(&feed->arena);
	free(feed->bytes);
}

/* The first @len bytes of @text in memory of exactly that size. */
static inline struct slice feed_move(struct feed *feed, struct slice text, size_t len,
				     size_t old_len)
{
	char *bytes = malloc(len ? len : 1);

	if (len)
		memcpy(bytes, text.ptr, len);
	if (feed->bytes)
		memset(feed->bytes, '!', old_len);
	free(feed->bytes);
	feed->bytes = bytes;
	return slice_of(bytes, len);
}

/* Feeds the pieces [0, @split) and [0, text.len); @split 0: whole. */
static inline int feed_split(struct feed *feed, struct slice text, size_t split, feed_parse *parse,
			     void *message, size_t *ret_len)
{
	int err = -EAGAIN;

	if (split)
		err = parse(feed, feed_move(feed, text, split, 0), message, ret_len);
	if (err == -EAGAIN)
		err = parse(feed, feed_move(feed, text, text.len, split), message, ret_len);
	return err;
}

/* Feeds byte by byte. */
static inline int feed_trickle(struct feed *feed, struct slice text, feed_parse *parse,
			       void *message, size_t *ret_len)
{
	int err = -EAGAIN;

	for (size_t n = 1; n <= text.len && err == -EAGAIN; n++)
		err = parse(feed, feed_move(feed, text, n, n - 1), message, ret_len);
	return err;
}

#endif
