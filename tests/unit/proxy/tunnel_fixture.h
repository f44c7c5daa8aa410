/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TESTS_UNIT_PROXY_TUNNEL_FIXTURE_H
#define SLUICE_TESTS_UNIT_PROXY_TUNNEL_FIXTURE_H

/* A tunnel between two recorders, and the owner that closes it. */
#include "proxy/tunnel.h"
#include "unit/io/io_fixture.h"

/*
 *   client (recorder) ── near ══ tunnel ══ far ── backend (recorder)
 */
struct owner {
	struct tunnel tunnel;
	struct io_stream near, far;
	struct recorder client, backend;
	int closes, ends;
	enum connection_end end;
	enum io_close_how client_how, backend_how;
};

static const struct config config = {.limits.relay_buffer_bytes = 262144};
static struct listener_counters counters;

static inline void on_closed(struct owner *owner)
{
	owner->closes++;
	io_loop_stop(owner->tunnel.client->loop);
}

static inline void on_near_sent(struct io_stream *stream, int status)
{
	(void)status;
	tunnel_on_sent(&container_of(stream, struct owner, near)->tunnel);
}

static inline void on_far_sent(struct io_stream *stream, int status)
{
	(void)status;
	tunnel_on_sent(&container_of(stream, struct owner, far)->tunnel);
}

static inline void on_near_closed(struct io_stream *stream)
{
	on_closed(container_of(stream, struct owner, near));
}

static inline void on_far_closed(struct io_stream *stream)
{
	on_closed(container_of(stream, struct owner, far));
}

static const struct io_stream_ops near_ops = {.on_sent = on_near_sent, .on_closed = on_near_closed};
static const struct io_stream_ops far_ops = {.on_sent = on_far_sent, .on_closed = on_far_closed};

static inline void on_end(struct tunnel *tunnel, enum connection_end end, enum io_close_how client,
			  enum io_close_how backend)
{
	struct owner *owner = container_of(tunnel, struct owner, tunnel);

	owner->ends++;
	owner->end = end;
	owner->client_how = client;
	owner->backend_how = backend;
	io_stream_close(tunnel->client, client);
	io_stream_close(tunnel->backend, backend);
}

static inline void open_owner(struct owner *owner, struct fixture *fixture)
{
	int client[2], backend[2];

	*owner = (struct owner){};
	tcp_pair(client);
	tcp_pair(backend);
	recorder_init(&owner->client, fixture, client[0]);
	recorder_init(&owner->backend, fixture, backend[1]);
	io_stream_init(&owner->near, fixture->loop, client[1], &near_ops);
	io_stream_init(&owner->far, fixture->loop, backend[0], &far_ops);
	owner->tunnel = (struct tunnel){
		.client = &owner->near,
		.backend = &owner->far,
		.config = &config,
		.counters = &counters,
		.on_end = on_end,
	};
	io_stream_recv_start(&owner->client.stream);
	io_stream_recv_start(&owner->backend.stream);
}

static inline void close_owner(struct owner *owner, struct fixture *fixture)
{
	run_until(fixture, owner->closes == 2);
	recorder_done(&owner->client, fixture);
	recorder_done(&owner->backend, fixture);
}

static inline struct io_buf *buf_of(struct io_loop *loop, const char *text)
{
	struct io_buf *buf = io_buf_new(loop, (uint32_t)strlen(text));

	assert_non_null(buf);
	memcpy(buf->base, text, strlen(text));
	buf->end = (uint32_t)strlen(text);
	return buf;
}

static inline bool has(const struct recorder *recorder, const char *text)
{
	return recorder->len == strlen(text) && !memcmp(recorder->bytes, text, strlen(text));
}

#endif
