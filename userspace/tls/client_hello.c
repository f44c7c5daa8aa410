// SPDX-License-Identifier: Apache-2.0
/*
 * Reads a ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2): takes it out of its
 * records, checks every length, and keeps server name, ALPN and version. The handshake itself is
 * the backend's, so what does not matter for the choice of a route is checked for its form only.
 */
#include "tls/client_hello.h"

#include "core/address.h"

#include <errno.h>

#define RECORD_HEAD_LEN   5
#define RECORD_MAX        16384
#define RECORD_HANDSHAKE  22
#define MESSAGE_HEAD_LEN  4
#define MESSAGE_HELLO     1
#define RANDOM_LEN        32
#define SESSION_ID_MAX    32
#define VERSION_TLS_1_0   0x0301
#define VERSION_TLS_1_2   0x0303
#define NAME_TYPE_HOST    0
#define HOST_NAME_MAX_LEN 253
#define HOST_LABEL_MAX    63

enum extension {
	EXTENSION_SERVER_NAME = 0,
	EXTENSION_ALPN = 16,
	EXTENSION_SUPPORTED_VERSIONS = 43,
};

/* What has been read so far; the caller's structure stays untouched until all of it is right. */
struct reading {
	char sni[256];
	struct slice alpn[CLIENT_HELLO_ALPN_MAX];
	size_t nalpn;
	uint16_t version;
};

static unsigned char byte_at(struct slice bytes, size_t i)
{
	return (unsigned char)bytes.ptr[i];
}

static bool take_bytes(struct slice *rest, size_t len, struct slice *ret)
{
	if (rest->len < len)
		return false;
	*ret = slice_of(rest->ptr, len);
	*rest = slice_skip(*rest, len);
	return true;
}

/* A number of @nbytes bytes, big endian. */
static bool take_number(struct slice *rest, size_t nbytes, size_t *ret)
{
	struct slice bytes;

	if (!take_bytes(rest, nbytes, &bytes))
		return false;
	*ret = 0;
	for (size_t i = 0; i < nbytes; i++)
		*ret = *ret << 8 | byte_at(bytes, i);
	return true;
}

/* A vector (RFC 8446 section 3.4) whose length takes @nbytes bytes and is at least @min. */
static bool take_vector(struct slice *rest, size_t nbytes, size_t min, struct slice *ret)
{
	size_t len;

	return take_number(rest, nbytes, &len) && len >= min && take_bytes(rest, len, ret);
}

/* The same where nothing may follow. */
static bool is_vector(struct slice bytes, size_t nbytes, size_t min, struct slice *ret)
{
	return take_vector(&bytes, nbytes, min, ret) && bytes.len == 0;
}

/* Both bytes alike, low half 0xa (RFC 8701 section 2). */
static bool is_grease(struct slice two_bytes)
{
	return two_bytes.len == 2 && two_bytes.ptr[0] == two_bytes.ptr[1] &&
	       (byte_at(two_bytes, 0) & 0x0f) == 0x0a;
}

static bool is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static char to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* A scope ("%eth0") is left to be refused as a name: it would be looked up. */
static bool is_ip_literal(struct slice name)
{
	struct address ip;

	return !memchr(name.ptr, '%', name.len) && address_parse_ip(name, 0, &ip) == 0;
}

/*
 * Labels of letters, digits, hyphens and, as they are in use, underscores; a final dot is dropped.
 * Addresses may not be sent as names (RFC 6066 section 3), yet clients do: they count as no name.
 */
static bool read_host_name(struct slice name, char ret[256])
{
	size_t label = 0;

	if (is_ip_literal(name))
		return true;
	if (name.len && name.ptr[name.len - 1] == '.')
		name.len--;
	if (name.len > HOST_NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		ret[i] = to_lower(name.ptr[i]);
		if (ret[i] == '.' && label > 0)
			label = 0;
		else if (!is_host_char(ret[i]) || ++label > HOST_LABEL_MAX)
			return false;
	}
	ret[name.len] = '\0';
	return label > 0;
}

/* One host name and nothing else: no other type of name was ever defined. */
static bool read_server_name(struct slice body, struct reading *reading)
{
	struct slice list, name;
	size_t type;

	return is_vector(body, 2, 1, &list) && take_number(&list, 1, &type) &&
	       type == NAME_TYPE_HOST && is_vector(list, 2, 1, &name) &&
	       read_host_name(name, reading->sni);
}

static bool read_alpn(struct slice body, struct reading *reading)
{
	struct slice list, name;

	if (!is_vector(body, 2, 2, &list))
		return false;
	while (list.len) {
		if (!take_vector(&list, 1, 1, &name))
			return false;
		if (!is_grease(name) && reading->nalpn < CLIENT_HELLO_ALPN_MAX)
			reading->alpn[reading->nalpn++] = name;
	}
	return true;
}

/* The list counts instead of the old version field; drafts and GREASE are not versions. */
static bool read_supported_versions(struct slice body, struct reading *reading)
{
	struct slice list;
	size_t version;

	if (!is_vector(body, 1, 2, &list) || list.len % 2)
		return false;
	reading->version = 0;
	while (take_number(&list, 2, &version))
		if (version >> 8 == VERSION_TLS_1_0 >> 8 && version > reading->version)
			reading->version = (uint16_t)version;
	return true;
}

static bool read_extension(size_t type, struct slice body, struct reading *reading)
{
	switch (type) {
	case EXTENSION_SERVER_NAME:
		return read_server_name(body, reading);
	case EXTENSION_ALPN:
		return read_alpn(body, reading);
	case EXTENSION_SUPPORTED_VERSIONS:
		return read_supported_versions(body, reading);
	default:
		return true;
	}
}

