// SPDX-License-Identifier: Apache-2.0
#include "tls/peer.h"
#include "unit/tls/session_fixture.h"

static void plain_bytes_cross_both_ways_and_close_notify_is_the_end(void **state)
{
	struct setting setting;
	struct side server, client;
	struct tls_facts facts;

	setting_init(&setting, fixture_of(state));
	setting_make(&setting);
	open_both(&setting, &server, &client);
	assert_int_equal(server.failure, TLS_FAILURE_NONE);
	assert_int_equal(client.failure, TLS_FAILURE_NONE);
	tls_session_facts(server.session, &facts);
	assert_string_equal(facts.version, "TLSv1.3");
	assert_string_equal(facts.sni, "a.test");
	assert_false(facts.has_peer_certificate);
	assert_int_equal(io_loop_delivered_us(setting.fixture->loop), 0);
	io_stream_recv_start(&server.recorder.stream);
	io_stream_recv_start(&client.recorder.stream);
	send_text(&client, "question");
	send_text(&server, "answer");
	run_until(setting.fixture, server.recorder.len == 8 && client.recorder.len == 6);
	assert_memory_equal(server.recorder.bytes, "question", 8);
	assert_memory_equal(client.recorder.bytes, "answer", 6);
	assert_true(io_loop_delivered_us(setting.fixture->loop) > 0);
	io_stream_shutdown(&client.recorder.stream);
	run_until(setting.fixture, server.recorder.ends);
	assert_int_equal(server.recorder.end_status, 0);
	/* Half closed: the other direction goes on. */
	send_text(&server, "more");
	run_until(setting.fixture, client.recorder.len == 10);
	io_stream_close(&server.recorder.stream, IO_CLOSE_FIN);
	run_until(setting.fixture, client.recorder.ends);
	assert_int_equal(client.recorder.end_status, 0);
	close_both(&setting, &server, &client);
	setting_done(&setting);
}

/* Out of memory, for one. The peer knows nothing of it, and would never say another word. */
static void what_cannot_be_encrypted_ends_both_directions(void **state)
{
	struct setting setting;
	struct side server, client;

	setting_init(&setting, fixture_of(state));
	setting_make(&setting);
	open_both(&setting, &server, &client);
	io_stream_recv_start(&server.recorder.stream);
	SSL_set0_wbio(server.session->ssl, NULL);
	send_text(&server, "lost");
	run_until(setting.fixture, server.recorder.ends && server.recorder.sents);
	assert_int_equal(server.recorder.end_status, -EPROTO);
	assert_int_equal(server.recorder.sent_status, -EPROTO);
	send_text(&client, "to nobody");
	run_for(setting.fixture, 5);
	assert_int_equal(server.recorder.len, 0);
	assert_int_equal(server.recorder.sents, 1);
	close_both(&setting, &server, &client);
	setting_done(&setting);
}

static void send_pattern(struct side *side, size_t *sent, size_t total)
{
	while (*sent < total && side->recorder.stream.queued < 200000) {
		char bytes[20011];
		size_t len = total - *sent < sizeof(bytes) ? total - *sent : sizeof(bytes);

		for (size_t i = 0; i < len; i++)
			bytes[i] = (char)pattern_at(*sent + i);
		recorder_send(&side->recorder, bytes, len);
		*sent += len;
		if (*sent == total)
			io_stream_shutdown(&side->recorder.stream);
	}
}

static void megabytes_cross_at_once(void **state)
{
	const size_t total = 3000017;
	struct setting setting;
	struct side server, client;
	size_t up = 0, down = 0;

	setting_init(&setting, fixture_of(state));
	setting_make(&setting);
	open_both(&setting, &server, &client);
	io_stream_recv_start(&server.recorder.stream);
	io_stream_recv_start(&client.recorder.stream);
	while (!server.recorder.ends || !client.recorder.ends) {
		send_pattern(&client, &up, total);
		send_pattern(&server, &down, total);
		run_until(setting.fixture, true);
		assert_int_equal(io_loop_run(setting.fixture->loop), 0);
	}
	assert_int_equal(server.recorder.len, total);
	assert_int_equal(client.recorder.len, total);
	assert_pattern(server.recorder.bytes, 0, total);
	assert_pattern(client.recorder.bytes, 0, total);
	close_both(&setting, &server, &client);
	setting_done(&setting);
}

static void handshake_cut_anywhere(void **state, int version)
{
	struct setting setting;
	struct side server;
	struct peer peer;

	setting_init(&setting, fixture_of(state));
	setting_make(&setting);
	for (size_t cut = 1; cut < 400; cut += cut < 120 ? 1 : 7) {
		open_with_peer(&setting, &server, &peer, version, cut);
		SSL_write(peer.ssl, "x", 1);
		peer_say(&peer, &setting, 1000);
		assert_int_equal(server.recorder.len, 1);
		close_with_peer(&setting, &server, &peer);
	}
	setting_done(&setting);
}

