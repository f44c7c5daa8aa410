// SPDX-License-Identifier: Apache-2.0
/* Lines go into a pipe and are read back; time stands still unless a test moves it. */
#include "core/clock.h"
#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define TIME "1970-01-01T00:00:00.000000Z"

static uint64_t now_ms = 1000;
static int pipe_fds[2];
static char read_back[65536];

uint64_t __wrap_clock_monotonic_ms(void);
uint64_t __wrap_clock_monotonic_ms(void)
{
	return now_ms;
}

uint64_t __wrap_clock_wall_us(void);
uint64_t __wrap_clock_wall_us(void)
{
	return 0;
}

static int open_pipe(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	log_configure(STDERR_FILENO, LOG_INFO, LOG_FORMAT_TEXT);
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	log_configure(pipe_fds[1], LOG_INFO, LOG_FORMAT_TEXT);
	return 0;
}

static int close_pipe(void **state)
{
	(void)state;
	log_configure(STDERR_FILENO, LOG_INFO, LOG_FORMAT_TEXT);
	if (pipe_fds[0] >= 0)
		close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

/* All that was logged since the last call. */
static const char *logged(void)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(pipe_fds[0], read_back + len, sizeof(read_back) - 1 - len)) > 0)
		len += (size_t)n;
	read_back[len] = '\0';
	return read_back;
}

static void text_line_has_time_level_and_message(void **state)
{
	(void)state;
	log_info("listener %s: %d", "web", 7);
	assert_string_equal(logged(), TIME " info  listener web: 7\n");
	log_error("x");
	assert_string_equal(logged(), TIME " error x\n");
}

static void json_line_has_the_same_as_fields(void **state)
{
	const char *message;
	json_t *line;
	int suppressed = 0;
	const char *time, *level;

	(void)state;
	log_configure(pipe_fds[1], LOG_INFO, LOG_FORMAT_JSON);
	log_warn("pool \"%s\"\n", "gr\xc3\xbcn\xff");
	line = json_loads(logged(), JSON_REJECT_DUPLICATES, NULL);
	assert_int_equal(json_unpack(line, "{s:s,s:s,s:s,s?i!}", "time", &time, "level", &level,
				     "message", &message, "suppressed", &suppressed),
			 0);
	assert_string_equal(time, TIME);
	assert_string_equal(level, "warn");
	assert_string_equal(message, "pool \"gr\xc3\xbcn\xef\xbf\xbd\"\n");
	assert_int_equal(suppressed, 0);
	json_decref(line);
}

static void lines_beyond_the_level_are_dropped_unevaluated(void **state)
{
	int evaluated = 0;

	(void)state;
	log_debug("%d", ++evaluated);
	assert_string_equal(logged(), "");
	assert_int_equal(evaluated, 0);
	log_configure(pipe_fds[1], LOG_DEBUG, LOG_FORMAT_TEXT);
	log_debug("%d", ++evaluated);
	assert_string_equal(logged(), TIME " debug 1\n");
	log_configure(pipe_fds[1], LOG_ERROR, LOG_FORMAT_TEXT);
	assert_false(log_is_enabled(LOG_WARN));
	assert_true(log_is_enabled(LOG_ERROR));
}

static void levels_have_the_names_of_the_configuration(void **state)
{
	(void)state;
	assert_string_equal(log_level_name(LOG_ERROR), "error");
	assert_string_equal(log_level_name(LOG_WARN), "warn");
	assert_string_equal(log_level_name(LOG_INFO), "info");
	assert_string_equal(log_level_name(LOG_DEBUG), "debug");
}

static void text_cannot_forge_or_colour_lines(void **state)
{
	(void)state;
	log_info("%s", "a\nb\r\tc\x1b[31md\x7f");
	assert_string_equal(logged(), TIME " info  a?b??c?[31md?\n");
	/* U+009B is "ESC [" to a terminal that knows C1; U+00A0 is a mere space. */
	log_info("%s", "a\xc2\x9b"
		       "31mb\xc2\xa0\xc3\xbc\xe2\x82\xac\xffz\xc3");
	assert_string_equal(logged(), TIME " info  a?31mb\xc2\xa0\xc3\xbc\xe2\x82\xac?z?\n");
}

static void long_message_is_cut_between_characters(void **state)
{
	char message[5000];

	(void)state;
	for (size_t shift = 0; shift < 3; shift++) {
		const char *line;
		size_t len;

		memset(message, 'x', shift);
		for (size_t i = 0; i < 1500; i++)
			memcpy(message + shift + 3 * i, "\xe2\x82\xac", 4);
		log_info("%s", message);
		line = logged();
		len = strlen(line);
		assert_in_range(len, 2000, PIPE_BUF);
		assert_memory_equal(line + len - 7, "\xe2\x82\xac\xe2\x80\xa6\n", 7);
		assert_null(strchr(line, '?'));
	}
}

