// SPDX-License-Identifier: Apache-2.0
/*
 * Sending by a kernel that is played here: it keeps the key that it is given, and what it would
 * have made records of arrives plain. The test makes the records, and the peer must be able to read
 * them.
 */
#include "tls/kernel_internal.h"
#include "unit/tls/session_fixture.h"

#include <endian.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define SOL_TLS   282
#define FILE_SIZE ((size_t)300000)
#define TAG       16

/* --- The kernel ------------------------------------------------------------------------ */

static struct kernel {
	int ulp_error, key_error;
	bool can_update;
	unsigned attaches, installs;
	unsigned char info[64];
	uint64_t sequence; /* of the record that it makes next */
	uint64_t acked;    /* what the connection has taken */
	bool is_stuck;     /* it takes no more */
	struct {
		uint8_t type, bytes[16];
		size_t len;
	} records[8];
	size_t nrecords;
} kernel;

int __real_setsockopt(int fd, int level, int option, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t len);
int __real_getsockopt(int fd, int level, int option, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *len);
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
int __wrap_ioctl(int fd, unsigned long request, int *value);

static int refuse(int error)
{
	errno = error;
	return error ? -1 : 0;
}

int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	if (level == IPPROTO_TCP && option == TCP_ULP) {
		assert_string_equal(value, "tls");
		kernel.attaches++;
		kernel.installs = 0;
		return refuse(kernel.ulp_error);
	}
	if (level != SOL_TLS)
		return __real_setsockopt(fd, level, option, value, len);
	assert_int_equal(option, TLS_TX);
	assert_true(len <= sizeof(kernel.info));
	if (kernel.key_error || (kernel.installs && !kernel.can_update))
		return refuse(kernel.key_error ? kernel.key_error : EBUSY);
	kernel.installs++;
	memcpy(kernel.info, value, len);
	memcpy(&kernel.sequence, (const char *)value + len - 8, 8);
	kernel.sequence = be64toh(kernel.sequence);
	return 0;
}

int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	uint64_t sequence = htobe64(kernel.sequence);

	if (level == IPPROTO_TCP && option == TCP_INFO) {
		memset(value, 0, *len);
		kernel.acked += kernel.is_stuck ? 0 : 1 << 20;
		((struct tcp_info *)value)->tcpi_bytes_acked = kernel.acked;
		return 0;
	}
	if (level != SOL_TLS)
		return __real_getsockopt(fd, level, option, value, len);
	memcpy((char *)value + *len - 8, &sequence, 8);
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, int *value)
{
	(void)fd;
	assert_int_equal(request, SIOCOUTQ);
	*value = 0;
	return 0;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	const struct cmsghdr *control = CMSG_FIRSTHDR(message);
	size_t len;

	if (!control)
		return __real_sendmsg(fd, message, flags);
	assert_int_equal(control->cmsg_level, SOL_TLS);
	assert_int_equal(control->cmsg_type, TLS_SET_RECORD_TYPE);
	assert_int_equal(message->msg_iovlen, 1);
	assert_true(kernel.nrecords < ARRAY_SIZE(kernel.records));
	len = message->msg_iov->iov_len;
	kernel.records[kernel.nrecords].type = *CMSG_DATA(control);
	memcpy(kernel.records[kernel.nrecords].bytes, message->msg_iov->iov_base, len);
	kernel.records[kernel.nrecords++].len = len;
	return (ssize_t)len;
}

/* --- Its records ------------------------------------------------------------------------- */

struct shape {
	const EVP_CIPHER *cipher;
	size_t iv, key, salt;
};

static struct shape shape_of(uint16_t type)
{
	switch (type) {
	case TLS_CIPHER_AES_GCM_128:
		return (struct shape){EVP_aes_128_gcm(), 8, 16, 4};
	case TLS_CIPHER_AES_GCM_256:
		return (struct shape){EVP_aes_256_gcm(), 8, 32, 4};
	default:
		assert_int_equal(type, TLS_CIPHER_CHACHA20_POLY1305);
		return (struct shape){EVP_chacha20_poly1305(), 12, 32, 0};
	}
}

