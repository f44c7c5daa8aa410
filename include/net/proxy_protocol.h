/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_NET_PROXY_PROTOCOL_H
#define SLUICE_NET_PROXY_PROTOCOL_H

#include "core/address.h"
#include "core/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The PROXY protocol, versions 1 (text) and 2 (binary). Pure: bytes in, bytes out.
 * Source: haproxy.org, "The PROXY protocol, versions 1 & 2", 2020/03/05.
 */

/* Longest header that is read or written; a v2 header may claim 64 KiB, which is refused. */
#define PROXY_HEADER_MAX 4096
/* The longest v1 line, CR LF included (specification section 2.1). */
#define PROXY_V1_MAX 107

struct proxy_header {
	uint8_t version;       /* 1 or 2 */
	bool is_local;         /* v2 LOCAL: the connection is the sender's own (health check) */
	struct address source; /* no address where LOCAL, UNKNOWN or UNSPEC */
	struct address destination;
	struct slice tlvs; /* v2's TLV block, checked, borrowed from the input; else empty */
};

/**
 * Reads one header from the start of @bytes; byte by byte arrival is fine.
 * Strict: anything that the specification does not allow is refused, datagram protocols too, and a
 * CRC32C that is wrong. @ret and @ret_len are untouched unless 0 is returned.
 * @ret_len:    bytes that the header takes; what follows is payload.
 * @ret_reason: static text on -EPROTO, for the log.
 * Return: 0; -EAGAIN: as far as it goes it is a header, more is needed; -EPROTO: it is not one.
 */
int proxy_header_parse(struct slice bytes, struct proxy_header *ret, size_t *ret_len,
		       const char **ret_reason) WARN_UNUSED;

/**
 * Writes header->version's form. Addresses of different or unknown families give v1 UNKNOWN, v2
 * UNSPEC; TLVs go into v2 only, where a CRC32C among them is computed anew.
 * Return: bytes written; -ENOSPC if @cap is too small (PROXY_HEADER_MAX always suffices for TLVs of
 * up to 3,800 bytes).
 */
ssize_t proxy_header_write(const struct proxy_header *header, char *buf, size_t cap) WARN_UNUSED;

#endif
