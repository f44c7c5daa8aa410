// SPDX-License-Identifier: Apache-2.0
#include "proxy/access_log.h"
#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static struct address address(const char *text)
{
	struct address parsed;

	assert_int_equal(address_parse(slice_from_str(text), &parsed), 0);
	return parsed;
}

struct fixture {
	struct address client, local, backend;
	struct access_record record;
};

static void make_record(struct fixture *f)
{
	f->client = address("192.0.2.7:50000");
	f->local = address("198.51.100.1:443");
	f->backend = address("[2001:db8::5]:8443");
	f->record = (struct access_record){
		.started_wall_us = 1000000,
		.id = 256,
		.listener = "web",
		.pool = "api",
		.endpoint = "api-1",
		.sni = "shop.example",
		.client = &f->client,
		.peer = &f->client,
		.local = &f->local,
		.backend = &f->backend,
		.bytes_in = 10,
		.bytes_out = 2000,
		.queue_us = -1,
		.connect_us = 1500,
		.first_byte_us = 250,
		.duration_us = 60000000,
		.tries = 1,
		.end = CONNECTION_END_DONE,
		.rung = "relay",
	};
}

static void text_line_says_who_where_how_much_and_why(void **state)
{
	struct strbuf line = {};
	struct fixture f;

	(void)state;
	make_record(&f);
	access_log_format(CONFIG_ACCESS_TEXT, &f.record, &line);
	assert_string_equal(line.text,
			    "1970-01-01T00:00:01.000000Z web 192.0.2.7:50000 -> 198.51.100.1:443 "
			    "api/api-1 [2001:db8::5]:8443 in=10 out=2000 "
			    "ms=-/1.500/0.250/60000.000 tries=1 end=done rung=relay "
			    "sni=shop.example tls=-/-\n");
	strbuf_done(&line);
}

static void json_line_is_valid_whatever_a_client_sent(void **state)
{
	struct strbuf line = {};
	json_error_t error;
	struct fixture f;
	json_t *root;

	(void)state;
	make_record(&f);
	f.record.sni = "evil\"\n\\\xff.example";
	access_log_format(CONFIG_ACCESS_JSON, &f.record, &line);
	root = json_loadb(line.text, line.len, 0, &error);
	assert_non_null(root);
	assert_string_equal(json_string_value(json_object_get(root, "end")), "done");
	assert_int_equal(json_integer_value(json_object_get(root, "bytes_out")), 2000);
	assert_null(json_object_get(root, "queue_us"));
	assert_null(json_object_get(root, "peer"));
	json_decref(root);
	strbuf_done(&line);
}

static struct access_log *open_log(const char *path)
{
	const struct config_access_log config = {.path = path};
	struct access_log *log;

	assert_int_equal(access_log_open(&config, &log), 0);
	return log;
}

static void write_text(struct access_log *log, const char *text)
{
	struct strbuf lines = {};

	strbuf_append_str(&lines, text);
	access_log_write(log, &lines);
	assert_int_equal(lines.len, 0);
	strbuf_done(&lines);
}

static off_t size_of(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return status.st_size;
}

static void reopen_follows_a_rotation(void **state)
{
	char directory[] = "/tmp/sluice-access-XXXXXX", path[64], rotated[64];
	struct access_log *log;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/log", directory);
	snprintf(rotated, sizeof(rotated), "%s/log.1", directory);
	log = open_log(path);
	write_text(log, "one\n");
	assert_int_equal(rename(path, rotated), 0);
	write_text(log, "two\n");
	assert_int_equal(access_log_reopen(log), 0);
	write_text(log, "three\n");
	assert_int_equal(size_of(rotated), 8);
	assert_int_equal(size_of(path), 6);
	access_log_unref(log);
	unlink(path);
	unlink(rotated);
	rmdir(directory);
}

/* Fills the pipe that @reader reads. What does go out is whole lines: another worker's may follow.
 */
