/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_IO_INTERNAL_H
#define SLUICE_IO_INTERNAL_H

#include "io/acceptor.h"
#include "io/buf.h"
#include "io/layer.h"
#include "io/loop.h"
#include "io/pump.h"
#include "io/splice.h"
#include "io/stream.h"
#include "io/timer_wheel.h"
#include "io/watch.h"

#include <netinet/in.h>
#include <stdatomic.h>

/*
 * What the back ends (uring.c, epoll.c) and the neutral half (loop.c, stream.c, ...) know of each
 * other. The neutral half owns queues, life cycles and callbacks; a back end moves bytes and tells.
 */

struct io_watch_state {
	struct io_watch *watch; /* NULL: stopped, waits for its memory to be let go */
	struct io_loop *loop;
	int fd;
	uint32_t events;
	bool is_armed;
	struct io_task freed;
	struct list_node node; /* in the loop's list of all */
};

struct io_backend_ops {
	enum io_backend id;

	int (*open)(const struct io_options *options, struct io_loop **ret);
	void (*close)(struct io_loop *loop);
	/* The loop's thread is known from here on. Return: 0; -errno. */
	int (*start)(struct io_loop *loop);
	/* Hands over what was started and waits; @timeout_us is -1 for ever. Return: 0; -errno. */
	int (*wait)(struct io_loop *loop, int64_t timeout_us);
	/* Hands over what was started, and does not wait; NULL: it has gone already. */
	void (*submit)(struct io_loop *loop);
	bool (*has_news)(struct io_loop *loop); /* NULL: it cannot know */
	/* Calls back for what wait() brought. */
	void (*dispatch)(struct io_loop *loop);

	void (*stream_connect)(struct io_stream *stream, const struct address *address);
	/* STREAM_RECV_WANTED or what hinders receiving has changed. */
	void (*stream_recv)(struct io_stream *stream);
	/* From the stream's task: goes on receiving, and may call back. */
	void (*stream_resume)(struct io_stream *stream);
	/* Sets STREAM_AWAITS_ROOM until the socket is writable: then io_stream_got_room(). */
	void (*stream_await_room)(struct io_stream *stream);
	/* The queue is not empty, and nothing is in flight. */
	void (*stream_send)(struct io_stream *stream);
	/* What is in flight is the last, and may wait for the FIN; NULL: it is on its way already.
	 */
	void (*stream_cork)(struct io_stream *stream);
	/* STREAM_CLOSING was set: cancel what is pending. */
	void (*stream_close)(struct io_stream *stream);

	/* ACCEPTOR_WANTED has changed. */
	void (*acceptor_update)(struct io_acceptor *acceptor);

	int (*watch_start)(struct io_watch_state *state);
	/* Frees @state as soon as nothing of the kernel's points to it. */
	void (*watch_stop)(struct io_watch_state *state);
};

extern const struct io_backend_ops io_uring_backend;
extern const struct io_backend_ops io_epoll_backend;

/* --- Receive buffers: one mapping, a stack of free ones so that warm memory is used first --- */

#define IO_BUF_FROM_HEAP UINT32_MAX

/* A loop has two pools: one for all traffic, and one of few large buffers for long transfers. */
enum {
	IO_POOL_SMALL,
	IO_POOL_LARGE,
	IO_POOLS,
};

/* The pool's number is in the high half of a buffer's id, the buffer's in the low half. */
#define IO_POOL_SHIFT 16

struct io_buf_pool {
	struct io_buf *bufs;
	struct io_buf *free;
	char *memory;
	size_t memory_size;
	uint32_t size; /* bytes of one */
	uint32_t count, free_count;
};

int io_buf_pools_init(struct io_buf_pool pools[IO_POOLS],
		      const struct io_options *options) WARN_UNUSED;
void io_buf_pools_done(struct io_buf_pool pools[IO_POOLS]);

