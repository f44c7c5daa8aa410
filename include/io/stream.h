/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_IO_STREAM_H
#define SLUICE_IO_STREAM_H

#include "core/address.h"
#include "io/buf.h"
#include "io/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A stream socket, TCP or unix.
 *
 *   OPEN ──close──► CLOSING ──last operation has ended──► on_closed (descriptor closed,
 *                                                                memory free)
 *
 * Receiving and sending are independent, so half-open connections are ordinary. An error on either
 * side does not close the stream: its owner does.
 */
struct io_stream;

struct io_stream_ops {
	/* The connection stands (0), or could not be made (-errno). */
	void (*on_connect)(struct io_stream *stream, int status);
	/*
	 * Bytes came: @buf is the owner's now, @status 0. At the end @buf is NULL: @status is 0 for
	 * the peer's FIN, -errno for an error (-ECONNRESET for RST); receiving has then stopped.
	 */
	void (*on_recv)(struct io_stream *stream, struct io_buf *buf, int status);
	/*
	 * The send queue has run empty (0), or sending failed (-errno; what was queued is released
	 * and later sends fail with the same error, without another callback).
	 */
	void (*on_sent)(struct io_stream *stream, int status);
	void (*on_closed)(struct io_stream *stream);
};

struct io_pump;
struct io_layer;

struct io_stream {
	struct io_loop *loop;
	const struct io_stream_ops *ops;
	int fd;
	uint32_t flags;           /* io/stream.c's */
	uint16_t pending;         /* operations that the kernel still holds */
	int16_t status;           /* 0 or -errno of the connect or of the end of receiving */
	int16_t send_error;       /* -errno that ended sending, or 0 */
	uint16_t send_slot;       /* io_uring's: where the submission of what is in flight stands */
	uint32_t queued;          /* bytes in the send queue, in flight included; as on the wire */
	uint32_t in_flight;       /* bytes that a pending send covers */
	uint64_t bytes_in;        /* received so far; with a layer, what it made of them */
	uint64_t bytes_out;       /* accepted by the kernel so far */
	uint64_t overhead;        /* of bytes_out and queued: what a layer has added */
	struct io_buf *send_head; /* waiting for the kernel */
	struct io_buf *send_tail;
	struct io_buf *unread;      /* waiting for on_recv */
	struct io_pump *read_by;    /* gets on_recv in the owner's place */
	struct io_pump *written_by; /* gets on_sent in the owner's place */
	struct io_layer *layer;     /* io/layer.h; NULL: bytes are on the wire as they are */
	struct list_node node;      /* while it waits for a receive buffer */
	struct io_task task;        /* what is due without an event of the kernel */
};

/* Takes ownership of @fd, a non-blocking socket. It must not be dup'ed beyond on_closed. */
void io_stream_init(struct io_stream *stream, struct io_loop *loop, int fd,
		    const struct io_stream_ops *ops);

/* Ends in on_connect. @address is copied. */
void io_stream_connect(struct io_stream *stream, const struct address *address);

/*
 * From now on bytes arrive in on_recv, until the end or io_stream_recv_stop(). Twice is harmless;
 * on a stream that has reached its end, the end is told once more.
 */
void io_stream_recv_start(struct io_stream *stream);

/*
 * Backpressure: asks the kernel for no more. What it had already handed over still arrives in
 * on_recv. The start that follows may come at once.
 */
void io_stream_recv_stop(struct io_stream *stream);

/* Whether bytes of the peer would arrive: they are asked for, and there is a buffer for them. */
bool io_stream_is_receiving(const struct io_stream *stream);

/* Whether they are asked for, and there is no buffer: the peer is not to blame for silence. */
bool io_stream_lacks_buffer(const struct io_stream *stream);

/* Bytes that were read from the socket by other means come back as if just received. */
void io_stream_unread(struct io_stream *stream, struct io_buf *buf);

/*
 * Queues @buf behind earlier ones. Takes ownership, also where the stream has failed. Before
 * on_connect it waits for the connection. Bytes that the socket has no room for move to the heap,
 * so that a slow peer does not hold receive buffers.
 */
void io_stream_send(struct io_stream *stream, struct io_buf *buf);

/* Whether the bytes go on the wire as they are, or as the kernel encrypts them. @left: of a file,
 * in bytes: a short one may not be worth it. */
bool io_stream_can_send_file(const struct io_stream *stream, uint64_t left);

/**
 * Sends up to @len bytes of the file @fd without a copy, on a connected stream that can, and whose
 * queue is empty. What is not in the kernel's cache is waited for. on_sent tells when more can be
 * sent, or that nothing can. sendfile(2) knows no MSG_NOSIGNAL: the process ignores SIGPIPE.
 * A layer may stop receiving with it, until io_stream_recv_start().
 * Return: bytes that the socket took; -EAGAIN: there was no room; another -errno; 0: the file ends
 * at @offset, and on_sent does not come; -EOPNOTSUPP: it cannot be sent so after all, and on_sent
 * does not come.
 */
ssize_t io_stream_send_file(struct io_stream *stream, int fd, uint64_t offset,
			    size_t len) WARN_UNUSED;

/* Sends FIN once the queue is empty; sending afterwards is a bug. */
void io_stream_shutdown(struct io_stream *stream);

enum io_close_how {
	IO_CLOSE_FIN,   /* what is queued in the kernel still goes out; what is queued here not */
	IO_CLOSE_RESET, /* the peer sees RST (SO_LINGER 0) */
};

/* Idempotent. */
void io_stream_close(struct io_stream *stream, enum io_close_how how);

bool io_stream_is_closing(const struct io_stream *stream);

#endif