/* The same bits in two places: the nonce of RFC 8446 5.3 and RFC 7905. */
static void mix(unsigned char nonce[12], uint64_t sequence)
{
	sequence = htobe64(sequence);
	for (size_t i = 0; i < 8; i++)
		nonce[4 + i] ^= ((unsigned char *)&sequence)[i];
}

/* Return: bytes at @ret: a record of @bytes as the kernel would have made it. */
static size_t seal(uint8_t type, const void *bytes, size_t len, unsigned char *ret)
{
	struct tls_crypto_info head;
	struct shape shape;
	bool is_1_3, has_nonce;
	unsigned char nonce[12], aad[13], inner[1024], *out = ret + 5;
	const unsigned char *iv = kernel.info + sizeof(head), *key, *salt;
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint64_t sequence = htobe64(kernel.sequence);
	size_t ninner = len, naad = 13;
	int n;

	memcpy(&head, kernel.info, sizeof(head));
	shape = shape_of(head.cipher_type);
	is_1_3 = head.version == TLS_1_3_VERSION;
	has_nonce = !is_1_3 && shape.salt;
	key = iv + shape.iv;
	salt = key + shape.key;
	memcpy(nonce, salt, shape.salt);
	memcpy(nonce + shape.salt, iv, shape.iv);
	memcpy(inner, bytes, len);
	memcpy(aad, &sequence, 8);
	memcpy(aad + 8,
	       (unsigned char[]){type, 3, 3, (unsigned char)(len >> 8), (unsigned char)len}, 5);
	memcpy(ret, aad + 8, 3);
	if (has_nonce) {
		uint64_t explicit_nonce;

		memcpy(&explicit_nonce, iv, 8);
		explicit_nonce = htobe64(be64toh(explicit_nonce) + 1);
		memcpy(out, iv, 8);
		memcpy(kernel.info + sizeof(head), &explicit_nonce, 8);
		out += 8;
	} else {
		mix(nonce, kernel.sequence);
	}
	if (is_1_3)
		inner[ninner++] = type;
	ret[3] = (unsigned char)((ninner + TAG + (has_nonce ? 8 : 0)) >> 8);
	ret[4] = (unsigned char)(ninner + TAG + (has_nonce ? 8 : 0));
	if (is_1_3) {
		ret[0] = 23;
		memcpy(aad, ret, 5);
		naad = 5;
	}
	assert_int_equal(EVP_EncryptInit_ex(context, shape.cipher, NULL, key, nonce), 1);
	assert_int_equal(EVP_EncryptUpdate(context, NULL, &n, aad, (int)naad), 1);
	assert_int_equal(EVP_EncryptUpdate(context, out, &n, inner, (int)ninner), 1);
	out += n;
	assert_int_equal(EVP_EncryptFinal_ex(context, out, &n), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG, out), 1);
	EVP_CIPHER_CTX_free(context);
	kernel.sequence++;
	return (size_t)(out + TAG - ret);
}

/* --- A session whose kernel encrypts --------------------------------------------------------- */

struct bench {
	struct setting setting;
	struct side server;
	struct peer peer;
	int file;
	unsigned kernels; /* times that its owner was told */
};

static struct bench *told;

static void on_kernel(struct io_stream *stream)
{
	(void)stream;
	told->kernels++;
}

static void accept_told(struct bench *bench, int fd)
{
	struct tls_start start = start_of(&bench->setting);

	start.on_kernel = on_kernel;
	recorder_init(&bench->server.recorder, bench->setting.fixture, fd);
	assert_int_equal(tls_accept(bench->setting.server_context, &bench->server.recorder.stream,
				    &start, &bench->server.session),
			 0);
}

static struct io_stream *stream_of(struct bench *bench)
{
	return &bench->server.recorder.stream;
}

