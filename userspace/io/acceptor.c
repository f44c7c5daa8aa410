// SPDX-License-Identifier: Apache-2.0
/* Listening sockets: pausing, by the owner or for want of descriptors, and going on again. */
#include "io/acceptor.h"

#include "io/io_internal.h"

#include <errno.h>
#include <unistd.h>

static void update(struct io_acceptor *acceptor)
{
	const uint8_t hindrances = ACCEPTOR_PAUSED | ACCEPTOR_EXHAUSTED | ACCEPTOR_CLOSING;

	if (acceptor->flags & hindrances)
		acceptor->flags &= (uint8_t)~ACCEPTOR_WANTED;
	else
		acceptor->flags |= ACCEPTOR_WANTED;
	acceptor->loop->backend->acceptor_update(acceptor);
}

static void resume_after_exhaustion(struct io_timer *timer)
{
	struct io_acceptor *acceptor = container_of(timer, struct io_acceptor, resume);

	acceptor->flags &= (uint8_t)~ACCEPTOR_EXHAUSTED;
	update(acceptor);
}

static void tell_closed(struct io_task *task)
{
	struct io_acceptor *acceptor = container_of(task, struct io_acceptor, closed);

	if (!acceptor->pending)
		acceptor->ops->on_closed(acceptor);
}

void io_acceptor_start(struct io_acceptor *acceptor, struct io_loop *loop, int fd,
		       const struct io_acceptor_ops *ops)
{
	*acceptor = (struct io_acceptor){.loop = loop, .ops = ops, .fd = fd};
	acceptor->resume.on_expire = resume_after_exhaustion;
	acceptor->closed.on_run = tell_closed;
	update(acceptor);
}

void io_acceptor_pause(struct io_acceptor *acceptor)
{
	acceptor->flags |= ACCEPTOR_PAUSED;
	update(acceptor);
}

void io_acceptor_resume(struct io_acceptor *acceptor)
{
	acceptor->flags &= (uint8_t)~ACCEPTOR_PAUSED;
	update(acceptor);
}

void io_acceptor_set_one_by_one(struct io_acceptor *acceptor, bool is_one_by_one)
{
	if (is_one_by_one)
		acceptor->flags |= ACCEPTOR_ONE_BY_ONE;
	else
		acceptor->flags &= (uint8_t)~ACCEPTOR_ONE_BY_ONE;
	acceptor->loop->backend->acceptor_update(acceptor);
}

void io_acceptor_close(struct io_acceptor *acceptor)
{
	if (acceptor->flags & ACCEPTOR_CLOSING)
		return;
	acceptor->flags |= ACCEPTOR_CLOSING;
	io_timer_stop(acceptor->loop, &acceptor->resume);
	update(acceptor);
	io_loop_defer(acceptor->loop, &acceptor->closed);
}

void io_acceptor_accepted(struct io_acceptor *acceptor, int fd)
{
	acceptor->ops->on_accept(acceptor, fd);
}

/* Errors of the connection that was about to be accepted, not of the listener (accept(2)). */
static bool is_about_one_connection(int error)
{
	switch (error) {
	case -ECONNABORTED:
	case -EINTR:
	case -EAGAIN:
	case -EPROTO:
	case -EPERM:
	case -ENETDOWN:
	case -ENETUNREACH:
	case -EHOSTDOWN:
	case -EHOSTUNREACH:
	case -ENOPROTOOPT:
	case -ENONET:
		return true;
	default:
		return false;
	}
}

void io_acceptor_retry_later(struct io_acceptor *acceptor)
{
	acceptor->flags |= ACCEPTOR_EXHAUSTED;
	io_timer_start(acceptor->loop, &acceptor->resume, IO_ACCEPT_PAUSE_MS);
	update(acceptor);
}

void io_acceptor_failed(struct io_acceptor *acceptor, int error)
{
	if (is_about_one_connection(error) || acceptor->flags & ACCEPTOR_CLOSING)
		return;
	io_acceptor_retry_later(acceptor);
	acceptor->ops->on_exhausted(acceptor, error);
}

void io_acceptor_idle(struct io_acceptor *acceptor)
{
	if (acceptor->flags & ACCEPTOR_CLOSING)
		io_loop_defer(acceptor->loop, &acceptor->closed);
}
