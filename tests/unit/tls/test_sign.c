// SPDX-License-Identifier: Apache-2.0
#include "tls/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define S(text) slice_from_str(text)

/* RFC 4231 section 4.3, test case 2. */
static void signature_is_hmac_sha_256(void **state)
{
	char signature[TLS_SIGNATURE_LEN];

	(void)state;
	assert_int_equal(tls_sign(S("Jefe"), S("what do ya want for nothing?"), signature), 0);
	assert_memory_equal(signature, "5bdcc146bf60754e6a042426089575c7", TLS_SIGNATURE_LEN);
}

static void only_its_own_signature_holds(void **state)
{
	char signature[TLS_SIGNATURE_LEN];
	struct slice made = slice_of(signature, sizeof(signature));

	(void)state;
	assert_int_equal(tls_sign(S("key"), S("text"), signature), 0);
	assert_true(tls_signature_holds(S("key"), S("text"), made));
	assert_false(tls_signature_holds(S("other"), S("text"), made));
	assert_false(tls_signature_holds(S("key"), S("texts"), made));
	assert_false(tls_signature_holds(S("key"), S("text"), slice_of(signature, 31)));
	assert_false(tls_signature_holds(S("key"), S("text"), (struct slice){}));
	for (size_t i = 0; i < sizeof(signature); i++) {
		signature[i] ^= 1;
		assert_false(tls_signature_holds(S("key"), S("text"), made));
		signature[i] ^= 1;
	}
}

static void keys_differ(void **state)
{
	unsigned char a[TLS_SIGNING_KEY_LEN], b[TLS_SIGNING_KEY_LEN];

	(void)state;
	assert_int_equal(tls_signing_key_make(a), 0);
	assert_int_equal(tls_signing_key_make(b), 0);
	assert_memory_not_equal(a, b, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signature_is_hmac_sha_256),
		cmocka_unit_test(only_its_own_signature_holds),
		cmocka_unit_test(keys_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
