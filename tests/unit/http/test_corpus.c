// SPDX-License-Identifier: Apache-2.0
/* Runs tests/corpus/http1-requests.txt through parser and body decoder: whole, and in two pieces
 * split at each byte, in memory that moves. */
#include "core/strbuf.h"
#include "http/h1_body.h"
#include "http/h1_parse.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define CORPUS "tests/corpus/http1-requests.txt"
/* Longer streams are split at some bytes only. */
#define SPLIT_EACH 700

/* --- The file --------------------------------------------------------------------------- */

struct corpus_case {
	char name[64];
	struct strbuf stream, outcome;
	char fields[4][256]; /* "Name: value" */
	size_t nfields;
};

static int hex(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* One character or escape at @text. Return: what stands behind it. */
static const char *unescape_one(const char *text, char *ret)
{
	*ret = *text++;
	if (*ret != '\\')
		return text;
	switch (*text++) {
	case 'r':
		*ret = '\r';
		return text;
	case 'n':
		*ret = '\n';
		return text;
	case 't':
		*ret = '\t';
		return text;
	case 'x':
		*ret = (char)(hex(text[0]) * 16 + hex(text[1]));
		return text + 2;
	default:
		assert_int_equal(text[-1], '\\');
		return text;
	}
}

static void unescape(const char *text, struct strbuf *out)
{
	while (*text) {
		long count = 1;
		char c;

		if (text[0] == '\\' && text[1] == '{') {
			char *colon;

			count = strtol(text + 2, &colon, 10);
			assert_int_equal(*colon, ':');
			text = unescape_one(colon + 1, &c);
			assert_int_equal(*text++, '}');
		} else {
			text = unescape_one(text, &c);
		}
		while (count-- > 0)
			strbuf_append(out, slice_of(&c, 1));
	}
}

static void take_line(struct corpus_case *current, const char *line)
{
	struct strbuf field = {};

	switch (line[0]) {
	case '>':
		unescape(line + 2, &current->stream);
		break;
	case '<':
		unescape(line + 2, &current->outcome);
		strbuf_append_str(&current->outcome, "\n");
		break;
	case '~':
		unescape(line + 2, &field);
		assert_true(current->nfields < ARRAY_SIZE(current->fields));
		snprintf(current->fields[current->nfields++], sizeof(current->fields[0]), "%s",
			 field.text);
		strbuf_done(&field);
		break;
	default:
		fail_msg("line of an unknown kind: %s", line);
	}
}

/* --- A connection ------------------------------------------------------------------------- */

struct connection {
	struct h1_parser parser;
	struct http_request request;
	struct arena arena;
	struct h1_body body;
	struct http_fields trailers;
	struct strbuf outcome;
	size_t used; /* of the stream */
	bool is_in_body, is_closed;
};

static void begin_request(struct connection *connection)
{
	arena_reset(&connection->arena);
	connection->parser = (struct h1_parser){};
	connection->request = (struct http_request){.fields.arena = &connection->arena};
	connection->trailers = (struct http_fields){.arena = &connection->arena};
}

static void tell_flags(struct connection *connection)
{
	const struct http_request *request = &connection->request;
	struct strbuf *out = &connection->outcome;

	if (request->version == HTTP_VERSION_1_0)
		strbuf_append_str(out, " version=1.0");
	if (!request->is_persistent)
		strbuf_append_str(out, " close");
	if (request->expects_continue)
		strbuf_append_str(out, " continue");
	if (request->wants_upgrade)
		strbuf_append_str(out, " upgrade");
	if (request->accepts_trailers)
		strbuf_append_str(out, " trailers");
}

static void refuse(struct connection *connection, enum h1_defect defect)
{
	if (connection->is_in_body) {
		tell_flags(connection);
		strbuf_append_str(&connection->outcome, " ");
	}
	strbuf_printf(&connection->outcome, "status=%u\n", h1_defect_status(defect));
	connection->is_closed = true;
}

static void end_request(struct connection *connection)
{
	tell_flags(connection);
	strbuf_append_str(&connection->outcome, "\n");
	connection->is_in_body = false;
	connection->is_closed = !connection->request.is_persistent;
}

static void on_head(struct connection *connection)
{
	const struct http_request *request = &connection->request;

	strbuf_printf(&connection->outcome, "method=%.*s target=%.*s host=%.*s",
		      SLICE_FMT(request->method_text), SLICE_FMT(request->target.text),
		      SLICE_FMT(request->authority.text));
	assert_int_equal(
		h1_body_init(&connection->body, request->framing, NULL, &connection->trailers), 0);
	connection->is_in_body = true;
	if (request->framing.kind != HTTP_FRAMING_NONE)
		strbuf_append_str(&connection->outcome, " body=");
	if (connection->body.is_done)
		end_request(connection);
}

/* Return: whether it could go on. */
static bool read_head(struct connection *connection, struct slice bytes)
{
	size_t len;
	int err = h1_parse_request(&connection->parser, bytes, &connection->request, &len);

	if (err == -EAGAIN)
		return false;
	if (err) {
		refuse(connection, connection->parser.defect);
		return false;
	}
	connection->used += len;
	on_head(connection);
	return true;
}

static bool read_body(struct connection *connection, struct slice bytes)
{
	struct h1_span span;

	if (h1_body_next(&connection->body, bytes, &span)) {
		refuse(connection, connection->body.defect);
		return false;
	}
	connection->used += span.bytes.len;
	if (span.kind == H1_SPAN_PAYLOAD)
		strbuf_append(&connection->outcome, span.bytes);
	if (connection->body.is_done)
		end_request(connection);
	return true;
}

/* The first @len bytes of @stream have come. */
static void receive(struct connection *connection, const struct strbuf *stream, size_t len)
{
	bool goes_on = true;

	while (goes_on && connection->used < len && !connection->is_closed) {
		/* Exactly what is there, in memory of its own: reading behind it is found. */
		size_t left = len - connection->used;
		char *copy = memcpy(malloc(left), stream->text + connection->used, left);

		if (connection->is_in_body)
			goes_on = read_body(connection, slice_of(copy, left));
		else
			goes_on = read_head(connection, slice_of(copy, left));
		if (goes_on && !connection->is_in_body && connection->body.is_done &&
		    !connection->is_closed)
			begin_request(connection);
		free(copy);
	}
}

static void end_stream(struct connection *connection, const struct strbuf *stream)
{
	if (connection->is_closed)
		return;
	if (connection->is_in_body) {
		tell_flags(connection);
		strbuf_append_str(&connection->outcome, " more\n");
	} else if (connection->used < stream->len) {
		strbuf_append_str(&connection->outcome, "more\n");
	}
}

/* --- Cases -------------------------------------------------------------------------------- */

static unsigned failures, cases;

static void run(const struct corpus_case *test, size_t split)
{
	struct connection connection = {};

	begin_request(&connection);
	if (split)
		receive(&connection, &test->stream, split);
	receive(&connection, &test->stream, test->stream.len);
	end_stream(&connection, &test->stream);
	if (!connection.outcome.text || strcmp(connection.outcome.text, test->outcome.text) != 0 ||
	    connection.outcome.len != test->outcome.len) {
		print_error("%s, split at %zu:\n  %s  expected\n  %s", test->name, split,
			    connection.outcome.text ? connection.outcome.text : "nothing\n",
			    test->outcome.text);
		failures++;
	}
	strbuf_done(&connection.outcome);
	arena_done(&connection.arena);
}

/* What a back end would get of the fields named. */
static void check_fields(const struct corpus_case *test)
{
	struct arena arena = {};
	struct http_request request = {.fields.arena = &arena};
	struct h1_parser parser = {};
	size_t len;

	if (test->nfields == 0)
		return;
	assert_int_equal(h1_parse_request(&parser, slice_of(test->stream.text, test->stream.len),
					  &request, &len),
			 0);
	for (size_t i = 0; i < test->nfields; i++) {
		const char *colon = strchr(test->fields[i], ':');
		struct slice name = slice_of(test->fields[i], (size_t)(colon - test->fields[i]));
		const struct http_field *field = http_fields_find_name(&request.fields, name);

		if (field && slice_equal_str(field->value, colon + 2))
			continue;
		print_error("%s: no field '%s'\n", test->name, test->fields[i]);
		failures++;
	}
	arena_done(&arena);
}

static void finish(struct corpus_case *test)
{
	size_t step = test->stream.len > SPLIT_EACH ? test->stream.len / 61 : 1;

	if (!test->name[0])
		return;
	assert_non_null(test->outcome.text);
	cases++;
	for (size_t split = 0; split < test->stream.len; split += step)
		run(test, split);
	check_fields(test);
	strbuf_done(&test->stream);
	strbuf_done(&test->outcome);
}

static void every_stream_has_its_outcome(void **state)
{
	static struct corpus_case current;
	FILE *file = fopen(CORPUS, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	(void)state;
	assert_non_null(file);
	while ((len = getline(&line, &cap, file)) > 0) {
		line[len - 1] = '\0';
		if (line[0] == '[') {
			finish(&current);
			current = (struct corpus_case){};
			line[len - 2] = '\0';
			snprintf(current.name, sizeof(current.name), "%s", line + 1);
		} else if (line[0] && line[0] != '#') {
			take_line(&current, line);
		}
	}
	finish(&current);
	free(line);
	fclose(file);
	print_message("%u cases\n", cases);
	assert_int_equal(failures, 0);
	assert_true(cases >= 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_stream_has_its_outcome),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
