// SPDX-License-Identifier: Apache-2.0
/* Each allocation fails in its turn, OpenSSL's among them, which mostly goes on without what it
 * could not have: no context is poorer for it, and no peer is blamed. */
#include "tls/memory.h"
#include "unit/tls/session_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>

/* There are thousands, and many alike. */
#define STEP 29

/* --- Allocations ----------------------------------------------------------------------- */

static unsigned left = UINT_MAX; /* until one fails, and only that */
static bool is_armed;

static bool is_denied(void)
{
	return is_armed && left != UINT_MAX && left-- == 0;
}

void *__real_malloc(size_t size);
void *__real_realloc(void *ptr, size_t size);

void *__wrap_malloc(size_t size)
{
	return is_denied() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
	return is_denied() ? NULL : __real_realloc(ptr, size);
}

static void arm(unsigned nth)
{
	left = nth;
	is_armed = true;
}

/* Return: whether there were so many. */
static bool disarm(void)
{
	bool was_denied = left == UINT_MAX;

	is_armed = false;
	left = UINT_MAX;
	return was_denied;
}

/* --- Contexts -------------------------------------------------------------------------- */

static bool server_is_whole_or_none(struct setting *setting, unsigned nth)
{
	struct tls_server_context *context = NULL;
	struct strbuf errors = {};
	bool was_denied;
	int err;

	arm(nth);
	err = tls_server_context_new(&setting->server, "web", "t.yaml", setting->keys, &context,
				     &errors);
	was_denied = disarm();
	if (was_denied && !err)
		fail_msg("allocation %u failed, and nobody cared", nth);
	if (!err)
		tls_server_context_free(context);
	strbuf_done(&errors);
	return was_denied;
}

static bool client_is_whole_or_none(struct setting *setting, unsigned nth)
{
	struct tls_client_context *context = NULL;
	struct strbuf errors = {};
	bool was_denied;
	int err;

	arm(nth);
	err = tls_client_context_new(&setting->client, "t.yaml", &context, &errors);
	was_denied = disarm();
	if (was_denied && !err)
		fail_msg("allocation %u failed, and nobody cared", nth);
	if (!err)
		tls_client_context_free(context);
	strbuf_done(&errors);
	return was_denied;
}

static void a_context_is_whole_or_none(void **state)
{
	struct setting setting;
	unsigned nth = 0;

	setting_init(&setting, fixture_of(state));
	setting.server.client_auth = CONFIG_CLIENT_AUTH_OPTIONAL;
	setting.server.client_ca = pki_file(&pki, "ca.pem");
	setting.server.client_crl = pki_file(&pki, "client.crl");
	while (server_is_whole_or_none(&setting, nth))
		nth += STEP;
	assert_true(nth > 1000);
	nth = 0;
	while (client_is_whole_or_none(&setting, nth))
		nth += STEP;
	assert_true(nth > 1000);
	setting_done(&setting);
}

static rlim_t count_descriptors(void)
{
	int next = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(next);
	return (rlim_t)next;
}

static void the_systems_authorities_are_read_or_missed(void **state)
{
	struct tls_client_context *context = NULL;
	struct strbuf errors = {};
	struct setting setting;
	struct rlimit plenty, scarce;
	int err;

	setting_init(&setting, fixture_of(state));
	pki_file_done(&setting.client.ca);
	setenv(X509_get_default_cert_file_env(), pki_path(&pki, "ca.pem"), 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &plenty), 0);
	scarce = (struct rlimit){.rlim_cur = count_descriptors(), .rlim_max = plenty.rlim_max};
	setrlimit(RLIMIT_NOFILE, &scarce);
	err = tls_client_context_new(&setting.client, "t.yaml", &context, &errors);
	setrlimit(RLIMIT_NOFILE, &plenty);
	assert_int_equal(err, -EINVAL);
	assert_non_null(strstr(errors.text, "the system's authorities cannot be read from"));
	assert_int_equal(tls_client_context_new(&setting.client, "t.yaml", &context, &errors), 0);
	tls_client_context_free(context);
	strbuf_done(&errors);
	setting_done(&setting);
}

/* --- Handshakes ------------------------------------------------------------------------ */

int __real_SSL_do_handshake(SSL *ssl);

/* Only the client lacks memory. */
int __wrap_SSL_do_handshake(SSL *ssl)
{
	int result;

	is_armed = !SSL_is_server(ssl);
	result = __real_SSL_do_handshake(ssl);
	is_armed = false;
	return result;
}

static bool nobody_is_blamed(struct setting *setting, unsigned nth)
{
	struct side server, client;

	left = nth;
	open_both(setting, &server, &client);
	if (client.failure != TLS_FAILURE_NONE && client.failure != TLS_FAILURE_NO_MEMORY)
		fail_msg("allocation %u failed, and the server is blamed: %s", nth, client.reason);
	assert_int_equal(client.is_starved, client.failure != TLS_FAILURE_NONE);
	close_both(setting, &server, &client);
	return disarm();
}

static void what_a_handshake_lacks_is_not_the_peers_fault(void **state)
{
	struct setting setting;
	unsigned nth = 0;

	setting_init(&setting, fixture_of(state));
	setting_make(&setting);
	while (nobody_is_blamed(&setting, nth))
		nth += STEP;
	assert_true(nth > 100);
	setting_done(&setting);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(epoll, a_context_is_whole_or_none, fixture_setup),
		ON(epoll, the_systems_authorities_are_read_or_missed, fixture_setup),
		ON(epoll, what_a_handshake_lacks_is_not_the_peers_fault, fixture_setup),
	};

	tls_memory_watch();
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
