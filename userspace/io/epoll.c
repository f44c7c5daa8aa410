// SPDX-License-Identifier: Apache-2.0
/*
 * The epoll back end. A stream is registered once, edge-triggered for both directions, and costs no
 * further epoll_ctl(): the last edge is remembered in its flags. Sends are tried at once. Listeners
 * and watches are level-triggered.
 */
#include "io/io_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#define EVENTS_PER_WAIT 256
/* Buffers read from one stream, and connections taken from one listener, before others get a turn.
 */
#define READS_PER_TURN   8
#define ACCEPTS_PER_TURN 16

/* What an event belongs to: the low bits of its pointer. */
enum {
	TAG_STREAM,
	TAG_ACCEPTOR,
	TAG_WATCH,
	TAG_WAKE,
	TAG_MASK = 7,
};

struct epoll_loop {
	struct io_loop loop;
	int fd;
	int event_count;
	struct epoll_event events[EVENTS_PER_WAIT];
};

static struct epoll_loop *epoll_of(struct io_loop *loop)
{
	return container_of(loop, struct epoll_loop, loop);
}

static int control(struct io_loop *loop, int op, int fd, uint32_t events, void *object,
		   unsigned tag)
{
	struct epoll_event event = {.events = events, .data.u64 = (uintptr_t)object | tag};

	return epoll_ctl(epoll_of(loop)->fd, op, fd, &event) < 0 ? -errno : 0;
}

static int epoll_open(const struct io_options *options, struct io_loop **ret)
{
	struct epoll_loop *epoll = aligned_alloc(_Alignof(struct epoll_loop), sizeof(*epoll));
	int error;

	if (!epoll)
		return -ENOMEM;
	memset(epoll, 0, sizeof(*epoll));
	epoll->fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll->fd < 0) {
		error = -errno;
		goto free_loop;
	}
	error = io_loop_init(&epoll->loop, &io_epoll_backend, options);
	if (error)
		goto close_fd;
	/* Edge-triggered, so that the counter need not be read. */
	error = control(&epoll->loop, EPOLL_CTL_ADD, epoll->loop.wake_fd, EPOLLIN | EPOLLET, NULL,
			TAG_WAKE);
	if (error)
		goto loop_done;
	*ret = &epoll->loop;
	return 0;

loop_done:
	io_loop_done(&epoll->loop);
close_fd:
	close(epoll->fd);
free_loop:
	free(epoll);
	return error;
}

static void epoll_close(struct io_loop *loop)
{
	struct epoll_loop *epoll = epoll_of(loop);

	close(epoll->fd);
	io_loop_done(loop);
	free(epoll);
}

static int epoll_start(struct io_loop *loop)
{
	(void)loop;
	return 0;
}

static void feed_starved(struct io_loop *loop)
{
	list_for_each_safe (node, &loop->starved) {
		struct io_stream *stream = list_entry(node, struct io_stream, node);

		if (!io_stream_pool(stream)->free)
			continue;
		list_remove(node);
		io_stream_defer(stream);
	}
}

static int64_t round_up_to_ms(int64_t us)
{
	int64_t ms = us < 0 ? -1 : (us + 999) / 1000;

	return ms < INT32_MAX ? ms : INT32_MAX;
}

static int epoll_wait_events(struct io_loop *loop, int64_t timeout_us)
{
	struct epoll_loop *epoll = epoll_of(loop);

	feed_starved(loop);
	if (!list_is_empty(&loop->tasks))
		timeout_us = 0;
	epoll->event_count = epoll_wait(epoll->fd, epoll->events, EVENTS_PER_WAIT,
					(int)round_up_to_ms(timeout_us));
	if (epoll->event_count >= 0)
		return 0;
	epoll->event_count = 0;
	return errno == EINTR ? 0 : -errno;
}

/* --- Streams ----------------------------------------------------- */

/* The edges that were there before the registration come as well. */
static int register_stream(struct io_stream *stream)
{
	int error;

	if (stream->flags & STREAM_REGISTERED)
		return 0;
	error = control(stream->loop, EPOLL_CTL_ADD, stream->fd,
			EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, stream, TAG_STREAM);
	if (!error)
		stream->flags |= STREAM_REGISTERED;
	return error;
}

static void end_later(struct io_stream *stream, int status)
{
	stream->flags |= STREAM_RECV_ENDED | STREAM_RECV_END_DUE;
	stream->status = (int16_t)status;
	io_stream_defer(stream);
}

/*
 * After a short read the socket is empty and the next edge will tell of more; a FIN or an error
 * that was there before the read has no further edge, hence STREAM_HANGUP.
 */
