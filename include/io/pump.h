/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_IO_PUMP_H
#define SLUICE_IO_PUMP_H

#include "io/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Moves bytes from one stream to another, one direction, with backpressure. Received buffers are
 * handed to the sender without a copy. Eight reads in a row that fill their buffers make it a long
 * transfer, which goes on with buffers of 256 KiB (a pool of 8 MiB a loop) until 64 reads in a row
 * would have fitted into small ones. After 4 MiB in reads of at least 128 KiB the bytes go by
 * splice(2) through a pipe of up to 1 MiB, which then bounds what waits in place of @limit, until
 * 16 moves in a row were small. A loop has at most 32 pipes; without one, large reads go on. A
 * @limit below 256 KiB keeps to small buffers. docs/benchmarks.md has the measurements.
 *
 * splice(2) knows no MSG_NOSIGNAL: the process ignores SIGPIPE.
 *
 * While a pump runs, on_recv of @from and on_sent of @to are the pump's; the streams' other
 * callbacks stay their owner's. Both directions of a connection are two pumps over the same
 * streams.
 */
struct io_pump;
struct io_pipe;

enum io_pump_end {
	/* The source's FIN came and every byte before it was handed on. The sink is to be shut down
	 * or closed at once: the kernel may hold its last bytes back so that the FIN rides on them.
	 */
	IO_PUMP_EOF,
	IO_PUMP_RECV_ERROR, /* the source failed; what came before was handed on if it could be */
	IO_PUMP_SEND_ERROR, /* the sink failed */
};

struct io_pump {
	struct io_stream *from, *to;
	uint32_t limit;            /* bytes that may wait for the sink; then reading stops */
	uint64_t bytes;            /* taken by the kernel on the sink's side */
	uint64_t last_activity_ms; /* loop time of the last byte in or out */
	uint64_t first_byte_us;    /* loop time of the first byte received; 0: none yet */
	/*
	 * Called once, last; the pump is idle then and no stream was closed or shut down.
	 * @error: -errno for the two errors, else 0.
	 */
	void (*on_end)(struct io_pump *pump, enum io_pump_end end, int error);
	/* In the round in which the first bytes have come, if the end has not come with them. NULL
	 * if nobody wants to know. */
	void (*on_first)(struct io_pump *pump);
	/* The source is at rest: io_pump_rest(). NULL if that is never asked for. */
	void (*on_rest)(struct io_pump *pump);
	/* What came is being kept: io_pump_hold(). NULL if that is never asked for. */
	void (*on_held)(struct io_pump *pump);
	uint64_t bytes_before; /* io/pump.c's: what @to had taken, or would, at the start */
	uint32_t flags;        /* io/pump.c's */
	uint32_t streak;       /* io/pump.c's: reads in a row that ask for a change */
	uint32_t bulk;         /* io/pump.c's: bytes in long reads so far */
	struct io_pipe *pipe;  /* io/splice.c's: while it splices */
};

/* @from, @to, @limit and @on_end are set, the rest is zero. */
void io_pump_start(struct io_pump *pump);

/*
 * For whoever wants to take the connection elsewhere: asks for no more bytes, and calls on_rest
 * once the kernel holds no operation of the source any more. Until then bytes and the end still
 * come, as ever. Ended by io_pump_resume(), which is to be called in any case, or by
 * io_pump_cancel().
 */
void io_pump_rest(struct io_pump *pump);
void io_pump_resume(struct io_pump *pump);

/*
 * For whoever may have the bytes moved by others: goes on reading (at rest it begins again), but
 * keeps what comes and calls on_held. io_pump_resume() hands it on, from the loop, and ends the
 * hold; so does another hold, for what it does not keep. Both may be called in on_held. A FIN that
 * was kept is not remembered but read anew: bytes may have come to stand before it.
 */
enum io_pump_hold {
	IO_PUMP_HOLD_END, /* a FIN alone */
	IO_PUMP_HOLD_ALL, /* bytes and errors too */
};

void io_pump_hold(struct io_pump *pump, enum io_pump_hold what);

/* Whether it moves its bytes by splice(2) now. */
bool io_pump_is_spliced(const struct io_pump *pump);

/* Whether every byte that was received is the kernel's again, and nothing is under way. */
bool io_pump_is_empty(const struct io_pump *pump);

/* Stops at once, without on_end; what was read but not sent is dropped. Close the streams after. */
void io_pump_cancel(struct io_pump *pump);

#endif