static void handshake_may_be_cut_at_each_byte(void **state)
{
	handshake_cut_anywhere(state, TLS1_3_VERSION);
	handshake_cut_anywhere(state, TLS1_2_VERSION);
}

static void record_may_be_cut_at_each_byte(void **state)
{
	struct setting setting;
	struct side server;
	struct peer peer;
	size_t expected = 0;

	setting_init(&setting, fixture_of(state));
	setting_make(&setting);
	open_with_peer(&setting, &server, &peer, TLS1_3_VERSION, 10000);
	for (size_t cut = 0; cut < 70; cut++) {
		SSL_write(peer.ssl, "0123456789", 10);
		SSL_write(peer.ssl, "abcdef", 6);
		peer_say(&peer, &setting, cut);
		expected += 16;
		assert_int_equal(server.recorder.len, expected);
		assert_memory_equal(server.recorder.bytes + expected - 16, "0123456789abcdef", 16);
	}
	close_with_peer(&setting, &server, &peer);
	setting_done(&setting);
}

static void fin_without_close_notify_is_truncation(void **state)
{
	struct setting setting;
	struct side server;
	struct peer peer;

	setting_init(&setting, fixture_of(state));
	setting_make(&setting);
	open_with_peer(&setting, &server, &peer, TLS1_3_VERSION, 10000);
	SSL_write(peer.ssl, "half", 4);
	peer_say(&peer, &setting, 10000);
	shutdown(peer.fd, SHUT_WR);
	run_until(setting.fixture, server.recorder.ends);
	assert_int_equal(server.recorder.len, 4);
	assert_int_equal(server.recorder.end_status, -ECONNABORTED);
	close_with_peer(&setting, &server, &peer);
	setting_done(&setting);
}

/* Each byte of a record in turn: length, content, tag. What was good before it is delivered. */
static void changed_record_is_never_delivered(void **state)
{
	struct setting setting;

	setting_init(&setting, fixture_of(state));
	setting_make(&setting);
	for (size_t at = 0; at < 5 + 4 + 1 + 16; at++) {
		struct side server;
		struct peer peer;
		char record[128], *bytes;
		size_t len;

		open_with_peer(&setting, &server, &peer, TLS1_3_VERSION, 10000);
		SSL_write(peer.ssl, "good", 4);
		peer_say(&peer, &setting, 10000);
		SSL_write(peer.ssl, "evil", 4);
		len = (size_t)BIO_get_mem_data(peer.out, &bytes);
		assert_int_equal(len, 5 + 4 + 1 + 16);
		memcpy(record, bytes, len);
		record[at] ^= 1;
		send(peer.fd, record, len, MSG_NOSIGNAL);
		shutdown(peer.fd, SHUT_WR);
		run_until(setting.fixture, server.recorder.ends);
		assert_int_equal(server.recorder.len, 4);
		assert_true(server.recorder.end_status == -EBADMSG ||
			    server.recorder.end_status == -ECONNABORTED);
		close_with_peer(&setting, &server, &peer);
	}
	setting_done(&setting);
}

static void renegotiation_is_refused_and_the_session_goes_on(void **state)
{
	struct setting setting;
	struct side server;
	struct peer peer;
	int result;

	setting_init(&setting, fixture_of(state));
	setting_make(&setting);
	open_with_peer(&setting, &server, &peer, TLS1_2_VERSION, 10000);
	assert_int_equal(SSL_renegotiate(peer.ssl), 1);
	result = SSL_do_handshake(peer.ssl);
	assert_true(result <= 0);
	peer_say(&peer, &setting, 10000);
	peer_hear(&peer);
	result = SSL_do_handshake(peer.ssl);
	assert_true(result <= 0);
	/* OpenSSL's client gives up by itself on the alert no_renegotiation. */
	assert_int_equal(SSL_get_error(peer.ssl, result), SSL_ERROR_SSL);
	assert_int_equal(server.readies, 1);
	assert_int_equal(server.recorder.ends, 0);
	send_text(&server, "still here");
	close_with_peer(&setting, &server, &peer);
	setting_done(&setting);
}

static void keys_may_be_updated_in_mid_stream(void **state)
{
	struct setting setting;
	struct side server;
	struct peer peer;

	setting_init(&setting, fixture_of(state));
	setting_make(&setting);
	open_with_peer(&setting, &server, &peer, TLS1_3_VERSION, 10000);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(SSL_key_update(peer.ssl, i % 2 ? SSL_KEY_UPDATE_REQUESTED
								: SSL_KEY_UPDATE_NOT_REQUESTED),
				 1);
		SSL_write(peer.ssl, "up", 2);
		peer_say(&peer, &setting, (size_t)i);
		send_text(&server, "down");
		settle(&setting);
		peer_read(&peer);
	}
	assert_int_equal(server.recorder.len, 40);
	assert_int_equal(peer.nplain, 80);
	close_with_peer(&setting, &server, &peer);
	setting_done(&setting);
}