/* So few are left that a slow peer must not keep any. */
static inline bool io_buf_pool_is_scarce(const struct io_buf_pool *pool)
{
	return pool->free_count <= pool->count / 4;
}

/* Return: an empty buffer; NULL if all are out. */
static inline struct io_buf *io_buf_take(struct io_buf_pool *pool)
{
	struct io_buf *buf = pool->free;

	if (unlikely(!buf))
		return NULL;
	pool->free = buf->next;
	pool->free_count--;
	buf->next = NULL;
	buf->start = buf->end = 0;
	return buf;
}

/* --- Loop -------------------------------------------------------- */

/* Embedded in the back end's own structure. */
struct io_loop {
	const struct io_backend_ops *backend;
	uint64_t now_us, delivered_us;
	struct io_buf_pool pools[IO_POOLS];
	struct io_pipe_pool pipes;
	struct list_node tasks, long_tasks;
	struct list_node starved; /* streams that wait for a receive buffer */
	struct list_node watches; /* all states, the stopped ones included */
	bool is_started;
	bool is_stopping;
	const char *fallback_reason;
	struct timer_wheel wheel;

	/* Written by other threads. */
	CACHE_ALIGNED _Atomic(struct io_message *) inbox;
	atomic_bool is_asleep; /* whoever clears it owes a wake-up */
	int wake_fd;
};

/* The neutral part of open() and close(). */
int io_loop_init(struct io_loop *loop, const struct io_backend_ops *backend,
		 const struct io_options *options) WARN_UNUSED;
void io_loop_done(struct io_loop *loop);

void io_timers_run(struct io_loop *loop);

/* --- Stream ------------------------------------------------------ */

#define STREAM_CONNECTING   (1u << 0)
#define STREAM_CONNECT_DUE  (1u << 1) /* on_connect with @status is to be called */
#define STREAM_RECV_WANTED  (1u << 2)
#define STREAM_RECV_ENDED   (1u << 3) /* nothing comes from the kernel any more: @status */
#define STREAM_RECV_END_DUE (1u << 4) /* on_recv with @status is to be called */
#define STREAM_SENT_DUE     (1u << 5) /* on_sent with @send_error is to be called */
#define STREAM_BLOCKED      (1u << 6) /* the socket has no room: the queue is on the heap */
#define STREAM_SHUT_WANTED  (1u << 7)
#define STREAM_SHUT_DONE    (1u << 8)
#define STREAM_CLOSING      (1u << 9)
#define STREAM_LARGE        (1u << 10) /* receive into the pool of large buffers */
#define STREAM_RECV_DROPPED (1u << 11) /* nobody reads any more: what still comes is let go */
#define STREAM_SPLICED      (1u << 12) /* io_pump_readable() in place of receiving */
#define STREAM_AWAITS_ROOM  (1u << 13) /* io_stream_got_room() is due */
#define STREAM_REST_DUE     (1u << 14) /* the pump wants to know when nothing is pending */
#define STREAM_LAST_QUEUED  (1u << 15) /* io_stream_expect_shutdown() */
#define STREAM_FIRST_DUE    (1u << 20) /* the pump wants to know that bytes have come */
#define STREAM_LAYER_DUE    (1u << 21) /* the layer is to be started */
#define STREAM_LAYER_ALONE  (1u << 22) /* the layer is not ready: nothing goes to the owner */
#define STREAM_LAYER_ENDED  (1u << 23) /* the layer has told the end of receiving */
/* io_uring's */
#define STREAM_RECV_ARMED      (1u << 16)
#define STREAM_RECV_CANCELLING (1u << 17)
#define STREAM_LARGE_ARMED     (1u << 18) /* what the kernel has picks large buffers */
#define STREAM_POLL_ARMED      (1u << 19) /* what the kernel has is a poll, not a receive */
/* epoll's */
#define STREAM_REGISTERED (1u << 24)
#define STREAM_READABLE   (1u << 25) /* since the last edge, recv() has not come up short */
#define STREAM_HANGUP     (1u << 26) /* read until the end: no further edge may come */

