/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TESTS_UNIT_TLS_SESSION_FIXTURE_H
#define SLUICE_TESTS_UNIT_TLS_SESSION_FIXTURE_H

/* Sessions of ours, and a peer that is OpenSSL in memory, so that each byte can be seen and cut. */
#include "tls/tls_internal.h"
#include "unit/io/io_fixture.h"
#include "unit/tls/pki.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>

static struct pki pki;

/* --- A session of ours ----------------------------------------------------------------- */

struct side {
	struct recorder recorder;
	struct tls_session *session;
	int readies;
	enum tls_failure failure;
	char reason[128];
	bool is_resumed, is_early, is_starved;
};

static inline void on_ready(struct io_stream *stream, const struct tls_result *result)
{
	struct side *side = container_of(stream, struct side, recorder.stream);

	side->readies++;
	side->failure = result->failure;
	side->is_resumed = result->is_resumed;
	side->is_early = result->is_early;
	side->is_starved = result->is_starved;
	snprintf(side->reason, sizeof(side->reason), "%s", result->reason ? result->reason : "");
	io_loop_stop(stream->loop);
}

/* What a test may change before side_accept() and side_connect(). */
struct setting {
	struct fixture *fixture;
	struct config_certificate certificate;
	struct config_tls server;
	struct config_pool_tls client;
	struct tls_ticket_keys *keys;
	struct tls_server_context *server_context;
	struct tls_client_context *client_context;
	struct tls_pacer *pacer;
	struct tls_session_cache *cache;
	const char *server_name;
	uint32_t timeout_ms;
	int fds[2];
};

static inline void setting_init(struct setting *setting, struct fixture *fixture)
{
	*setting = (struct setting){
		.fixture = fixture,
		.certificate = pki_certificate(&pki, "a.test"),
		.client = {.is_enabled = true, .is_verified = true, .ca = pki_file(&pki, "ca.pem")},
		.keys = tls_ticket_keys_new(),
		.pacer = tls_pacer_new(fixture->loop, 8),
		.server_name = "a.test",
		.timeout_ms = 10000,
	};
	setting->server = (struct config_tls){
		.certificates = &setting->certificate,
		.ncertificates = 1,
		.max_version = CONFIG_TLS_1_3,
		.has_tickets = true,
		.ticket_lifetime_ms = 3600000,
		.ticket_count = 1,
	};
}

static inline struct tls_server_context *make_server(struct setting *setting, const char *name)
{
	struct tls_server_context *context = NULL;
	struct strbuf errors = {};
	int err = tls_server_context_new(&setting->server, name, "t.yaml", setting->keys, &context,
					 &errors);

	if (err)
		print_error("%s\n", errors.text ? errors.text : "no message");
	assert_int_equal(err, 0);
	strbuf_done(&errors);
	return context;
}

static inline void setting_make(struct setting *setting)
{
	struct strbuf errors = {};

	setting->server_context = make_server(setting, "web");
	assert_int_equal(tls_client_context_new(&setting->client, "t.yaml",
						&setting->client_context, &errors),
			 0);
	strbuf_done(&errors);
}

static inline void setting_done(struct setting *setting)
{
	tls_server_context_free(setting->server_context);
	tls_client_context_free(setting->client_context);
	tls_ticket_keys_free(setting->keys);
	tls_session_cache_free(setting->cache);
	tls_pacer_free(setting->pacer);
	pki_certificate_done(&setting->certificate);
	pki_file_done(&setting->client.ca);
	pki_file_done(&setting->client.cert);
	pki_file_done(&setting->client.key);
	pki_file_done(&setting->server.client_ca);
	pki_file_done(&setting->server.client_crl);
}

static inline struct tls_start start_of(const struct setting *setting)
{
	return (struct tls_start){
		.pacer = setting->pacer,
		.timeout_ms = setting->timeout_ms,
		.on_ready = on_ready,
	};
}

static inline void side_accept(struct side *side, struct setting *setting, int fd)
{
	struct tls_start start = start_of(setting);

	*side = (struct side){};
	recorder_init(&side->recorder, setting->fixture, fd);
	assert_int_equal(
		tls_accept(setting->server_context, &side->recorder.stream, &start, &side->session),
		0);
}

static inline void side_connect(struct side *side, struct setting *setting, int fd)
{
	struct tls_start start = start_of(setting);
	const struct tls_target target = {
		.server = setting->server_name, .cache = setting->cache, .id = 1};

	*side = (struct side){};
	recorder_init(&side->recorder, setting->fixture, fd);
	assert_int_equal(tls_connect(setting->client_context, &target, &side->recorder.stream,
				     &start, &side->session),
			 0);
}

