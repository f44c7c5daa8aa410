/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_NET_INTERNAL_H
#define SLUICE_NET_INTERNAL_H

#include "net/proxy_protocol.h"

/*
 * The two versions behind net/proxy_protocol.h; results and errors are as stated there.
 * @bytes begins with at least one byte of the version's own start.
 */
int proxy_v1_parse(struct slice bytes, struct proxy_header *ret, size_t *ret_len,
		   const char **ret_reason) WARN_UNUSED;
int proxy_v2_parse(struct slice bytes, struct proxy_header *ret, size_t *ret_len,
		   const char **ret_reason) WARN_UNUSED;

/*
 * @source and @destination are of one family, or NULL where no address is to be told.
 */
ssize_t proxy_v1_write(const struct address *source, const struct address *destination, char *buf,
		       size_t cap) WARN_UNUSED;
ssize_t proxy_v2_write(const struct address *source, const struct address *destination,
		       bool is_local, struct slice tlvs, char *buf, size_t cap) WARN_UNUSED;

#endif
