/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TESTS_UNIT_IO_FIXTURE_H
#define SLUICE_TESTS_UNIT_IO_FIXTURE_H

/*
 * What the tests of io/ share: each case runs on both back ends, and waits for facts instead of
 * sleeping. A recorder is a stream that notes everything it is told.
 */
#include "core/compiler.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define FIXTURE_DEADLINE_MS 20000

struct fixture {
	struct io_loop *loop;
	struct io_timer deadline;
	bool is_late;
};

static const enum io_backend backend_uring = IO_BACKEND_URING;
static const enum io_backend backend_epoll = IO_BACKEND_EPOLL;

/* The options of the next fixture, for tests with their own setup; zero: the defaults. */
static inline int fixture_open(void **state, uint32_t buffer_size, uint32_t buffer_count)
{
	struct io_options options = {
		.backend = *(const enum io_backend *)*state,
		.buffer_size = buffer_size,
		.buffer_count = buffer_count,
	};
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int error;

	assert_non_null(fixture);
	error = io_loop_new(&options, &fixture->loop);
	if (error == -EPERM || error == -ENOSYS)
		printf("SKIP: io_uring is not to be had here: %s\n", strerror(-error));
	else
		assert_int_equal(error, 0);
	*state = fixture;
	return 0;
}

static inline int fixture_setup(void **state)
{
	return fixture_open(state, 0, 0);
}

static inline int fixture_setup_few_buffers(void **state)
{
	return fixture_open(state, 64, 2);
}

static inline int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;

	if (fixture->loop)
		io_timer_stop(fixture->loop, &fixture->deadline);
	io_loop_free(fixture->loop);
	free(fixture);
	return 0;
}

#define ON(backend, test, setup)                                                                   \
	{                                                                                          \
#test " [" #backend "]", test, setup, fixture_teardown, (void *)&backend_##backend \
	}
#define ON_BOTH(test) ON(uring, test, fixture_setup), ON(epoll, test, fixture_setup)
#define ON_BOTH_FEW_BUFFERS(test) \
	ON(uring, test, fixture_setup_few_buffers), ON(epoll, test, fixture_setup_few_buffers)

static inline struct fixture *fixture_of(void **state)
{
	struct fixture *fixture = *state;

	if (!fixture->loop)
		skip();
	return fixture;
}

static inline void fixture_on_deadline(struct io_timer *timer)
{
	struct fixture *fixture = container_of(timer, struct fixture, deadline);

	fixture->is_late = true;
	io_loop_stop(fixture->loop);
}

/* Callbacks stop the loop; then @condition is looked at again. */
#define run_until(fixture, condition)                                                       \
	do {                                                                                \
		(fixture)->deadline.on_expire = fixture_on_deadline;                        \
		io_timer_start((fixture)->loop, &(fixture)->deadline, FIXTURE_DEADLINE_MS); \
		while (!(condition)) {                                                      \
			assert_false((fixture)->is_late);                                   \
			assert_int_equal(io_loop_run((fixture)->loop), 0);                  \
		}                                                                           \
		io_timer_stop((fixture)->loop, &(fixture)->deadline);                       \
	} while (0)

struct fixture_pause {
	struct io_timer timer;
	struct fixture *fixture;
	bool is_over;
};

static inline void fixture_on_pause_over(struct io_timer *timer)
{
	struct fixture_pause *pause = container_of(timer, struct fixture_pause, timer);

	pause->is_over = true;
	io_loop_stop(pause->fixture->loop);
}

/* Lets the loop run, to see that something does not happen. */
static inline void run_for(struct fixture *fixture, uint64_t ms)
{
	struct fixture_pause pause = {.fixture = fixture};

	pause.timer.on_expire = fixture_on_pause_over;
	io_timer_start(fixture->loop, &pause.timer, ms);
	run_until(fixture, pause.is_over);
}

/* --- Recorder ---------------------------------------------------- */

struct recorder {
	struct io_stream stream;
	char *bytes; /* all that was received */
	size_t len, cap;
	int connects, connect_status;
	int ends, end_status;
	int sents, sent_status;
	int closes;
	bool closes_on_recv; /* close from inside the callback */
	bool holds_buffers;  /* keep what comes in @held */
	struct io_buf *held;
	struct io_buf **held_tail;
};

static inline struct recorder *recorder_of(struct io_stream *stream)
{
	return container_of(stream, struct recorder, stream);
}

static inline void recorder_on_connect(struct io_stream *stream, int status)
{
	recorder_of(stream)->connects++;
	recorder_of(stream)->connect_status = status;
	io_loop_stop(stream->loop);
}

