// SPDX-License-Identifier: Apache-2.0
/* Base64 (RFC 4648 section 4), read strictly: no text has two spellings. */
#include "core/base64.h"

#include <errno.h>
#include <stdint.h>

/* Return: 0..63; 64: none of the alphabet. */
static uint32_t value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0') + 52;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

int base64_decode(struct slice text, char *ret, size_t *ret_len)
{
	size_t padding = 0, len = 0;

	if (text.len % 4)
		return -EINVAL;
	while (padding < 2 && text.len && text.ptr[text.len - 1] == '=') {
		text.len--;
		padding++;
	}
	for (size_t i = 0; i < text.len; i += 4) {
		size_t digits = text.len - i < 4 ? text.len - i : 4;
		uint32_t bits = 0;

		for (size_t d = 0; d < 4; d++) {
			uint32_t value = d < digits ? value_of(text.ptr[i + d]) : 0;

			if (value > 63)
				return -EINVAL;
			bits = bits << 6 | value;
		}
		/* What stands behind the last whole byte is 0. */
		if (digits < 2 || (digits < 4 && bits << (8 + 8 * (digits - 1)) != 0))
			return -EINVAL;
		for (size_t b = 0; b + 1 < digits; b++)
			ret[len++] = (char)(bits >> (16 - 8 * b));
	}
	*ret_len = len;
	return 0;
}
