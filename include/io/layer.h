/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_IO_LAYER_H
#define SLUICE_IO_LAYER_H

#include "core/compiler.h"
#include "io/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a stream's bytes look like on the wire: TLS. A layer stands between the socket and whoever
 * reads and sends, be it the stream's owner or a pump; neither can tell that it is there.
 *
 *   wire ──► on_wire ──► io_layer_deliver ──► on_recv of the owner, or the pump
 *   wire ◄── io_layer_write ◄── on_send ◄── io_stream_send
 *
 *   ALONE ──io_layer_ready──► READY ──io_layer_end──► no more bytes for the owner
 *
 * While it is ALONE the stream is the layer's: its owner may close it and nothing else. Bytes for
 * which nobody has asked wait in the stream. Bytes with a layer never go by splice(2), and files by
 * sendfile(2) only where the kernel makes the layer's records.
 */
struct io_layer;

/*
 * Of a layer whose records the kernel can make (kernel TLS). From the first on_file on that returns
 * 0 what the layer sends is plain: io_layer_pass() and io_layer_write_record(), no
 * io_layer_write(). Received bytes stay the layer's.
 */
struct io_layer_kernel_ops {
	/* Whether a file of which @len bytes are left may go that way. */
	bool (*can_send_file)(const struct io_layer *layer, uint64_t len);
	/* One is about to, and the queue is empty. Return: 0; -errno: it cannot after all. */
	int (*on_file)(struct io_layer *layer);
	/* Whether a record may go out now; false: the layer will io_layer_flush() later on. A close
	 * in good order waits for it. */
	bool (*may_send_record)(struct io_layer *layer, uint8_t type);
	/* The kernel has taken a record, and nothing behind it. Return: 0; -errno: sending fails.
	 */
	int (*on_record)(struct io_layer *layer, uint8_t type);
	/* The owner asks for bytes again, and the layer is_holding some. */
	void (*on_heard)(struct io_layer *layer);
};

struct io_layer_ops {
	/* From the stream's task, first of all. */
	void (*on_start)(struct io_layer *layer);
	/* Received: @buf is the layer's now. */
	void (*on_wire)(struct io_layer *layer, struct io_buf *buf);
	/* The peer's FIN (0) or an error (-errno); io_layer_end() follows from it, soon. */
	void (*on_wire_end)(struct io_layer *layer, int status);
	/* To be sent: @buf is the layer's now. */
	void (*on_send)(struct io_layer *layer, struct io_buf *buf);
	/* The owner sends no more. FIN follows what is written here. */
	void (*on_shutdown)(struct io_layer *layer);
	/* The socket is closed: the layer's memory may go. Last. */
	void (*on_close)(struct io_layer *layer);
	const struct io_layer_kernel_ops *kernel; /* NULL: it makes its records itself */
};

struct io_layer {
	const struct io_layer_ops *ops;
	struct io_stream *stream;
	bool is_holding; /* bytes of the wire until the owner asks for some: on_heard */
};

/*
 * @stream: connected, nobody receives from it. What was given back to it by io_stream_unread(), and
 *          has not been read again, is the layer's; what is given back later is the owner's.
 * @layer:  its ops are set. It lives until its on_close.
 */
void io_layer_attach(struct io_stream *stream, struct io_layer *layer);

/* --- For the layer; the stream may be closing after each of them -------------------- */

/* The stream is its owner's from here on; they hear of it from the layer. */
void io_layer_ready(struct io_layer *layer);

/* Bytes for the owner. Takes ownership. */
void io_layer_deliver(struct io_layer *layer, struct io_buf *buf);

/*
 * Behind what was delivered the owner is told the end of receiving: 0, or -errno; -ECONNABORTED is
 * for a FIN in the middle of something, where bytes may be missing. The first call counts.
 */
void io_layer_end(struct io_layer *layer, int status);

/* Copies bytes to the end of the send queue. Return: 0; -ENOMEM. */
int io_layer_write(struct io_layer *layer, const void *bytes, size_t len) WARN_UNUSED;

/* Puts the owner's bytes at the end of the send queue as they are. Takes ownership. */
void io_layer_pass(struct io_layer *layer, struct io_buf *buf);

/* Copies what becomes a record of @type, a TLS ContentType, to the end of the send queue. Return:
 * 0; -ENOMEM. */
int io_layer_write_record(struct io_layer *layer, uint8_t type, const void *bytes,
			  size_t len) WARN_UNUSED;

/* Whether the owner, or its pump, asks for bytes. */
bool io_layer_is_heard(const struct io_layer *layer);

/* Sends what was written. */
void io_layer_flush(struct io_layer *layer);

/* The owner's bytes cannot be sent: on_sent will say so. */
void io_layer_fail(struct io_layer *layer, int error);

#endif
