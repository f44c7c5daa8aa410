// SPDX-License-Identifier: Apache-2.0
#include "tls/tls_internal.h"
#include "unit/tls/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>

#define LIFETIME_MS 60000

static uint64_t now_ms;

uint64_t __wrap_clock_monotonic_ms(void);
uint64_t __wrap_clock_monotonic_ms(void)
{
	return now_ms;
}

/* What a handshake leaves behind for the next: sealed by @keys, and opened by them. */
struct ends {
	struct pki pki;
	struct config_certificate certificate;
	struct config_tls config;
	struct tls_ticket_keys *keys;
	struct tls_server_context *context;
	SSL_CTX *client;
	SSL_SESSION *session;
};

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct ends *ends = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	SSL_SESSION_free(ends->session);
	ends->session = session;
	return 1;
}

static void ends_init(struct ends *ends)
{
	struct strbuf errors = {};

	*ends = (struct ends){};
	pki_init(&ends->pki);
	pki_issue(&ends->pki, "a.test", "DNS:a.test");
	ends->certificate = pki_certificate(&ends->pki, "a.test");
	ends->config = (struct config_tls){
		.certificates = &ends->certificate,
		.ncertificates = 1,
		.max_version = CONFIG_TLS_1_3,
		.has_tickets = true,
		.ticket_lifetime_ms = LIFETIME_MS,
		.ticket_count = 1,
	};
	ends->keys = tls_ticket_keys_new();
	assert_int_equal(tls_server_context_new(&ends->config, "web", "t.yaml", ends->keys,
						&ends->context, &errors),
			 0);
	ends->client = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_app_data(ends->client, ends);
	SSL_CTX_set_session_cache_mode(ends->client,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ends->client, on_session);
	now_ms = 1000000;
}

static void ends_done(struct ends *ends)
{
	SSL_SESSION_free(ends->session);
	SSL_CTX_free(ends->client);
	tls_server_context_free(ends->context);
	tls_ticket_keys_free(ends->keys);
	pki_certificate_done(&ends->certificate);
	pki_done(&ends->pki);
}

/* With @session, or a full handshake; what the server gives out is the next @session. */
static bool shake_hands(struct ends *ends, SSL_SESSION *session)
{
	SSL *server = SSL_new(tls_server_context_ssl(ends->context)), *client;
	SSL_SESSION *copy = session ? SSL_SESSION_dup(session) : NULL;
	BIO *left, *right;
	bool is_resumed;
	char byte;

	client = SSL_new(ends->client);
	BIO_new_bio_pair(&left, 0, &right, 0);
	SSL_set_bio(server, left, left);
	SSL_set_bio(client, right, right);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	if (copy)
		SSL_set_session(client, copy); /* which uses it up */
	for (int i = 0; i < 10; i++) {
		SSL_do_handshake(client);
		SSL_do_handshake(server);
	}
	assert_true(SSL_is_init_finished(server) && SSL_is_init_finished(client));
	assert_true(SSL_read(client, &byte, 1) <= 0);
	is_resumed = SSL_session_reused(server);
	SSL_shutdown(client);
	SSL_shutdown(server);
	SSL_free(client);
	SSL_free(server);
	SSL_SESSION_free(copy);
	return is_resumed;
}

static SSL_SESSION *take_session(struct ends *ends)
{
	SSL_SESSION *session;

	shake_hands(ends, NULL);
	session = ends->session;
	assert_non_null(session);
	ends->session = NULL;
	return session;
}

static void tickets_outlive_two_changes_of_the_key(void **state)
{
	struct ends ends;
	SSL_SESSION *session;

	(void)state;
	ends_init(&ends);
	session = take_session(&ends);
	assert_true(shake_hands(&ends, session));
	now_ms += LIFETIME_MS;
	shake_hands(&ends, NULL);
	assert_true(shake_hands(&ends, session));
	now_ms += LIFETIME_MS - 10;
	shake_hands(&ends, NULL);
	assert_true(shake_hands(&ends, session));
	/* The third key after it takes its place. */
	now_ms += LIFETIME_MS + 20;
	shake_hands(&ends, NULL);
	assert_false(shake_hands(&ends, session));
	SSL_SESSION_free(session);
	ends_done(&ends);
}

/* Nobody came, so nobody replaced the key. */
static void old_key_opens_nothing_even_if_it_is_still_there(void **state)
{
	struct ends ends;
	SSL_SESSION *session;

	(void)state;
	ends_init(&ends);
	session = take_session(&ends);
	now_ms += 3 * LIFETIME_MS;
	assert_false(shake_hands(&ends, session));
	SSL_SESSION_free(session);
	ends_done(&ends);
}

static void resumed_client_gets_a_ticket_of_the_new_key(void **state)
{
	struct ends ends;
	SSL_SESSION *session, *renewed;

	(void)state;
	ends_init(&ends);
	session = take_session(&ends);
	now_ms += LIFETIME_MS + 1;
	assert_true(shake_hands(&ends, session));
	renewed = ends.session;
	ends.session = NULL;
	assert_non_null(renewed);
	now_ms += 2 * LIFETIME_MS - 10;
	assert_true(shake_hands(&ends, renewed));
	SSL_SESSION_free(renewed);
	SSL_SESSION_free(session);
	ends_done(&ends);
}

/* For ThreadSanitizer: workers share a context and its keys. */
static void *resume_often(void *context)
{
	struct ends *shared = context;
	struct ends own = {.context = shared->context, .client = SSL_CTX_new(TLS_client_method())};

	SSL_CTX_set_app_data(own.client, &own);
	SSL_CTX_set_session_cache_mode(own.client,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(own.client, on_session);
	for (int i = 0; i < 20; i++) {
		SSL_SESSION *session = take_session(&own);

		assert_true(shake_hands(&own, session));
		SSL_SESSION_free(session);
	}
	SSL_SESSION_free(own.session);
	SSL_CTX_free(own.client);
	return NULL;
}

static void workers_share_keys(void **state)
{
	struct ends ends;
	pthread_t threads[3];

	(void)state;
	ends_init(&ends);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, resume_often, &ends), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	ends_done(&ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tickets_outlive_two_changes_of_the_key),
		cmocka_unit_test(old_key_opens_nothing_even_if_it_is_still_there),
		cmocka_unit_test(resumed_client_gets_a_ticket_of_the_new_key),
		cmocka_unit_test(workers_share_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
