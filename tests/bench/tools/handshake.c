/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshake: TLS 1.3 handshakes as fast as they go, full ones or such that resume by a ticket; or
 * connections that have asked once and then idle. One cipher and one group for everybody. A
 * handshake counts when its first ticket has come: the server is through with it, too. The client
 * is a frugal one (tls13.h), so that the server is what there is to wait for; "checked" ones resume
 * with OpenSSL's, which costs more than the server. Half ones leave when they are answered.
 *
 *   connecting ──► ClientHello ──► flights ──► a ticket ──► counted, closed ──► the next one
 *        │                             └──(hold)──► request ──► answer ──► idle
 *        └──(half)──► ClientHello ──► answer ──► counted, reset ──► the next one
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tls13.h"

#define NS_PER_S  UINT64_C(1000000000)
#define PROCESSES 2
#define AT_ONCE   64 /* handshakes under way where all connections are kept */

enum kind { FULL, RESUMED, CHECKED, HALF, HOLD };

static const char request[] = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";

struct slot {
	int fd;
	struct tls13 *tls;   /* of all but those that are OpenSSL's */
	SSL *ssl;            /* of checked ones and held ones */
	SSL_SESSION *ticket; /* the newest; NULL: the next handshake is a full one */
	bool has_new_ticket, has_asked, is_idle;
};

struct totals {
	uint64_t handshakes, resumed, failed;
};

struct load {
	struct sockaddr_in target;
	enum kind kind;
	size_t nslots, nstarted, nidle;
	struct slot *slots;
	SSL_CTX *ctx;
	int epoll;
	struct totals *totals; /* shared with the process that adds them up */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "handshake: %s: %s\n", what, strerror(errno));
	ERR_print_errors_fp(stderr);
	exit(1);
}

static int on_ticket(SSL *ssl, SSL_SESSION *ticket)
{
	struct slot *slot = SSL_get_app_data(ssl);

	SSL_SESSION_free(slot->ticket);
	slot->ticket = ticket;
	slot->has_new_ticket = true;
	return 1; /* ours now */
}

static SSL_CTX *make_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) ||
	    !SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") ||
	    !SSL_CTX_set1_groups_list(ctx, "X25519"))
		die("context");
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(ctx, on_ticket);
	return ctx;
}

/* --- A connection ------------------------------------------------------------------------ */

static bool is_openssls(enum kind kind)
{
	return kind == CHECKED || kind == HOLD;
}

static void secure_by_openssl(const struct load *load, struct slot *slot)
{
	slot->ssl = SSL_new(load->ctx);
	if (!slot->ssl || !SSL_set_fd(slot->ssl, slot->fd))
		die("session");
	SSL_set_app_data(slot->ssl, slot);
	SSL_set_connect_state(slot->ssl);
	slot->has_new_ticket = false;
	if (load->kind == CHECKED && slot->ticket)
		SSL_set_session(slot->ssl, slot->ticket);
}

static void secure(const struct load *load, struct slot *slot)
{
	if (!slot->tls)
		slot->tls = calloc(1, sizeof(*slot->tls));
	if (!slot->tls)
		die("memory");
	if (load->kind != RESUMED)
		slot->tls->ticket.len = 0;
	tls13_begin(slot->tls);
}

static void start(struct load *load, struct slot *slot)
{
	const struct sockaddr *target = (const struct sockaddr *)&load->target;
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = slot};
	int one = 1;

	slot->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (slot->fd < 0 ||
	    (connect(slot->fd, target, sizeof(load->target)) < 0 && errno != EINPROGRESS))
		die("connect");
	setsockopt(slot->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	slot->has_asked = false;
	(is_openssls(load->kind) ? secure_by_openssl : secure)(load, slot);
	epoll_ctl(load->epoll, EPOLL_CTL_ADD, slot->fd, &event);
}

/* What does not go yet goes when there is room, which is an event. Return: false: the end. */
static bool flush(struct slot *slot)
{
	struct tls13 *tls = slot->tls;
	ssize_t len = tls->nout ? send(slot->fd, tls->out, tls->nout, 0) : 0;

	if (len < 0)
		return errno == EAGAIN;
	tls->nout -= (size_t)len;
	memmove(tls->out, tls->out + len, tls->nout);
	return true;
}

static void say_goodbye(struct slot *slot)
{
	if (slot->ssl) {
		SSL_shutdown(slot->ssl);
		SSL_free(slot->ssl);
		ERR_clear_error();
	} else {
		tls13_end(slot->tls);
		flush(slot);
	}
}