static void bench_open(struct bench *bench, void **state, int version, const char *cipher)
{
	*bench = (struct bench){.file = memfd_create("file", MFD_CLOEXEC)};
	told = bench;
	setting_init(&bench->setting, fixture_of(state));
	setting_make(&bench->setting);
	tls_server_context_use_kernel(bench->setting.server_context);
	kernel.attaches = kernel.installs = 0;
	kernel.nrecords = 0;
	assert_int_equal(ftruncate(bench->file, FILE_SIZE), 0);
	unix_pair(bench->setting.fds);
	accept_told(bench, bench->setting.fds[0]);
	peer_init(&bench->peer, bench->setting.fds[1], version);
	if (cipher && version == TLS1_2_VERSION)
		assert_int_equal(SSL_set_cipher_list(bench->peer.ssl, cipher), 1);
	else if (cipher)
		assert_int_equal(SSL_set_ciphersuites(bench->peer.ssl, cipher), 1);
	peer_shake_hands(&bench->peer, &bench->setting, 10000);
	assert_int_equal(bench->server.readies, 1);
	io_stream_recv_start(stream_of(bench));
}

static void bench_close(struct bench *bench)
{
	close(bench->file);
	close_with_peer(&bench->setting, &bench->server, &bench->peer);
	setting_done(&bench->setting);
}

/* What is sent at first goes out by OpenSSL, until the small records are over. */
static void warm_up(struct bench *bench)
{
	char bytes[TLS_SMALL_BURST];

	memset(bytes, 'w', sizeof(bytes));
	assert_false(io_stream_can_send_file(stream_of(bench), FILE_SIZE));
	recorder_send(&bench->server.recorder, bytes, sizeof(bytes));
	settle(&bench->setting);
	peer_read(&bench->peer);
	assert_int_equal(bench->peer.nplain, sizeof(bytes));
	bench->peer.nplain = 0;
}

/* A byte of a file, so that the kernel has it; the byte is let go. */
static void change_over(struct bench *bench)
{
	char byte;

	assert_true(io_stream_can_send_file(stream_of(bench), FILE_SIZE));
	assert_int_equal(io_stream_send_file(stream_of(bench), bench->file, 0, 1), 1);
	settle(&bench->setting);
	assert_int_equal(recv(bench->peer.fd, &byte, 1, MSG_DONTWAIT), 1);
	assert_int_equal(byte, 0);
	assert_int_equal(bench->kernels, 1);
}

/* The peer gets @bytes as a record of the kernel's. */
static void hand_to_peer(struct bench *bench, uint8_t type, const void *bytes, size_t len)
{
	unsigned char record[2048];

	BIO_write(bench->peer.in, record, (int)seal(type, bytes, len, record));
	peer_read(&bench->peer);
}

static void expect_text(struct bench *bench, const char *text)
{
	char plain[64];
	size_t len = strlen(text);

	send_text(&bench->server, text);
	settle(&bench->setting);
	assert_int_equal(recv(bench->peer.fd, plain, sizeof(plain), MSG_DONTWAIT), len);
	assert_memory_equal(plain, text, len);
	bench->peer.nplain = 0;
	hand_to_peer(bench, 23, plain, len);
	assert_int_equal(bench->peer.nplain, len);
	assert_memory_equal(bench->peer.plain, text, len);
}

static int with_kernel(void **state)
{
	kernel = (struct kernel){};
	return fixture_setup(state);
}

#define ON_KERNEL(test) ON(uring, test, with_kernel), ON(epoll, test, with_kernel)

/* --- Tests ------------------------------------------------------------------------------- */

static void sends_by_kernel(void **state, int version, const char *cipher)
{
	struct bench bench;

	bench_open(&bench, state, version, cipher);
	warm_up(&bench);
	change_over(&bench);
	hand_to_peer(&bench, 23, "", 1);
	expect_text(&bench, "the first");
	expect_text(&bench, "another");
	assert_int_equal(kernel.installs, 1);
	assert_int_equal(bench.server.recorder.stream.queued, 0);
	bench_close(&bench);
}

