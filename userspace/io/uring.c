// SPDX-License-Identifier: Apache-2.0
/*
 * The io_uring back end: the ring, the receive buffers that the kernel picks from, and the round.
 * All submissions of a round go to the kernel with the wait that follows, in one system call.
 */
#include "io/uring_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SUBMISSION_ENTRIES 256
#define COMPLETION_ENTRIES 4096
/* Few, so that the same memory is used over and over and stays in the cache; grows on demand. */
#define FIRST_DEPTH 64
/* Without a lack of buffers for so long, half as many will do. */
#define FLATTEN_MS 200
#define PAGE_SIZE  4096

/* --- Submissions ------------------------------------------------- */

/* Without memory here an operation would be lost and its owner would wait for ever. */
static struct io_uring_sqe *park(struct uring_loop *uring, struct uring_scratch **ret_scratch)
{
	struct uring_parked *parked = calloc(1, sizeof(*parked));

	if (!parked)
		abort();
	*uring->parked_tail = parked;
	uring->parked_tail = &parked->next;
	if (ret_scratch)
		*ret_scratch = &parked->scratch;
	return &parked->sqe;
}

static struct io_uring_sqe *next_free_submission(struct uring_loop *uring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

	if (likely(sqe) || !uring->loop.is_started)
		return sqe;
	io_uring_submit(&uring->ring);
	return io_uring_get_sqe(&uring->ring);
}

struct io_uring_sqe *uring_submission(struct uring_loop *uring, struct uring_scratch **ret_scratch)
{
	struct io_uring_sqe *sqe = NULL;

	/* Behind what is parked: a cancellation must not overtake what it cancels. */
	if (likely(!uring->parked))
		sqe = next_free_submission(uring);
	if (unlikely(!sqe))
		return park(uring, ret_scratch);
	if (ret_scratch)
		*ret_scratch = &uring->scratch[sqe - uring->ring.sq.sqes];
	return sqe;
}

uint16_t uring_slot(const struct uring_loop *uring, const struct io_uring_sqe *sqe)
{
	return uring->parked ? 0 : (uint16_t)(sqe - uring->ring.sq.sqes);
}

