// SPDX-License-Identifier: Apache-2.0
// A head's outcome, once known, does not change with what comes behind it.
#include "net/http_head.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static int parse(bool is_request, struct slice bytes, size_t *ret_len)
{
	struct slice method, target;
	unsigned status;
	int err;

	if (!is_request) {
		err = http_status_parse(bytes, &status, ret_len);
		check(err || (status >= 100 && status <= 599));
		return err;
	}
	err = http_request_parse(bytes, &method, &target, ret_len);
	check(err || (method.len && target.len && target.ptr + target.len < bytes.ptr + bytes.len));
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	for (int is_request = 0; is_request < 2; is_request++) {
		size_t whole_len = 0, part_len = 0;
		int whole = parse(is_request, slice_of(bytes, len), &whole_len);

		check(whole || (whole_len <= len && whole_len <= HTTP_HEAD_MAX));
		for (size_t n = 0; n < len; n += 1 + len / 64) {
			int err = parse(is_request, slice_of(bytes, n), &part_len);

			check(err == -EAGAIN || err == whole);
			check(err || part_len == whole_len);
		}
	}
	return 0;
}