static void read_once(struct io_stream *stream)
{
	struct io_buf *buf;
	ssize_t len;

	if (unlikely(stream->flags & STREAM_SPLICED)) {
		if (io_pump_readable(stream->read_by) == -EAGAIN)
			stream->flags &= ~(STREAM_READABLE | STREAM_HANGUP);
		return;
	}
	buf = io_buf_take(io_stream_pool(stream));
	if (!buf) {
		list_push_back(&stream->loop->starved, &stream->node);
		return;
	}
	len = recv(stream->fd, buf->base, buf->cap, MSG_DONTWAIT);
	if (len > 0) {
		if ((size_t)len < buf->cap && !(stream->flags & STREAM_HANGUP))
			stream->flags &= ~STREAM_READABLE;
		buf->end = (uint32_t)len;
		io_stream_received(stream, buf);
		return;
	}
	io_buf_release(stream->loop, buf);
	if (len == 0)
		io_stream_recv_ended(stream, 0);
	else if (errno == EAGAIN)
		stream->flags &= ~(STREAM_READABLE | STREAM_HANGUP);
	else if (errno != EINTR)
		io_stream_recv_ended(stream, -errno);
}

static bool can_read(const struct io_stream *stream)
{
	return io_stream_may_recv(stream) && stream->flags & STREAM_READABLE &&
	       !list_is_linked(&stream->node);
}

static void read_in_turn(struct io_stream *stream)
{
	for (int i = 0; i < READS_PER_TURN && can_read(stream); i++)
		read_once(stream);
	if (can_read(stream))
		io_stream_defer(stream);
}

/* A user may be the caller: what can be read waits for the stream's task. */
static void epoll_stream_recv(struct io_stream *stream)
{
	int error;

	if (!io_stream_may_recv(stream))
		return;
	error = register_stream(stream);
	if (error)
		end_later(stream, error);
	else if (can_read(stream))
		io_stream_defer(stream);
}

static ssize_t send_some(struct io_stream *stream, uint32_t *ret_bytes)
{
	struct iovec vectors[IO_SEND_VECTORS];
	struct msghdr message = {.msg_iov = vectors};
	int flags = MSG_DONTWAIT | MSG_NOSIGNAL;

	message.msg_iovlen = io_stream_gather(stream, vectors, ret_bytes);
	flags |= io_stream_more(stream, *ret_bytes);
	if (message.msg_iovlen == 1)
		return send(stream->fd, vectors[0].iov_base, vectors[0].iov_len, flags);
	return sendmsg(stream->fd, &message, flags);
}

static void wait_for_room(struct io_stream *stream)
{
	int error = register_stream(stream);

	if (error)
		io_stream_send_failed(stream, error);
	else
		io_stream_block(stream);
}

static void epoll_stream_await_room(struct io_stream *stream)
{
	int error = register_stream(stream);

	if (error)
		io_stream_send_failed(stream, error);
	else
		stream->flags |= STREAM_AWAITS_ROOM;
}

/* A send that came up short found the buffer full, and the kernel has noted that we want to know.
 */
static void epoll_stream_send(struct io_stream *stream)
{
	while (stream->queued) {
		uint32_t offered;
		ssize_t sent;

		if (unlikely(io_record_is_next(stream)) && !io_record_send_due(stream))
			return;
		sent = send_some(stream, &offered);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno != EAGAIN) {
			io_stream_send_failed(stream, -errno);
			return;
		}
		if (sent > 0)
			io_stream_took(stream, (size_t)sent);
		if (sent < (ssize_t)offered) {
			wait_for_room(stream);
			return;
		}
	}
}

static void epoll_stream_connect(struct io_stream *stream, const struct address *address)
{
	int status = 0;

	if (connect(stream->fd, &address->sa, address->len) < 0)
		status = -errno;
	if (status == -EINPROGRESS)
		status = register_stream(stream);
	else
		stream->flags |= STREAM_CONNECT_DUE;
	if (status < 0)
		stream->flags |= STREAM_CONNECT_DUE;
	stream->status = (int16_t)status;
	if (stream->flags & STREAM_CONNECT_DUE)
		io_stream_defer(stream);
}

/* Closing the descriptor, at the round's end, takes it out of the epoll set as well. */
static void epoll_stream_close(struct io_stream *stream)
{
	(void)stream;
}

static void finish_connect(struct io_stream *stream, uint32_t events)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) || stream->flags & STREAM_CONNECT_DUE)
		return;
	if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	io_stream_connected(stream, -error);
}

