// SPDX-License-Identifier: Apache-2.0
/* Probes against little servers, each a thread that serves one connection. */
#include "upstream/probe.h"
#include "tls/context.h"
#include "tls/memory.h"
#include "tls/pacer.h"

#include "loop_fixture.h"
#include "net/proxy_protocol.h"
#include "upstream_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* --- The server --------------------------------------------------------------------- */

enum behaviour {
	SERVER_ANSWERS, /* reads up to an empty line, sends its pieces, closes */
	SERVER_SILENT,  /* takes what comes until the peer closes */
	SERVER_RESETS,  /* at once */
	SERVER_TLS,     /* a handshake */
	SERVER_CLOSES_HANDSHAKE,
};

struct server {
	enum behaviour behaviour;
	const char *pieces[8]; /* ended by NULL */
	int fd;
	pthread_t thread;
	char received[2048];
	size_t len;
	char sni[64];
	bool is_shaken;
};

static void read_up_to(struct server *server, int fd, const char *end)
{
	for (;;) {
		ssize_t n = recv(fd, server->received + server->len,
				 sizeof(server->received) - 1 - server->len, 0);

		if (n <= 0)
			return;
		server->len += (size_t)n;
		server->received[server->len] = '\0';
		if (end && strstr(server->received, end))
			return;
	}
}

static void reset(int fd)
{
	const struct linger linger = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void make_certificate(SSL_CTX *tls)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();

	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_sign(cert, key, EVP_sha256());
	SSL_CTX_use_certificate(tls, cert);
	SSL_CTX_use_PrivateKey(tls, key);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void serve_tls(struct server *server, int fd)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
	const char *sni;
	char byte;
	SSL *ssl;

	make_certificate(tls);
	ssl = SSL_new(tls);
	SSL_set_fd(ssl, fd);
	server->is_shaken = SSL_accept(ssl) == 1;
	sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	snprintf(server->sni, sizeof(server->sni), "%s", sni ? sni : "");
	/* The probe announces its end instead of vanishing. */
	if (SSL_read(ssl, &byte, 1) != 0 || SSL_get_error(ssl, 0) != SSL_ERROR_ZERO_RETURN)
		server->is_shaken = false;
	SSL_free(ssl);
	SSL_CTX_free(tls);
}

static void serve(struct server *server, int fd)
{
	switch (server->behaviour) {
	case SERVER_ANSWERS:
		read_up_to(server, fd, "\r\n\r\n");
		for (size_t i = 0; server->pieces[i]; i++)
			(void)!send(fd, server->pieces[i], strlen(server->pieces[i]), MSG_NOSIGNAL);
		break;
	case SERVER_SILENT:
		read_up_to(server, fd, NULL);
		break;
	case SERVER_RESETS:
		reset(fd);
		break;
	case SERVER_TLS:
		serve_tls(server, fd);
		break;
	case SERVER_CLOSES_HANDSHAKE:
		(void)!recv(fd, server->received, sizeof(server->received), 0);
		break;
	}
}

static void *server_main(void *context)
{
	struct server *server = context;
	int fd = accept(server->fd, NULL, NULL);

	if (fd < 0)
		return NULL;
	serve(server, fd);
	close(fd);
	return NULL;
}

static int listen_on_loopback(struct address *ret)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret = fixture_address("127.0.0.1:0");
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &ret->sa, ret->len), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, &ret->sa, &ret->len), 0);
	return fd;
}

/* --- Memory ------------------------------------------------------------------------- */

static unsigned buffers_left; /* that can still be had */

struct io_buf *__real_io_buf_new(struct io_loop *loop, uint32_t size);
struct io_buf *__wrap_io_buf_new(struct io_loop *loop, uint32_t size);

struct io_buf *__wrap_io_buf_new(struct io_loop *loop, uint32_t size)
{
	if (!buffers_left)
		return NULL;
	buffers_left--;
	return __real_io_buf_new(loop, size);
}

static _Thread_local bool has_no_memory;
static bool is_handshake_starved;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
int __real_SSL_do_handshake(SSL *ssl);
int __wrap_SSL_do_handshake(SSL *ssl);

void *__wrap_malloc(size_t size)
{
	return has_no_memory ? NULL : __real_malloc(size);
}

/* The probe's; the server does without it. */
int __wrap_SSL_do_handshake(SSL *ssl)
{
	int result;

	has_no_memory = is_handshake_starved;
	result = __real_SSL_do_handshake(ssl);
	has_no_memory = false;
	return result;
}