static void bytes_behind_the_last_flight_are_kept(void **state)
{
	struct setting setting;
	struct side server;
	struct peer peer;

	setting_init(&setting, fixture_of(state));
	setting_make(&setting);
	unix_pair(setting.fds);
	side_accept(&server, &setting, setting.fds[0]);
	peer_init(&peer, setting.fds[1], TLS1_3_VERSION);
	assert_true(SSL_do_handshake(peer.ssl) <= 0);
	peer_say(&peer, &setting, 10000);
	peer_hear(&peer);
	assert_int_equal(SSL_do_handshake(peer.ssl), 1);
	SSL_write(peer.ssl, "at once", 7);
	SSL_shutdown(peer.ssl);
	peer_say(&peer, &setting, 10000);
	shutdown(peer.fd, SHUT_WR);
	settle(&setting);
	assert_int_equal(server.readies, 1);
	assert_int_equal(server.recorder.len, 0);
	io_stream_recv_start(&server.recorder.stream);
	run_until(setting.fixture, server.recorder.ends);
	assert_int_equal(server.recorder.len, 7);
	assert_int_equal(server.recorder.end_status, 0);
	close_with_peer(&setting, &server, &peer);
	setting_done(&setting);
}

/* --- Failures ---------------------------------------------------------------------------- */

