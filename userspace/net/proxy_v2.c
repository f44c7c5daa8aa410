// SPDX-License-Identifier: Apache-2.0
/*
 * PROXY protocol version 2: sixteen fixed bytes, addresses, then type-length-value vectors. The
 * fixed bytes are judged one by one, the rest once it is there as a whole.
 */
#include "net/net_internal.h"

#include <errno.h>

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";

#define SIGNATURE_LEN (sizeof(signature) - 1)
#define FIXED_LEN     (SIGNATURE_LEN + 4)
#define UNIX_PATH_LEN 108

#define COMMAND_LOCAL  0x20
#define COMMAND_PROXY  0x21
#define FAMILY_UNSPEC  0x00
#define FAMILY_TCP4    0x11
#define FAMILY_TCP6    0x21
#define FAMILY_UNIX    0x31
#define PROTO_DATAGRAM 0x02

#define TLV_HEAD_LEN      3
#define TLV_CRC32C        0x03
#define TLV_UNIQUE_ID     0x05
#define TLV_SSL           0x20
#define TLV_CRC32C_LEN    4
#define TLV_UNIQUE_ID_MAX 128
#define TLV_SSL_FIXED_LEN 5

static unsigned char byte_at(struct slice bytes, size_t i)
{
	return (unsigned char)bytes.ptr[i];
}

static size_t u16_at(struct slice bytes, size_t i)
{
	return (size_t)byte_at(bytes, i) << 8 | byte_at(bytes, i + 1);
}

static void put_u16(char *ptr, size_t value)
{
	ptr[0] = (char)(value >> 8);
	ptr[1] = (char)value;
}

static void put_u32(char *ptr, uint32_t value)
{
	put_u16(ptr, value >> 16);
	put_u16(ptr + 2, value & 0xffff);
}

/* CRC32c (RFC 4960 appendix B) by half bytes: headers are short, and a large table would be cold.
 */
