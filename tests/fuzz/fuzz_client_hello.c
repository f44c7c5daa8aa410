// SPDX-License-Identifier: Apache-2.0
// What is read of a ClientHello is clean, and stays the same however the input grew.
#include "tls/client_hello.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct client_hello hello, again;

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_fields(void)
{
	const char *scratch = (const char *)hello.scratch;
	size_t sni_len = strnlen(hello.sni, sizeof(hello.sni));

	check(sni_len <= 253);
	check(strspn(hello.sni, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == sni_len);
	check(sni_len == 0 || (hello.sni[0] != '.' && hello.sni[sni_len - 1] != '.'));
	check(!strstr(hello.sni, ".."));
	check(hello.nalpn <= CLIENT_HELLO_ALPN_MAX);
	for (size_t i = 0; i < hello.nalpn; i++) {
		check(hello.alpn[i].len >= 1 && hello.alpn[i].len <= 255);
		check(hello.alpn[i].ptr > scratch);
		check(hello.alpn[i].ptr + hello.alpn[i].len <= scratch + CLIENT_HELLO_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	int whole = client_hello_parse(slice_of(bytes, len), &hello);

	check(whole == 0 || whole == -EAGAIN || whole == -EPROTO || whole == -EMSGSIZE);
	if (whole == 0)
		check_fields();
	for (size_t n = 0; n < len; n += 1 + len / 64) {
		int err = client_hello_parse(slice_of(bytes, n), &again);

		check(err == -EAGAIN || err == whole);
		check(err != 0 || strcmp(again.sni, hello.sni) == 0);
	}
	return 0;
}