static void stop(const struct load *load, struct slot *slot)
{
	const struct linger reset = {.l_onoff = 1};

	if (load->kind == HALF)
		setsockopt(slot->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	else
		say_goodbye(slot);
	close(slot->fd);
}

static void start_next(struct load *load)
{
	if (load->nstarted < load->nslots)
		start(load, &load->slots[load->nstarted++]);
}

static void fail(struct load *load, struct slot *slot)
{
	load->totals->failed++;
	if (load->kind == HOLD)
		die("a connection that was to be held failed");
	stop(load, slot);
	start(load, slot);
}

static void on_done(struct load *load, struct slot *slot)
{
	load->totals->handshakes++;
	load->totals->resumed += slot->ssl ? SSL_session_reused(slot->ssl) : slot->tls->is_resumed;
	stop(load, slot);
	start(load, slot);
}

static bool is_waiting(const struct slot *slot, int result)
{
	int error = SSL_get_error(slot->ssl, result);

	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static void ask(struct load *load, struct slot *slot)
{
	if (load->kind != HOLD || slot->has_asked)
		return;
	slot->has_asked = true;
	if (SSL_write(slot->ssl, request, sizeof(request) - 1) <= 0)
		die("request");
}

static void on_answer(struct load *load, struct slot *slot)
{
	if (slot->is_idle)
		return;
	slot->is_idle = true;
	load->totals->handshakes++;
	load->nidle++;
	start_next(load);
}

/* Tickets are taken by reading, whether an answer is awaited or not. */
static void on_openssl_event(struct load *load, struct slot *slot)
{
	char buf[4096];
	int result = SSL_do_handshake(slot->ssl);
	bool has_answer = false;

	if (result == 1) {
		ask(load, slot);
		while ((result = SSL_read(slot->ssl, buf, sizeof(buf))) > 0)
			has_answer = true;
	}
	if (!is_waiting(slot, result)) {
		fail(load, slot);
	} else if (has_answer) {
		on_answer(load, slot);
	} else if (load->kind != HOLD && slot->has_new_ticket) {
		on_done(load, slot);
	}
}

static enum tls13_result receive(const struct load *load, struct slot *slot)
{
	struct tls13 *tls = slot->tls;
	size_t room = sizeof(tls->in) - tls->nin;
	ssize_t len = recv(slot->fd, tls->in + tls->nin, room, 0);

	if (len <= 0)
		return len < 0 && errno == EAGAIN ? TLS13_WAITING : TLS13_FAILED;
	if (load->kind == HALF)
		return TLS13_DONE;
	tls->nin += (size_t)len;
	return (size_t)len < room ? tls13_take(tls) : TLS13_FAILED; /* nobody says so much */
}

static void on_event(struct load *load, struct slot *slot)
{
	enum tls13_result result = flush(slot) ? receive(load, slot) : TLS13_FAILED;

	if (result == TLS13_DONE)
		on_done(load, slot);
	else if (result == TLS13_FAILED || !flush(slot))
		fail(load, slot);
}

static void wait_for_events(struct load *load)
{
	struct epoll_event events[128];
	int n = epoll_wait(load->epoll, events, 128, 100);

	for (int i = 0; i < n; i++)
		(is_openssls(load->kind) ? on_openssl_event : on_event)(load, events[i].data.ptr);
}

/* --- All of them ------------------------------------------------------------------------- */

static void prepare(struct load *load)
{
	load->ctx = make_context();
	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	load->slots = calloc(load->nslots, sizeof(*load->slots));
	if (!load->slots || load->epoll < 0)
		die("memory");
	if (!tls13_init())
		die("key share");
	for (size_t i = 0; i < AT_ONCE; i++)
		start_next(load);
}

static void run_for(struct load *load, double seconds)
{
	uint64_t end_ns = now_ns() + (uint64_t)(seconds * (double)NS_PER_S);

	prepare(load);
	while (now_ns() < end_ns)
		wait_for_events(load);
}

/* One process would be enough for most, and two are for all: the server is to have no rest. */
static int measure(struct load *load, double seconds)
{
	struct totals *shared = mmap(NULL, PROCESSES * sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct totals sum = {};

	if (shared == MAP_FAILED)
		die("memory");
	for (size_t i = 0; i < PROCESSES; i++) {
		if (fork() != 0)
			continue;
		load->totals = &shared[i];
		load->nslots /= PROCESSES;
		run_for(load, seconds);
		_exit(0);
	}
	while (wait(NULL) > 0)
		continue;
	for (size_t i = 0; i < PROCESSES; i++) {
		sum.handshakes += shared[i].handshakes;
		sum.resumed += shared[i].resumed;
		sum.failed += shared[i].failed;
	}
	printf("{\"handshakes\": %llu, \"resumed\": %llu, \"failed\": %llu, \"rate\": %.1f}\n",
	       (unsigned long long)sum.handshakes, (unsigned long long)sum.resumed,
	       (unsigned long long)sum.failed, (double)sum.handshakes / seconds);
	return sum.handshakes == 0;
}

static int hold(struct load *load)
{
	struct rlimit limit;
	struct totals totals = {};

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	load->totals = &totals;
	prepare(load);
	while (load->nidle < load->nslots)
		wait_for_events(load);
	printf("holding\n");
	fflush(stdout);
	while (getchar() != EOF)
		continue;
	printf("{\"ok\": %llu}\n", (unsigned long long)totals.handshakes);
	return 0;
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = {"full", "resumed", "checked", "half", "hold"};
	struct load load = {.target.sin_family = AF_INET};

	while (argc > 1 && load.kind <= HOLD && strcmp(argv[1], kinds[load.kind]) != 0)
		load.kind++;
	if (argc != (load.kind == HOLD ? 5 : 6) || load.kind > HOLD ||
	    inet_pton(AF_INET, argv[2], &load.target.sin_addr) != 1) {
		fprintf(stderr,
			"usage: handshake full|resumed|checked|half IPV4 PORT CONNECTIONS SECONDS\n"
			"       handshake hold IPV4 PORT CONNECTIONS\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	load.target.sin_port = htons((uint16_t)atoi(argv[3]));
	load.nslots = strtoull(argv[4], NULL, 10);
	return load.kind == HOLD ? hold(&load) : measure(&load, strtod(argv[5], NULL));
}
