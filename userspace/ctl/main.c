// SPDX-License-Identifier: Apache-2.0
/* The process around sluicectl: what the terminal can do is found out here, the rest is in run.c.
 */
#include "core/standard_fds.h"
#include "ctl/ctl_internal.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool wants_colour(void)
{
	const char *no_colour = getenv("NO_COLOR"); /* no-color.org: any text but the empty one */
	const char *term = getenv("TERM");

	if (no_colour && *no_colour)
		return false;
	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
}

int main(int argc, char **argv)
{
	struct ctl_screen screen = {
		.out = stdout,
		.err = stderr,
		.is_tty = isatty(STDOUT_FILENO) && isatty(STDIN_FILENO),
		.has_colour = wants_colour(),
	};
	int status;

	if (standard_fds_take() < 0)
		return CTL_EXIT_FAILED;
	setlocale(LC_CTYPE, ""); /* for the widths of characters */
	terminal_size(STDOUT_FILENO, &screen.width, &screen.height);
	status = ctl_run(argc, argv, &screen);
	if (fflush(stdout) != 0 && status == CTL_EXIT_OK)
		status = CTL_EXIT_FAILED;
	return status;
}