static inline struct io_buf_pool *io_stream_pool(const struct io_stream *stream)
{
	return &stream->loop->pools[stream->flags & STREAM_LARGE ? IO_POOL_LARGE : IO_POOL_SMALL];
}

/* Whether the kernel is to be asked for bytes. */
static inline bool io_stream_may_recv(const struct io_stream *stream)
{
	return (stream->flags & (STREAM_RECV_WANTED | STREAM_RECV_ENDED | STREAM_CONNECTING |
				 STREAM_CLOSING)) == STREAM_RECV_WANTED;
}

/* Nobody has asked for bytes: what a layer makes all the same has to wait. */
static inline bool io_stream_is_unheard(const struct io_stream *stream)
{
	return stream->layer &&
	       (stream->flags & (STREAM_RECV_WANTED | STREAM_LAYER_ALONE)) != STREAM_RECV_WANTED;
}

/* The wire's end is not the owner's before the layer says so. */
static inline bool io_stream_withholds_end(const struct io_stream *stream)
{
	return stream->layer &&
	       (io_stream_is_unheard(stream) || !(stream->flags & STREAM_LAYER_ENDED));
}

/* Which pool the stream receives into, from the next read on. */
void io_stream_use_large_buffers(struct io_stream *stream, bool is_large);

/* From the back ends' dispatch: these call back, after which the stream may be closing. */
void io_stream_connected(struct io_stream *stream, int status);
void io_stream_received(struct io_stream *stream, struct io_buf *buf);
void io_stream_recv_ended(struct io_stream *stream, int status);
/* What was just delivered is delivered again, before all else, once receiving is started anew. */
void io_stream_put_back(struct io_stream *stream, struct io_buf *buf);
/* A FIN that was just delivered is to be read again. */
void io_stream_forget_end(struct io_stream *stream);
/* As io_stream_recv_stop(), and what the kernel had already handed over is let go too. */
void io_stream_recv_drop(struct io_stream *stream);
/* The kernel took @count bytes off the queue. May be called anywhere: callbacks come later. */
void io_stream_took(struct io_stream *stream, size_t count);
void io_stream_send_failed(struct io_stream *stream, int error);
void io_stream_drop_queue(struct io_stream *stream); /* nothing of it is in flight */
/* on_sent is to be called at the round's end. */
void io_stream_tell_sent(struct io_stream *stream);
/* For who writes past the queue: io/splice.c, io/send_file.c. */
void io_stream_got_room(struct io_stream *stream);
/*
 * Nothing follows what is queued: the kernel may hold the end of it back until the shutdown or the
 * close, so that the FIN takes no segment of its own. Whoever hears that the queue is empty must
 * then shut the stream down or close it at once.
 */
void io_stream_expect_shutdown(struct io_stream *stream);
/* MSG_MORE if the FIN follows a send of @bytes, otherwise 0. */
int io_stream_more(const struct io_stream *stream, uint32_t bytes);
/* For the owner or the pump, behind what waits for them. */
void io_stream_deliver(struct io_stream *stream, struct io_buf *buf);
/* Something is to be looked at at the round's end. */
void io_stream_defer(struct io_stream *stream);
/* The pump that reads is told at the round's end. */
void io_stream_tell_first(struct io_stream *stream);
/* The reader is told when the kernel holds no operation of the stream any more. */
void io_stream_tell_rest(struct io_stream *stream);
/* A pending operation has ended. */
void io_stream_operation_ended(struct io_stream *stream);

/* The socket has no room: the queue gives receive buffers that are scarce back. */
void io_stream_block(struct io_stream *stream);

/* A blocked queue grows by heap buffers of at least this size, so that short messages share one. */
#define IO_BLOCKED_BUFFER_SIZE 4096

/* Puts @buf behind the queue, without sending. */
void io_stream_append(struct io_stream *stream, struct io_buf *buf);
/* And sends, unless something hinders that. */
void io_stream_enqueue(struct io_stream *stream, struct io_buf *buf);

