// SPDX-License-Identifier: Apache-2.0
/* `top` on a terminal of its own: whatever ends it, the terminal is given back as it was. */
#include "ctl/ctl_internal.h"
#include "unit/ctl/fake_daemon.h"

#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <utmp.h>
#include <cmocka.h>

#define DEADLINE_MS 20000
#define ENTERED     "\033[?1049h"
#define LEFT        "\033[?1049l"
#define FOOTER      "q quit"

/*
 * The child is forked while the fake daemon's thread runs. AddressSanitizer's search for leaks at
 * the child's exit would wait for a lock that the thread may have held at that moment.
 */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static const char *const answers[] = {
	"{\"v\":1,\"ok\":true,\"result\":{\"version\":\"1\",\"state\":\"serving\"}}\n",
	"{\"v\":1,\"ok\":true,\"result\":{\"listeners\":[{\"name\":\"front\"}]}}\n",
	"{\"v\":1,\"ok\":true,\"result\":{\"pools\":[]}}\n",
	"{\"v\":1,\"ok\":true,\"result\":{\"connections\":[]}}\n",
	"{\"v\":1,\"ok\":true,\"result\":{\"services\":[]}}\n",
	"{\"v\":1,\"ok\":true,\"result\":{\"mode\":\"off\",\"reasons\":[]}}\n",
	"{\"v\":1,\"ok\":true,\"result\":{\"talkers\":[]}}\n",
	NULL,
};

struct session {
	struct fake_daemon daemon;
	struct strbuf output;
	struct termios before;
	int terminal, far_end;
	pid_t child;
};

static void run_top(const struct session *session)
{
	char *argv[] = {(char *)"sluicectl", (char *)"-s", (char *)session->daemon.path,
			(char *)"top", NULL};
	struct ctl_screen screen = {
		.out = stdout, .err = stderr, .width = 80, .height = 24, .is_tty = true};

	exit(ctl_run(4, argv, &screen)); /* as main() would: handlers of exit run */
}

static void start(struct session *session)
{
	memset(session, 0, sizeof(*session));
	fake_daemon_start(&session->daemon, answers);
	assert_int_equal(openpty(&session->terminal, &session->far_end, NULL, NULL, NULL), 0);
	assert_int_equal(tcgetattr(session->far_end, &session->before), 0);
	fflush(NULL); /* or the child writes it again */
	session->child = fork();
	assert_true(session->child >= 0);
	if (session->child > 0)
		return;
	close(session->terminal);
	login_tty(session->far_end);
	run_top(session);
}

/* Reads until @text has come. */
static void expect(struct session *session, const char *text)
{
	struct pollfd pollfd = {.fd = session->terminal, .events = POLLIN};
	char bytes[4096];

	while (!session->output.text || !strstr(session->output.text, text)) {
		ssize_t n = -1;

		if (poll(&pollfd, 1, DEADLINE_MS) == 1)
			n = read(session->terminal, bytes, sizeof(bytes));
		if (n <= 0)
			fail_msg("no '%s' in '%s'", text, session->output.text);
		strbuf_append(&session->output, slice_of(bytes, (size_t)n));
	}
	strbuf_done(&session->output);
}

static void press(struct session *session, const char *key)
{
	assert_int_equal(write(session->terminal, key, 1), 1);
}

static void end(struct session *session)
{
	struct termios after;
	int status;

	expect(session, LEFT);
	assert_int_equal(waitpid(session->child, &status, 0), session->child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), CTL_EXIT_OK);
	assert_int_equal(tcgetattr(session->far_end, &after), 0);
	assert_int_equal(after.c_lflag, session->before.c_lflag);
	assert_int_equal(after.c_iflag, session->before.c_iflag);
	close(session->terminal);
	close(session->far_end);
	fake_daemon_stop(&session->daemon);
}

static void q_gives_the_terminal_back(void **state)
{
	struct session session;

	(void)state;
	start(&session);
	expect(&session, ENTERED);
	expect(&session, FOOTER);
	press(&session, "q");
	end(&session);
}

static void ctrl_c_gives_the_terminal_back(void **state)
{
	struct session session;

	(void)state;
	start(&session);
	expect(&session, FOOTER);
	press(&session, "\003");
	end(&session);
}

static void signals_give_the_terminal_back(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct session session;

		start(&session);
		expect(&session, FOOTER);
		kill(session.child, signals[i]);
		end(&session);
	}
}

static void keys_switch_panels(void **state)
{
	struct session session;

	(void)state;
	start(&session);
	expect(&session, "ENDPOINT");
	press(&session, "l");
	expect(&session, "front");
	press(&session, "q");
	end(&session);
}

static void a_new_size_is_drawn_for(void **state)
{
	struct winsize size = {.ws_row = 10, .ws_col = 20};
	struct session session;

	(void)state;
	start(&session);
	expect(&session, FOOTER);
	assert_int_equal(ioctl(session.terminal, TIOCSWINSZ, &size), 0);
	expect(&session, "p pools  l listener…");
	press(&session, "q");
	end(&session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(q_gives_the_terminal_back),
		cmocka_unit_test(ctrl_c_gives_the_terminal_back),
		cmocka_unit_test(signals_give_the_terminal_back),
		cmocka_unit_test(keys_switch_panels),
		cmocka_unit_test(a_new_size_is_drawn_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
