// SPDX-License-Identifier: Apache-2.0
/*
 * Operations on io_uring: how each is submitted, and what its completions mean. Every operation of
 * an object counts in its @pending until its last completion, because the kernel points to the
 * object.
 */
#include "io/uring_internal.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>

/* --- Receiving --------------------------------------------------- */

#define RECV_KINDS (STREAM_LARGE_ARMED | STREAM_POLL_ARMED)

static uint32_t wanted_kind(const struct io_stream *stream)
{
	if (unlikely(stream->flags & STREAM_SPLICED))
		return STREAM_POLL_ARMED;
	return stream->flags & STREAM_LARGE ? STREAM_LARGE_ARMED : 0;
}

static void arm_recv(struct io_stream *stream)
{
	struct io_uring_sqe *sqe = uring_submission(uring_of(stream->loop), NULL);
	uint32_t kind = wanted_kind(stream);

	if (unlikely(kind == STREAM_POLL_ARMED)) {
		io_uring_prep_poll_add(sqe, stream->fd, POLLIN);
	} else {
		io_uring_prep_recv_multishot(sqe, stream->fd, NULL, 0, 0);
		sqe->flags |= IOSQE_BUFFER_SELECT;
		sqe->buf_group = kind ? IO_POOL_LARGE : IO_POOL_SMALL;
	}
	io_uring_sqe_set_data64(sqe, uring_user_data(stream, URING_RECV));
	stream->flags |= STREAM_RECV_ARMED | kind;
	stream->pending++;
}

static void cancel_recv(struct io_stream *stream)
{
	uring_cancel(uring_of(stream->loop), uring_user_data(stream, URING_RECV));
	stream->flags |= STREAM_RECV_CANCELLING;
}

#define RECV_STATES (STREAM_RECV_ARMED | STREAM_RECV_CANCELLING | RECV_KINDS)

/* While a cancellation is under way, its end decides anew. */
void uring_stream_recv(struct io_stream *stream)
{
	bool is_other_kind = (stream->flags & RECV_KINDS) != wanted_kind(stream);
	bool is_armed = stream->flags & STREAM_RECV_ARMED;
	bool is_wanted = io_stream_may_recv(stream) && !list_is_linked(&stream->node) &&
			 !(is_armed && is_other_kind);

	if (is_wanted && !is_armed)
		arm_recv(stream);
	else if (!is_wanted && is_armed && !(stream->flags & STREAM_RECV_CANCELLING))
		cancel_recv(stream);
}

static void on_recv_failure(struct uring_buffers *buffers, struct io_stream *stream, int error)
{
	switch (error) {
	case -ENOBUFS:
		uring_deepen_buffers(uring_of(stream->loop), buffers);
		if (io_stream_may_recv(stream) && !list_is_linked(&stream->node))
			list_push_back(&stream->loop->starved, &stream->node);
		break;
	case -ECANCELED:
	case -EAGAIN:
	case -EINTR:
		break;
	default:
		io_stream_recv_ended(stream, error);
		break;
	}
}

static struct uring_buffers *buffers_of(struct uring_loop *uring, const struct io_stream *stream)
{
	return &uring->buffers[stream->flags & STREAM_LARGE_ARMED ? IO_POOL_LARGE : IO_POOL_SMALL];
}

/* One shot: armed again, it tells at once if there is more. */
static void on_readable(struct io_stream *stream, int result)
{
	stream->flags &= ~RECV_STATES;
	stream->pending--;
	if (result > 0 && stream->flags & STREAM_SPLICED && io_stream_may_recv(stream))
		io_pump_readable(stream->read_by);
	uring_stream_recv(stream);
	io_stream_operation_ended(stream);
}

void uring_on_recv(struct uring_loop *uring, struct io_stream *stream,
		   const struct io_uring_cqe *cqe)
{
	struct uring_buffers *buffers = buffers_of(uring, stream);
	struct io_buf *buf = NULL;
	bool is_last = !(cqe->flags & IORING_CQE_F_MORE);

	if (unlikely(stream->flags & STREAM_POLL_ARMED)) {
		on_readable(stream, cqe->res);
		return;
	}
	if (is_last) {
		stream->flags &= ~RECV_STATES;
		stream->pending--;
	}
	if (cqe->flags & IORING_CQE_F_BUFFER) {
		buf = &buffers->pool->bufs[cqe->flags >> IORING_CQE_BUFFER_SHIFT];
		buffers->given--;
	}
	if (likely(cqe->res > 0 && buf)) {
		buf->end = (uint32_t)cqe->res;
		io_stream_received(stream, buf);
	} else {
		io_buf_release(&uring->loop, buf);
		if (cqe->res == 0)
			io_stream_recv_ended(stream, 0);
		else
			on_recv_failure(buffers, stream, cqe->res);
	}
	if (!is_last)
		return;
	uring_stream_recv(stream);
	io_stream_operation_ended(stream);
}

