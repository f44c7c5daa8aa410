// SPDX-License-Identifier: Apache-2.0
// A header that is read depends on no byte behind it, is asked for until it is whole, and, written
// again, is read as the same.
#include "net/proxy_protocol.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* Once refused, refused with more bytes too; never whole before its end. */
static void check_prefixes(struct slice bytes, int whole, size_t header_len)
{
	struct proxy_header header;
	const char *reason = NULL;
	size_t len;

	for (size_t n = 0; n < bytes.len && n < 600; n++) {
		int err = proxy_header_parse(slice_of(bytes.ptr, n), &header, &len, &reason);

		check(err != 0 || (whole == 0 && len == header_len && n >= header_len));
		check(err != -EPROTO || (whole == -EPROTO && reason));
		check(err != -EAGAIN || whole != 0 || n < header_len);
	}
}

static void check_round_trip(const struct proxy_header *header)
{
	char buf[PROXY_HEADER_MAX];
	struct proxy_header back;
	const char *reason;
	size_t len;
	ssize_t written;

	written = proxy_header_write(header, buf, sizeof(buf));
	check(written > 0);
	check(proxy_header_parse(slice_of(buf, (size_t)written), &back, &len, &reason) == 0);
	check(len == (size_t)written && back.version == header->version);
	check(back.tlvs.len == header->tlvs.len && back.is_local == header->is_local);
	check(address_port(&back.source) == address_port(&header->source));
	check(address_port(&back.destination) == address_port(&header->destination));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct slice input = slice_of(bytes, len);
	struct proxy_header header = {};
	const char *reason = NULL;
	size_t header_len = 0;
	int err;

	err = proxy_header_parse(input, &header, &header_len, &reason);
	check_prefixes(input, err, header_len);
	if (err == 0)
		check_round_trip(&header);
	return 0;
}
