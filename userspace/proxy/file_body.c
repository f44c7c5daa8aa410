// SPDX-License-Identifier: Apache-2.0
/*
 * Sends a file: what the kernel has in its cache by sendfile(2), as the client's socket has room,
 * unless the bytes are to be encrypted and not by the kernel; else through buffers, as much as the
 * client's queue may hold, then more when that is empty.
 */
#include "proxy/file_body.h"

#include "proxy/http_client.h"
#include "proxy/session.h"
#include "proxy/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

/* Read at once; half of it in flight keeps a fast client busy. */
#define PIECE ((size_t)128 * 1024)
/* Sent at once by sendfile(2), and no less than that: a copy costs less than looking. */
#define SENT_AT_ONCE   ((size_t)512 * 1024)
#define SENDFILE_LEAST ((size_t)64 * 1024)

/* A piece that comes from the disk; outlives the body that wants it. */
struct file_read {
	struct io_job job;
	struct worker *worker;
	struct file_body *body; /* NULL: nobody waits any more */
	struct file_entry *entry;
	struct io_buf *buf;
	uint64_t offset;
	ssize_t len; /* read; or -errno */
};

/* Return: bytes; -EAGAIN: they would have to be waited for; -errno. Not every file system can tell
 * (EOPNOTSUPP). */
/* NOLINTNEXTLINE(readability-non-const-parameter): the kernel writes there. */
static ssize_t read_cached(int fd, char *buf, size_t len, uint64_t offset)
{
	const struct iovec vec = {.iov_base = buf, .iov_len = len};
	ssize_t got = preadv2(fd, &vec, 1, (off_t)offset, RWF_NOWAIT);

	if (got >= 0)
		return got;
	return errno == EOPNOTSUPP || errno == EINTR ? -EAGAIN : -errno;
}

bool file_read_now(int fd, char *buf, size_t len, uint64_t offset)
{
	return read_cached(fd, buf, len, offset) == (ssize_t)len;
}

static size_t piece_of(const struct file_body *body)
{
	uint64_t left = body->end - body->offset;

	return left < PIECE ? (size_t)left : PIECE;
}

/* Less than there was: the file has been cut, and its length was told already. */
static void cut_short(struct file_body *body)
{
	exchange_abort(body->exchange, EXCHANGE_END_ANSWER_CUT,
		       "the file could not be read to its end");
}

/* @len bytes are the client's stream's. Return: false: they were the last. */
static bool count(struct file_body *body, ssize_t len)
{
	struct exchange *exchange = body->exchange;

	body->offset += (uint64_t)len;
	exchange->down.payload += (uint64_t)len;
	http_client_allow(exchange->client, exchange_listener(exchange)->http.body_timeout_ms);
	if (body->offset < body->end)
		return true;
	exchange_finish(exchange, EXCHANGE_END_DONE, !exchange->is_last);
	return false;
}

/* Takes @buf. Return: false: the exchange is over. */
static bool pass(struct file_body *body, struct io_buf *buf, ssize_t len)
{
	struct io_stream *client = exchange_client(body->exchange);

	if (len <= 0) {
		io_buf_release(client->loop, buf);
		cut_short(body);
		return false;
	}
	buf->end = (uint32_t)len;
	io_stream_send(client, buf);
	return count(body, len);
}

static void go_on(struct file_body *body);

static void on_run(struct io_job *job)
{
	struct file_read *read = container_of(job, struct file_read, job);

	do
		read->len = pread(read->entry->file.fd, read->buf->base, read->buf->cap,
				  (off_t)read->offset);
	while (read->len < 0 && errno == EINTR);
}

static void on_read(struct io_job *job)
{
	struct file_read *read = container_of(job, struct file_read, job);
	struct file_body *body = read->body;
	struct io_buf *buf = read->buf;
	ssize_t len = read->len;

	file_entry_unref(read->entry);
	if (!body)
		io_buf_release(read->worker->loop, buf);
	free(read);
	if (!body)
		return;
	body->read = NULL;
	body->source.awaits_disk = false;
	if (pass(body, buf, len))
		go_on(body);
}

