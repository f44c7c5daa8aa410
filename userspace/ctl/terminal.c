// SPDX-License-Identifier: Apache-2.0
/*
 * The terminal in raw mode on its alternate screen. Whatever way the process ends in an orderly
 * fashion, the terminal is given back as it was.
 */
#include "ctl/ctl_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* Alternate screen and hidden cursor on, and off again. */
#define ENTER_SEQUENCE "\033[?1049h\033[?25l"
#define LEAVE_SEQUENCE "\033[?25h\033[?1049l"

static struct termios saved;
static bool is_ours;

static void write_sequence(const char *sequence)
{
	fflush(stdout);
	if (write(STDOUT_FILENO, sequence, strlen(sequence)) < 0)
		return; /* the terminal has gone: nothing is left to restore */
}

int terminal_enter(void)
{
	static bool is_registered;
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &saved) < 0)
		return -errno;
	raw = saved;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST; /* lines still end with a bare \n in what is drawn */
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) < 0)
		return -errno;
	is_ours = true;
	if (!is_registered && atexit(terminal_leave) == 0)
		is_registered = true;
	write_sequence(ENTER_SEQUENCE);
	return 0;
}

void terminal_leave(void)
{
	if (!is_ours)
		return;
	is_ours = false;
	write_sequence(LEAVE_SEQUENCE);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
}

bool terminal_size(int fd, uint32_t *ret_width, uint32_t *ret_height)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 || size.ws_row == 0)
		return false;
	*ret_width = size.ws_col;
	*ret_height = size.ws_row;
	return true;
}