/* --- The probe ---------------------------------------------------------------------- */

static struct io_loop *loop;
static struct config_pool config;
static struct endpoint endpoint;
static struct tls_client_context *tls;
static struct tls_pacer *pacer;

static struct {
	bool is_done, is_ok, says_nothing, is_unclear;
	char reason[PROBE_REASON_SIZE];
} verdict;

static int set_up(void **state)
{
	(void)state;
	buffers_left = UINT_MAX;
	is_handshake_starved = false;
	loop = fixture_loop();
	assert_int_equal(tls_client_context_new(NULL, "", &tls, NULL), 0);
	pacer = tls_pacer_new(loop, 1);
	endpoint = (struct endpoint){.name = (char *)(uintptr_t) "shop.test:80"};
	config = fixture_pool(NULL, 0);
	config.health = (struct config_health_check){.kind = CONFIG_HEALTH_HTTP,
						     .timeout_ms = 5000,
						     .http_path = "/healthz",
						     .http_status_first = 200,
						     .http_status_last = 399};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tls_client_context_free(tls);
	tls_pacer_free(pacer);
	io_loop_free(loop);
	return 0;
}

static void on_done(struct probe *probe, enum probe_verdict ended, const char *reason)
{
	(void)probe;
	verdict.is_done = true;
	verdict.is_ok = ended == PROBE_PASSED;
	verdict.says_nothing = ended == PROBE_SAYS_NOTHING;
	verdict.is_unclear = ended == PROBE_UNCLEAR;
	snprintf(verdict.reason, sizeof(verdict.reason), "%s", reason);
	io_loop_stop(loop);
}

static void run_probe(void)
{
	struct probe probe = {
		.pool = &config,
		.tls = config.health.kind == CONFIG_HEALTH_TLS ? tls : NULL,
		.pacer = pacer,
		.endpoint = &endpoint,
		.on_done = on_done,
	};

	memset(&verdict, 0, sizeof(verdict));
	assert_int_equal(probe_start(&probe, loop), 0);
	assert_false(verdict.is_done);
	fixture_run(loop);
	assert_true(verdict.is_done);
}

static bool probe_server(struct server *server)
{
	server->fd = listen_on_loopback(&endpoint.address);
	assert_int_equal(pthread_create(&server->thread, NULL, server_main, server), 0);
	run_probe();
	pthread_join(server->thread, NULL);
	close(server->fd);
	return verdict.is_ok;
}

static unsigned count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* --- TCP ---------------------------------------------------------------------------- */

static void endpoint_that_takes_connections_is_up(void **state)
{
	struct server server = {.behaviour = SERVER_SILENT};

	(void)state;
	config.health.kind = CONFIG_HEALTH_TCP;
	assert_true(probe_server(&server));
	assert_int_equal(server.len, 0);
}

static void refused_connection_is_down(void **state)
{
	(void)state;
	config.health.kind = CONFIG_HEALTH_TCP;
	close(listen_on_loopback(&endpoint.address));
	run_probe();
	assert_false(verdict.is_ok);
	assert_string_equal(verdict.reason, "connect: Connection refused");
}

static void check_may_go_to_another_port(void **state)
{
	struct server server = {.behaviour = SERVER_SILENT};
	struct address elsewhere;

	(void)state;
	config.health.kind = CONFIG_HEALTH_TCP;
	server.fd = listen_on_loopback(&elsewhere);
	config.health.port = address_port(&elsewhere);
	close(listen_on_loopback(&endpoint.address));
	assert_int_equal(pthread_create(&server.thread, NULL, server_main, &server), 0);
	run_probe();
	assert_true(verdict.is_ok);
	pthread_join(server.thread, NULL);
	close(server.fd);
}

static void proxy_header_v2_says_local(void **state)
{
	struct server server = {.behaviour = SERVER_SILENT};
	struct proxy_header header;
	const char *reason;
	size_t len;

	(void)state;
	config.health.kind = CONFIG_HEALTH_TCP;
	config.proxy_protocol = CONFIG_PROXY_V2;
	assert_true(probe_server(&server));
	assert_int_equal(
		proxy_header_parse(slice_of(server.received, server.len), &header, &len, &reason),
		0);
	assert_true(header.is_local);
	assert_int_equal(len, server.len);
}

