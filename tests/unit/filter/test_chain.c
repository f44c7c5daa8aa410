// SPDX-License-Identifier: Apache-2.0
/* Chains: who is asked in which order, what waits, and which way bodies go. */
#include "fake_exchange.h"
#include "filter/filter_internal.h"

/* What the filters of a test were told, in order. */
static struct strbuf told;
static enum filter_verdict verdicts[3]; /* of on_request_head, by filter */
static enum filter_verdict answer_verdict, body_verdict;

/* The first letter of its "configuration" says who it is: struct letter embeds a filter. */
struct letter {
	struct filter filter;
	char name;
	bool watches, replaces;
};

static const struct letter *letter_of(const struct filter *filter)
{
	return container_of(filter, struct letter, filter);
}

static void tell(const struct filter *filter, const char *what)
{
	strbuf_printf(&told, "%c.%s ", letter_of(filter)->name, what);
}

static enum filter_verdict on_request_head(const struct filter *filter,
					   struct filter_exchange *exchange, void *own)
{
	*(int *)own = letter_of(filter)->name;
	tell(filter, "ask");
	if (letter_of(filter)->watches)
		filter_watch_request(exchange, filter);
	if (verdicts[letter_of(filter)->name - 'a'] == FILTER_ANSWER)
		return filter_answer(exchange, 403);
	return verdicts[letter_of(filter)->name - 'a'];
}

static enum filter_verdict on_request_body(const struct filter *filter,
					   struct filter_exchange *exchange, void *own,
					   struct slice bytes, enum filter_phase phase)
{
	(void)own;
	(void)bytes;
	tell(filter, phase == FILTER_END ? "up-end" : "up");
	return body_verdict == FILTER_ANSWER ? filter_answer(exchange, 403) : FILTER_CONTINUE;
}

static enum filter_verdict on_response_head(const struct filter *filter,
					    struct filter_exchange *exchange, void *own)
{
	assert_int_equal(*(int *)own, letter_of(filter)->name);
	tell(filter, "answer");
	if (letter_of(filter)->watches)
		filter_watch_response(exchange, filter);
	if (letter_of(filter)->replaces)
		filter_replace_response(exchange, filter);
	if (answer_verdict == FILTER_ANSWER && letter_of(filter)->name == 'b')
		return filter_answer(exchange, 502);
	return FILTER_CONTINUE;
}

/* Puts its letter in front of what comes, and an exclamation mark at the end. */
static int on_response_body(const struct filter *filter, struct filter_exchange *exchange,
			    void *own, struct slice bytes, enum filter_phase phase,
			    struct filter_output *output)
{
	(void)exchange;
	(void)own;
	tell(filter, phase == FILTER_END ? "end" : phase == FILTER_FLUSH ? "flush" : "down");
	if (!letter_of(filter)->replaces)
		return 0;
	if (phase == FILTER_END)
		return filter_output(output, slice_from_str("!"));
	if (phase == FILTER_FLUSH)
		return 0;
	if (filter_output(output, slice_of(&letter_of(filter)->name, 1)) < 0)
		return -1;
	return filter_output(output, bytes);
}

static void on_end(const struct filter *filter, struct filter_exchange *exchange, void *own)
{
	(void)exchange;
	assert_int_equal(*(int *)own, letter_of(filter)->name);
	tell(filter, "over");
}

static const struct filter_kind letter_kind = {
	.size = sizeof(struct letter),
	.exchange_size = sizeof(int),
	.on_request_head = on_request_head,
	.on_request_body = on_request_body,
	.on_response_head = on_response_head,
	.on_response_body = on_response_body,
	.on_end = on_end,
};

static struct letter letters[3];
static struct fake_exchange fake;

