// SPDX-License-Identifier: Apache-2.0
/* The filter basic_auth: credentials, users, and the thread that verifies. */
#include "fake_exchange.h"
#include "filter/htpasswd.h"
#include "io/timer.h"

#include <errno.h>
#include <unistd.h>

/* Cheap ones: "secret" and "other". */
#define SECRET "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
#define OTHER  "$2y$04$abcdefghijklmnopqrstuu0HtfOlPbTiymk5tcV.3TsFPDd3SYZqu"
#define SHA512                                                                                   \
	"$6$rounds=1000$salt$HNxBeBnDfSfUrTj6KiLnmd7tGCvHEmcExh8kl/S0cZ5WrCciNZgfhbpkeFQ4JfkHX." \
	"8vPq45lY0iINnCx1Lkm."

#define PATIENCE_MS 60000

/* --- The file ------------------------------------------------------------------------ */

static const struct {
	const char *text, *problem; /* NULL: none; how it begins */
} files[] = {
	{"a:" SECRET, NULL},
	{"# users\n\na:" SECRET "\r\nb:" SHA512 "\n", NULL},
	{"", "there is no user; "},
	{"#\n", "there is no user; "},
	{"a:" SECRET "\nb\n", "line 2 has no \"name:hash\"; "},
	{":" SECRET, "line 1 has no \"name:hash\"; "},
	{"a:", "line 1 has no hash that crypt(3) knows; "},
	{"a:{SHA}VnU5g", "line 1 has no hash that crypt(3) knows; "},
	{"a:$apr1$salt$x", "line 1 has no hash that crypt(3) knows; "},
	{"a:$1$salt$x", "line 1 has a hash that is too weak; "},
	{"a:plaintext", "line 1 has a hash that is too weak; "},
	{"b:" SECRET "\na:" SECRET "\nb:" OTHER, "user \"b\" is there twice; "},
};

static void files_of_users_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct arena arena = {};
		struct htpasswd users;
		char problem[HTPASSWD_PROBLEM_SIZE] = "";
		int err = htpasswd_parse(slice_from_str(files[i].text), &arena, &users, problem);

		assert_int_equal(err, files[i].problem ? -EINVAL : 0);
		if (files[i].problem &&
		    strncmp(problem, files[i].problem, strlen(files[i].problem)) != 0)
			fail_msg("%s", problem);
		assert_null(strstr(problem, "salt"));
		arena_done(&arena);
	}
}

static void passwords_are_verified(void **state)
{
	(void)state;
	assert_true(htpasswd_verify("secret", SECRET));
	assert_true(htpasswd_verify("secret", SHA512));
	assert_true(htpasswd_verify("other", OTHER));
	assert_false(htpasswd_verify("Secret", SECRET));
	assert_false(htpasswd_verify("", SECRET));
	assert_false(htpasswd_verify("secret", SHA512 "x"));
}

static void an_unknown_user_costs_as_much_as_a_known_one(void **state)
{
	struct arena arena = {};
	struct htpasswd users;
	char problem[HTPASSWD_PROBLEM_SIZE];
	bool is_known;

	(void)state;
	assert_int_equal(
		htpasswd_parse(slice_from_str("b:" OTHER "\na:" SECRET), &arena, &users, problem),
		0);
	assert_string_equal(htpasswd_hash(&users, slice_from_str("b"), &is_known), OTHER);
	assert_true(is_known);
	assert_string_equal(htpasswd_hash(&users, slice_from_str("ab"), &is_known), SECRET);
	assert_false(is_known);
	arena_done(&arena);
}

/* --- The filter ----------------------------------------------------------------------- */

static struct io_loop *loop;
static char path[] = "/tmp/sluice-test-htpasswd-XXXXXX";

