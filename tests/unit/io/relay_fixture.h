/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TESTS_UNIT_IO_RELAY_FIXTURE_H
#define SLUICE_TESTS_UNIT_IO_RELAY_FIXTURE_H

/* Two streams with a pump each way between them, and a recorder at either end. */
#include "core/rng.h"
#include "io/io_internal.h"
#include "unit/io/io_fixture.h"

#define MEGABYTE ((size_t)1 << 20)
#define LIMIT    262144

/*
 *   left (recorder) ── a ══ pumps ══ b ── right (recorder)
 */
struct relay {
	struct recorder left, right;
	struct io_stream a, b;
	struct io_pump forth, back;
	struct fixture *fixture;
	int forth_ends, back_ends;
	enum io_pump_end forth_end, back_end;
	int forth_error, back_error;
};

static int closed_streams;

static inline void count_closed(struct io_stream *stream)
{
	closed_streams++;
	io_loop_stop(stream->loop);
}

/* What comes while no pump runs. */
static inline void drop(struct io_stream *stream, struct io_buf *buf, int status)
{
	(void)status;
	io_buf_release(stream->loop, buf);
}

static const struct io_stream_ops relay_ops = {.on_recv = drop, .on_closed = count_closed};

static inline void on_forth_end(struct io_pump *pump, enum io_pump_end end, int error)
{
	struct relay *relay = container_of(pump, struct relay, forth);

	relay->forth_ends++;
	relay->forth_end = end;
	relay->forth_error = error;
	if (end == IO_PUMP_EOF)
		io_stream_shutdown(pump->to);
	io_loop_stop(relay->fixture->loop);
}

static inline void on_back_end(struct io_pump *pump, enum io_pump_end end, int error)
{
	struct relay *relay = container_of(pump, struct relay, back);

	relay->back_ends++;
	relay->back_end = end;
	relay->back_error = error;
	if (end == IO_PUMP_EOF)
		io_stream_shutdown(pump->to);
	io_loop_stop(relay->fixture->loop);
}

static inline void relay_open(struct relay *relay, struct fixture *fixture, bool is_small)
{
	int l[2], r[2];

	*relay = (struct relay){.fixture = fixture};
	if (is_small) {
		small_pair(l);
		small_pair(r);
	} else {
		tcp_pair(l);
		tcp_pair(r);
	}
	recorder_init(&relay->left, fixture, l[0]);
	recorder_init(&relay->right, fixture, r[1]);
	io_stream_init(&relay->a, fixture->loop, l[1], &relay_ops);
	io_stream_init(&relay->b, fixture->loop, r[0], &relay_ops);
	relay->forth = (struct io_pump){
		.from = &relay->a, .to = &relay->b, .limit = LIMIT, .on_end = on_forth_end};
	relay->back = (struct io_pump){
		.from = &relay->b, .to = &relay->a, .limit = LIMIT, .on_end = on_back_end};
	io_pump_start(&relay->forth);
	io_pump_start(&relay->back);
}

static inline void relay_close(struct relay *relay)
{
	io_pump_cancel(&relay->forth);
	io_pump_cancel(&relay->back);
	io_pump_cancel(&relay->back);
	closed_streams = 0;
	io_stream_close(&relay->a, IO_CLOSE_FIN);
	io_stream_close(&relay->b, IO_CLOSE_FIN);
	run_until(relay->fixture, closed_streams == 2);
	recorder_done(&relay->left, relay->fixture);
	recorder_done(&relay->right, relay->fixture);
}

static inline void send_pattern(struct recorder *recorder, size_t *sent, size_t total,
				struct rng *rng)
{
	while (*sent < total && recorder->stream.queued < 100000) {
		char bytes[1 << 15];
		size_t len = 1 + rng_below(rng, 1u << rng_below(rng, 15));

		len = len < total - *sent ? len : total - *sent;
		for (size_t i = 0; i < len; i++)
			bytes[i] = (char)pattern_at(*sent + i);
		recorder_send(recorder, bytes, len);
		*sent += len;
		if (*sent == total)
			io_stream_shutdown(&recorder->stream);
	}
}

#endif
