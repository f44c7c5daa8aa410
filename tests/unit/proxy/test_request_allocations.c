// SPDX-License-Identifier: Apache-2.0
/*
 * What a request costs in memory once its connection, and the one to the backend, have carried a
 * few: nothing of ours, and with TLS, of OpenSSL's, the buffers that idle connections do without.
 *
 * A whole server with one worker; client and origin are the test's own thread. Only what the
 * worker's thread allocates is counted: ours by the linker (it does not see what libraries do among
 * themselves), OpenSSL's by its own hook.
 */
#include "unit/proxy/server_fixture.h"
#include "unit/tls/pki.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define REQUESTS 200
#define LARGEST  (256 * 1024)

/* --- Counting -------------------------------------------------------------------------- */

static pthread_t own_thread;
static atomic_uint ours, openssls;

static void count(atomic_uint *allocations)
{
	if (!pthread_equal(pthread_self(), own_thread))
		atomic_fetch_add(allocations, 1);
}

void *__real_aligned_alloc(size_t alignment, size_t size);
void *__real_calloc(size_t items, size_t size);
void *__real_malloc(size_t size);
void *__real_realloc(void *ptr, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	count(&ours);
	return __real_aligned_alloc(alignment, size);
}

void *__wrap_calloc(size_t items, size_t size)
{
	count(&ours);
	return __real_calloc(items, size);
}

void *__wrap_malloc(size_t size)
{
	count(&ours);
	return __real_malloc(size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
	count(&ours);
	return __real_realloc(ptr, size);
}

char *__wrap_strdup(const char *text)
{
	count(&ours);
	return __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
	count(&ours);
	return __real_strndup(text, len);
}

static void *openssl_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	count(&openssls);
	return __real_malloc(size);
}

static void *openssl_realloc(void *ptr, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	count(&openssls);
	return __real_realloc(ptr, size);
}

static void openssl_free(void *ptr, const char *file, int line)
{
	(void)file;
	(void)line;
	free(ptr);
}

/* --- The server ------------------------------------------------------------------------ */

struct fixture {
	struct pki pki;
	struct served served;
	int origin; /* listens */
	char path[128];
	SSL_CTX *ctx; /* NULL: without TLS */
	char *answer;
	size_t nanswer;
};

static const char *backend_name;

static void write_config(struct fixture *f, uint16_t origin_port)
{
	FILE *file;

	snprintf(f->path, sizeof(f->path), "%s/sluice.yaml", f->pki.directory);
	file = fopen(f->path, "we");
	assert_non_null(file);
	fprintf(file,
		"workers: 1\nio: %s\naccess_log: {path: %s/access.log, format: json}\n"
		"acceleration: {mode: off}\nadmin: {socket: \"off\"}\n"
		"listeners:\n- {name: web, bind: \"127.0.0.1:0\", mode: http, pool: origin%s}\n"
		"pools:\n- {name: origin, endpoints: [\"127.0.0.1:%u\"]}\n",
		backend_name, f->pki.directory,
		f->ctx ? ", tls: {certificates: [{cert: a.test.pem, key: a.test.key}]}" : "",
		origin_port);
	fclose(file);
}

static int set_up(void **state, bool has_tls)
{
	struct fixture *f = calloc(1, sizeof(*f));
	uint16_t origin_port;

	pki_init(&f->pki);
	pki_issue(&f->pki, "a.test", "DNS:a.test");
	f->origin = listen_on_loopback(&origin_port);
	f->ctx = has_tls ? SSL_CTX_new(TLS_client_method()) : NULL;
	write_config(f, origin_port);
	serve_file(&f->served, f->path);
	f->answer = malloc(LARGEST);
	*state = f;
	return 0;
}

static int set_up_plain(void **state)
{
	return set_up(state, false);
}

static int set_up_tls(void **state)
{
	return set_up(state, true);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	end_serving(&f->served);
	close(f->origin);
	SSL_CTX_free(f->ctx);
	free(f->answer);
	pki_done(&f->pki);
	free(f);
	return 0;
}

/* --- Client and origin ----------------------------------------------------------------- */

struct client {
	int fd;
	SSL *ssl; /* NULL: without TLS */
};