static inline void recorder_keep(struct recorder *recorder, const struct io_buf *buf)
{
	size_t len = buf->end - buf->start;

	if (recorder->len + len > recorder->cap) {
		recorder->cap = (recorder->len + len) * 2;
		recorder->bytes = realloc(recorder->bytes, recorder->cap);
		assert_non_null(recorder->bytes);
	}
	memcpy(recorder->bytes + recorder->len, buf->base + buf->start, len);
	recorder->len += len;
}

static inline void recorder_on_recv(struct io_stream *stream, struct io_buf *buf, int status)
{
	struct recorder *recorder = recorder_of(stream);

	io_loop_stop(stream->loop);
	assert_int_equal(recorder->closes, 0);
	if (!buf) {
		recorder->ends++;
		recorder->end_status = status;
	} else {
		assert_int_equal(status, 0);
		recorder_keep(recorder, buf);
		if (recorder->holds_buffers) {
			buf->next = recorder->held;
			recorder->held = buf;
		} else {
			io_buf_release(stream->loop, buf);
		}
	}
	if (recorder->closes_on_recv)
		io_stream_close(stream, IO_CLOSE_FIN);
}

static inline void recorder_on_sent(struct io_stream *stream, int status)
{
	assert_int_equal(recorder_of(stream)->closes, 0);
	recorder_of(stream)->sents++;
	recorder_of(stream)->sent_status = status;
	io_loop_stop(stream->loop);
}

static inline void recorder_on_closed(struct io_stream *stream)
{
	recorder_of(stream)->closes++;
	io_loop_stop(stream->loop);
}

static const struct io_stream_ops recorder_ops = {
	.on_connect = recorder_on_connect,
	.on_recv = recorder_on_recv,
	.on_sent = recorder_on_sent,
	.on_closed = recorder_on_closed,
};

static inline void recorder_init(struct recorder *recorder, struct fixture *fixture, int fd)
{
	*recorder = (struct recorder){};
	io_stream_init(&recorder->stream, fixture->loop, fd, &recorder_ops);
}

static inline void recorder_release_held(struct recorder *recorder)
{
	while (recorder->held) {
		struct io_buf *next = recorder->held->next;

		io_buf_release(recorder->stream.loop, recorder->held);
		recorder->held = next;
	}
}

static inline void recorder_done(struct recorder *recorder, struct fixture *fixture)
{
	recorder_release_held(recorder);
	io_stream_close(&recorder->stream, IO_CLOSE_FIN);
	run_until(fixture, recorder->closes);
	assert_int_equal(recorder->closes, 1);
	free(recorder->bytes);
	recorder->bytes = NULL;
}

static inline void recorder_send(struct recorder *recorder, const void *bytes, size_t len)
{
	struct io_buf *buf = io_buf_new(recorder->stream.loop, (uint32_t)len);

	assert_non_null(buf);
	memcpy(buf->base, bytes, len);
	buf->end = (uint32_t)len;
	io_stream_send(&recorder->stream, buf);
}

/* --- Sockets ----------------------------------------------------- */

/* A listening TCP socket on a port of the kernel's choice. */
static inline int listen_anywhere(struct address *ret)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*ret = (struct address){.len = sizeof(ret->v4)};
	ret->v4.sin_family = AF_INET;
	ret->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &ret->sa, ret->len), 0);
	assert_int_equal(listen(fd, 128), 0);
	assert_int_equal(getsockname(fd, &ret->sa, &ret->len), 0);
	return fd;
}

static inline int tcp_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	return fd;
}

/* A connected pair over TCP; both ends are non-blocking. */
static inline void tcp_pair(int ret[2])
{
	struct address address;
	int listener = listen_anywhere(&address);

	ret[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(ret[0], &address.sa, address.len), 0);
	ret[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(ret[1] >= 0);
	assert_int_equal(fcntl(ret[0], F_SETFL, O_NONBLOCK), 0);
	close(listener);
}

static inline void unix_pair(int ret[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret),
			 0);
}

/* Small kernel buffers make a slow reader felt soon; TCP would wait for its timers with them. */
static inline void small_pair(int ret[2])
{
	int size = 8192;

	unix_pair(ret);
	for (int i = 0; i < 2; i++)
		setsockopt(ret[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* Bytes that are easy to check anywhere. */
static inline unsigned char pattern_at(size_t offset)
{
	return (unsigned char)((offset * 2654435761u) >> 13);
}

static inline void assert_pattern(const char *bytes, size_t offset, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)bytes[i] != pattern_at(offset + i))
			fail_msg("byte %zu is wrong", offset + i);
}

#endif