static void proxy_header_v1_names_the_real_ends(void **state)
{
	struct server server = {.behaviour = SERVER_ANSWERS, .pieces = {"HTTP/1.1 200 OK\r\n\r\n"}};
	struct proxy_header header;
	const char *reason;
	size_t len;

	(void)state;
	config.proxy_protocol = CONFIG_PROXY_V1;
	assert_true(probe_server(&server));
	assert_int_equal(
		proxy_header_parse(slice_of(server.received, server.len), &header, &len, &reason),
		0);
	assert_true(address_equal(&header.destination, &endpoint.address));
	assert_memory_equal(server.received + len, "GET /healthz ", 13);
}

static void no_source_address_of_ours_is_no_verdict(void **state)
{
	struct probe probe = {.pool = &config, .endpoint = &endpoint, .on_done = on_done};

	(void)state;
	endpoint.address = fixture_address("127.0.0.1:1");
	config.source_address = fixture_address("192.0.2.77:0");
	assert_true(probe_start(&probe, loop) < 0);
}

static void no_memory_for_what_goes_first_is_no_verdict(void **state)
{
	struct server server = {.behaviour = SERVER_SILENT};

	(void)state;
	config.proxy_protocol = CONFIG_PROXY_V2;
	buffers_left = 0;
	assert_false(probe_server(&server));
	assert_true(verdict.says_nothing);
	assert_string_equal(verdict.reason, "send: Cannot allocate memory");
}

static void no_memory_for_a_request_is_no_verdict(void **state)
{
	struct server server = {.behaviour = SERVER_SILENT};

	(void)state;
	config.proxy_protocol = CONFIG_PROXY_V2;
	buffers_left = 1;
	assert_false(probe_server(&server));
	assert_true(verdict.says_nothing);
}

static void no_memory_behind_tls_may_be_the_endpoints_doing(void **state)
{
	struct server server = {.behaviour = SERVER_SILENT};

	(void)state;
	config.health.kind = CONFIG_HEALTH_TLS;
	config.proxy_protocol = CONFIG_PROXY_V2;
	buffers_left = 0;
	assert_false(probe_server(&server));
	assert_true(verdict.is_unclear);
}

static void no_memory_in_the_handshake_is_no_verdict(void **state)
{
	struct server server = {.behaviour = SERVER_CLOSES_HANDSHAKE};

	(void)state;
	config.health.kind = CONFIG_HEALTH_TLS;
	is_handshake_starved = true;
	probe_server(&server);
	assert_true(verdict.says_nothing);
}

/* --- HTTP --------------------------------------------------------------------------- */

static void get_is_what_servers_expect(void **state)
{
	struct server server = {.behaviour = SERVER_ANSWERS,
				.pieces = {"HTTP/1.1 204 No Content\r\n\r\n"}};

	(void)state;
	assert_true(probe_server(&server));
	assert_string_equal(server.received, "GET /healthz HTTP/1.1\r\n"
					     "Host: shop.test:80\r\n"
					     "User-Agent: sluice-health\r\n"
					     "Accept: */*\r\n"
					     "Connection: close\r\n\r\n");
}

static void host_can_be_given(void **state)
{
	struct server server = {.behaviour = SERVER_ANSWERS, .pieces = {"HTTP/1.1 200 OK\r\n\r\n"}};

	(void)state;
	config.health.http_host = "other.test";
	assert_true(probe_server(&server));
	assert_non_null(strstr(server.received, "Host: other.test\r\n"));
}

