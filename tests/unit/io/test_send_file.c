// SPDX-License-Identifier: Apache-2.0
#include "unit/io/io_fixture.h"

#include <signal.h>
#include <sys/mman.h>

#define FILE_SIZE ((size_t)3 << 20)

/* A file of the pattern, in memory. */
static int pattern_file(void)
{
	int fd = memfd_create("pattern", MFD_CLOEXEC);
	unsigned char bytes[4096];

	assert_true(fd >= 0);
	for (size_t at = 0; at < FILE_SIZE; at += sizeof(bytes)) {
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = pattern_at(at + i);
		assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	}
	return fd;
}

/* Sends the file from @offset on, and goes on whenever it is told to. */
static void send_rest(struct fixture *fixture, struct recorder *from, int fd, uint64_t offset)
{
	while (offset < FILE_SIZE) {
		int sents = from->sents;
		ssize_t sent;

		assert_true(io_stream_can_send_file(&from->stream, FILE_SIZE - offset));
		sent = io_stream_send_file(&from->stream, fd, offset, FILE_SIZE - offset);
		assert_true(sent > 0 || sent == -EAGAIN);
		if (sent > 0)
			offset += (uint64_t)sent;
		run_until(fixture, from->sents > sents);
		assert_int_equal(from->sent_status, 0);
	}
}

static void file_arrives_whole_as_the_reader_takes_it(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct recorder a, b;
	int fd = pattern_file(), fds[2];

	tcp_pair(fds);
	recorder_init(&a, fixture, fds[0]);
	recorder_init(&b, fixture, fds[1]);
	io_stream_recv_start(&b.stream);
	send_rest(fixture, &a, fd, 1000);
	run_until(fixture, b.len == FILE_SIZE - 1000);
	assert_pattern(b.bytes, 1000, b.len);
	assert_int_equal(a.stream.bytes_out, FILE_SIZE - 1000);
	close(fd);
	recorder_done(&a, fixture);
	recorder_done(&b, fixture);
}

static void who_finds_no_room_is_told_of_it_later(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct recorder a, b;
	int fd = pattern_file(), fds[2], sents;
	uint64_t offset = 0;
	ssize_t sent;

	small_pair(fds);
	recorder_init(&a, fixture, fds[0]);
	recorder_init(&b, fixture, fds[1]);
	while ((sent = io_stream_send_file(&a.stream, fd, offset, FILE_SIZE)) > 0)
		offset += (uint64_t)sent;
	assert_int_equal(sent, -EAGAIN);
	run_until(fixture, a.sents); /* of what was taken */
	sents = a.sents;
	assert_int_equal(io_stream_send_file(&a.stream, fd, offset, FILE_SIZE), -EAGAIN);
	run_for(fixture, 20);
	assert_int_equal(a.sents, sents);
	io_stream_recv_start(&b.stream);
	run_until(fixture, a.sents > sents);
	assert_int_equal(a.sent_status, 0);
	close(fd);
	recorder_done(&a, fixture);
	recorder_done(&b, fixture);
}

static void end_of_the_file_is_told_at_once(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct recorder a, b;
	int fd = pattern_file(), fds[2];

	tcp_pair(fds);
	recorder_init(&a, fixture, fds[0]);
	recorder_init(&b, fixture, fds[1]);
	assert_int_equal(io_stream_send_file(&a.stream, fd, FILE_SIZE, 1), 0);
	run_for(fixture, 5);
	assert_int_equal(a.sents, 0);
	close(fd);
	recorder_done(&a, fixture);
	recorder_done(&b, fixture);
}

static void vanished_reader_is_told(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct recorder a;
	int fd = pattern_file(), fds[2];

	unix_pair(fds);
	recorder_init(&a, fixture, fds[0]);
	close(fds[1]);
	assert_int_equal(io_stream_send_file(&a.stream, fd, 0, FILE_SIZE), -EPIPE);
	run_until(fixture, a.sents);
	assert_int_equal(a.sent_status, -EPIPE);
	close(fd);
	recorder_done(&a, fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(file_arrives_whole_as_the_reader_takes_it),
		ON_BOTH(who_finds_no_room_is_told_of_it_later),
		ON_BOTH(end_of_the_file_is_told_at_once),
		ON_BOTH(vanished_reader_is_told),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