static int make_file(void **state)
{
	static const char text[] = "ann:" SECRET "\nbob:" OTHER "\n";
	const struct io_options options = {
		.backend = IO_BACKEND_EPOLL, .buffer_size = 4096, .buffer_count = 16};
	int fd = mkstemp(path);

	(void)state;
	if (fd < 0 || write(fd, text, sizeof(text) - 1) != sizeof(text) - 1 || close(fd) != 0)
		return -1;
	return io_loop_new(&options, &loop);
}

static int remove_file(void **state)
{
	(void)state;
	io_loop_free(loop);
	return unlink(path);
}

static void init(struct fake_exchange *fake, const char *options)
{
	char text[256];

	snprintf(text, sizeof(text), "[basic_auth: {file: %s%s}]", path, options);
	fake_init(fake, text);
	fake->loop = loop;
}

static void out_of_patience(struct io_timer *timer)
{
	(void)timer;
	abort();
}

/* Runs until the exchange goes on. */
static enum filter_verdict await(struct fake_exchange *fake)
{
	struct io_timer guard = {.on_expire = out_of_patience};

	fake->resumed = 0;
	io_timer_start(loop, &guard, PATIENCE_MS);
	assert_int_equal(io_loop_run(loop), 0);
	io_timer_stop(loop, &guard);
	assert_int_equal(fake->resumed, 1);
	return fake->resumed_as;
}

#define ASK(fields) "GET / HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define ANN_SECRET  ASK("Authorization: Basic YW5uOnNlY3JldA==\r\n")
#define ANN_OTHER   ASK("Authorization: Basic YW5uOm90aGVy\r\n")
#define EVE_SECRET  ASK("Authorization: Basic ZXZlOnNlY3JldA==\r\n")

static void expect_challenge(struct fake_exchange *fake)
{
	assert_int_equal(fake->response.status, 401);
	expect_field(&fake->response.fields, "WWW-Authenticate",
		     "Basic realm=\"here\", charset=\"UTF-8\"");
}

static void who_knows_the_password_passes(void **state)
{
	struct fake_exchange fake;

	(void)state;
	init(&fake, ", realm: here");
	assert_int_equal(fake_ask(&fake, ANN_SECRET), FILTER_WAIT);
	assert_int_equal(await(&fake), FILTER_CONTINUE);
	assert_true(slice_equal_str(fake.exchange->user, "ann"));
	/* The password is not for others. */
	expect_field(&fake.request.fields, "Authorization", NULL);
	/* From now on nobody waits. */
	assert_int_equal(fake_ask(&fake, ANN_SECRET), FILTER_CONTINUE);
	assert_true(slice_equal_str(fake.exchange->user, "ann"));
	fake_done(&fake);
}

static void who_does_not_is_challenged(void **state)
{
	static const char *const wrong[] = {ANN_OTHER, EVE_SECRET};
	struct fake_exchange fake;

	(void)state;
	init(&fake, ", realm: here");
	for (size_t i = 0; i < 2 * ARRAY_SIZE(wrong); i++) {
		assert_int_equal(fake_ask(&fake, wrong[i / 2]), FILTER_WAIT);
		assert_int_equal(await(&fake), FILTER_ANSWER);
		expect_challenge(&fake);
		assert_int_equal(fake.exchange->user.len, 0);
	}
	fake_done(&fake);
}

static const char *const none[] = {
	ASK(""),
	ASK("Authorization: \r\n"),
	ASK("Authorization: Basic\r\n"),
	ASK("Authorization: Basic \r\n"),
	ASK("Authorization: Bearer YW5uOnNlY3JldA==\r\n"),
	ASK("Authorization: BasicYW5uOnNlY3JldA==\r\n"),
	ASK("Authorization: Basic YW5uOnNlY3JldA\r\n"),    /* no padding */
	ASK("Authorization: Basic YW5uOnNlY3JldA==x\r\n"), /* behind it */
	ASK("Authorization: Basic YW5u\r\n"),              /* "ann" */
	ASK("Authorization: Basic YW5uOgBzZWNyZXQ=\r\n"),  /* a NUL */
	ASK("Authorization: Basic YW5uOnNlY3JldA==\r\nAuthorization: Basic YW5uOnNlY3JldA==\r\n"),
};

