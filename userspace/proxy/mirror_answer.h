/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_PROXY_MIRROR_ANSWER_H
#define SLUICE_PROXY_MIRROR_ANSWER_H

#include "core/arena.h"
#include "core/compiler.h"
#include "http/h1_body.h"
#include "http/h1_parse.h"
#include "http/message.h"
#include "io/loop.h"
#include "proxy/input.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * An answer that nobody wants, read as strictly as any: where it ends decides whether the
 * connection may carry another exchange. Thread: the loop's.
 */
struct mirror_answer {
	struct io_loop *loop;
	struct h1_asked asked;
	struct arena arena;
	struct http_response response;
	struct http_fields trailers;
	struct h1_parser parser;
	struct h1_body body;
	struct input input;
	bool has_head;
	uint64_t received; /* bytes */
};

/* @answer lies where it stays. */
void mirror_answer_init(struct mirror_answer *answer, struct io_loop *loop,
			enum http_method method);

/* A zeroed one is allowed. */
void mirror_answer_done(struct mirror_answer *answer);

/* Takes ownership of @buf. Return: 0: the answer is whole; -EAGAIN: there is more to it; -EPROTO;
 * -ENOMEM. */
int mirror_answer_add(struct mirror_answer *answer, struct io_buf *buf) WARN_UNUSED;

bool mirror_answer_is_whole(const struct mirror_answer *answer);

/* Whole, and nothing that it or what came with it says is against another exchange. */
bool mirror_answer_lets_stay(const struct mirror_answer *answer);

#endif