/* Both ends are ours. */
static inline void open_both(struct setting *setting, struct side *server, struct side *client)
{
	tcp_pair(setting->fds);
	side_accept(server, setting, setting->fds[0]);
	side_connect(client, setting, setting->fds[1]);
	assert_int_equal(server->readies + client->readies, 0);
	run_until(setting->fixture, server->readies && client->readies);
}

static inline void close_both(struct setting *setting, struct side *server, struct side *client)
{
	recorder_done(&client->recorder, setting->fixture);
	recorder_done(&server->recorder, setting->fixture);
	assert_int_equal(server->readies, 1);
	assert_int_equal(client->readies, 1);
}

static inline void send_text(struct side *side, const char *text)
{
	recorder_send(&side->recorder, text, strlen(text));
}

/* --- Against OpenSSL in memory, so that each byte can be cut and changed ---------------- */

struct peer {
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out;
	int fd;
	char plain[65536];
	size_t nplain;
};

static inline void peer_init(struct peer *peer, int fd, int version)
{
	*peer = (struct peer){.ctx = SSL_CTX_new(TLS_client_method()), .fd = fd};
	SSL_CTX_set_min_proto_version(peer->ctx, version);
	SSL_CTX_set_max_proto_version(peer->ctx, version);
	peer->ssl = SSL_new(peer->ctx);
	peer->in = BIO_new(BIO_s_mem());
	peer->out = BIO_new(BIO_s_mem());
	SSL_set_bio(peer->ssl, peer->in, peer->out);
	SSL_set_connect_state(peer->ssl);
	SSL_set_tlsext_host_name(peer->ssl, "a.test");
}

static inline void peer_done(struct peer *peer)
{
	SSL_free(peer->ssl);
	SSL_CTX_free(peer->ctx);
	if (peer->fd >= 0)
		close(peer->fd);
}

/* Lets the loop take what is there; a handshake may have to wait for another round. */
static inline void settle(struct setting *setting)
{
	run_for(setting->fixture, 1);
	run_for(setting->fixture, 1);
}

static inline void peer_hear(struct peer *peer)
{
	char bytes[65536];
	ssize_t len;

	while ((len = recv(peer->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		BIO_write(peer->in, bytes, (int)len);
}

/* What it has to say goes out in two parts, cut behind @cut bytes. */
static inline void peer_say(struct peer *peer, struct setting *setting, size_t cut)
{
	char *bytes;
	size_t len = (size_t)BIO_get_mem_data(peer->out, &bytes);
	size_t first = cut < len ? cut : len;

	if (first)
		assert_int_equal(send(peer->fd, bytes, first, MSG_NOSIGNAL), first);
	if (first < len)
		run_for(setting->fixture, 1);
	else
		settle(setting);
	if (len > first) {
		assert_int_equal(send(peer->fd, bytes + first, len - first, MSG_NOSIGNAL),
				 len - first);
		settle(setting);
	}
	BIO_reset(peer->out);
}

static inline void peer_shake_hands(struct peer *peer, struct setting *setting, size_t cut)
{
	for (int i = 0; i < 10 && SSL_do_handshake(peer->ssl) != 1; i++) {
		peer_say(peer, setting, cut);
		peer_hear(peer);
	}
	peer_say(peer, setting, cut);
	assert_true(SSL_is_init_finished(peer->ssl));
}

static inline void peer_read(struct peer *peer)
{
	int len;

	peer_hear(peer);
	while ((len = SSL_read(peer->ssl, peer->plain + peer->nplain,
			       (int)(sizeof(peer->plain) - peer->nplain))) > 0)
		peer->nplain += (size_t)len;
}

static inline void open_with_peer(struct setting *setting, struct side *server, struct peer *peer,
				  int version, size_t cut)
{
	unix_pair(setting->fds);
	side_accept(server, setting, setting->fds[0]);
	peer_init(peer, setting->fds[1], version);
	peer_shake_hands(peer, setting, cut);
	assert_int_equal(server->readies, 1);
	assert_int_equal(server->failure, TLS_FAILURE_NONE);
	io_stream_recv_start(&server->recorder.stream);
}

static inline void close_with_peer(struct setting *setting, struct side *server, struct peer *peer)
{
	recorder_done(&server->recorder, setting->fixture);
	peer_done(peer);
}

static inline int group_setup(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *client;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	pki_init(&pki);
	pki_issue(&pki, "a.test", "DNS:a.test");
	client = pki_issue_for(&pki, key, "client", NULL, 30);
	pki_revoke(&pki, client, "client.crl");
	pki_revoke(&pki, NULL, "empty.crl");
	X509_free(client);
	EVP_PKEY_free(key);
	return 0;
}

static inline int group_teardown(void **state)
{
	(void)state;
	pki_done(&pki);
	return 0;
}

#endif
