// SPDX-License-Identifier: Apache-2.0
/* What is UTF-8 and what is not: names chosen by clients go into logs and metrics that must be. */
#include "core/utf8.h"

#include <stdbool.h>
#include <stdint.h>

static size_t length_by_lead(uint8_t lead)
{
	if (lead < 0x80)
		return 1;
	if (lead < 0xc2)
		return 0;
	return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
}

/* Leads whose second byte may not be everything from 0x80 to 0xbf (RFC 3629 section 4). */
static bool is_second_allowed(uint8_t lead, uint8_t second)
{
	switch (lead) {
	case 0xe0:
		return second >= 0xa0;
	case 0xed:
		return second <= 0x9f;
	case 0xf0:
		return second >= 0x90;
	case 0xf4:
		return second <= 0x8f;
	default:
		return true;
	}
}

size_t utf8_length(const char *text, size_t left)
{
	uint8_t lead = (uint8_t)text[0];
	size_t len = length_by_lead(lead);

	if (len == 0 || len > left)
		return 0;
	for (size_t i = 1; i < len; i++)
		if (((uint8_t)text[i] & 0xc0) != 0x80)
			return 0;
	return len < 3 || is_second_allowed(lead, (uint8_t)text[1]) ? len : 0;
}
