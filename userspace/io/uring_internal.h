/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_IO_URING_INTERNAL_H
#define SLUICE_IO_URING_INTERNAL_H

#include "io/io_internal.h"

#include <liburing.h>
#include <sys/uio.h>

/* uring.c has the ring, its buffers and its rounds; uring_ops.c the operations and their ends. */

/* What a completion belongs to: the low bits of its user_data. */
enum uring_tag {
	URING_RECV,
	URING_SEND,
	URING_CONNECT,
	URING_ACCEPT,
	URING_WATCH,
	URING_WAKE,
	URING_ROOM,
	URING_IGNORED,
	URING_TAG_MASK = 7,
};

/* What a submission points to; the kernel copies it when it takes the submission. */
struct uring_scratch {
	struct address address;
	struct msghdr message;
	struct iovec vectors[IO_SEND_VECTORS];
};

/* A submission that found the queue full, while the ring is not started or the kernel is busy. */
struct uring_parked {
	struct uring_parked *next;
	struct io_uring_sqe sqe;
	struct uring_scratch scratch;
};

/* What the kernel picks receive buffers from: a ring a pool, its group is the pool's number. */
struct uring_buffers {
	struct io_buf_pool *pool;
	struct io_uring_buf_ring *ring;
	uint32_t entries;   /* size of the ring */
	uint32_t depth;     /* how many the kernel is given at once */
	uint32_t given;     /* how many it has */
	uint64_t judged_ms; /* when @depth was last changed, or too little */
};

struct uring_loop {
	struct io_loop loop;
	struct io_uring ring;
	struct uring_scratch *scratch; /* one for each entry of the submission queue */
	struct uring_parked *parked;
	struct uring_parked **parked_tail;
	struct uring_buffers buffers[IO_POOLS];
};

static inline struct uring_loop *uring_of(struct io_loop *loop)
{
	return container_of(loop, struct uring_loop, loop);
}

static inline uint64_t uring_user_data(const void *object, enum uring_tag tag)
{
	return (uintptr_t)object | tag;
}

/* Never fails. @ret_scratch is the submission's own until the kernel has taken it; may be NULL. */
struct io_uring_sqe *uring_submission(struct uring_loop *uring, struct uring_scratch **ret_scratch);
/* Its place in the queue of submissions, round after round; 0 for one that is parked. */
uint16_t uring_slot(const struct uring_loop *uring, const struct io_uring_sqe *sqe);
void uring_cancel(struct uring_loop *uring, uint64_t user_data);

/* The ring ran empty; perhaps the pool has more. */
void uring_deepen_buffers(struct uring_loop *uring, struct uring_buffers *buffers);

/* The vtable's, in uring_ops.c. */
void uring_stream_connect(struct io_stream *stream, const struct address *address);
void uring_stream_recv(struct io_stream *stream);
void uring_stream_await_room(struct io_stream *stream);
void uring_stream_send(struct io_stream *stream);
void uring_stream_cork(struct io_stream *stream);
void uring_stream_close(struct io_stream *stream);
void uring_acceptor_update(struct io_acceptor *acceptor);
int uring_watch_start(struct io_watch_state *state);
void uring_watch_stop(struct io_watch_state *state);

/* Ends of operations. */
void uring_on_recv(struct uring_loop *uring, struct io_stream *stream,
		   const struct io_uring_cqe *cqe);
void uring_on_send(struct io_stream *stream, int result);
void uring_on_room(struct io_stream *stream);
void uring_on_connect(struct io_stream *stream, int result);
void uring_on_accept(struct io_acceptor *acceptor, const struct io_uring_cqe *cqe);
void uring_on_watch(struct io_watch_state *state, int result);

#endif
