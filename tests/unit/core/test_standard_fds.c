// SPDX-License-Identifier: Apache-2.0
#include "core/standard_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* What a process that was started without those in @closed has: 0, or what is wrong. */
static int start_without(unsigned closed)
{
	char byte = 0;

	for (int fd = 0; fd <= 2; fd++)
		if (closed >> fd & 1)
			close(fd);
	if (standard_fds_take() < 0)
		return 1;
	if (open("/dev/null", O_RDONLY | O_CLOEXEC) <= 2)
		return 2;
	if (closed & 1 && (read(0, &byte, 1) != -1 || errno != EBADF))
		return 3;
	for (int fd = 1; fd <= 2; fd++)
		if (closed >> fd & 1 && (write(fd, &byte, 1) != -1 || errno != EBADF))
			return 4;
	return 0;
}

static void files_get_none_of_their_numbers(void **state)
{
	(void)state;
	for (unsigned closed = 0; closed < 8; closed++) {
		pid_t child = fork();
		int status;

		assert_true(child >= 0);
		if (child == 0)
			_exit(start_without(closed));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
}

static void those_that_are_there_stay(void **state)
{
	(void)state;
	int before = fcntl(STDOUT_FILENO, F_GETFL);

	assert_int_equal(standard_fds_take(), 0);
	assert_int_equal(fcntl(STDOUT_FILENO, F_GETFL), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_get_none_of_their_numbers),
		cmocka_unit_test(those_that_are_there_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