static void on_room(struct io_stream *stream)
{
	if (stream->flags & (STREAM_CLOSING | STREAM_CONNECTING))
		return;
	if (stream->flags & STREAM_BLOCKED) {
		stream->flags &= ~STREAM_BLOCKED;
		epoll_stream_send(stream);
	}
	if (stream->flags & STREAM_AWAITS_ROOM) {
		stream->flags &= ~STREAM_AWAITS_ROOM;
		io_stream_got_room(stream);
	}
}

static void on_stream_event(struct io_stream *stream, uint32_t events)
{
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		stream->flags |= STREAM_READABLE;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		stream->flags |= STREAM_HANGUP;
	if (stream->flags & STREAM_CONNECTING && !(stream->flags & STREAM_CLOSING))
		finish_connect(stream, events);
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		on_room(stream);
	read_in_turn(stream);
}

/* --- Listeners --------------------------------------------------- */

static void epoll_acceptor_update(struct io_acceptor *acceptor)
{
	bool is_armed = acceptor->flags & ACCEPTOR_ARMED;
	bool is_wanted = acceptor->flags & ACCEPTOR_WANTED;
	int error;

	if (is_armed == is_wanted)
		return;
	if (is_armed) {
		control(acceptor->loop, EPOLL_CTL_DEL, acceptor->fd, 0, NULL, 0);
		acceptor->flags &= (uint8_t)~ACCEPTOR_ARMED;
		return;
	}
	/* Exclusive: a listener shared by several loops wakes one of them. */
	error = control(acceptor->loop, EPOLL_CTL_ADD, acceptor->fd, EPOLLIN | EPOLLEXCLUSIVE,
			acceptor, TAG_ACCEPTOR);
	if (error)
		io_acceptor_retry_later(acceptor);
	else
		acceptor->flags |= ACCEPTOR_ARMED;
}

static void on_acceptor_event(struct io_acceptor *acceptor)
{
	for (int i = 0; i < ACCEPTS_PER_TURN && acceptor->flags & ACCEPTOR_WANTED; i++) {
		int fd = accept4(acceptor->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			io_acceptor_accepted(acceptor, fd);
			continue;
		}
		if (errno == EAGAIN)
			return;
		io_acceptor_failed(acceptor, -errno);
	}
}

/* --- Watches ----------------------------------------------------- */

static int epoll_watch_start(struct io_watch_state *state)
{
	uint32_t events = 0;

	if (state->events & IO_READABLE)
		events |= EPOLLIN;
	if (state->events & IO_WRITABLE)
		events |= EPOLLOUT;
	return control(state->loop, EPOLL_CTL_ADD, state->fd, events, state, TAG_WATCH);
}

static void epoll_watch_stop(struct io_watch_state *state)
{
	control(state->loop, EPOLL_CTL_DEL, state->fd, 0, NULL, 0);
	io_watch_state_free_later(state);
}

static void on_watch_event(struct io_watch_state *state, uint32_t events)
{
	uint32_t ready = 0;

	if (!state->watch)
		return;
	if (events & EPOLLIN)
		ready |= IO_READABLE;
	if (events & EPOLLOUT)
		ready |= IO_WRITABLE;
	if (events & (EPOLLERR | EPOLLHUP))
		ready |= IO_READABLE | IO_WRITABLE;
	state->watch->on_ready(state->watch, ready & state->events);
}

static void epoll_dispatch(struct io_loop *loop)
{
	struct epoll_loop *epoll = epoll_of(loop);

	for (int i = 0; i < epoll->event_count; i++) {
		uint64_t data = epoll->events[i].data.u64;
		void *object = (void *)(uintptr_t)(data & ~(uint64_t)TAG_MASK);

		switch (data & TAG_MASK) {
		case TAG_STREAM:
			on_stream_event(object, epoll->events[i].events);
			break;
		case TAG_ACCEPTOR:
			on_acceptor_event(object);
			break;
		case TAG_WATCH:
			on_watch_event(object, epoll->events[i].events);
			break;
		default: /* TAG_WAKE: being awake is all it is for */
			break;
		}
	}
}

const struct io_backend_ops io_epoll_backend = {
	.id = IO_BACKEND_EPOLL,
	.open = epoll_open,
	.close = epoll_close,
	.start = epoll_start,
	.wait = epoll_wait_events,
	.dispatch = epoll_dispatch,
	.stream_connect = epoll_stream_connect,
	.stream_recv = epoll_stream_recv,
	.stream_resume = read_in_turn,
	.stream_await_room = epoll_stream_await_room,
	.stream_send = epoll_stream_send,
	.stream_close = epoll_stream_close,
	.acceptor_update = epoll_acceptor_update,
	.watch_start = epoll_watch_start,
	.watch_stop = epoll_watch_stop,
};