static void peer_reads_what_is_sealed_with_the_kernels_key(void **state)
{
	sends_by_kernel(state, TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256");
	sends_by_kernel(state, TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384");
	sends_by_kernel(state, TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256");
	sends_by_kernel(state, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256");
	sends_by_kernel(state, TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384");
	sends_by_kernel(state, TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305");
}

static void key_after_updates_of_openssls_is_the_latest(void **state)
{
	struct bench bench;

	bench_open(&bench, state, TLS1_3_VERSION, NULL);
	warm_up(&bench);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(SSL_key_update(bench.peer.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		SSL_do_handshake(bench.peer.ssl);
		peer_say(&bench.peer, &bench.setting, 10000);
		/* Our answer is due first, and comes with our next bytes. */
		assert_false(io_stream_can_send_file(stream_of(&bench), FILE_SIZE));
		send_text(&bench.server, "x");
		settle(&bench.setting);
		peer_read(&bench.peer);
		assert_int_equal(bench.peer.nplain, i + 1);
	}
	change_over(&bench);
	hand_to_peer(&bench, 23, "", 1);
	expect_text(&bench, "after three");
	bench_close(&bench);
}

static void without_kernel_tls_nobody_notices(void **state)
{
	struct bench bench;

	kernel.ulp_error = ENOENT;
	bench_open(&bench, state, TLS1_3_VERSION, NULL);
	warm_up(&bench);
	assert_false(io_stream_can_send_file(stream_of(&bench), FILE_SIZE));
	assert_int_equal(kernel.attaches, 0);
	bench_close(&bench);
}

static void kernel_that_refuses_is_asked_once(void **state)
{
	struct bench bench;
	const char *text = "by OpenSSL";

	bench_open(&bench, state, TLS1_3_VERSION, NULL);
	warm_up(&bench);
	assert_false(io_stream_can_send_file(stream_of(&bench), 1000)); /* too short for it */
	kernel.key_error = EINVAL;
	assert_true(io_stream_can_send_file(stream_of(&bench), FILE_SIZE));
	assert_int_equal(io_stream_send_file(stream_of(&bench), bench.file, 0, 1), -EOPNOTSUPP);
	assert_false(io_stream_can_send_file(stream_of(&bench), FILE_SIZE));
	send_text(&bench.server, text);
	settle(&bench.setting);
	peer_read(&bench.peer);
	assert_int_equal(bench.peer.nplain, strlen(text));
	assert_int_equal(bench.kernels, 0);
	bench_close(&bench);
}

static void ask_for_keys(struct bench *bench)
{
	assert_int_equal(SSL_key_update(bench->peer.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	SSL_do_handshake(bench->peer.ssl);
	SSL_write(bench->peer.ssl, "more", 4);
	peer_say(&bench->peer, &bench->setting, 10000);
}

static void kernel_that_can_changes_keys_behind_our_key_update(void **state)
{
	struct bench bench;

	kernel.can_update = true;
	bench_open(&bench, state, TLS1_3_VERSION, NULL);
	warm_up(&bench);
	change_over(&bench);
	hand_to_peer(&bench, 23, "", 1);
	for (unsigned i = 1; i <= 2; i++) {
		struct kernel before = kernel;

		ask_for_keys(&bench);
		assert_int_equal(bench.server.recorder.len, 4 * i);
		assert_int_equal(kernel.nrecords, i);
		assert_int_equal(kernel.installs, i + 1);
		assert_int_equal(kernel.sequence, 0);
		assert_int_equal(kernel.records[i - 1].type, 22);
		assert_memory_equal(kernel.records[i - 1].bytes, "\x18\0\0\1\0", 5);
		/* KeyUpdate itself was sealed with the key before. */
		before.nrecords = kernel.nrecords;
		before.installs = kernel.installs;
		memcpy(before.records, kernel.records, sizeof(before.records));
		{
			struct kernel after = kernel;

			kernel = before;
			hand_to_peer(&bench, 22, after.records[i - 1].bytes, 5);
			kernel = after;
		}
		expect_text(&bench, "with new keys");
	}
	bench_close(&bench);
}

static void kernel_that_cannot_ends_it_where_the_owner_listens(void **state)
{
	struct bench bench;

	bench_open(&bench, state, TLS1_3_VERSION, NULL);
	warm_up(&bench);
	change_over(&bench);
	hand_to_peer(&bench, 23, "", 1);
	/* Receiving has stopped with the file: the answer goes on as if nobody had asked. */
	ask_for_keys(&bench);
	assert_int_equal(bench.server.recorder.len + (size_t)bench.server.recorder.ends, 0);
	expect_text(&bench, "the answer's end");
	io_stream_recv_start(stream_of(&bench));
	run_until(bench.setting.fixture, bench.server.recorder.ends);
	assert_int_equal(bench.server.recorder.end_status, 0);
	assert_int_equal(bench.server.recorder.len, 0); /* nor is what stands behind it taken */
	assert_int_equal(kernel.installs, 1);
	assert_int_equal(kernel.nrecords, 0);
	assert_false(io_stream_can_send_file(stream_of(&bench), FILE_SIZE));
	io_stream_shutdown(stream_of(&bench));
	assert_int_equal(kernel.nrecords, 1);
	assert_int_equal(kernel.records[0].type, 21);
	hand_to_peer(&bench, 21, kernel.records[0].bytes, kernel.records[0].len);
	assert_int_equal(SSL_get_shutdown(bench.peer.ssl), SSL_RECEIVED_SHUTDOWN);
	bench_close(&bench);
}

static void silenced_session_sends_nothing_more(void **state)
{
	struct bench bench;
	char byte;

	bench_open(&bench, state, TLS1_3_VERSION, NULL);
	warm_up(&bench);
	change_over(&bench);
	io_stream_recv_start(stream_of(&bench)); /* an owner that listens while it answers */
	ask_for_keys(&bench);
	run_until(bench.setting.fixture, bench.server.recorder.ends);
	bench.server.recorder.sent_status = 0;
	send_text(&bench.server, "too late");
	run_until(bench.setting.fixture, bench.server.recorder.sent_status);
	assert_int_equal(bench.server.recorder.sent_status, -EPIPE);
	assert_int_equal(recv(bench.peer.fd, &byte, 1, MSG_DONTWAIT), -1);
	bench_close(&bench);
}

/* The kernel's TLS still holds a part: what was sent is more than what the connection has taken. */
static void farewell_waits_until_all_is_taken(void **state)
{
	struct bench bench;
	const uint64_t overhead = tls_kernel_overhead(TLS_KERNEL_AES_128_GCM, true);
	uint64_t first;
	char byte;

	bench_open(&bench, state, TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256");
	warm_up(&bench);
	kernel.is_stuck = true;
	kernel.acked = 5000;
	change_over(&bench);
	first = kernel.sequence;
	hand_to_peer(&bench, 23, "", 1);
	assert_int_equal(kernel.sequence, first + 1);
	kernel.acked = 5000 + 1 + overhead - 1;
	io_stream_shutdown(stream_of(&bench));
	run_for(bench.setting.fixture, 30);
	assert_int_equal(kernel.nrecords, 0);
	assert_int_equal(bench.server.recorder.stream.queued, 2);
	assert_int_equal(recv(bench.peer.fd, &byte, 1, MSG_DONTWAIT), -1); /* nor a FIN */
	kernel.acked++;
	run_for(bench.setting.fixture, 60);
	assert_int_equal(kernel.nrecords, 1);
	assert_int_equal(kernel.records[0].type, 21);
	assert_int_equal(recv(bench.peer.fd, &byte, 1, MSG_DONTWAIT), 0);
	bench_close(&bench);
}

/* Its kernel does not get rid of a byte that stands before the farewell. */
static void open_stuck(struct bench *bench, void **state)
{
	bench_open(bench, state, TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256");
	warm_up(bench);
	kernel.is_stuck = true;
	change_over(bench);
	hand_to_peer(bench, 23, "", 1);
}

static void close_in_good_order_waits_for_the_farewell(void **state)
{
	struct bench bench;

	open_stuck(&bench, state);
	io_stream_close(stream_of(&bench), IO_CLOSE_FIN);
	run_for(bench.setting.fixture, 30);
	assert_int_equal(bench.server.recorder.closes, 0);
	kernel.acked = 1 + tls_kernel_overhead(TLS_KERNEL_AES_128_GCM, true);
	run_until(bench.setting.fixture, bench.server.recorder.closes);
	assert_int_equal(kernel.nrecords, 1);
	bench_close(&bench);
}

static void reset_waits_for_nothing(void **state)
{
	struct bench bench;

	open_stuck(&bench, state);
	io_stream_shutdown(stream_of(&bench));
	assert_int_equal(bench.server.recorder.stream.queued, 2);
	io_stream_close(stream_of(&bench), IO_CLOSE_RESET);
	run_until(bench.setting.fixture, bench.server.recorder.closes);
	assert_int_equal(kernel.nrecords, 0);
	bench_close(&bench);
}

static void what_a_kernel_can_is_told(void **state)
{
	struct tls_kernel_abilities abilities;

	(void)state;
	kernel.can_update = true;
	tls_kernel_probe(&abilities);
	assert_int_equal(abilities.error, 0);
	for (unsigned i = 0; i < TLS_KERNEL_CIPHER_COUNT; i++)
		assert_true(abilities.has[i]);
	assert_true(abilities.can_update);
	assert_int_equal(kernel.attaches, TLS_KERNEL_CIPHER_COUNT);
	kernel = (struct kernel){.ulp_error = ENOENT};
	tls_kernel_probe(&abilities);
	assert_int_equal(abilities.error, -ENOENT);
	assert_int_equal(kernel.attaches, 1);
	kernel = (struct kernel){.key_error = EINVAL};
	tls_kernel_probe(&abilities);
	assert_int_equal(abilities.error, 0);
	assert_false(abilities.has[TLS_KERNEL_AES_128_GCM] || abilities.can_update);
}

static void line_of_the_key_log_that_is_no_secret_of_ours_is_passed_over(void **state)
{
	struct tls_traffic_secret secret = {};
	char line[256], random[65] = {0};

	(void)state;
	memset(random, 'a', 64);
	snprintf(line, sizeof(line), "SERVER_TRAFFIC_SECRET_0 %s 00ff7f", random);
	assert_true(tls_traffic_secret_read(line, &secret));
	assert_int_equal(secret.len, 3);
	assert_memory_equal(secret.bytes, "\x00\xff\x7f", 3);
	snprintf(line, sizeof(line), "SERVER_TRAFFIC_SECRET_0 %s 0g", random);
	assert_false(tls_traffic_secret_read(line, &secret));
	snprintf(line, sizeof(line), "SERVER_TRAFFIC_SECRET_0 %s 00f", random);
	assert_false(tls_traffic_secret_read(line, &secret));
	snprintf(line, sizeof(line), "CLIENT_TRAFFIC_SECRET_0 %s 00ff", random);
	assert_false(tls_traffic_secret_read(line, &secret));
	assert_false(tls_traffic_secret_read("SERVER_TRAFFIC_SECRET_0 aa", &secret));
	snprintf(line, sizeof(line), "SERVER_TRAFFIC_SECRET_0 %s %s%s", random, random, random);
	assert_false(tls_traffic_secret_read(line, &secret)); /* longer than any */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_kernel_can_is_told),
		cmocka_unit_test(line_of_the_key_log_that_is_no_secret_of_ours_is_passed_over),
		ON_KERNEL(peer_reads_what_is_sealed_with_the_kernels_key),
		ON_KERNEL(key_after_updates_of_openssls_is_the_latest),
		ON_KERNEL(without_kernel_tls_nobody_notices),
		ON_KERNEL(kernel_that_refuses_is_asked_once),
		ON_KERNEL(kernel_that_can_changes_keys_behind_our_key_update),
		ON_KERNEL(kernel_that_cannot_ends_it_where_the_owner_listens),
		ON_KERNEL(silenced_session_sends_nothing_more),
		ON_KERNEL(farewell_waits_until_all_is_taken),
		ON_KERNEL(close_in_good_order_waits_for_the_farewell),
		ON_KERNEL(reset_waits_for_nothing),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
