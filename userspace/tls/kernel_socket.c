// SPDX-License-Identifier: Apache-2.0
/* The socket options of kernel TLS, and a look at which of it this machine's kernel has. */
#include "tls/kernel_internal.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

/* In one row with the kernel's structures: each is version, cipher, iv, key, salt, sequence. */
static const struct {
	const char *name;
	uint16_t number;
	uint8_t iv, key, salt;
} ciphers[] = {
	[TLS_KERNEL_AES_128_GCM] = {"AES-128-GCM", TLS_CIPHER_AES_GCM_128, 8, 16, 4},
	[TLS_KERNEL_AES_256_GCM] = {"AES-256-GCM", TLS_CIPHER_AES_GCM_256, 8, 32, 4},
	[TLS_KERNEL_CHACHA20] = {"ChaCha20-Poly1305", TLS_CIPHER_CHACHA20_POLY1305, 12, 32, 0},
};

#define TAG           16
#define RECORD_HEAD   5
#define SEQUENCE      8
#define CONNECT_TRIES 8
#define INFO_MAX      sizeof(struct tls12_crypto_info_aes_gcm_256)

_Static_assert(sizeof(struct tls12_crypto_info_aes_gcm_128) == 4 + 8 + 16 + 4 + 8, "no padding");
_Static_assert(sizeof(struct tls12_crypto_info_aes_gcm_256) == 4 + 8 + 32 + 4 + 8, "no padding");
_Static_assert(sizeof(struct tls12_crypto_info_chacha20_poly1305) == 4 + 12 + 32 + 0 + 8,
	       "no padding");

const char *tls_kernel_cipher_name(enum tls_kernel_cipher cipher)
{
	return ciphers[cipher].name;
}

size_t tls_kernel_key_size(enum tls_kernel_cipher cipher)
{
	return ciphers[cipher].key;
}

/* TLS 1.3 has the type within (RFC 8446 5.2), AES-GCM in 1.2 a nonce in front (RFC 5288 section 3).
 */
unsigned tls_kernel_overhead(enum tls_kernel_cipher cipher, bool is_1_3)
{
	unsigned explicit_nonce = cipher == TLS_KERNEL_CHACHA20 ? 0 : 8;

	return RECORD_HEAD + TAG + (is_1_3 ? 1 : explicit_nonce);
}

/* --- One socket ------------------------------------------------------------------------ */

int tls_kernel_attach(int fd)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) < 0 ? -errno : 0;
}

static unsigned char *put(unsigned char *at, const void *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

static socklen_t size_of_info(enum tls_kernel_cipher cipher)
{
	return (socklen_t)(sizeof(struct tls_crypto_info) + ciphers[cipher].iv +
			   ciphers[cipher].key + ciphers[cipher].salt + SEQUENCE);
}

int tls_kernel_install(int fd, const struct tls_kernel_key *key)
{
	const struct tls_crypto_info head = {
		.version = key->is_1_3 ? TLS_1_3_VERSION : TLS_1_2_VERSION,
		.cipher_type = ciphers[key->cipher].number,
	};
	uint8_t salt = ciphers[key->cipher].salt;
	uint64_t sequence = htobe64(key->sequence);
	unsigned char info[INFO_MAX], *at = info;
	int err;

	at = put(at, &head, sizeof(head));
	at = put(at, key->iv + salt, ciphers[key->cipher].iv);
	at = put(at, key->key, ciphers[key->cipher].key);
	at = put(at, key->iv, salt);
	put(at, &sequence, sizeof(sequence));
	err = setsockopt(fd, SOL_TLS, TLS_TX, info, size_of_info(key->cipher)) < 0 ? -errno : 0;
	explicit_bzero(info, sizeof(info));
	return err;
}

int tls_kernel_sequence(int fd, enum tls_kernel_cipher cipher, uint64_t *ret)
{
	unsigned char info[INFO_MAX];
	socklen_t len = size_of_info(cipher);
	uint64_t sequence;

	if (getsockopt(fd, SOL_TLS, TLS_TX, info, &len) < 0)
		return -errno;
	memcpy(&sequence, info + size_of_info(cipher) - SEQUENCE, sizeof(sequence));
	explicit_bzero(info, sizeof(info));
	*ret = be64toh(sequence);
	return 0;
}

/* In this order: what is acknowledged in between is missing from the sum, never counted twice. */
int tls_kernel_taken(int fd, uint64_t *ret)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);
	int unacknowledged;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
	    ioctl(fd, SIOCOUTQ, &unacknowledged) < 0)
		return -errno;
	*ret = info.tcpi_bytes_acked + (uint32_t)unacknowledged;
	return 0;
}

/* --- This machine ---------------------------------------------------------------------- */

/* Return: a socket that listens on @ret; -errno. */
static int listen_on_loopback(struct sockaddr_in *ret)
{
	socklen_t len = sizeof(*ret);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	*ret = (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd >= 0 && bind(fd, (struct sockaddr *)ret, sizeof(*ret)) == 0 &&
	    listen(fd, TLS_KERNEL_CIPHER_COUNT) == 0 &&
	    getsockname(fd, (struct sockaddr *)ret, &len) == 0)
		return fd;
	err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

/* What io_uring has left to be done for a thread interrupts a wait like a signal. */
static int connect_patiently(int fd, const struct sockaddr_in *address)
{
	for (int i = 0; i < CONNECT_TRIES; i++) {
		if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
			return 0;
		if (errno != EINTR && errno != EALREADY)
			break;
	}
	return -1;
}

/* Return: a connection that nobody accepts; -errno. */
static int connect_to(const struct sockaddr_in *address)
{
	const struct timeval limit = {.tv_sec = 1};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0 &&
	    connect_patiently(fd, address) == 0)
		return fd;
	err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

static int try_cipher(int fd, enum tls_kernel_cipher cipher, struct tls_kernel_abilities *ret)
{
	const struct tls_kernel_key key = {.cipher = cipher, .is_1_3 = true};
	int err = tls_kernel_attach(fd);

	if (err)
		return err;
	ret->has[cipher] = tls_kernel_install(fd, &key) == 0;
	if (ret->has[cipher] && tls_kernel_install(fd, &key) == 0)
		ret->can_update = true;
	return 0;
}

void tls_kernel_probe(struct tls_kernel_abilities *ret)
{
	struct sockaddr_in address;
	int listener = listen_on_loopback(&address);

	*ret = (struct tls_kernel_abilities){.error = listener < 0 ? listener : 0};
	for (unsigned i = 0; i < TLS_KERNEL_CIPHER_COUNT && !ret->error; i++) {
		int fd = connect_to(&address);

		ret->error = fd < 0 ? fd : try_cipher(fd, (enum tls_kernel_cipher)i, ret);
		if (fd >= 0)
			close(fd);
	}
	if (listener >= 0)
		close(listener);
}
