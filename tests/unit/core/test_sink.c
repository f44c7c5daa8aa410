// SPDX-License-Identifier: Apache-2.0
/* Each kind of descriptor that a daemon is started with, filled up by a reader that never reads. */
#include "core/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define SECONDS 10

static bool may_open = true;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
	if (may_open)
		return __real_open(path, flags);
	errno = EACCES;
	return -1;
}

static int begin(void **state)
{
	(void)state;
	may_open = true;
	alarm(SECONDS); /* who blocks is killed */
	return 0;
}

static bool is_blocking(int fd)
{
	return !(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

/* Fills @fd, whose other end is @reader, and lets the reader read again. */
static void assert_full_is_not_waited_for(int fd, int reader)
{
	struct sink sink;
	char bytes[PIPE_BUF];
	ssize_t n;

	memset(bytes, 'x', sizeof(bytes));
	sink_open(fd, &sink);
	do
		n = sink_write(&sink, bytes, sizeof(bytes));
	while (n > 0);
	assert_int_equal(n, -EAGAIN);
	assert_int_equal(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
	do /* a terminal's bytes are passed on by the kernel's leisure */
		while (read(reader, bytes, sizeof(bytes)) > 0)
			;
	while (sink_write(&sink, "y", 1) < 1);
	assert_true(is_blocking(fd)); /* it is others' too */
	sink_close(&sink);
	assert_true(fcntl(fd, F_GETFD) >= 0);
}

static void a_full_pipe_is_not_waited_for(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_full_is_not_waited_for(fds[1], fds[0]);
	close(fds[0]);
	close(fds[1]);
}

static void another_users_pipe_is_not_waited_for_either(void **state)
{
	int fds[2];

	(void)state;
	may_open = false;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_full_is_not_waited_for(fds[1], fds[0]);
	close(fds[0]);
	close(fds[1]);
}

static void a_full_socket_is_not_waited_for(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_full_is_not_waited_for(fds[1], fds[0]);
	close(fds[0]);
	close(fds[1]);
}

static void a_full_terminal_is_not_waited_for(void **state)
{
	struct termios raw;
	int master, slave;

	(void)state;
	cfmakeraw(memset(&raw, 0, sizeof(raw)));
	assert_int_equal(openpty(&master, &slave, NULL, &raw, NULL), 0);
	assert_full_is_not_waited_for(slave, master);
	close(master);
	close(slave);
}

static void a_file_is_written_where_its_position_is(void **state)
{
	char path[] = "/tmp/sluice-sink-XXXXXX", text[8] = {};
	int fd = mkstemp(path);
	struct sink sink;

	(void)state;
	assert_int_equal(write(fd, "one", 3), 3);
	sink_open(fd, &sink);
	assert_int_equal(sink_write(&sink, "two", 3), 3);
	assert_int_equal(pread(fd, text, sizeof(text), 0), 6);
	assert_string_equal(text, "onetwo");
	sink_close(&sink);
	close(fd);
	unlink(path);
}

static void a_pipe_gets_whole_lines(void **state)
{
	char bytes[2 * PIPE_BUF], got[2 * PIPE_BUF];
	struct sink sink;
	int fds[2];

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	bytes[99] = bytes[2999] = bytes[5000] = '\n';
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	sink_open(fds[1], &sink);
	assert_int_equal(sink_write(&sink, bytes, sizeof(bytes)), 3000);
	assert_int_equal(read(fds[0], got, sizeof(got)), 3000);
	/* Nothing to cut at. */
	assert_int_equal(sink_write(&sink, bytes + 3000, 2000), 2000);
	assert_int_equal(sink_write(&sink, got, 0), 0);
	sink_close(&sink);
	close(fds[0]);
	close(fds[1]);
}

#define TEST(test) cmocka_unit_test_setup(test, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_full_pipe_is_not_waited_for),
		TEST(another_users_pipe_is_not_waited_for_either),
		TEST(a_full_socket_is_not_waited_for),
		TEST(a_full_terminal_is_not_waited_for),
		TEST(a_file_is_written_where_its_position_is),
		TEST(a_pipe_gets_whole_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