/* Takes @buf. */
static void read_on_thread(struct file_body *body, struct io_buf *buf)
{
	struct worker *worker = exchange_worker(body->exchange);
	struct file_read *read = calloc(1, sizeof(*read));

	if (read) {
		*read = (struct file_read){
			.job = {.run = on_run, .on_done = on_read},
			.worker = worker,
			.body = body,
			.entry = file_entry_ref(body->entry),
			.buf = buf,
			.offset = body->offset,
		};
		body->read = read;
		body->source.awaits_disk = true;
		if (io_offload_submit(worker->shared->offload, worker->loop, &read->job) == 0)
			return;
		body->read = NULL;
		file_entry_unref(body->entry);
		free(read);
	}
	io_buf_release(worker->loop, buf);
	cut_short(body);
}

/* Return: whether to go on. */
static bool copy(struct file_body *body)
{
	struct io_stream *client = exchange_client(body->exchange);
	size_t piece = piece_of(body);
	struct io_buf *buf = io_buf_new(client->loop, (uint32_t)piece);
	ssize_t len;

	if (!buf) {
		exchange_abort(body->exchange, EXCHANGE_END_NO_MEMORY, NULL);
		return false;
	}
	len = read_cached(body->entry->file.fd, buf->base, piece, body->offset);
	if (len != -EAGAIN)
		return pass(body, buf, len);
	read_on_thread(body, buf);
	return false;
}

static bool has_byte(int fd, uint64_t offset)
{
	char byte;

	return read_cached(fd, &byte, 1, offset) == 1;
}

/* Of a piece whose ends the kernel has, what is between was read along with them. */
static bool is_cached(const struct file_body *body, size_t len)
{
	int fd = body->entry->file.fd;

	return has_byte(fd, body->offset) && has_byte(fd, body->offset + len - 1);
}

/* Return: whether to go on; otherwise on_room comes, or it is over. */
static bool send_cached(struct file_body *body, size_t len)
{
	ssize_t sent = io_stream_send_file(exchange_client(body->exchange), body->entry->file.fd,
					   body->offset, len);

	if (sent == -EOPNOTSUPP)
		return copy(body);
	if (sent == 0)
		cut_short(body);
	else if (sent > 0)
		(void)count(body, sent);
	return false;
}

/* Return: whether to go on; otherwise on_room comes, or it is over. */
static bool send_more(struct file_body *body)
{
	struct io_stream *client = exchange_client(body->exchange);
	uint64_t left = body->end - body->offset;
	size_t len = left < SENT_AT_ONCE ? (size_t)left : SENT_AT_ONCE;

	if (len < SENDFILE_LEAST || !io_stream_can_send_file(client, left))
		return copy(body);
	if (client->queued)
		return false; /* what is before it goes first */
	return is_cached(body, len) ? send_cached(body, len) : copy(body);
}

static void go_on(struct file_body *body)
{
	struct io_stream *client = exchange_client(body->exchange);
	uint32_t limit = exchange_buffer_limit(body->exchange);
	bool is_going = true;

	while (is_going && !body->read && client->queued < limit)
		is_going = send_more(body);
}

static void on_room(struct exchange_source *source)
{
	go_on(container_of(source, struct file_body, source));
}

static void on_end(struct exchange_source *source)
{
	struct file_body *body = container_of(source, struct file_body, source);

	if (body->read)
		body->read->body = NULL;
	body->read = NULL;
	file_entry_unref(body->entry);
}

void file_body_start(struct file_body *body, struct exchange *exchange, struct file_entry *entry,
		     uint64_t first, uint64_t length)
{
	*body = (struct file_body){
		.source = {.on_room = on_room, .on_end = on_end},
		.exchange = exchange,
		.entry = entry,
		.offset = first,
		.end = first + length,
	};
	exchange->source = &body->source;
	go_on(body);
}