/* @says: for each filter 'w' watches, 'r' replaces, '.' neither. */
static void begin(const char *says)
{
	size_t count = strlen(says);
	struct filter_chain *chain = calloc(1, sizeof(*chain) + count * sizeof(struct filter *));

	fake = (struct fake_exchange){.chain = chain};
	memset(verdicts, 0, sizeof(verdicts));
	answer_verdict = body_verdict = FILTER_CONTINUE;
	strbuf_done(&told);
	for (size_t i = 0; i < count; i++) {
		letters[i] = (struct letter){.filter.kind = &letter_kind,
					     .name = (char)('a' + i),
					     .watches = says[i] == 'w',
					     .replaces = says[i] == 'r'};
		chain->filters[chain->count++] = &letters[i].filter;
		chain->exchange_size += filter_round_up(sizeof(int));
	}
	fake_begin(&fake, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

static void expect(const char *expected)
{
	assert_string_equal(told.text ? told.text : "", expected);
	strbuf_done(&told);
}

static void finish(void)
{
	filter_chain_on_end(fake.exchange);
	free(fake.chain);
	fake.chain = NULL;
	fake.exchange = NULL;
	fake_done(&fake);
	strbuf_done(&told);
}

static const char answer_head[] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nAccept-Ranges: bytes"
				  "\r\n\r\n";

static void answers_go_back_in_reverse(void **state)
{
	(void)state;
	begin("...");
	assert_int_equal(filter_chain_on_request_head(fake.exchange), FILTER_CONTINUE);
	assert_int_equal(fake_answer(&fake, answer_head, HTTP_METHOD_GET), FILTER_CONTINUE);
	filter_chain_on_end(fake.exchange);
	filter_chain_on_end(fake.exchange);
	expect("a.ask b.ask c.ask c.answer b.answer a.answer a.over b.over c.over ");
	finish();
}

static void an_answer_passes_those_that_have_seen_the_request(void **state)
{
	(void)state;
	begin("...");
	verdicts[1] = FILTER_ANSWER;
	assert_int_equal(filter_chain_on_request_head(fake.exchange), FILTER_ANSWER);
	assert_int_equal(fake.response.status, 403);
	assert_true(fake.exchange->is_own);
	assert_int_equal(filter_chain_on_response_head(fake.exchange), FILTER_CONTINUE);
	filter_chain_on_end(fake.exchange);
	expect("a.ask b.ask b.answer a.answer a.over b.over ");
	finish();
}

static void a_wait_goes_on_behind_the_one_that_waited(void **state)
{
	(void)state;
	begin("...");
	verdicts[1] = FILTER_WAIT;
	assert_int_equal(filter_chain_on_request_head(fake.exchange), FILTER_WAIT);
	expect("a.ask b.ask ");
	filter_resume(fake.exchange, FILTER_CONTINUE);
	assert_int_equal(fake.resumed, 1);
	assert_int_equal(fake.resumed_as, FILTER_CONTINUE);
	expect("c.ask ");
	finish();
	begin("..");
	verdicts[0] = FILTER_WAIT;
	assert_int_equal(filter_chain_on_request_head(fake.exchange), FILTER_WAIT);
	filter_resume(fake.exchange, filter_answer(fake.exchange, 401));
	assert_int_equal(fake.resumed_as, FILTER_ANSWER);
	expect("a.ask ");
	finish();
}

static void a_wait_that_nobody_resumes_ends(void **state)
{
	(void)state;
	begin("..");
	verdicts[1] = FILTER_WAIT;
	assert_int_equal(filter_chain_on_request_head(fake.exchange), FILTER_WAIT);
	filter_chain_on_end(fake.exchange);
	expect("a.ask b.ask a.over b.over ");
	finish();
}

static void a_response_may_become_another_one(void **state)
{
	(void)state;
	begin("..r");
	answer_verdict = FILTER_ANSWER;
	filter_chain_on_request_head(fake.exchange);
	assert_int_equal(fake_answer(&fake, answer_head, HTTP_METHOD_GET), FILTER_ANSWER);
	assert_int_equal(fake.response.status, 502);
	/* The body that was to be replaced is not to come any more. */
	assert_int_equal(fake.exchange->replacers, 0);
	expect("a.ask b.ask c.ask c.answer b.answer a.answer ");
	finish();
}

static void bodies_pass_replacers_from_last_to_first(void **state)
{
	(void)state;
	begin("rwr");
	filter_chain_on_request_head(fake.exchange);
	assert_int_equal(fake_answer(&fake, answer_head, HTTP_METHOD_GET), FILTER_CONTINUE);
	expect_field(&fake.response.fields, "content-length", NULL);
	expect_field(&fake.response.fields, "accept-ranges", NULL);
	strbuf_done(&told);
	assert_int_equal(fake_body(&fake, slice_from_str("body"), FILTER_MORE), 0);
	expect("c.down b.down a.down b.down a.down ");
	assert_int_equal(fake_body(&fake, (struct slice){}, FILTER_FLUSH), 0);
	expect("c.flush b.flush a.flush ");
	assert_int_equal(fake_body(&fake, (struct slice){}, FILTER_END), 0);
	expect("c.end b.down a.down b.end a.end ");
	assert_true(slice_equal_str(slice_of(fake.sent.text, fake.sent.len), "acabodya!!"));
	finish();
}

static void watchers_alone_leave_bodies_as_they_are(void **state)
{
	(void)state;
	begin("w.");
	filter_chain_on_request_head(fake.exchange);
	fake_answer(&fake, answer_head, HTTP_METHOD_GET);
	expect_field(&fake.response.fields, "content-length", "4");
	assert_int_equal(fake_body(&fake, slice_from_str("body"), FILTER_MORE), 0);
	assert_int_equal(fake_body(&fake, (struct slice){}, FILTER_END), 0);
	assert_int_equal(fake.sent.len, 0);
	expect("a.ask b.ask b.answer a.answer a.down a.end ");
	finish();
}

static void request_bodies_are_watched_and_refused(void **state)
{
	(void)state;
	begin(".w");
	filter_chain_on_request_head(fake.exchange);
	strbuf_done(&told);
	assert_int_equal(
		filter_chain_on_request_body(fake.exchange, slice_from_str("x"), FILTER_MORE),
		FILTER_CONTINUE);
	body_verdict = FILTER_ANSWER;
	assert_int_equal(filter_chain_on_request_body(fake.exchange, (struct slice){}, FILTER_END),
			 FILTER_ANSWER);
	expect("b.up b.up-end ");
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_go_back_in_reverse),
		cmocka_unit_test(an_answer_passes_those_that_have_seen_the_request),
		cmocka_unit_test(a_wait_goes_on_behind_the_one_that_waited),
		cmocka_unit_test(a_wait_that_nobody_resumes_ends),
		cmocka_unit_test(a_response_may_become_another_one),
		cmocka_unit_test(bodies_pass_replacers_from_last_to_first),
		cmocka_unit_test(watchers_alone_leave_bodies_as_they_are),
		cmocka_unit_test(request_bodies_are_watched_and_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
