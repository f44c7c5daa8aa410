// SPDX-License-Identifier: Apache-2.0
// Whatever address_parse() takes, its text must give the same address again.
#include "core/address.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct address address, again;
	char text[ADDRESS_TEXT_SIZE];

	if (address_parse(slice_of(bytes, len), &address) < 0)
		return 0;
	address_format(&address, text);
	if (address_parse(slice_from_str(text), &again) < 0 || !address_equal(&address, &again))
		abort();
	return 0;
}