static void answers_give_their_verdicts(void **state)
{
	static const struct {
		const char *pieces[8];
		const char *body;
		bool is_ok;
		const char *reason;
	} cases[] = {
		{{"HTTP/1.0 399 x\r\n\r\n"}, NULL, true, "status 399"},
		{{"HTTP/1.1 503 Busy\r\n\r\n"}, NULL, false, "status 503"},
		{{"HTTP/1.1 199 x\r\n\r\nHTTP/1.1 20", "0 OK\r\n\r\n"}, NULL, true, "status 200"},
		{{"SSH-2.0-OpenSSH\r\n\r\n"},
		 NULL,
		 false,
		 "bad answer: version is not HTTP/1.0 or HTTP/1.1"},
		{{"HTTP/1.1 200 OK\r\n"}, NULL, false, "connection closed before an answer"},
		{{NULL}, NULL, false, "connection closed before an answer"},
		{{"HTTP/1.1 200 OK\r\n\r\npi", "ng", " po", "n", "g"},
		 "pong",
		 true,
		 "body has the expected text"},
		{{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r", "\npo\r\n2",
		  "\r\nng\r\n"},
		 "pong",
		 true,
		 "body has the expected text"},
		{{"HTTP/1.1 200 OK\r\n\r\nping"}, "pong", false, "body lacks the expected text"},
		{{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx"},
		 "pong",
		 false,
		 "body is not HTTP"},
		{{"HTTP/1.1 200 OK\r\nTransfer-Encoding: br\r\n\r\nx"},
		 "pong",
		 false,
		 "bad answer: Transfer-Encoding is not just chunked"},
		{{"HTTP/1.1 500 x\r\n\r\npong"}, "pong", false, "status 500"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct server server = {.behaviour = SERVER_ANSWERS};

		memcpy(server.pieces, cases[i].pieces, sizeof(server.pieces));
		config.health.http_body = cases[i].body;
		assert_int_equal(probe_server(&server), cases[i].is_ok);
		assert_string_equal(verdict.reason, cases[i].reason);
	}
}

static void silence_ends_with_the_timeout(void **state)
{
	struct server server = {.behaviour = SERVER_SILENT};

	(void)state;
	config.health.timeout_ms = 50;
	assert_false(probe_server(&server));
	assert_string_equal(verdict.reason, "no complete answer within 50 ms");
}

static void reset_is_down(void **state)
{
	struct server server = {.behaviour = SERVER_RESETS};

	(void)state;
	assert_false(probe_server(&server));
}

static void no_descriptor_is_left_behind(void **state)
{
	struct server silent = {.behaviour = SERVER_SILENT}, resets = {.behaviour = SERVER_RESETS};
	struct server answers = {.behaviour = SERVER_ANSWERS,
				 .pieces = {"HTTP/1.1 200 OK\r\n\r\n"}};
	unsigned before = count_descriptors();

	(void)state;
	config.health.timeout_ms = 50;
	probe_server(&silent);
	probe_server(&resets);
	probe_server(&answers);
	assert_int_equal(count_descriptors(), before);
}

/* --- TLS ---------------------------------------------------------------------------- */

static void completed_handshake_is_up(void **state)
{
	struct server server = {.behaviour = SERVER_TLS};

	(void)state;
	config.health.kind = CONFIG_HEALTH_TLS;
	config.health.tls_sni = "shop.test";
	assert_true(probe_server(&server));
	assert_true(server.is_shaken);
	assert_string_equal(server.sni, "shop.test");
}

static void sni_is_sent_only_where_given(void **state)
{
	struct server server = {.behaviour = SERVER_TLS};

	(void)state;
	config.health.kind = CONFIG_HEALTH_TLS;
	assert_true(probe_server(&server));
	assert_string_equal(server.sni, "");
}

static void handshake_broken_off_is_down(void **state)
{
	struct server server = {.behaviour = SERVER_CLOSES_HANDSHAKE};

	(void)state;
	config.health.kind = CONFIG_HEALTH_TLS;
	assert_false(probe_server(&server));
}

static void handshake_without_answer_is_down(void **state)
{
	struct server server = {.behaviour = SERVER_SILENT};

	(void)state;
	config.health.kind = CONFIG_HEALTH_TLS;
	config.health.timeout_ms = 50;
	assert_false(probe_server(&server));
	assert_string_equal(verdict.reason, "no complete answer within 50 ms");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(endpoint_that_takes_connections_is_up),
		TEST(refused_connection_is_down),
		TEST(check_may_go_to_another_port),
		TEST(proxy_header_v2_says_local),
		TEST(proxy_header_v1_names_the_real_ends),
		TEST(no_source_address_of_ours_is_no_verdict),
		TEST(no_memory_for_what_goes_first_is_no_verdict),
		TEST(no_memory_for_a_request_is_no_verdict),
		TEST(no_memory_behind_tls_may_be_the_endpoints_doing),
		TEST(no_memory_in_the_handshake_is_no_verdict),
		TEST(get_is_what_servers_expect),
		TEST(host_can_be_given),
		TEST(answers_give_their_verdicts),
		TEST(silence_ends_with_the_timeout),
		TEST(reset_is_down),
		TEST(no_descriptor_is_left_behind),
		TEST(completed_handshake_is_up),
		TEST(sni_is_sent_only_where_given),
		TEST(handshake_broken_off_is_down),
		TEST(handshake_without_answer_is_down),
	};

	tls_memory_watch();
	/* OpenSSL's server writes to sockets that the probe has closed. */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
