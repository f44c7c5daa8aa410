// SPDX-License-Identifier: Apache-2.0
/*
 * What a client may do once the handshake is done, and before: records in order, records with bytes
 * changed, anything else. Whatever comes, what is delivered is what was written, in order and from
 * the beginning, and the end is told once at most.
 *
 * Input: one byte whether there is a handshake, then pieces: a byte for the kind, one for the
 * length, the bytes.
 */
#include "tls/session.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>

#include "unit/tls/pki.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define ROUNDS 6

enum kind { KIND_RECORD, KIND_CHANGED, KIND_RAW, KIND_KEY_UPDATE, KIND_END, KINDS };

static struct {
	struct io_loop *loop;
	struct tls_server_context *context;
	struct tls_pacer *pacer;
	SSL_CTX *client;
	struct io_task task;
	int rounds;
} world;

static struct {
	struct io_stream stream;
	char sent[1 << 16];
	size_t nsent, nread;
	int readies, ends, closes;
	bool is_changed; /* from here on nothing more is to come */
	size_t limit;
} run;

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void on_recv(struct io_stream *stream, struct io_buf *buf, int status)
{
	check(run.closes == 0 && run.ends == 0);
	if (!buf) {
		check(status <= 0);
		run.ends++;
		return;
	}
	check(run.nread + (buf->end - buf->start) <= run.limit);
	check(memcmp(run.sent + run.nread, buf->base + buf->start, buf->end - buf->start) == 0);
	run.nread += buf->end - buf->start;
	io_buf_release(stream->loop, buf);
}

static void on_sent(struct io_stream *stream, int status)
{
	(void)stream;
	(void)status;
}

static void on_closed(struct io_stream *stream)
{
	(void)stream;
	run.closes++;
}

static const struct io_stream_ops stream_ops = {
	.on_recv = on_recv, .on_sent = on_sent, .on_closed = on_closed};

static void on_ready(struct io_stream *stream, const struct tls_result *result)
{
	check(++run.readies == 1);
	if (result->failure)
		io_stream_close(stream, IO_CLOSE_FIN);
	else
		io_stream_recv_start(stream);
}

static void on_round(struct io_task *task)
{
	if (--world.rounds > 0)
		io_loop_defer(world.loop, task);
	else
		io_loop_stop(world.loop);
}

/* Without sleeping: tasks that wait keep the loop from it. */
static void run_rounds(void)
{
	world.rounds = ROUNDS * 4; /* a round runs tasks four times at most */
	io_loop_defer(world.loop, &world.task);
	check(io_loop_run(world.loop) == 0);
}

static struct tls_server_context *make_context(struct pki *pki, struct tls_ticket_keys *keys)
{
	static struct config_certificate certificate;
	static struct config_tls config;
	struct strbuf errors = {};
	struct tls_server_context *context;

	certificate = pki_certificate(pki, "a.test");
	config = (struct config_tls){
		.certificates = &certificate, .ncertificates = 1, .max_version = CONFIG_TLS_1_3};
	check(tls_server_context_new(&config, "web", "fuzz.yaml", keys, &context, &errors) == 0);
	strbuf_done(&errors);
	return context;
}

static void make_world(void)
{
	const struct io_options options = {.backend = IO_BACKEND_EPOLL, .buffer_count = 64};
	struct pki pki;

	signal(SIGPIPE, SIG_IGN);
	pki_init(&pki);
	pki_issue(&pki, "a.test", "DNS:a.test");
	check(io_loop_new(&options, &world.loop) == 0);
	world.context = make_context(&pki, tls_ticket_keys_new());
	world.pacer = tls_pacer_new(world.loop, 4);
	world.client = SSL_CTX_new(TLS_client_method());
	world.task.on_run = on_round;
	pki_done(&pki);
}

/* Everything that the client wants to say; @change: flips a bit of it. */
static void say(SSL *client, int fd, bool change, uint8_t where)
{
	BIO *out = SSL_get_wbio(client);
	char *bytes;
	size_t len = (size_t)BIO_get_mem_data(out, &bytes);

	run.is_changed |= change && len > 0;
	if (change && len > 0)
		bytes[where * len / 256] ^= (char)(1 << (where & 7));
	if (len > 0)
		(void)!send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	BIO_reset(out);
}

static void hear(SSL *client, int fd)
{
	char bytes[16384];
	ssize_t len;

	while ((len = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		BIO_write(SSL_get_rbio(client), bytes, (int)len);
}

static void shake_hands(SSL *client, int fd)
{
	for (int i = 0; i < 6 && !run.readies; i++) {
		SSL_do_handshake(client);
		say(client, fd, false, 0);
		run_rounds();
		hear(client, fd);
	}
	check(run.readies == 1 && SSL_is_init_finished(client));
}

static void write_record(SSL *client, const uint8_t *bytes, size_t len)
{
	if (len == 0 || run.nsent + len > sizeof(run.sent))
		return;
	check(SSL_write(client, bytes, (int)len) == (int)len);
	memcpy(run.sent + run.nsent, bytes, len);
	run.nsent += len;
	if (!run.is_changed)
		run.limit = run.nsent;
}

static void play(SSL *client, int fd, enum kind kind, const uint8_t *bytes, size_t len)
{
	size_t limit;

	switch (kind) {
	case KIND_RECORD:
		write_record(client, bytes, len);
		say(client, fd, false, 0);
		break;
	case KIND_CHANGED:
		limit = run.limit;
		write_record(client, bytes, len);
		run.limit = limit;
		say(client, fd, true, len ? bytes[0] : 0);
		break;
	case KIND_RAW:
		run.is_changed |= len > 0;
		(void)!send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		break;
	case KIND_KEY_UPDATE:
		SSL_key_update(client,
			       len % 2 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
		SSL_do_handshake(client);
		say(client, fd, false, 0);
		break;
	default:
		run.is_changed = true; /* what is said from here on goes nowhere */
		shutdown(fd, SHUT_WR);
		break;
	}
}

static void play_all(SSL *client, int fd, bool has_session, const uint8_t *bytes, size_t len)
{
	while (len >= 2) {
		enum kind kind = has_session ? bytes[0] % KINDS : KIND_RAW;
		size_t part = bytes[1] < len - 2 ? bytes[1] : len - 2;

		play(client, fd, kind, bytes + 2, part);
		run_rounds();
		bytes += 2 + part;
		len -= 2 + part;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct tls_start start = {.timeout_ms = 60000, .on_ready = on_ready};
	struct tls_session *session;
	SSL *client;
	int fds[2];

	if (!world.loop)
		make_world();
	if (len < 1 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return 0;
	memset(&run, 0, sizeof(run));
	start.pacer = world.pacer;
	client = SSL_new(world.client);
	SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(client);
	io_stream_init(&run.stream, world.loop, fds[0], &stream_ops);
	check(tls_accept(world.context, &run.stream, &start, &session) == 0);
	if (bytes[0] & 1)
		shake_hands(client, fds[1]);
	play_all(client, fds[1], bytes[0] & 1, bytes + 1, len - 1);
	close(fds[1]);
	run_rounds();
	/* Without a change, all of it has come. */
	check(run.is_changed || run.nread == run.nsent);
	io_stream_close(&run.stream, IO_CLOSE_FIN);
	run_rounds();
	check(run.closes == 1);
	SSL_free(client);
	return 0;
}