static void escapes_cannot_stretch_a_line_beyond_a_pipes_write(void **state)
{
	char message[5000];
	const char *text;
	json_t *line;

	(void)state;
	memset(message, '\x01', sizeof(message) - 1);
	message[sizeof(message) - 1] = '\0';
	log_configure(pipe_fds[1], LOG_INFO, LOG_FORMAT_JSON);
	log_info("%s", message);
	assert_in_range(strlen(logged()), 1000, PIPE_BUF);
	line = json_loads(read_back, 0, NULL);
	assert_non_null(line);
	text = json_string_value(json_object_get(line, "message"));
	assert_string_equal(text + strlen(text) - 3, "\xe2\x80\xa6");
	json_decref(line);
}

static size_t count_lines(const char *text)
{
	size_t lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static void flood(unsigned count)
{
	for (unsigned n = 0; n < count; n++)
		log_warn("flood");
}

static void flood_is_cut_and_accounted_for(void **state)
{
	(void)state;
	flood(LOG_BURST + 100);
	assert_int_equal(count_lines(logged()), LOG_BURST);
	now_ms += LOG_WINDOW_MS - 1;
	flood(5);
	assert_string_equal(logged(), "");
	log_warn("another site");
	assert_string_equal(logged(), TIME " warn  another site\n");
	now_ms += 1;
	flood(2);
	assert_string_equal(logged(), TIME " warn  flood (105 like it were left out)\n" TIME
					   " warn  flood\n");
	now_ms += LOG_WINDOW_MS;
	flood(1);
	assert_string_equal(logged(), TIME " warn  flood\n");
}

static void json_line_says_how_many_were_left_out(void **state)
{
	struct log_site site = {};

	(void)state;
	for (unsigned n = 0; n < LOG_BURST + 3; n++)
		log_write(&site, LOG_INFO, "flood");
	logged();
	now_ms += LOG_WINDOW_MS;
	log_configure(pipe_fds[1], LOG_INFO, LOG_FORMAT_JSON);
	log_write(&site, LOG_INFO, "flood");
	assert_string_equal(logged(),
			    "{\"time\":\"" TIME "\",\"level\":\"info\",\"message\":\"flood\","
			    "\"suppressed\":3}\n");
}

static void errno_is_left_as_it_was(void **state)
{
	(void)state;
	close(pipe_fds[0]);
	pipe_fds[0] = -1;
	errno = EADDRINUSE;
	log_error("bind: %m");
	assert_int_equal(errno, EADDRINUSE);
}

static void full_pipe_loses_lines_and_nothing_else(void **state)
{
	char filler[4096] = {};
	uint32_t lost = log_lost_lines();

	(void)state;
	log_info("tells of what other tests have lost");
	logged();
	while (write(pipe_fds[1], filler, sizeof(filler)) > 0)
		;
	log_info("lost");
	while (read(pipe_fds[0], filler, sizeof(filler)) > 0)
		assert_int_equal(filler[0], 0);
	assert_int_equal(log_lost_lines() - lost, 1);
	log_info("found");
	assert_string_equal(logged(), TIME " warn  lines of this log that are lost here: 1\n" TIME
					   " info  found\n");
	log_info("and no more");
	assert_string_equal(logged(), TIME " info  and no more\n");
}

static void *log_from_thread(void *context)
{
	struct log_site site = {};

	for (unsigned n = 0; n < LOG_BURST; n++)
		log_write(&site, LOG_INFO, "%0300d", *(int *)context);
	return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
	int numbers[] = {1, 2, 3, 4};
	pthread_t threads[4];
	const char *line;
	size_t lines = 0;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_from_thread, &numbers[i]),
				 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (line = logged(); *line; line = strchr(line, '\n') + 1, lines++) {
		assert_memory_equal(line, TIME " info  ", sizeof(TIME " info  ") - 1);
		assert_ptr_equal(strchr(line, '\n'), line + sizeof(TIME " info  ") - 1 + 300);
	}
	assert_int_equal(lines, 4 * LOG_BURST);
}

#define with_pipe(test) cmocka_unit_test_setup_teardown(test, open_pipe, close_pipe)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_pipe(text_line_has_time_level_and_message),
		with_pipe(json_line_has_the_same_as_fields),
		with_pipe(lines_beyond_the_level_are_dropped_unevaluated),
		with_pipe(levels_have_the_names_of_the_configuration),
		with_pipe(text_cannot_forge_or_colour_lines),
		with_pipe(long_message_is_cut_between_characters),
		with_pipe(escapes_cannot_stretch_a_line_beyond_a_pipes_write),
		with_pipe(flood_is_cut_and_accounted_for),
		with_pipe(json_line_says_how_many_were_left_out),
		with_pipe(errno_is_left_as_it_was),
		with_pipe(full_pipe_loses_lines_and_nothing_else),
		with_pipe(lines_of_threads_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