static void fail_with(struct setting *setting, struct side *server, const char *bytes)
{
	unix_pair(setting->fds);
	side_accept(server, setting, setting->fds[0]);
	assert_int_equal(send(setting->fds[1], bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
}

static void done_failed(struct setting *setting, struct side *server)
{
	recorder_done(&server->recorder, setting->fixture);
	assert_int_equal(server->readies, 1);
	close(setting->fds[1]);
}

static void plain_http_is_told_from_tls(void **state)
{
	struct setting setting;
	struct side server;

	setting_init(&setting, fixture_of(state));
	setting_make(&setting);
	fail_with(&setting, &server, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
	run_until(setting.fixture, server.readies);
	assert_int_equal(server.failure, TLS_FAILURE_NOT_TLS);
	done_failed(&setting, &server);
	setting_done(&setting);
}

static void silence_ends_with_the_timeout(void **state)
{
	struct setting setting;
	struct side server;

	setting_init(&setting, fixture_of(state));
	setting_make(&setting);
	setting.timeout_ms = 20;
	fail_with(&setting, &server, "\x16\x03\x01");
	run_until(setting.fixture, server.readies);
	assert_int_equal(server.failure, TLS_FAILURE_TIMEOUT);
	done_failed(&setting, &server);
	setting_done(&setting);
}

static void fin_in_the_handshake_is_told(void **state)
{
	struct setting setting;
	struct side server;

	setting_init(&setting, fixture_of(state));
	setting_make(&setting);
	fail_with(&setting, &server, "\x16\x03\x01");
	shutdown(setting.fds[1], SHUT_WR);
	run_until(setting.fixture, server.readies);
	assert_int_equal(server.failure, TLS_FAILURE_GONE);
	done_failed(&setting, &server);
	setting_done(&setting);
}

static void owner_may_close_during_the_handshake(void **state)
{
	struct setting setting;
	struct side server;

	setting_init(&setting, fixture_of(state));
	setting_make(&setting);
	fail_with(&setting, &server, "\x16\x03\x01");
	settle(&setting);
	recorder_done(&server.recorder, setting.fixture);
	assert_int_equal(server.readies, 0);
	close(setting.fds[1]);
	setting_done(&setting);
}

static void versions_below_the_oldest_are_refused(void **state)
{
	struct setting setting;
	struct side server;
	struct peer peer;

	setting_init(&setting, fixture_of(state));
	setting.server.min_version = CONFIG_TLS_1_3;
	setting_make(&setting);
	unix_pair(setting.fds);
	side_accept(&server, &setting, setting.fds[0]);
	peer_init(&peer, setting.fds[1], TLS1_2_VERSION);
	assert_true(SSL_do_handshake(peer.ssl) <= 0);
	peer_say(&peer, &setting, 10000);
	assert_int_equal(server.failure, TLS_FAILURE_VERSION);
	close_with_peer(&setting, &server, &peer);
	setting_done(&setting);
}

static void expect_forgotten(EVP_PKEY *key)
{
	unsigned char bytes[64];
	size_t len = sizeof(bytes);

	assert_int_equal(EVP_PKEY_get_raw_private_key(key, bytes, &len), 0);
	len = sizeof(bytes);
	assert_int_equal(EVP_PKEY_get_raw_public_key(key, bytes, &len), 0);
	ERR_clear_error();
	EVP_PKEY_free(key);
}

/* While the connection lasts, memory that is read must not tell what was said before. */
static void keys_of_the_exchange_do_not_outlive_the_handshake(void **state)
{
	struct setting setting;
	struct side server, client;
	EVP_PKEY *key;

	setting_init(&setting, fixture_of(state));
	setting_make(&setting);
	open_both(&setting, &server, &client);
	assert_true(SSL_get_tmp_key(server.session->ssl, &key));
	expect_forgotten(key);
	assert_true(SSL_get_peer_tmp_key(server.session->ssl, &key));
	expect_forgotten(key);
	assert_true(SSL_get_tmp_key(client.session->ssl, &key));
	expect_forgotten(key);
	close_both(&setting, &server, &client);
	setting_done(&setting);
}

/* The second one gets its place when the first is through. */
static void handshakes_beyond_the_limit_wait_in_line(void **state)
{
	struct setting setting;
	struct side servers[2];
	struct peer peers[2];

	setting_init(&setting, fixture_of(state));
	setting_make(&setting);
	tls_pacer_set_limit(setting.pacer, 1);
	for (int i = 0; i < 2; i++) {
		unix_pair(setting.fds);
		side_accept(&servers[i], &setting, setting.fds[0]);
		peer_init(&peers[i], setting.fds[1], TLS1_3_VERSION);
		assert_true(SSL_do_handshake(peers[i].ssl) <= 0);
		peer_say(&peers[i], &setting, 10000);
		peer_hear(&peers[i]);
	}
	assert_true(BIO_pending(peers[0].in) > 0);
	assert_int_equal(BIO_pending(peers[1].in), 0);
	peer_shake_hands(&peers[0], &setting, 10000);
	assert_int_equal(servers[0].readies, 1);
	assert_int_equal(servers[1].readies, 0);
	while (BIO_pending(peers[1].in) == 0) {
		settle(&setting);
		peer_hear(&peers[1]);
	}
	peer_shake_hands(&peers[1], &setting, 10000);
	assert_int_equal(servers[1].readies, 1);
	for (int i = 0; i < 2; i++)
		close_with_peer(&setting, &servers[i], &peers[i]);
	setting_done(&setting);
}

/* --- Who is who -------------------------------------------------------------------------- */

static void client_refuses_another_name(void **state)
{
	struct setting setting;
	struct side server, client;

	setting_init(&setting, fixture_of(state));
	setting_make(&setting);
	setting.server_name = "b.test";
	open_both(&setting, &server, &client);
	assert_int_equal(client.failure, TLS_FAILURE_CERTIFICATE);
	assert_string_equal(client.reason, "hostname mismatch");
	assert_int_equal(server.failure, TLS_FAILURE_REFUSED);
	close_both(&setting, &server, &client);
	setting_done(&setting);
}

static void client_refuses_an_unknown_authority(void **state)
{
	struct setting setting;
	struct side server, client;
	struct pki other;

	pki_init(&other);
	setting_init(&setting, fixture_of(state));
	pki_file_done(&setting.client.ca);
	setting.client.ca = pki_file(&other, "ca.pem");
	setting_make(&setting);
	open_both(&setting, &server, &client);
	assert_int_equal(client.failure, TLS_FAILURE_CERTIFICATE);
	close_both(&setting, &server, &client);
	setting_done(&setting);
	pki_done(&other);
}

static void client_that_verifies_must_know_whom(void **state)
{
	struct setting setting;
	struct recorder recorder;
	struct tls_session *session;
	const struct tls_target target = {};
	struct tls_start start;

	setting_init(&setting, fixture_of(state));
	setting_make(&setting);
	start = start_of(&setting);
	unix_pair(setting.fds);
	recorder_init(&recorder, setting.fixture, setting.fds[0]);
	assert_int_equal(
		tls_connect(setting.client_context, &target, &recorder.stream, &start, &session),
		-EINVAL);
	recorder_done(&recorder, setting.fixture);
	close(setting.fds[1]);
	setting_done(&setting);
}

static void ask_for_certificates(struct setting *setting, enum config_client_auth mode)
{
	setting->server.client_auth = mode;
	setting->server.client_ca = pki_file(&pki, "ca.pem");
}

static void show_certificate(struct setting *setting, const char *name)
{
	struct config_certificate certificate = pki_certificate(&pki, name);

	setting->client.cert = certificate.cert;
	setting->client.key = certificate.key;
}

static void required_certificate_must_be_there(void **state)
{
	struct setting setting;
	struct side server, client;

	setting_init(&setting, fixture_of(state));
	ask_for_certificates(&setting, CONFIG_CLIENT_AUTH_REQUIRED);
	setting_make(&setting);
	tcp_pair(setting.fds);
	side_accept(&server, &setting, setting.fds[0]);
	side_connect(&client, &setting, setting.fds[1]);
	run_until(setting.fixture, server.readies);
	assert_int_equal(server.failure, TLS_FAILURE_CERTIFICATE);
	recorder_done(&server.recorder, setting.fixture);
	recorder_done(&client.recorder, setting.fixture);
	setting_done(&setting);
}

static void certificate_of_a_client_is_told(void **state)
{
	struct setting setting;
	struct side server, client;
	const struct tls_peer *peer;

	setting_init(&setting, fixture_of(state));
	ask_for_certificates(&setting, CONFIG_CLIENT_AUTH_REQUIRED);
	show_certificate(&setting, "client");
	setting_make(&setting);
	open_both(&setting, &server, &client);
	assert_int_equal(server.failure, TLS_FAILURE_NONE);
	peer = tls_session_peer(server.session);
	assert_non_null(peer);
	assert_true(slice_equal_str(peer->subject, "CN=client"));
	assert_true(slice_equal_str(peer->issuer, "CN=Test CA"));
	assert_int_equal(peer->fingerprint.len, 64);
	assert_int_equal(peer->serial.len, 2);
	assert_int_equal(peer->not_before.len, strlen("2026-01-01T00:00:00Z"));
	assert_true(memcmp(peer->not_before.ptr, peer->not_after.ptr, peer->not_after.len) < 0);
	assert_int_equal(peer->names[TLS_NAME_DNS].len, 0);
	assert_ptr_equal(tls_session_peer(server.session), peer);
	close_both(&setting, &server, &client);
	setting_done(&setting);
}

/* A blank stands between names, so a name with one would be taken for two. */
static void names_of_a_client_are_told_but_for_malformed_ones(void **state)
{
	struct setting setting;
	struct side server, client;
	const struct tls_peer *peer;

	pki_issue(&pki, "named",
		  "DNS:B.Test,URI:spiffe://a.test/x,DNS:c.test,DNS:forged.test d.test,"
		  "email:Alice@a.test,URI:urn:e\x01f");
	setting_init(&setting, fixture_of(state));
	ask_for_certificates(&setting, CONFIG_CLIENT_AUTH_REQUIRED);
	show_certificate(&setting, "named");
	setting_make(&setting);
	open_both(&setting, &server, &client);
	peer = tls_session_peer(server.session);
	assert_non_null(peer);
	assert_true(slice_equal_str(peer->names[TLS_NAME_DNS], "b.test c.test"));
	assert_true(slice_equal_str(peer->names[TLS_NAME_URI], "spiffe://a.test/x"));
	assert_true(slice_equal_str(peer->names[TLS_NAME_EMAIL], "Alice@a.test"));
	close_both(&setting, &server, &client);
	setting_done(&setting);
}

/* Of a chain of two nothing is between leaf and anchor. */
static void certificate_of_a_client_is_handed_on_whole(void **state)
{
	struct setting setting;
	struct side server, client;
	const struct tls_peer_der *der;
	unsigned char bytes[4096];
	X509 *read;
	const unsigned char *at = bytes;
	int len;

	setting_init(&setting, fixture_of(state));
	ask_for_certificates(&setting, CONFIG_CLIENT_AUTH_REQUIRED);
	show_certificate(&setting, "client");
	setting_make(&setting);
	open_both(&setting, &server, &client);
	der = tls_session_peer_der(server.session);
	assert_non_null(der);
	assert_int_equal(der->leaf.ptr[0], ':');
	assert_int_equal(der->leaf.ptr[der->leaf.len - 1], ':');
	assert_int_equal(der->chain.len, 0);
	len = EVP_DecodeBlock(bytes, (const unsigned char *)der->leaf.ptr + 1,
			      (int)der->leaf.len - 2);
	assert_true(len > 0);
	read = d2i_X509(NULL, &at, len);
	assert_non_null(read);
	assert_int_equal(X509_cmp(read, SSL_get0_peer_certificate(server.session->ssl)), 0);
	X509_free(read);
	close_both(&setting, &server, &client);
	setting_done(&setting);
}

static void optional_certificate_may_be_absent(void **state)
{
	struct setting setting;
	struct side server, client;

	setting_init(&setting, fixture_of(state));
	ask_for_certificates(&setting, CONFIG_CLIENT_AUTH_OPTIONAL);
	setting_make(&setting);
	open_both(&setting, &server, &client);
	assert_int_equal(server.failure, TLS_FAILURE_NONE);
	assert_null(tls_session_peer(server.session));
	assert_null(tls_session_peer_der(server.session));
	close_both(&setting, &server, &client);
	setting_done(&setting);
}

static void with_revocations(void **state, const char *crl, enum tls_failure expected)
{
	struct setting setting;
	struct side server, client;

	setting_init(&setting, fixture_of(state));
	ask_for_certificates(&setting, CONFIG_CLIENT_AUTH_REQUIRED);
	setting.server.client_crl = pki_file(&pki, crl);
	show_certificate(&setting, "client");
	setting_make(&setting);
	tcp_pair(setting.fds);
	side_accept(&server, &setting, setting.fds[0]);
	side_connect(&client, &setting, setting.fds[1]);
	run_until(setting.fixture, server.readies);
	assert_int_equal(server.failure, expected);
	recorder_done(&server.recorder, setting.fixture);
	recorder_done(&client.recorder, setting.fixture);
	setting_done(&setting);
}

static void revoked_certificate_is_refused(void **state)
{
	with_revocations(state, "empty.crl", TLS_FAILURE_NONE);
	with_revocations(state, "client.crl", TLS_FAILURE_CERTIFICATE);
}

/* --- Resumption --------------------------------------------------------------------------- */

/* Return: whether the second of two connections was resumed. */
static bool resumes(struct setting *setting, struct tls_server_context *second)
{
	struct tls_server_context *first = setting->server_context;
	struct side server, client;
	bool is_resumed;

	setting->cache = tls_session_cache_new();
	open_both(setting, &server, &client);
	assert_int_equal(client.failure, TLS_FAILURE_NONE);
	assert_false(server.is_resumed);
	/* Tickets of TLS 1.3 come behind the handshake, and are read like bytes. */
	io_stream_recv_start(&client.recorder.stream);
	send_text(&server, "x");
	run_until(setting->fixture, client.recorder.len == 1);
	close_both(setting, &server, &client);
	setting->server_context = second;
	open_both(setting, &server, &client);
	assert_int_equal(client.failure, TLS_FAILURE_NONE);
	assert_int_equal(server.is_resumed, client.is_resumed);
	is_resumed = server.is_resumed;
	close_both(setting, &server, &client);
	setting->server_context = first;
	tls_session_cache_free(setting->cache);
	setting->cache = NULL;
	return is_resumed;
}

static void resumption_follows_the_ticket_keys(void **state)
{
	struct setting setting;
	struct tls_ticket_keys *other_keys = tls_ticket_keys_new(), *keys;
	struct tls_server_context *same, *elsewhere, *other;

	setting_init(&setting, fixture_of(state));
	for (unsigned version = CONFIG_TLS_1_2; version <= CONFIG_TLS_1_3; version++) {
		setting.server.min_version = setting.server.max_version = version;
		setting_make(&setting);
		keys = setting.keys;
		same = make_server(&setting, "web");
		elsewhere = make_server(&setting, "other listener");
		setting.keys = other_keys;
		other = make_server(&setting, "web");
		setting.keys = keys;
		assert_true(resumes(&setting, setting.server_context));
		/* Another worker's, or the one after a reload. */
		assert_true(resumes(&setting, same));
		assert_false(resumes(&setting, other));
		/* TLS 1.2 breaks off where the listener is another one. */
		if (version == CONFIG_TLS_1_3)
			assert_false(resumes(&setting, elsewhere));
		tls_server_context_free(same);
		tls_server_context_free(elsewhere);
		tls_server_context_free(other);
		tls_server_context_free(setting.server_context);
		tls_client_context_free(setting.client_context);
		setting.server_context = NULL;
		setting.client_context = NULL;
	}
	tls_ticket_keys_free(other_keys);
	setting_done(&setting);
}

/* The listener's clock is a day behind: what has run out meanwhile was good when it was verified.
 */
static bool resumes_with(void **state, const char *name, enum config_tls_version version,
			 bool keeps_chains)
{
	struct setting setting;
	bool is_resumed;

	setting_init(&setting, fixture_of(state));
	setting.server.min_version = setting.server.max_version = version;
	ask_for_certificates(&setting, CONFIG_CLIENT_AUTH_REQUIRED);
	show_certificate(&setting, name);
	setting_make(&setting);
	if (keeps_chains)
		tls_server_context_keep_chains(setting.server_context);
	X509_VERIFY_PARAM_set_time(
		SSL_CTX_get0_param(tls_server_context_ssl(setting.server_context)),
		time(NULL) - 86400);
	is_resumed = resumes(&setting, setting.server_context);
	setting_done(&setting);
	return is_resumed;
}

static void ticket_does_not_outlive_the_clients_certificate(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	X509_free(pki_issue_for(&pki, key, "expired", NULL, 0));
	EVP_PKEY_free(key);
	for (unsigned version = CONFIG_TLS_1_2; version <= CONFIG_TLS_1_3; version++)
		for (int keeps_chains = 0; keeps_chains <= 1; keeps_chains++) {
			assert_true(resumes_with(state, "client", version, keeps_chains));
			assert_false(resumes_with(state, "expired", version, keeps_chains));
		}
}

static int on_peer_ticket(SSL *ssl, SSL_SESSION *session)
{
	int *count = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	(void)session;
	++*count;
	return 0;
}

/* Return: how many have come. @session: NULL: a full handshake. */
static int tickets_after(struct setting *setting, SSL_SESSION *session, SSL_SESSION **ret_newest)
{
	struct side server;
	struct peer peer;
	int count = 0;

	unix_pair(setting->fds);
	side_accept(&server, setting, setting->fds[0]);
	peer_init(&peer, setting->fds[1], TLS1_3_VERSION);
	SSL_CTX_set_app_data(peer.ctx, &count);
	SSL_CTX_set_session_cache_mode(peer.ctx,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(peer.ctx, on_peer_ticket);
	if (session)
		SSL_set_session(peer.ssl, session);
	peer_shake_hands(&peer, setting, 10000);
	peer_read(&peer);
	assert_int_equal(server.is_resumed, session != NULL);
	*ret_newest = SSL_get1_session(peer.ssl);
	SSL_shutdown(peer.ssl); /* or OpenSSL would not resume it */
	close_with_peer(setting, &server, &peer);
	return count;
}

static void a_full_handshake_brings_the_tickets_asked_for(void **state)
{
	for (uint32_t wanted = 1; wanted <= 3; wanted++) {
		struct setting setting;
		SSL_SESSION *first, *second;

		setting_init(&setting, fixture_of(state));
		setting.server.ticket_count = wanted;
		setting_make(&setting);
		assert_int_equal(tickets_after(&setting, NULL, &first), wanted);
		assert_int_equal(tickets_after(&setting, first, &second), 1);
		SSL_SESSION_free(first);
		SSL_SESSION_free(second);
		setting_done(&setting);
	}
}

static void without_tickets_nothing_is_resumed(void **state)
{
	struct setting setting;

	setting_init(&setting, fixture_of(state));
	setting.server.has_tickets = false;
	setting_make(&setting);
	assert_false(resumes(&setting, setting.server_context));
	setting_done(&setting);
}

/* --- Early data ------------------------------------------------------------------------- */

static SSL_SESSION *session_to_resume(struct setting *setting)
{
	struct side server;
	struct peer peer;
	SSL_SESSION *session;

	open_with_peer(setting, &server, &peer, TLS1_3_VERSION, 10000);
	peer_read(&peer);
	session = SSL_get1_session(peer.ssl);
	assert_int_equal(SSL_SESSION_get_max_early_data(session), setting->server.early_data_bytes);
	SSL_shutdown(peer.ssl); /* or OpenSSL would not resume it */
	close_with_peer(setting, &server, &peer);
	return session;
}

/* What the peer has to say stands in its BIO then. */
static void begin_early(struct setting *setting, struct side *server, struct peer *peer,
			SSL_SESSION *session)
{
	size_t len;

	unix_pair(setting->fds);
	side_accept(server, setting, setting->fds[0]);
	peer_init(peer, setting->fds[1], TLS1_3_VERSION);
	SSL_set_session(peer->ssl, session);
	assert_int_equal(SSL_write_early_data(peer->ssl, "early", 5, &len), 1);
}

static void finish_handshake(struct setting *setting, struct peer *peer)
{
	peer_hear(peer);
	assert_int_equal(SSL_do_handshake(peer->ssl), 1);
	peer_say(peer, setting, 10000);
}

static void early_data_is_answered_before_the_handshake_is_done(void **state)
{
	struct setting setting;
	SSL_SESSION *session;

	setting_init(&setting, fixture_of(state));
	setting.server.early_data_bytes = 1024;
	setting_make(&setting);
	session = session_to_resume(&setting);
	for (size_t cut = 1; cut < 700; cut += 13) {
		struct side server;
		struct peer peer;

		begin_early(&setting, &server, &peer, session);
		peer_say(&peer, &setting, cut);
		assert_int_equal(server.readies, 1);
		assert_true(server.is_early && tls_session_is_early(server.session));
		io_stream_recv_start(&server.recorder.stream);
		settle(&setting);
		assert_int_equal(server.recorder.len, 5);
		assert_memory_equal(server.recorder.bytes, "early", 5);
		send_text(&server, "answer");
		settle(&setting);
		finish_handshake(&setting, &peer);
		assert_int_equal(SSL_get_early_data_status(peer.ssl), SSL_EARLY_DATA_ACCEPTED);
		assert_false(tls_session_is_early(server.session));
		peer_read(&peer);
		assert_int_equal(peer.nplain, 6);
		assert_memory_equal(peer.plain, "answer", 6);
		SSL_write(peer.ssl, "late", 4);
		peer_say(&peer, &setting, cut);
		assert_int_equal(server.recorder.len, 9);
		close_with_peer(&setting, &server, &peer);
	}
	SSL_SESSION_free(session);
	setting_done(&setting);
}

static void copy_of_early_data_is_not_delivered(void **state)
{
	struct setting setting;
	struct side server, again;
	struct peer peer;
	SSL_SESSION *session;
	char copy[2048], *bytes;
	size_t len;

	setting_init(&setting, fixture_of(state));
	setting.server.early_data_bytes = 1024;
	setting_make(&setting);
	session = session_to_resume(&setting);
	begin_early(&setting, &server, &peer, session);
	len = (size_t)BIO_get_mem_data(peer.out, &bytes);
	assert_in_range(len, 100, sizeof(copy));
	memcpy(copy, bytes, len);
	peer_say(&peer, &setting, 10000);
	assert_true(server.is_early);
	close_with_peer(&setting, &server, &peer);
	unix_pair(setting.fds);
	side_accept(&again, &setting, setting.fds[0]);
	assert_int_equal(send(setting.fds[1], copy, len, MSG_NOSIGNAL), len);
	settle(&setting);
	assert_int_equal(again.readies, 0);
	recorder_done(&again.recorder, setting.fixture);
	close(setting.fds[1]);
	SSL_SESSION_free(session);
	setting_done(&setting);
}

/* Its clients may still have tickets that speak of early data. */
static void listener_that_takes_none_skips_early_data(void **state)
{
	struct setting setting;
	struct side server;
	struct peer peer;
	SSL_SESSION *session;

	setting_init(&setting, fixture_of(state));
	setting.server.early_data_bytes = 1024;
	setting_make(&setting);
	session = session_to_resume(&setting);
	tls_server_context_free(setting.server_context);
	setting.server.early_data_bytes = 0;
	setting.server_context = make_server(&setting, "web");
	begin_early(&setting, &server, &peer, session);
	peer_say(&peer, &setting, 10000);
	assert_int_equal(server.readies, 0);
	finish_handshake(&setting, &peer);
	assert_int_equal(SSL_get_early_data_status(peer.ssl), SSL_EARLY_DATA_REJECTED);
	assert_int_equal(server.readies, 1);
	assert_true(server.is_resumed && !server.is_early);
	io_stream_recv_start(&server.recorder.stream);
	SSL_write(peer.ssl, "again", 5);
	peer_say(&peer, &setting, 10000);
	assert_int_equal(server.recorder.len, 5);
	assert_memory_equal(server.recorder.bytes, "again", 5);
	close_with_peer(&setting, &server, &peer);
	SSL_SESSION_free(session);
	setting_done(&setting);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(plain_bytes_cross_both_ways_and_close_notify_is_the_end),
		ON_BOTH(what_cannot_be_encrypted_ends_both_directions),
		ON_BOTH(megabytes_cross_at_once),
		ON(epoll, handshake_may_be_cut_at_each_byte, fixture_setup),
		ON_BOTH(record_may_be_cut_at_each_byte),
		ON_BOTH(fin_without_close_notify_is_truncation),
		ON_BOTH(changed_record_is_never_delivered),
		ON_BOTH(renegotiation_is_refused_and_the_session_goes_on),
		ON_BOTH(keys_may_be_updated_in_mid_stream),
		ON_BOTH(keys_of_the_exchange_do_not_outlive_the_handshake),
		ON_BOTH(bytes_behind_the_last_flight_are_kept),
		ON_BOTH(plain_http_is_told_from_tls),
		ON_BOTH(silence_ends_with_the_timeout),
		ON_BOTH(fin_in_the_handshake_is_told),
		ON_BOTH(owner_may_close_during_the_handshake),
		ON_BOTH(versions_below_the_oldest_are_refused),
		ON_BOTH(handshakes_beyond_the_limit_wait_in_line),
		ON_BOTH(client_refuses_another_name),
		ON_BOTH(client_refuses_an_unknown_authority),
		ON_BOTH(client_that_verifies_must_know_whom),
		ON_BOTH(required_certificate_must_be_there),
		ON_BOTH(certificate_of_a_client_is_told),
		ON_BOTH(names_of_a_client_are_told_but_for_malformed_ones),
		ON_BOTH(certificate_of_a_client_is_handed_on_whole),
		ON_BOTH(optional_certificate_may_be_absent),
		ON_BOTH(revoked_certificate_is_refused),
		ON_BOTH(resumption_follows_the_ticket_keys),
		ON_BOTH(ticket_does_not_outlive_the_clients_certificate),
		ON_BOTH(a_full_handshake_brings_the_tickets_asked_for),
		ON_BOTH(without_tickets_nothing_is_resumed),
		ON_BOTH(early_data_is_answered_before_the_handshake_is_done),
		ON_BOTH(copy_of_early_data_is_not_delivered),
		ON_BOTH(listener_that_takes_none_skips_early_data),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