static uint32_t crc32c_add(uint32_t crc, struct slice bytes)
{
	static const uint32_t table[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
		0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};

	for (size_t i = 0; i < bytes.len; i++) {
		crc ^= byte_at(bytes, i);
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}

/* Of the whole header, where the four bytes at @field count as zero. */
static uint32_t header_checksum(struct slice header, size_t field)
{
	uint32_t crc = crc32c_add(UINT32_MAX, slice_of(header.ptr, field));

	crc = crc32c_add(crc, slice_of("\0\0\0", TLV_CRC32C_LEN));
	return ~crc32c_add(crc, slice_skip(header, field + TLV_CRC32C_LEN));
}

struct tlv {
	uint8_t type;
	struct slice value;
};

static bool take_tlv(struct slice *rest, struct tlv *ret)
{
	size_t len;

	if (rest->len < TLV_HEAD_LEN)
		return false;
	len = u16_at(*rest, 1);
	if (len > rest->len - TLV_HEAD_LEN)
		return false;
	ret->type = byte_at(*rest, 0);
	ret->value = slice_of(rest->ptr + TLV_HEAD_LEN, len);
	*rest = slice_skip(*rest, TLV_HEAD_LEN + len);
	return true;
}

static bool is_well_formed(struct slice tlvs)
{
	struct tlv tlv;

	while (tlvs.len)
		if (!take_tlv(&tlvs, &tlv))
			return false;
	return true;
}

/* The value's own form, for the types that have one (section 2.2). Return: NULL or what is wrong.
 */
static const char *check_value(const struct tlv *tlv)
{
	switch (tlv->type) {
	case TLV_CRC32C:
		return tlv->value.len == TLV_CRC32C_LEN ? NULL : "v2: malformed CRC32C";
	case TLV_UNIQUE_ID:
		return tlv->value.len <= TLV_UNIQUE_ID_MAX ? NULL : "v2: unique ID too long";
	case TLV_SSL:
		if (tlv->value.len < TLV_SSL_FIXED_LEN ||
		    !is_well_formed(slice_skip(tlv->value, TLV_SSL_FIXED_LEN)))
			return "v2: malformed SSL TLV";
		return NULL;
	default:
		return NULL;
	}
}

static bool is_checksum_right(struct slice header, struct slice value)
{
	size_t sent = u16_at(value, 0) << 16 | u16_at(value, 2);

	return header_checksum(header, (size_t)(value.ptr - header.ptr)) == sent;
}

/* @tlvs lies within @header. Return: NULL or what is wrong. */
static const char *check_tlvs(struct slice header, struct slice tlvs)
{
	bool is_checked = false;
	struct slice rest = tlvs;
	const char *reason;
	struct tlv tlv;

	while (rest.len) {
		if (!take_tlv(&rest, &tlv))
			return "v2: malformed TLVs";
		reason = check_value(&tlv);
		if (reason)
			return reason;
		if (tlv.type != TLV_CRC32C)
			continue;
		if (is_checked)
			return "v2: more than one CRC32C";
		if (!is_checksum_right(header, tlv.value))
			return "v2: wrong CRC32C";
		is_checked = true;
	}
	return NULL;
}

static void read_ip4(const char *ip, const char *port, struct address *ret)
{
	*ret = (struct address){.v4 = {.sin_family = AF_INET}, .len = sizeof(ret->v4)};
	memcpy(&ret->v4.sin_addr, ip, 4);
	memcpy(&ret->v4.sin_port, port, 2);
}

static void read_ip6(const char *ip, const char *port, struct address *ret)
{
	*ret = (struct address){.v6 = {.sin6_family = AF_INET6}, .len = sizeof(ret->v6)};
	memcpy(&ret->v6.sin6_addr, ip, 16);
	memcpy(&ret->v6.sin6_port, port, 2);
}

/* The field is padded with NULs; an abstract name begins with one, and all NULs is no name. */
static void read_unix(const char *field, struct address *ret)
{
	size_t len = strnlen(field, UNIX_PATH_LEN);

	*ret = (struct address){.un = {.sun_family = AF_UNIX}};
	if (len == 0) {
		len = UNIX_PATH_LEN;
		while (len && field[len - 1] == '\0')
			len--;
	}
	memcpy(ret->un.sun_path, field, len);
	/* A path's terminating NUL counts, as it does in what the kernel gives. */
	if (field[0] && len < UNIX_PATH_LEN)
		len++;
	ret->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

/* Bytes of the addresses; SIZE_MAX for a family that is refused. */
static size_t addresses_len(uint8_t family)
{
	switch (family) {
	case FAMILY_UNSPEC:
		return 0;
	case FAMILY_TCP4:
		return 2 * 4 + 2 * 2;
	case FAMILY_TCP6:
		return 2 * 16 + 2 * 2;
	case FAMILY_UNIX:
		return (size_t)2 * UNIX_PATH_LEN;
	default:
		return SIZE_MAX;
	}
}

static void read_addresses(uint8_t family, const char *ptr, struct proxy_header *header)
{
	switch (family) {
	case FAMILY_TCP4:
		read_ip4(ptr, ptr + 8, &header->source);
		read_ip4(ptr + 4, ptr + 10, &header->destination);
		break;
	case FAMILY_TCP6:
		read_ip6(ptr, ptr + 32, &header->source);
		read_ip6(ptr + 16, ptr + 34, &header->destination);
		break;
	case FAMILY_UNIX:
		read_unix(ptr, &header->source);
		read_unix(ptr + UNIX_PATH_LEN, &header->destination);
		break;
	default:
		break;
	}
}

/* Judges as many of the fixed bytes as there are. Return: NULL or what is wrong. */
static const char *check_fixed(struct slice bytes)
{
	size_t have = bytes.len < SIGNATURE_LEN ? bytes.len : SIGNATURE_LEN;
	bool is_local;

	if (memcmp(bytes.ptr, signature, have) != 0)
		return "no PROXY header";
	if (bytes.len <= SIGNATURE_LEN)
		return NULL;
	is_local = byte_at(bytes, SIGNATURE_LEN) == COMMAND_LOCAL;
	if (!is_local && byte_at(bytes, SIGNATURE_LEN) != COMMAND_PROXY)
		return "v2: unknown version or command";
	/* LOCAL's family is ignored, says section 2.2. */
	if (bytes.len > SIGNATURE_LEN + 1 && !is_local) {
		uint8_t family = byte_at(bytes, SIGNATURE_LEN + 1);

		if ((family & 0x0f) == PROTO_DATAGRAM)
			return "v2: datagram protocol";
		if (addresses_len(family) == SIZE_MAX)
			return "v2: unknown family or protocol";
	}
	if (bytes.len < FIXED_LEN)
		return NULL;
	if (u16_at(bytes, SIGNATURE_LEN + 2) > PROXY_HEADER_MAX - FIXED_LEN)
		return "v2: header too long";
	if (!is_local &&
	    u16_at(bytes, SIGNATURE_LEN + 2) < addresses_len(byte_at(bytes, SIGNATURE_LEN + 1)))
		return "v2: addresses cut short";
	return NULL;
}

/*
 * A LOCAL header's block is discarded, whatever it holds, unless it says that it has no addresses
 * and what follows are TLVs indeed: then its checksum counts.
 */
static const char *read_local(struct slice header, struct proxy_header *ret)
{
	struct slice block = slice_skip(header, FIXED_LEN);

	ret->is_local = true;
	if (byte_at(header, SIGNATURE_LEN + 1) != FAMILY_UNSPEC || !is_well_formed(block))
		return NULL;
	ret->tlvs = block;
	return check_tlvs(header, block);
}

static const char *read_proxy(struct slice header, struct proxy_header *ret)
{
	uint8_t family = byte_at(header, SIGNATURE_LEN + 1);

	read_addresses(family, header.ptr + FIXED_LEN, ret);
	ret->tlvs = slice_skip(header, FIXED_LEN + addresses_len(family));
	return check_tlvs(header, ret->tlvs);
}

int proxy_v2_parse(struct slice bytes, struct proxy_header *ret, size_t *ret_len,
		   const char **ret_reason)
{
	struct proxy_header header = {.version = 2};
	const char *reason = check_fixed(bytes);
	size_t len;

	if (!reason) {
		if (bytes.len < FIXED_LEN)
			return -EAGAIN;
		len = FIXED_LEN + u16_at(bytes, SIGNATURE_LEN + 2);
		if (bytes.len < len)
			return -EAGAIN;
		bytes.len = len;
		reason = byte_at(bytes, SIGNATURE_LEN) == COMMAND_LOCAL
				 ? read_local(bytes, &header)
				 : read_proxy(bytes, &header);
	}
	if (reason) {
		*ret_reason = reason;
		return -EPROTO;
	}
	*ret = header;
	*ret_len = bytes.len;
	return 0;
}

static uint8_t family_to_tell(const struct address *address)
{
	switch (address && address->len ? address->sa.sa_family : AF_UNSPEC) {
	case AF_INET:
		return FAMILY_TCP4;
	case AF_INET6:
		return FAMILY_TCP6;
	case AF_UNIX:
		return FAMILY_UNIX;
	default:
		return FAMILY_UNSPEC;
	}
}

static void put_unix(char *field, const struct address *address)
{
	memset(field, 0, UNIX_PATH_LEN);
	memcpy(field, address->un.sun_path, address->len - offsetof(struct sockaddr_un, sun_path));
}

static void put_addresses(uint8_t family, char *ptr, const struct address *source,
			  const struct address *destination)
{
	switch (family) {
	case FAMILY_TCP4:
		memcpy(ptr, &source->v4.sin_addr, 4);
		memcpy(ptr + 4, &destination->v4.sin_addr, 4);
		memcpy(ptr + 8, &source->v4.sin_port, 2);
		memcpy(ptr + 10, &destination->v4.sin_port, 2);
		break;
	case FAMILY_TCP6:
		memcpy(ptr, &source->v6.sin6_addr, 16);
		memcpy(ptr + 16, &destination->v6.sin6_addr, 16);
		memcpy(ptr + 32, &source->v6.sin6_port, 2);
		memcpy(ptr + 34, &destination->v6.sin6_port, 2);
		break;
	case FAMILY_UNIX:
		put_unix(ptr, source);
		put_unix(ptr + UNIX_PATH_LEN, destination);
		break;
	default:
		break;
	}
}

/* A passed on checksum was the other header's: it becomes this one's. */
static void renew_checksum(char *header, size_t len, size_t tlvs_at)
{
	struct slice rest = slice_of(header + tlvs_at, len - tlvs_at);
	struct tlv tlv;

	while (take_tlv(&rest, &tlv)) {
		size_t at = (size_t)(tlv.value.ptr - header);

		if (tlv.type == TLV_CRC32C && tlv.value.len == TLV_CRC32C_LEN)
			put_u32(header + at, header_checksum(slice_of(header, len), at));
	}
}

ssize_t proxy_v2_write(const struct address *source, const struct address *destination,
		       bool is_local, struct slice tlvs, char *buf, size_t cap)
{
	uint8_t family = is_local ? FAMILY_UNSPEC : family_to_tell(source);
	size_t tlvs_at = FIXED_LEN + addresses_len(family);
	size_t len = tlvs_at + tlvs.len;

	if (len > cap || len > PROXY_HEADER_MAX)
		return -ENOSPC;
	memcpy(buf, signature, SIGNATURE_LEN);
	buf[SIGNATURE_LEN] = is_local ? COMMAND_LOCAL : COMMAND_PROXY;
	buf[SIGNATURE_LEN + 1] = (char)family;
	put_u16(buf + SIGNATURE_LEN + 2, len - FIXED_LEN);
	put_addresses(family, buf + FIXED_LEN, source, destination);
	if (tlvs.len)
		memcpy(buf + tlvs_at, tlvs.ptr, tlvs.len);
	renew_checksum(buf, len, tlvs_at);
	return (ssize_t)len;
}