void uring_cancel(struct uring_loop *uring, uint64_t user_data)
{
	struct io_uring_sqe *sqe = uring_submission(uring, NULL);

	io_uring_prep_cancel64(sqe, user_data, 0);
	io_uring_sqe_set_data64(sqe, URING_IGNORED);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

/* Submitted one by one, because each points into its own parked memory. */
static void submit_parked(struct uring_loop *uring)
{
	while (uring->parked) {
		struct uring_parked *parked = uring->parked;
		struct io_uring_sqe *sqe = next_free_submission(uring);

		if (!sqe)
			return;
		*sqe = parked->sqe;
		io_uring_submit(&uring->ring);
		if (io_uring_sq_ready(&uring->ring))
			return;
		uring->parked = parked->next;
		free(parked);
	}
	uring->parked_tail = &uring->parked;
}

static void wait_for_wake_up(struct uring_loop *uring)
{
	struct io_uring_sqe *sqe = uring_submission(uring, NULL);

	/* Multishot polls tell of each write, so that the counter need not be read. */
	io_uring_prep_poll_multishot(sqe, uring->loop.wake_fd, POLLIN);
	io_uring_sqe_set_data64(sqe, URING_WAKE);
}

/* --- Receive buffers --------------------------------------------- */

static uint32_t round_up_to_power_of_two(uint32_t n)
{
	return n <= 1 ? 1 : UINT32_C(1) << (32 - __builtin_clz(n - 1));
}

/* A quarter of a small pool, so that the rest is there for what waits to be sent. */
static uint32_t first_depth(uint32_t count)
{
	uint32_t depth = count / 4 < FIRST_DEPTH ? count / 4 : FIRST_DEPTH;

	return depth ? depth : 1;
}

static int buffers_init(struct uring_loop *uring, unsigned group)
{
	struct uring_buffers *buffers = &uring->buffers[group];
	struct io_uring_buf_reg registration = {.bgid = (uint16_t)group};
	size_t size;
	int error;

	buffers->pool = &uring->loop.pools[group];
	buffers->entries = round_up_to_power_of_two(buffers->pool->count);
	buffers->depth = first_depth(buffers->pool->count);
	size = buffers->entries * sizeof(struct io_uring_buf);
	size = (size + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
	buffers->ring = aligned_alloc(PAGE_SIZE, size);
	if (!buffers->ring)
		return -ENOMEM;
	memset(buffers->ring, 0, size);
	registration.ring_addr = (uintptr_t)buffers->ring;
	registration.ring_entries = buffers->entries;
	error = io_uring_register_buf_ring(&uring->ring, &registration, 0);
	if (!error)
		return 0;
	free(buffers->ring);
	buffers->ring = NULL;
	return error;
}

static void give_buffers(struct uring_buffers *buffers)
{
	int mask = io_uring_buf_ring_mask(buffers->entries);
	int added = 0;

	while (buffers->given < buffers->depth) {
		struct io_buf *buf = io_buf_take(buffers->pool);

		if (!buf)
			break;
		io_uring_buf_ring_add(buffers->ring, buf->base, buf->cap, (uint16_t)buf->id, mask,
				      added++);
		buffers->given++;
	}
	if (added)
		io_uring_buf_ring_advance(buffers->ring, added);
}

void uring_deepen_buffers(struct uring_loop *uring, struct uring_buffers *buffers)
{
	uint32_t depth = buffers->depth * 2;

	buffers->judged_ms = io_loop_now_ms(&uring->loop);
	if (buffers->pool->free)
		buffers->depth = depth < buffers->pool->count ? depth : buffers->pool->count;
}

/* What a burst has made deep would be out of the cache for ever after. */
static void flatten_buffers(struct uring_loop *uring, struct uring_buffers *buffers)
{
	uint32_t least = first_depth(buffers->pool->count);

	if (likely(buffers->depth == least) ||
	    io_loop_now_ms(&uring->loop) - buffers->judged_ms < FLATTEN_MS)
		return;
	buffers->judged_ms = io_loop_now_ms(&uring->loop);
	buffers->depth = buffers->depth / 2 > least ? buffers->depth / 2 : least;
}

/* At most as many as there are buffers: the others would only fail again. */
static void feed_starved(struct uring_loop *uring)
{
	uint32_t left[IO_POOLS];

	for (unsigned group = 0; group < IO_POOLS; group++)
		left[group] = uring->buffers[group].given;
	list_for_each_safe (node, &uring->loop.starved) {
		struct io_stream *stream = list_entry(node, struct io_stream, node);
		unsigned group = stream->flags & STREAM_LARGE ? IO_POOL_LARGE : IO_POOL_SMALL;

		if (left[group] == 0)
			continue;
		left[group]--;
		list_remove(node);
		uring_stream_recv(stream);
	}
}

/* --- Life -------------------------------------------------------- */

/* DEFER_TASKRUN (6.1) runs the kernel's half in our wait alone; before, it must at least not
 * interrupt. SINGLE_ISSUER (6.0) also tells that there is multishot receive. */
static int ring_init(struct io_uring *ring)
{
	static const unsigned modes[] = {
		IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_COOP_TASKRUN,
	};
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct io_uring_params params = {
			.flags = modes[i] | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_R_DISABLED |
				 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE |
				 IORING_SETUP_TASKRUN_FLAG,
			.cq_entries = COMPLETION_ENTRIES,
		};

		error = io_uring_queue_init_params(SUBMISSION_ENTRIES, ring, &params);
		if (error != -EINVAL)
			return error;
	}
	return -ENOSYS;
}

static void free_buffers(struct uring_loop *uring)
{
	for (unsigned group = 0; group < IO_POOLS; group++)
		free(uring->buffers[group].ring);
}

static int uring_open(const struct io_options *options, struct io_loop **ret)
{
	struct uring_loop *uring = aligned_alloc(_Alignof(struct uring_loop), sizeof(*uring));
	int error = -ENOMEM;

	if (!uring)
		return error;
	memset(uring, 0, sizeof(*uring));
	uring->parked_tail = &uring->parked;
	uring->scratch = calloc(SUBMISSION_ENTRIES, sizeof(*uring->scratch));
	if (!uring->scratch)
		goto free_loop;
	error = ring_init(&uring->ring);
	if (error)
		goto free_scratch;
	error = io_loop_init(&uring->loop, &io_uring_backend, options);
	if (error)
		goto exit_ring;
	for (unsigned group = 0; group < IO_POOLS && !error; group++)
		error = buffers_init(uring, group);
	if (error)
		goto free_buffers;
	wait_for_wake_up(uring);
	*ret = &uring->loop;
	return 0;

free_buffers:
	io_uring_queue_exit(&uring->ring);
	free_buffers(uring);
	io_loop_done(&uring->loop);
	goto free_scratch;
exit_ring:
	io_uring_queue_exit(&uring->ring);
free_scratch:
	free(uring->scratch);
free_loop:
	free(uring);
	return error;
}

static void uring_close(struct io_loop *loop)
{
	struct uring_loop *uring = uring_of(loop);

	io_uring_queue_exit(&uring->ring);
	while (uring->parked) {
		struct uring_parked *next = uring->parked->next;

		free(uring->parked);
		uring->parked = next;
	}
	free_buffers(uring);
	io_loop_done(loop);
	free(uring->scratch);
	free(uring);
}

/*
 * liburing 2.3 declares io_uring_enable_rings() without exporting it. Registering the descriptor
 * saves a look-up at each call; it works without, too.
 */
static int uring_start(struct io_loop *loop)
{
	struct uring_loop *uring = uring_of(loop);

	if (syscall(SYS_io_uring_register, uring->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL,
		    0) < 0)
		return -errno;
	(void)io_uring_register_ring_fd(&uring->ring);
	return 0;
}

/* --- Rounds ------------------------------------------------------ */

/* Out of memory, or no room for completions: those that are there come first, then we try again. */
static bool is_passing(int error)
{
	return error == -ETIME || error == -EINTR || error == -EAGAIN || error == -EBUSY;
}

static int uring_wait(struct io_loop *loop, int64_t timeout_us)
{
	struct uring_loop *uring = uring_of(loop);
	struct __kernel_timespec timeout = {
		.tv_sec = timeout_us / 1000000,
		.tv_nsec = timeout_us % 1000000 * 1000,
	};
	struct io_uring_cqe *cqe;
	int result;

	for (unsigned group = 0; group < IO_POOLS; group++) {
		flatten_buffers(uring, &uring->buffers[group]);
		give_buffers(&uring->buffers[group]);
	}
	if (unlikely(!list_is_empty(&loop->starved)))
		feed_starved(uring);
	if (unlikely(uring->parked))
		submit_parked(uring);
	if (timeout_us == 0)
		result = io_uring_submit_and_get_events(&uring->ring);
	else
		result = io_uring_submit_and_wait_timeout(&uring->ring, &cqe, 1,
							  timeout_us < 0 ? NULL : &timeout, NULL);
	return result < 0 && !is_passing(result) ? result : 0;
}

/* What could not be handed over now is tried again by the wait. */
static void uring_submit(struct io_loop *loop)
{
	struct uring_loop *uring = uring_of(loop);

	if (unlikely(uring->parked))
		submit_parked(uring);
	(void)io_uring_submit(&uring->ring);
}

/* The kernel sets the flag where it has something to do in our next wait. */
static bool uring_has_news(struct io_loop *loop)
{
	struct io_uring *ring = &uring_of(loop)->ring;

	return io_uring_cq_ready(ring) > 0 ||
	       (__atomic_load_n(ring->sq.kflags, __ATOMIC_RELAXED) & IORING_SQ_TASKRUN);
}

static void complete(struct uring_loop *uring, const struct io_uring_cqe *cqe)
{
	void *object = (void *)(uintptr_t)(cqe->user_data & ~(uint64_t)URING_TAG_MASK);

	switch ((enum uring_tag)(cqe->user_data & URING_TAG_MASK)) {
	case URING_RECV:
		uring_on_recv(uring, object, cqe);
		break;
	case URING_SEND:
		uring_on_send(object, cqe->res);
		break;
	case URING_ROOM:
		uring_on_room(object);
		break;
	case URING_CONNECT:
		uring_on_connect(object, cqe->res);
		break;
	case URING_ACCEPT:
		uring_on_accept(object, cqe);
		break;
	case URING_WATCH:
		uring_on_watch(object, cqe->res);
		break;
	case URING_WAKE:
		if (!(cqe->flags & IORING_CQE_F_MORE))
			wait_for_wake_up(uring);
		break;
	default: /* URING_IGNORED: a cancellation that came too late */
		break;
	}
}

static void uring_dispatch(struct io_loop *loop)
{
	struct uring_loop *uring = uring_of(loop);
	struct io_uring_cqe *cqe;
	unsigned head, count = 0;

	io_uring_for_each_cqe(&uring->ring, head, cqe)
	{
		complete(uring, cqe);
		count++;
	}
	io_uring_cq_advance(&uring->ring, count);
}

const struct io_backend_ops io_uring_backend = {
	.id = IO_BACKEND_URING,
	.open = uring_open,
	.close = uring_close,
	.start = uring_start,
	.wait = uring_wait,
	.submit = uring_submit,
	.has_news = uring_has_news,
	.dispatch = uring_dispatch,
	.stream_connect = uring_stream_connect,
	.stream_recv = uring_stream_recv,
	.stream_resume = uring_stream_recv,
	.stream_await_room = uring_stream_await_room,
	.stream_send = uring_stream_send,
	.stream_cork = uring_stream_cork,
	.stream_close = uring_stream_close,
	.acceptor_update = uring_acceptor_update,
	.watch_start = uring_watch_start,
	.watch_stop = uring_watch_stop,
};
