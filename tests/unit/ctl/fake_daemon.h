/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TESTS_FAKE_DAEMON_H
#define SLUICE_TESTS_FAKE_DAEMON_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * A daemon that answers one connection by script: for each line that comes it writes the next text.
 * An empty text says nothing; after the last it reads no more and hangs up.
 */
struct fake_daemon {
	char directory[64], path[96];
	const char *const *answers; /* ended by NULL */
	char requests[4096];        /* all lines that came */
	int listener;
	pthread_t thread;
};

static size_t read_request(struct fake_daemon *daemon, FILE *from)
{
	size_t used = strlen(daemon->requests);

	return fgets(daemon->requests + used, (int)(sizeof(daemon->requests) - used), from) ? 1 : 0;
}

static void *run_fake_daemon(void *context)
{
	struct fake_daemon *daemon = context;
	int fd = accept(daemon->listener, NULL, NULL);
	FILE *stream = fd >= 0 ? fdopen(fd, "r+") : NULL;

	for (size_t i = 0; stream && daemon->answers[i] && read_request(daemon, stream); i++) {
		fputs(daemon->answers[i], stream);
		fflush(stream);
	}
	if (stream)
		fclose(stream);
	return NULL;
}

static void fake_daemon_start(struct fake_daemon *daemon, const char *const *answers)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memset(daemon, 0, sizeof(*daemon));
	strcpy(daemon->directory, "/tmp/sluicectl-test-XXXXXX");
	if (!mkdtemp(daemon->directory))
		abort();
	snprintf(daemon->path, sizeof(daemon->path), "%s/socket", daemon->directory);
	strcpy(address.sun_path, daemon->path);
	daemon->answers = answers;
	daemon->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (daemon->listener < 0 ||
	    bind(daemon->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(daemon->listener, 1) < 0 ||
	    pthread_create(&daemon->thread, NULL, run_fake_daemon, daemon) != 0)
		abort();
}

static void fake_daemon_stop(struct fake_daemon *daemon)
{
	pthread_join(daemon->thread, NULL);
	close(daemon->listener);
	unlink(daemon->path);
	rmdir(daemon->directory);
}

#endif