static void what_are_no_credentials_is_challenged_at_once(void **state)
{
	struct fake_exchange fake;

	(void)state;
	init(&fake, ", realm: here");
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		if (fake_ask(&fake, none[i]) != FILTER_ANSWER)
			fail_msg("%s", none[i]);
		expect_challenge(&fake);
	}
	fake_done(&fake);
}

static void scheme_is_read_in_any_case_and_passed_on_if_asked_for(void **state)
{
	struct fake_exchange fake;

	(void)state;
	init(&fake, ", forward: true");
	assert_int_equal(fake_ask(&fake, ASK("authorization: bAsIC  Ym9iOm90aGVy\r\n")),
			 FILTER_WAIT);
	assert_int_equal(await(&fake), FILTER_CONTINUE);
	assert_true(slice_equal_str(fake.exchange->user, "bob"));
	expect_field(&fake.request.fields, "Authorization", "bAsIC  Ym9iOm90aGVy");
	fake_done(&fake);
}

static void who_leaves_while_waiting_is_forgotten(void **state)
{
	struct fake_exchange fake;

	(void)state;
	init(&fake, "");
	for (int i = 0; i < 50; i++) {
		assert_int_equal(fake_ask(&fake, ANN_OTHER), FILTER_WAIT);
		filter_chain_on_end(fake.exchange);
	}
	/* Only the one who stays is told. */
	assert_int_equal(fake_ask(&fake, ANN_SECRET), FILTER_WAIT);
	assert_int_equal(await(&fake), FILTER_CONTINUE);
	fake_done(&fake);
}

static void a_crowd_is_turned_away(void **state)
{
	enum { CROWD = 200 };
	static struct fake_exchange crowd[CROWD];
	struct fake_exchange fake;
	unsigned waiting = 0;

	(void)state;
	init(&fake, "");
	for (size_t i = 0; i < CROWD; i++) {
		crowd[i] = (struct fake_exchange){.chain = fake.chain, .loop = loop};
		if (fake_ask(&crowd[i], ANN_OTHER) == FILTER_WAIT)
			waiting++;
		else
			assert_int_equal(crowd[i].response.status, 503);
	}
	assert_true(waiting >= 64);
	for (size_t i = 0; i < CROWD; i++) {
		crowd[i].chain = NULL;
		filter_chain_on_end(crowd[i].exchange);
		arena_done(&crowd[i].arena);
	}
	assert_int_equal(fake_ask(&fake, ANN_SECRET), FILTER_WAIT);
	assert_int_equal(await(&fake), FILTER_CONTINUE);
	fake_done(&fake);
}

static void a_file_that_is_not_there_is_named(void **state)
{
	struct fake_exchange fake = {};

	(void)state;
	assert_int_equal(fake_build(&fake, "[basic_auth: {file: /nowhere/at-all}]", NULL), -EINVAL);
	assert_non_null(strstr(fake.errors.text,
			       "cannot read \"/nowhere/at-all\": No such file or directory\n"));
	assert_int_equal(strncmp(fake.errors.text, "t:1:", 4), 0);
	fake_done(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_of_users_are_read),
		cmocka_unit_test(passwords_are_verified),
		cmocka_unit_test(an_unknown_user_costs_as_much_as_a_known_one),
		cmocka_unit_test(who_knows_the_password_passes),
		cmocka_unit_test(who_does_not_is_challenged),
		cmocka_unit_test(what_are_no_credentials_is_challenged_at_once),
		cmocka_unit_test(scheme_is_read_in_any_case_and_passed_on_if_asked_for),
		cmocka_unit_test(who_leaves_while_waiting_is_forgotten),
		cmocka_unit_test(a_crowd_is_turned_away),
		cmocka_unit_test(a_file_that_is_not_there_is_named),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
