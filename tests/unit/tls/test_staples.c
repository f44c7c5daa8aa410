// SPDX-License-Identifier: Apache-2.0
/* When responders are asked, and that one does not wait for another; what they say is made up. */
#include "tls/staples.h"
#include "tls/ocsp.h"
#include "tls/tls_internal.h"
#include "unit/tls/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <openssl/x509v3.h>
#include <poll.h>
#include <stdatomic.h>
#include <time.h>

#define GOOD_FOR_S 1000
#define SLOW       "http://slow.test/"
#define FAST       "http://fast.test/"

static struct pki pki;

/* --- What responders do -------------------------------------------------------------- */

static _Atomic bool is_released;
static atomic_int slow_asked, slow_now, slow_most, fast_asked;
static _Atomic uint64_t ahead_ms;

uint64_t __real_clock_monotonic_ms(void);

uint64_t __wrap_clock_monotonic_ms(void)
{
	return __real_clock_monotonic_ms() + ahead_ms;
}

static bool wait_released(int wake)
{
	struct pollfd woken = {.fd = wake, .events = POLLIN};

	while (!is_released)
		if (poll(&woken, 1, 1) > 0)
			return false;
	return true;
}

static bool ask_slow(int wake)
{
	int now = ++slow_now;
	bool is_answered;

	slow_asked++;
	if (now > slow_most)
		slow_most = now;
	is_answered = wait_released(wake);
	slow_now--;
	return is_answered;
}

const char *__wrap_ocsp_fetch(const char *url, X509 *leaf, X509 *issuer, int wake,
			      unsigned char **ret, size_t *ret_len)
{
	bool is_slow = strcmp(url, SLOW) == 0;

	(void)leaf;
	(void)issuer;
	if (!is_slow)
		fast_asked++;
	else if (!ask_slow(wake))
		return "nobody waited";
	*ret = (unsigned char *)strdup("an answer");
	*ret_len = strlen("an answer");
	return NULL;
}

const char *__wrap_ocsp_judge(struct slice der, X509 *leaf, STACK_OF(X509) * chain,
			      int64_t *ret_until_s)
{
	(void)der;
	(void)leaf;
	(void)chain;
	*ret_until_s = (int64_t)time(NULL) + GOOD_FOR_S;
	return NULL;
}

/* --- Certificates -------------------------------------------------------------------- */

struct setting {
	struct tls_staples *staples;
	STACK_OF(X509) * chain;
};

static int setup(void **state)
{
	struct setting *setting = calloc(1, sizeof(*setting));

	assert_non_null(setting);
	is_released = false;
	slow_asked = slow_now = slow_most = fast_asked = 0;
	ahead_ms = 0;
	assert_int_equal(tls_staples_new(NULL, NULL, &setting->staples), 0);
	setting->chain = sk_X509_new_null();
	sk_X509_push(setting->chain, pki.cert);
	*state = setting;
	return 0;
}

static int teardown(void **state)
{
	struct setting *setting = *state;

	tls_staples_free(setting->staples);
	sk_X509_free(setting->chain);
	free(setting);
	return 0;
}

static X509 *issue(const char *url)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *leaf = pki_sign(&pki, key, "a.test", NULL, 30);
	char access[64];

	snprintf(access, sizeof(access), "OCSP;URI:%s", url);
	pki_extend(leaf, pki.cert, NID_info_access, access);
	EVP_PKEY_free(key);
	return leaf;
}

static struct tls_staple *want(const struct setting *setting, const char *url)
{
	X509 *leaf = issue(url);
	struct tls_staple *staple = tls_staple_want(setting->staples, leaf, setting->chain);

	X509_free(leaf);
	assert_non_null(staple);
	return staple;
}

static bool has_answer(struct tls_staple *staple)
{
	size_t len;
	unsigned char *copy = tls_staple_copy(staple, &len);

	OPENSSL_free(copy);
	return copy;
}

static void pause_briefly(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

#define wait_for(condition)                                     \
	do {                                                    \
		for (int i = 0; !(condition) && i < 20000; i++) \
			pause_briefly();                        \
		assert_true(condition);                         \
	} while (0)

/* --- Facts --------------------------------------------------------------------------- */

static void a_slow_responder_holds_up_none_but_its_own(void **state)
{
	const struct setting *setting = *state;
	struct tls_staple *first = want(setting, SLOW), *second = want(setting, SLOW);
	struct tls_staple *other = want(setting, FAST);

	wait_for(has_answer(other));
	wait_for(slow_asked == 1);
	assert_false(has_answer(first) || has_answer(second));
	is_released = true;
	wait_for(has_answer(first) && has_answer(second));
	assert_int_equal(slow_asked, 2);
	assert_int_equal(slow_most, 1);
	tls_staple_unref(first);
	tls_staple_unref(second);
	tls_staple_unref(other);
}

static void an_answer_that_nobody_waits_for_holds_up_no_end(void **state)
{
	const struct setting *setting = *state;
	struct tls_staple *staple = want(setting, SLOW);

	wait_for(slow_asked == 1);
	tls_staple_unref(staple);
	/* teardown() ends it. */
}

/* Lets the threads look at the clock. */
static void nudge(const struct setting *setting)
{
	struct tls_staple *staple = want(setting, FAST);

	wait_for(has_answer(staple));
	tls_staple_unref(staple);
}

static void an_answer_is_fetched_again_at_half_of_its_time(void **state)
{
	const struct setting *setting = *state;
	struct tls_staple *staple = want(setting, SLOW);

	is_released = true;
	wait_for(has_answer(staple));
	/* Give or take a tenth. */
	ahead_ms = GOOD_FOR_S * 1000 * 44 / 100;
	nudge(setting);
	pause_briefly();
	assert_int_equal(slow_asked, 1);
	ahead_ms = GOOD_FOR_S * 1000 * 56 / 100;
	nudge(setting);
	wait_for(slow_asked == 2);
	assert_true(has_answer(staple));
	tls_staple_unref(staple);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_slow_responder_holds_up_none_but_its_own),
		TEST(an_answer_that_nobody_waits_for_holds_up_no_end),
		TEST(an_answer_is_fetched_again_at_half_of_its_time),
	};
	int failed;

	pki_init(&pki);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	pki_done(&pki);
	return failed;
}