static bool read_extensions(struct slice list, struct reading *reading)
{
	/* One bit a type: a message has room for thousands, too many to compare each with each. */
	uint8_t seen[(UINT16_MAX + 1) / 8] = {};
	struct slice body;
	size_t type;

	while (list.len) {
		if (!take_number(&list, 2, &type) || !take_vector(&list, 2, 0, &body))
			return false;
		if (seen[type / 8] >> type % 8 & 1)
			return false;
		seen[type / 8] |= (uint8_t)(1U << type % 8);
		if (!read_extension(type, body, reading))
			return false;
	}
	return true;
}

static bool read_version(struct slice *rest, struct reading *reading)
{
	size_t version;

	if (!take_number(rest, 2, &version) || version >> 8 != VERSION_TLS_1_0 >> 8 ||
	    version < VERSION_TLS_1_0)
		return false;
	/* A higher one is offered by the extension alone. */
	reading->version = (uint16_t)(version < VERSION_TLS_1_2 ? version : VERSION_TLS_1_2);
	return true;
}

static bool read_hello(struct slice rest, struct reading *reading)
{
	struct slice random, session_id, ciphers, compressions, extensions;

	if (!read_version(&rest, reading) || !take_bytes(&rest, RANDOM_LEN, &random))
		return false;
	if (!take_vector(&rest, 1, 0, &session_id) || session_id.len > SESSION_ID_MAX)
		return false;
	if (!take_vector(&rest, 2, 2, &ciphers) || ciphers.len % 2)
		return false;
	if (!take_vector(&rest, 1, 1, &compressions) ||
	    !memchr(compressions.ptr, 0, compressions.len))
		return false;
	/* Before TLS 1.3 the whole block may be missing. */
	if (rest.len == 0)
		return true;
	return is_vector(rest, 2, 0, &extensions) && read_extensions(extensions, reading);
}

/* Judges as many bytes of a record's head as there are. */
static int read_record_head(struct slice bytes, size_t *ret_len)
{
	size_t len;

	if (bytes.len > 0 && byte_at(bytes, 0) != RECORD_HANDSHAKE)
		return -EPROTO;
	if (bytes.len > 1 && byte_at(bytes, 1) != VERSION_TLS_1_0 >> 8)
		return -EPROTO;
	if (bytes.len > 2 && (byte_at(bytes, 2) < (VERSION_TLS_1_0 & 0xff) ||
			      byte_at(bytes, 2) > (VERSION_TLS_1_2 & 0xff)))
		return -EPROTO;
	if (bytes.len < RECORD_HEAD_LEN)
		return -EAGAIN;
	len = (size_t)byte_at(bytes, 3) << 8 | byte_at(bytes, 4);
	if (len == 0 || len > RECORD_MAX)
		return -EPROTO;
	*ret_len = len;
	return 0;
}

/* The length of the whole message, SIZE_MAX as long as it is unknown. */
static int read_message_head(struct slice message, size_t *ret_len)
{
	struct slice length;

	*ret_len = SIZE_MAX;
	if (message.len > 0 && byte_at(message, 0) != MESSAGE_HELLO)
		return -EPROTO;
	if (message.len < MESSAGE_HEAD_LEN)
		return 0;
	length = slice_of(message.ptr + 1, MESSAGE_HEAD_LEN - 1);
	take_number(&length, MESSAGE_HEAD_LEN - 1, ret_len);
	*ret_len += MESSAGE_HEAD_LEN;
	return *ret_len > CLIENT_HELLO_MAX - RECORD_HEAD_LEN ? -EMSGSIZE : 0;
}

/*
 * Puts the message together in @scratch, which holds more than all the records do. The last record
 * must end where the message does: a client has nothing else to say yet in a handshake record.
 */
static int join_records(struct slice rest, unsigned char *scratch, struct slice *ret)
{
	struct slice message = slice_of(scratch, 0);
	size_t record_len, here, wanted;
	int err;

	for (;;) {
		err = read_record_head(rest, &record_len);
		if (err)
			return err;
		rest = slice_skip(rest, RECORD_HEAD_LEN);
		here = rest.len < record_len ? rest.len : record_len;
		memcpy(scratch + message.len, rest.ptr, here);
		message.len += here;
		err = read_message_head(message, &wanted);
		if (err)
			return err;
		if (message.len - here + record_len > wanted)
			return -EPROTO;
		if (here < record_len)
			return -EAGAIN;
		rest = slice_skip(rest, here);
		if (message.len == wanted)
			break;
	}
	*ret = slice_skip(message, MESSAGE_HEAD_LEN);
	return 0;
}

int client_hello_parse(struct slice bytes, struct client_hello *ret)
{
	bool is_full = bytes.len >= CLIENT_HELLO_MAX;
	struct reading reading = {};
	struct slice body;
	int err;

	if (is_full)
		bytes.len = CLIENT_HELLO_MAX;
	err = join_records(bytes, ret->scratch, &body);
	if (err)
		return err == -EAGAIN && is_full ? -EMSGSIZE : err;
	if (!read_hello(body, &reading))
		return -EPROTO;
	memcpy(ret->sni, reading.sni, sizeof(ret->sni));
	memcpy(ret->alpn, reading.alpn, sizeof(ret->alpn));
	ret->nalpn = reading.nalpn;
	ret->version = reading.version;
	return 0;
}