#define IO_SEND_VECTORS 16
struct iovec;
/* Return: vectors filled from the head of the queue up to a record, at most IO_SEND_VECTORS. */
unsigned io_stream_gather(const struct io_stream *stream, struct iovec *ret, uint32_t *ret_bytes);

/* --- Layer: the stream's side of it ------------------------------ */

static inline bool io_layer_is_holding(const struct io_stream *stream)
{
	return stream->layer && stream->layer->is_holding;
}

void io_layer_start(struct io_stream *stream);
/* From the wire. */
void io_layer_received(struct io_stream *stream, struct io_buf *buf);
/* The stream is about to close in good order. */
void io_layer_say_goodbye(struct io_stream *stream);

/* --- Records that the kernel makes (record.c) -------------------- */

static inline bool io_record_is_next(const struct io_stream *stream)
{
	return stream->queued && stream->send_head->record;
}

/* Sends those at the head of the queue, which is for the back ends. Return: whether bytes follow,
 * to be sent in the ordinary way. */
bool io_record_send_due(struct io_stream *stream);
/* Whether a stream that closes in good order waits for its last one to go out. */
bool io_record_holds_close(struct io_stream *stream);

/* --- Pump: the stream's side of it ------------------------------- */

/* The source's wire brought @len bytes: chooses the buffers for what follows. */
void io_pump_judge_read(struct io_pump *pump, uint32_t len);
void io_pump_received(struct io_pump *pump, struct io_buf *buf, int status);
void io_pump_progress(struct io_pump *pump);
/* Whether the pump wants io_pump_sent() for an empty queue. */
bool io_pump_awaits_drain(const struct io_pump *pump);
void io_pump_sent(struct io_pump *pump, int status);
void io_pump_stream_closes(struct io_pump *pump);
/* With STREAM_SPLICED. Return: -EAGAIN: the source has no more now; 0: perhaps it has. */
int io_pump_readable(struct io_pump *pump);
void io_pump_writable(struct io_pump *pump);
/* The source has come to rest. */
void io_pump_rested(struct io_pump *pump);
/* STREAM_FIRST_DUE, at the round's end. */
void io_pump_began(struct io_pump *pump);

/* --- Pump: the splicing's side of it ----------------------------- */

/* No more from the source until io_pump_progress() finds that there is room. */
void io_pump_pause(struct io_pump *pump);
void io_pump_saw_bytes(struct io_pump *pump);

/* --- Acceptor ---------------------------------------------------- */

#define ACCEPTOR_WANTED    (1u << 0) /* neither paused nor out of descriptors */
#define ACCEPTOR_PAUSED    (1u << 1) /* by its owner */
#define ACCEPTOR_EXHAUSTED (1u << 2) /* its timer runs */
#define ACCEPTOR_CLOSING   (1u << 3)
/* the back ends' */
#define ACCEPTOR_ARMED      (1u << 4)
#define ACCEPTOR_CANCELLING (1u << 5)
#define ACCEPTOR_MULTISHOT  (1u << 6) /* what is armed */
/* Its owner's wish. */
#define ACCEPTOR_ONE_BY_ONE (1u << 7)

void io_acceptor_accepted(struct io_acceptor *acceptor, int fd);
/* accept() gave @error. Pauses unless it was the fault of one connection. */
void io_acceptor_failed(struct io_acceptor *acceptor, int error);
/* The same without telling the owner. */
void io_acceptor_retry_later(struct io_acceptor *acceptor);
/* Nothing is pending any more; on_closed comes at the round's end if the acceptor is closing. */
void io_acceptor_idle(struct io_acceptor *acceptor);

/* --- Watch ------------------------------------------------------- */

void io_watch_states_free(struct io_loop *loop);

/* @state is to be freed at the end of the round. */
void io_watch_state_free_later(struct io_watch_state *state);

#endif
