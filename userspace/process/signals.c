// SPDX-License-Identifier: Apache-2.0
/* Which signals mean something to the daemon, and that none ends or stops it by surprise. */
#include "process/signals.h"
#include "core/log.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>

static const int ends[] = {SIGTERM, SIGINT, SIGQUIT};

/* Those after SIGUSR1 have no meaning here; left alone, each would kill the process, and the last
 * two would stop it. */
static const int others[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM,
			     SIGIO,  SIGPWR,  SIGTTIN, SIGTTOU};

static void add(sigset_t *set, const int *signals, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sigaddset(set, signals[i]);
}

void signals_hold(void)
{
	sigset_t set;

	sigemptyset(&set);
	add(&set, others, ARRAY_SIZE(others));
	sigprocmask(SIG_BLOCK, &set, NULL);
}

int signals_open(void)
{
	sigset_t set;
	int fd, err;

	sigemptyset(&set);
	add(&set, ends, ARRAY_SIZE(ends));
	add(&set, others, ARRAY_SIZE(others));
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* What they tell of, the failed write tells: EPIPE, and EFBIG beyond `ulimit -f`. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd >= 0)
		return fd;
	err = -errno;
	log_error("cannot take signals by a descriptor: %s", strerror(-err));
	return err;
}

bool signals_have_end(void)
{
	sigset_t pending;

	if (sigpending(&pending) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (sigismember(&pending, ends[i]) == 1)
			return true;
	return false;
}