static struct client connect_client(const struct fixture *f)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(f->served.port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct client client = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};

	assert_int_equal(connect(client.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	if (!f->ctx)
		return client;
	client.ssl = SSL_new(f->ctx);
	assert_int_equal(SSL_set_fd(client.ssl, client.fd), 1);
	assert_int_equal(SSL_connect(client.ssl), 1);
	return client;
}

static void say(const struct client *client, const char *text)
{
	size_t len = strlen(text);

	if (client->ssl)
		assert_int_equal(SSL_write(client->ssl, text, (int)len), len);
	else
		assert_int_equal(send(client->fd, text, len, MSG_NOSIGNAL), len);
}

static size_t hear(const struct client *client, char *buf, size_t cap)
{
	ssize_t n = client->ssl ? SSL_read(client->ssl, buf, (int)cap)
				: recv(client->fd, buf, cap, 0);

	assert_true(n > 0);
	return (size_t)n;
}

static void close_client(const struct client *client)
{
	close(client->fd);
	SSL_free(client->ssl);
}

static int accept_backend(const struct fixture *f)
{
	struct pollfd poll_fd = {.fd = f->origin, .events = POLLIN};

	assert_int_equal(poll(&poll_fd, 1, 5000), 1);
	return accept(f->origin, NULL, NULL);
}

static void make_answer(struct fixture *f, size_t len)
{
	int head = snprintf(f->answer, LARGEST, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
			    len);

	f->nanswer = (size_t)head + len;
	assert_true(f->nanswer <= LARGEST);
	memset(f->answer + head, 'x', len);
}

static void answer_request(const struct fixture *f, int backend)
{
	char head[4096];
	size_t have = 0;

	do {
		ssize_t n = recv(backend, head + have, sizeof(head) - 1 - have, 0);

		assert_true(n > 0);
		have += (size_t)n;
		head[have] = '\0';
	} while (!strstr(head, "\r\n\r\n"));
	assert_int_equal(send(backend, f->answer, f->nanswer, MSG_NOSIGNAL), f->nanswer);
}

/* Heads differ from the origin's; the body's length is what tells the end. */
static void take_answer(const struct client *client, size_t nbody)
{
	static char bytes[LARGEST];
	const char *end = NULL;
	size_t have = 0;

	while (!end || have < (size_t)(end - bytes) + 4 + nbody) {
		have += hear(client, bytes + have, sizeof(bytes) - 1 - have);
		bytes[have] = '\0';
		end = strstr(bytes, "\r\n\r\n");
	}
	assert_memory_equal(bytes, "HTTP/1.1 200", 12);
}

static void ask_once(const struct fixture *f, const struct client *client, int backend,
		     size_t nbody)
{
	say(client, "GET /a?b HTTP/1.1\r\nHost: a.test\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n");
	answer_request(f, backend);
	take_answer(client, nbody);
}

static void ask_often(void **state, size_t nbody, unsigned most_of_openssl)
{
	struct fixture *f = *state;
	struct client client = connect_client(f);
	int backend;

	make_answer(f, nbody);
	say(&client, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
	backend = accept_backend(f);
	answer_request(f, backend);
	take_answer(&client, nbody);
	for (int i = 0; i < 50; i++)
		ask_once(f, &client, backend, nbody);
	assert_true(ours > 0 && (openssls > 0 || !f->ctx)); /* both are seen */
	ours = openssls = 0;
	for (int i = 0; i < REQUESTS; i++)
		ask_once(f, &client, backend, nbody);
	assert_int_equal(ours, 0);
	assert_in_range(openssls, 0, REQUESTS * most_of_openssl);
	close(backend);
	close_client(&client);
}

static void requests_allocate_nothing(void **state)
{
	ask_often(state, 128, 0);
}

static void long_answers_allocate_nothing(void **state)
{
	ask_often(state, 100000, 0);
}

/* A buffer to read into and one to write from, which idle connections do not keep; what is left is
 * small, and of writing a record. */
static void requests_on_a_session_allocate_nothing_of_ours(void **state)
{
	ask_often(state, 128, 6);
}

static void answers_of_many_records_allocate_nothing_of_ours(void **state)
{
	ask_often(state, 100000, 50);
}

#define PLAIN(test) cmocka_unit_test_setup_teardown(test, set_up_plain, tear_down)
#define TLS(test)   cmocka_unit_test_setup_teardown(test, set_up_tls, tear_down)

int main(void)
{
	static const char *const backends[] = {"epoll", "auto"};
	const struct CMUnitTest tests[] = {
		PLAIN(requests_allocate_nothing),
		PLAIN(long_answers_allocate_nothing),
		TLS(requests_on_a_session_allocate_nothing_of_ours),
		TLS(answers_of_many_records_allocate_nothing_of_ours),
	};
	int failed = 0;

	own_thread = pthread_self();
	if (!CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free))
		return 1;
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
		backend_name = backends[i];
		failed += cmocka_run_group_tests_name(backends[i], tests, NULL, NULL);
	}
	return failed;
}