/* --- Sending ----------------------------------------------------- */

/*
 * The first try does not wait, so that a receive buffer is back within the round. What finds no
 * room is on the heap when it is sent again, and then the kernel waits for room. Not until all of
 * it is taken (MSG_WAITALL): of a send that stops in the middle the kernel tells the bytes and
 * keeps the error, and the next one cannot tell a reset from a FIN.
 */
static void send_bytes(struct io_stream *stream)
{
	int flags = MSG_NOSIGNAL | (stream->flags & STREAM_BLOCKED ? 0 : MSG_DONTWAIT);
	struct io_buf *head = stream->send_head;
	struct uring_loop *uring = uring_of(stream->loop);
	struct uring_scratch *scratch;
	struct io_uring_sqe *sqe = uring_submission(uring, &scratch);

	if (!head->next) {
		stream->in_flight = head->end - head->start;
		io_uring_prep_send(sqe, stream->fd, head->base + head->start, stream->in_flight,
				   flags);
	} else {
		scratch->message = (struct msghdr){.msg_iov = scratch->vectors};
		scratch->message.msg_iovlen = io_stream_gather(stream, scratch->vectors,
							       &stream->in_flight);
		io_uring_prep_sendmsg(sqe, stream->fd, &scratch->message, (unsigned)flags);
	}
	sqe->msg_flags |= (uint32_t)io_stream_more(stream, stream->in_flight);
	io_uring_sqe_set_data64(sqe, uring_user_data(stream, URING_SEND));
	stream->send_slot = uring_slot(uring, sqe);
	stream->pending++;
}

void uring_stream_send(struct io_stream *stream)
{
	if (likely(!io_record_is_next(stream)) || io_record_send_due(stream))
		send_bytes(stream);
}

/* Too late if the kernel has taken the submission: then the slot is another's, or read already. */
void uring_stream_cork(struct io_stream *stream)
{
	struct uring_loop *uring = uring_of(stream->loop);
	struct io_uring_sqe *sqe = &uring->ring.sq.sqes[stream->send_slot];

	if (sqe->user_data == uring_user_data(stream, URING_SEND))
		sqe->msg_flags |= MSG_MORE;
}

/* On non-blocking unix sockets a send that should wait may come back with -EAGAIN all the same. */
void uring_stream_await_room(struct io_stream *stream)
{
	struct io_uring_sqe *sqe;

	if (stream->flags & STREAM_AWAITS_ROOM)
		return;
	sqe = uring_submission(uring_of(stream->loop), NULL);
	io_uring_prep_poll_add(sqe, stream->fd, POLLOUT);
	io_uring_sqe_set_data64(sqe, uring_user_data(stream, URING_ROOM));
	stream->flags |= STREAM_AWAITS_ROOM;
	stream->pending++;
}

void uring_on_send(struct io_stream *stream, int result)
{
	uint32_t offered = stream->in_flight;
	bool has_waited = stream->flags & STREAM_BLOCKED;

	stream->in_flight = 0;
	stream->pending--;
	if (unlikely(stream->send_error))
		io_stream_drop_queue(stream);
	else if (result > 0)
		io_stream_took(stream, (size_t)result);
	io_stream_operation_ended(stream);
	if (unlikely(stream->flags & STREAM_CLOSING || stream->send_error))
		return;
	if (result < 0 && result != -EAGAIN && result != -EINTR) {
		io_stream_send_failed(stream, result);
		return;
	}
	stream->flags &= ~STREAM_BLOCKED;
	if (!stream->queued)
		return;
	if (result < (int)offered)
		io_stream_block(stream);
	if (result == -EAGAIN && has_waited)
		uring_stream_await_room(stream);
	else
		uring_stream_send(stream);
}

void uring_on_room(struct io_stream *stream)
{
	stream->flags &= ~STREAM_AWAITS_ROOM;
	stream->pending--;
	if (!(stream->flags & STREAM_CLOSING)) {
		if (stream->queued && !stream->in_flight)
			uring_stream_send(stream);
		else
			io_stream_got_room(stream);
	}
	io_stream_operation_ended(stream);
}

/* --- Connecting and closing -------------------------------------- */

void uring_stream_connect(struct io_stream *stream, const struct address *address)
{
	struct uring_scratch *scratch;
	struct io_uring_sqe *sqe = uring_submission(uring_of(stream->loop), &scratch);

	scratch->address = *address;
	io_uring_prep_connect(sqe, stream->fd, &scratch->address.sa, address->len);
	io_uring_sqe_set_data64(sqe, uring_user_data(stream, URING_CONNECT));
	stream->pending++;
}

void uring_on_connect(struct io_stream *stream, int result)
{
	stream->pending--;
	io_stream_connected(stream, result);
	io_stream_operation_ended(stream);
}

