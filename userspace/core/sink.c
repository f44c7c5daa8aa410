// SPDX-License-Identifier: Apache-2.0
/* Writes that never wait for a reader, to whatever we were started with. */
#include "core/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* An open file of our own, with flags of its own. It fails for a pipe that another user made. */
static int open_anew(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void sink_open(int fd, struct sink *ret)
{
	struct stat status;
	int own;

	*ret = (struct sink){.fd = fd};
	if (fstat(fd, &status) < 0 || S_ISREG(status.st_mode))
		return;
	ret->is_pipe = true;
	ret->way = S_ISSOCK(status.st_mode) ? SINK_SEND : SINK_POLL;
	own = ret->way == SINK_POLL ? open_anew(fd) : -1;
	if (own >= 0)
		*ret = (struct sink){.fd = own, .is_owned = true, .is_pipe = true};
}

void sink_take(int fd, struct sink *ret)
{
	struct stat status;

	*ret = (struct sink){.fd = fd, .is_owned = true};
	ret->is_pipe = fstat(fd, &status) == 0 && !S_ISREG(status.st_mode);
}

int sink_replace(struct sink *sink, struct sink *fresh)
{
	bool was_pipe = sink->is_pipe, is_pipe = fresh->is_pipe;
	int err = 0;

	/* While a write may reach either, it is one that both take. */
	sink->is_pipe = was_pipe || is_pipe;
	if (dup3(fresh->fd, sink->fd, O_CLOEXEC) < 0)
		err = -errno;
	sink->is_pipe = err ? was_pipe : is_pipe;
	sink_close(fresh);
	return err;
}

void sink_close(struct sink *sink)
{
	if (sink->is_owned)
		close(sink->fd);
	*sink = (struct sink){.fd = -1};
}

/*
 * A pipe that polls writable takes PIPE_BUF bytes. The lock keeps two threads from meeting at the
 * last of its room.
 */
static ssize_t poll_and_write(int fd, const char *bytes, size_t len)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
	ssize_t n = -1;

	pthread_mutex_lock(&lock);
	if (poll(&poll_fd, 1, 0) > 0)
		n = write(fd, bytes, len);
	else
		errno = EAGAIN;
	pthread_mutex_unlock(&lock);
	return n;
}

static size_t cut_for_pipe(const char *bytes, size_t len)
{
	const char *end;

	if (len <= PIPE_BUF)
		return len;
	end = memrchr(bytes, '\n', PIPE_BUF);
	return end ? (size_t)(end - bytes) + 1 : PIPE_BUF;
}

ssize_t sink_write(const struct sink *sink, const char *bytes, size_t len)
{
	ssize_t n;

	if (sink->is_pipe)
		len = cut_for_pipe(bytes, len);
	do {
		if (sink->way == SINK_SEND)
			n = send(sink->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		else if (sink->way == SINK_POLL)
			n = poll_and_write(sink->fd, bytes, len);
		else
			n = write(sink->fd, bytes, len);
	} while (n < 0 && errno == EINTR);
	return n >= 0 ? n : -errno;
}