static void assert_whole_lines_go_out(struct access_log *log, int reader)
{
	uint64_t lost = access_log_lost_lines();
	struct strbuf lines = {};
	char bytes[4096], last = 0;
	ssize_t got;

	for (unsigned i = 0; i < 20000; i++)
		strbuf_append_str(&lines, "a line that nobody reads\n");
	access_log_write(log, &lines);
	assert_true(access_log_lost_lines() > lost);
	while ((got = read(reader, bytes, sizeof(bytes))) > 0)
		last = bytes[got - 1];
	assert_int_equal(last, '\n');
	strbuf_done(&lines);
}

static int make_pipe(const char *path)
{
	int reader;

	assert_int_equal(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	assert_true(reader >= 0);
	return reader;
}

static void full_pipe_drops_lines_and_never_blocks(void **state)
{
	char directory[] = "/tmp/sluice-access-XXXXXX", path[64];
	struct access_log *log;
	int reader;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/pipe", directory);
	reader = make_pipe(path);
	log = open_log(path);
	assert_whole_lines_go_out(log, reader);
	access_log_unref(log);
	close(reader);
	unlink(path);
	rmdir(directory);
}

static void a_pipe_in_the_place_of_a_file_is_written_as_a_pipe(void **state)
{
	char directory[] = "/tmp/sluice-access-XXXXXX", path[64];
	struct access_log *log;
	int reader;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/log", directory);
	log = open_log(path);
	assert_int_equal(unlink(path), 0);
	reader = make_pipe(path);
	assert_int_equal(access_log_reopen(log), 0);
	assert_whole_lines_go_out(log, reader);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(access_log_reopen(log), 0);
	assert_false(log->sink.is_pipe);
	access_log_unref(log);
	close(reader);
	unlink(path);
	rmdir(directory);
}

static void pipe_without_a_reader_is_an_error_and_not_waited_for(void **state)
{
	char directory[] = "/tmp/sluice-access-XXXXXX", path[64];
	const struct config_access_log config = {.path = path};
	struct access_log *log;
	int reader;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/pipe", directory);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(access_log_open(&config, &log), -ENXIO);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	assert_true(reader >= 0);
	log = open_log(path);
	close(reader);
	assert_int_equal(access_log_reopen(log), -ENXIO);
	access_log_unref(log);
	unlink(path);
	rmdir(directory);
}

/* The daemon's log, which the test reads back. */
static void read_log(int pipe, char *text, size_t size)
{
	ssize_t len = read(pipe, text, size - 1);

	text[len > 0 ? len : 0] = '\0';
}

static void full_disk_is_told_of(void **state)
{
	uint64_t lost = access_log_lost_lines();
	char said[512];
	struct access_log *log = open_log("/dev/full");
	int pipe[2];

	(void)state;
	assert_int_equal(pipe2(pipe, O_CLOEXEC | O_NONBLOCK), 0);
	log_configure(pipe[1], LOG_INFO, LOG_FORMAT_TEXT);
	write_text(log, "one\ntwo\n");
	log_configure(STDERR_FILENO, LOG_INFO, LOG_FORMAT_TEXT);
	read_log(pipe[0], said, sizeof(said));
	assert_non_null(strstr(said, "access log /dev/full: 2 lines are lost: No space left"));
	assert_int_equal(access_log_lost_lines() - lost, 2);
	access_log_unref(log);
	close(pipe[0]);
	close(pipe[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_line_says_who_where_how_much_and_why),
		cmocka_unit_test(json_line_is_valid_whatever_a_client_sent),
		cmocka_unit_test(reopen_follows_a_rotation),
		cmocka_unit_test(full_pipe_drops_lines_and_never_blocks),
		cmocka_unit_test(a_pipe_in_the_place_of_a_file_is_written_as_a_pipe),
		cmocka_unit_test(pipe_without_a_reader_is_an_error_and_not_waited_for),
		cmocka_unit_test(full_disk_is_told_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