void uring_stream_close(struct io_stream *stream)
{
	struct uring_loop *uring = uring_of(stream->loop);

	uring_stream_recv(stream);
	if (stream->in_flight)
		uring_cancel(uring, uring_user_data(stream, URING_SEND));
	if (stream->flags & STREAM_AWAITS_ROOM)
		uring_cancel(uring, uring_user_data(stream, URING_ROOM));
	if (stream->flags & STREAM_CONNECTING)
		uring_cancel(uring, uring_user_data(stream, URING_CONNECT));
}

/* --- Accepting --------------------------------------------------- */

static void arm_accept(struct io_acceptor *acceptor)
{
	const int flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
	struct io_uring_sqe *sqe = uring_submission(uring_of(acceptor->loop), NULL);

	if (acceptor->flags & ACCEPTOR_ONE_BY_ONE) {
		io_uring_prep_accept(sqe, acceptor->fd, NULL, NULL, flags);
	} else {
		io_uring_prep_multishot_accept(sqe, acceptor->fd, NULL, NULL, flags);
		acceptor->flags |= ACCEPTOR_MULTISHOT;
	}
	io_uring_sqe_set_data64(sqe, uring_user_data(acceptor, URING_ACCEPT));
	acceptor->flags |= ACCEPTOR_ARMED;
	acceptor->pending++;
}

void uring_acceptor_update(struct io_acceptor *acceptor)
{
	const uint8_t states = ACCEPTOR_ARMED | ACCEPTOR_CANCELLING;
	bool is_wanted = acceptor->flags & ACCEPTOR_WANTED;
	bool is_too_eager = (acceptor->flags & ACCEPTOR_ONE_BY_ONE) &&
			    (acceptor->flags & ACCEPTOR_MULTISHOT);

	if (is_wanted && !(acceptor->flags & ACCEPTOR_ARMED)) {
		arm_accept(acceptor);
	} else if ((!is_wanted || is_too_eager) && (acceptor->flags & states) == ACCEPTOR_ARMED) {
		uring_cancel(uring_of(acceptor->loop), uring_user_data(acceptor, URING_ACCEPT));
		acceptor->flags |= ACCEPTOR_CANCELLING;
	}
}

void uring_on_accept(struct io_acceptor *acceptor, const struct io_uring_cqe *cqe)
{
	bool is_last = !(cqe->flags & IORING_CQE_F_MORE);

	if (is_last) {
		acceptor->flags &= (uint8_t) ~(ACCEPTOR_ARMED | ACCEPTOR_CANCELLING |
					       ACCEPTOR_MULTISHOT);
		acceptor->pending--;
	}
	if (cqe->res >= 0)
		io_acceptor_accepted(acceptor, cqe->res);
	else if (cqe->res != -ECANCELED)
		io_acceptor_failed(acceptor, cqe->res);
	if (!is_last)
		return;
	uring_acceptor_update(acceptor);
	if (!acceptor->pending)
		io_acceptor_idle(acceptor);
}

/* --- Watches ----------------------------------------------------- */

/* One shot and armed again after the callback: that is what level-triggered means here. */
static void arm_watch(struct io_watch_state *state)
{
	struct io_uring_sqe *sqe = uring_submission(uring_of(state->loop), NULL);
	unsigned events = 0;

	if (state->events & IO_READABLE)
		events |= POLLIN;
	if (state->events & IO_WRITABLE)
		events |= POLLOUT;
	io_uring_prep_poll_add(sqe, state->fd, events);
	io_uring_sqe_set_data64(sqe, uring_user_data(state, URING_WATCH));
	state->is_armed = true;
}

/* io_uring takes files for always ready; epoll refuses them, and so do we. */
int uring_watch_start(struct io_watch_state *state)
{
	struct stat status;

	if (fstat(state->fd, &status) < 0)
		return -errno;
	if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))
		return -EPERM;
	arm_watch(state);
	return 0;
}

void uring_watch_stop(struct io_watch_state *state)
{
	if (state->is_armed)
		uring_cancel(uring_of(state->loop), uring_user_data(state, URING_WATCH));
	else
		io_watch_state_free_later(state);
}

static uint32_t ready_from_poll(int result)
{
	uint32_t ready = 0;

	if (result < 0 || result & (POLLERR | POLLHUP | POLLNVAL))
		return IO_READABLE | IO_WRITABLE;
	if (result & POLLIN)
		ready |= IO_READABLE;
	if (result & POLLOUT)
		ready |= IO_WRITABLE;
	return ready;
}

void uring_on_watch(struct io_watch_state *state, int result)
{
	struct io_watch *watch = state->watch;

	state->is_armed = false;
	if (!watch) {
		io_watch_state_free_later(state);
		return;
	}
	watch->on_ready(watch, ready_from_poll(result) & state->events);
	/* Unless it was stopped in there. */
	if (state->watch == watch)
		arm_watch(state);
}
