/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A frugal client of TLS 1.3, for the benchmark alone.
 *
 *   begin ─► ClientHello ─► ServerHello ─► …, Finished ─► ours goes out ─► NewSessionTicket ─► done
 *
 * Numbers of sections are RFC 8446's.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tls13.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <time.h>

#define SHARE 32

enum record { CHANGE_CIPHER_SPEC = 20, ALERT, HANDSHAKE, APPLICATION };
enum message { CLIENT_HELLO = 1, SERVER_HELLO, NEW_SESSION_TICKET = 4, FINISHED = 20 };
enum extension { PRE_SHARED_KEY = 41, KEY_SHARE = 51 };

static EVP_PKEY_CTX *exchange;
static uint8_t share[SHARE];

static const uint8_t zeros[TLS13_HASH];
static uint8_t hash_of_nothing[TLS13_HASH];

bool tls13_init(void)
{
	size_t len = sizeof(share);
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");

	if (!key || EVP_PKEY_get_raw_public_key(key, share, &len) != 1)
		return false;
	exchange = EVP_PKEY_CTX_new(key, NULL);
	EVP_PKEY_free(key);
	SHA256(NULL, 0, hash_of_nothing);
	return exchange && EVP_PKEY_derive_init(exchange) == 1 && tls13_keys_init();
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- Bytes ------------------------------------------------------------------------------- */

static uint8_t *put16(uint8_t *at, size_t value)
{
	return mempcpy(at, (const uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
	return put16(put16(at, value >> 16), value & 0xffff);
}

static size_t get16(const uint8_t *at)
{
	return (size_t)at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)(get16(at) << 16 | get16(at + 2));
}

/* --- The schedule of keys (7.1) ---------------------------------------------------------- */

static void derive_next(uint8_t secret[TLS13_HASH], const uint8_t input[TLS13_HASH])
{
	uint8_t salt[TLS13_HASH];

	tls13_derive(secret, "derived", hash_of_nothing, salt);
	tls13_hmac(salt, input, TLS13_HASH, secret);
}

static void hash_so_far(const struct tls13 *tls, uint8_t ret[TLS13_HASH])
{
	SHA256_CTX copy = tls->transcript;

	SHA256_Final(ret, &copy);
}

/* Of a Finished, or of a ticket in a ClientHello (4.4.4). */
static void verify_data(const uint8_t secret[TLS13_HASH], const uint8_t hash[TLS13_HASH],
			uint8_t ret[TLS13_HASH])
{
	uint8_t key[TLS13_HASH];

	tls13_expand(secret, "finished", "", 0, key, sizeof(key));
	tls13_hmac(key, hash, TLS13_HASH, ret);
}

static bool agree(const uint8_t theirs[SHARE], uint8_t ret[TLS13_HASH])
{
	EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, theirs, SHARE);
	size_t len = TLS13_HASH;
	bool is_agreed = peer && EVP_PKEY_derive_set_peer_ex(exchange, peer, 0) == 1 &&
			 EVP_PKEY_derive(exchange, ret, &len) == 1;

	EVP_PKEY_free(peer);
	return is_agreed;
}

/* --- Records (5.2) ----------------------------------------------------------------------- */

static void put_sealed(struct tls13 *tls, enum record type, const void *bytes, size_t len)
{
	uint8_t *header = tls->out + tls->nout, *inner = header + TLS13_HEADER;

	put16(mempcpy(header, (const uint8_t[]){APPLICATION, 3, 3}, 3), len + 1 + TLS13_TAG);
	memcpy(inner, bytes, len);
	inner[len] = (uint8_t)type;
	if (tls13_crypt(&tls->sending, header, inner, len + 1, true))
		tls->nout += TLS13_HEADER + len + 1 + TLS13_TAG;
}

/* --- ClientHello (4.1.2) ----------------------------------------------------------------- */

static const uint8_t extensions[] = {
	0, 43, 0, 3,  2, 3,  4,                                       /* supported_versions */
	0, 10, 0, 4,  0, 2,  0, 29,                                   /* supported_groups */
	0, 45, 0, 2,  1, 1,                                           /* psk_key_exchange_modes */
	0, 13, 0, 14, 0, 12, 4, 3,  8, 4,     8, 5, 8, 6, 8, 7, 4, 1, /* signature_algorithms */
	0, 51, 0, 38, 0, 36, 0, 29, 0, SHARE, /* key_share, which has to be the last one */
};

/* The binder is told of all that stands before it (4.2.11.2). */
static uint8_t *put_ticket(uint8_t *at, const struct tls13_ticket *ticket)
{
	at = put16(at, PRE_SHARED_KEY);
	at = put16(at, 2 + 2 + ticket->len + 4 + 2 + 1 + TLS13_HASH);
	at = put16(at, 2 + ticket->len + 4);
	at = put16(at, ticket->len);
	at = mempcpy(at, ticket->bytes, ticket->len);
	at = put32(at, (uint32_t)(now_ms() - ticket->came_ms) + ticket->age_add);
	at = put16(at, 1 + TLS13_HASH);
	*at++ = TLS13_HASH;
	return at + TLS13_HASH;
}

static void bind_ticket(struct tls13 *tls, const uint8_t *hello, uint8_t *end)
{
	uint8_t hash[TLS13_HASH], key[TLS13_HASH];

	SHA256(hello, (size_t)(end - hello) - TLS13_HASH - 3, hash);
	tls13_derive(tls->secret, "res binder", hash_of_nothing, key);
	verify_data(key, hash, end - TLS13_HASH);
}

static uint8_t *put_extensions(uint8_t *at, const struct tls13 *tls)
{
	uint8_t *start = at;

	at = mempcpy(at + 2, extensions, sizeof(extensions));
	at = mempcpy(at, share, SHARE);
	if (tls->ticket.len)
		at = put_ticket(at, &tls->ticket);
	put16(start, (size_t)(at - start) - 2);
	return at;
}

void tls13_begin(struct tls13 *tls)
{
	static const uint8_t one_cipher[] = {0, 2, 0x13, 1, 1, 0}; /* and no compression */
	uint8_t *hello = tls->out + TLS13_HEADER, *at = hello + 4;

	tls->is_resumed = tls->has_server_hello = tls->has_finished = tls->has_new_ticket = false;
	tls->nin = tls->nmessages = 0;
	at = put16(at, 0x0303);
	/* Random, and an identifier for the sake of middleboxes. */
	RAND_bytes(at, TLS13_HASH + 1 + TLS13_HASH);
	at[TLS13_HASH] = TLS13_HASH;
	at += TLS13_HASH + 1 + TLS13_HASH;
	at = mempcpy(at, one_cipher, sizeof(one_cipher));
	at = put_extensions(at, tls);
	put32(hello, (uint32_t)CLIENT_HELLO << 24 | (uint32_t)(at - hello - 4));
	put16(mempcpy(tls->out, (const uint8_t[]){HANDSHAKE, 3, 1}, 3), (size_t)(at - hello));
	tls13_hmac(zeros, tls->ticket.len ? tls->ticket.psk : zeros, TLS13_HASH, tls->secret);
	if (tls->ticket.len)
		bind_ticket(tls, hello, at);
	SHA256_Init(&tls->transcript);
	SHA256_Update(&tls->transcript, hello, (size_t)(at - hello));
	tls->nout = (size_t)(at - tls->out);
}

/* --- Messages ---------------------------------------------------------------------------- */

static bool derive_handshake_keys(struct tls13 *tls, const uint8_t theirs[SHARE])
{
	uint8_t agreed[TLS13_HASH], hash[TLS13_HASH];

	if (!agree(theirs, agreed))
		return false;
	if (!tls->is_resumed) /* the ticket was offered in vain */
		tls13_hmac(zeros, zeros, TLS13_HASH, tls->secret);
	derive_next(tls->secret, agreed);
	hash_so_far(tls, hash);
	tls13_derive(tls->secret, "c hs traffic", hash, tls->ours);
	tls13_derive(tls->secret, "s hs traffic", hash, tls->theirs);
	tls13_derive_keys(&tls->sending, tls->ours);
	tls13_derive_keys(&tls->receiving, tls->theirs);
	return tls->has_server_hello = true;
}

/* Its version, random, identifier, cipher, compression and extensions (4.1.3). The key share of a
 * HelloRetryRequest has another length. */
static bool on_server_hello(struct tls13 *tls, const uint8_t *at, size_t len)
{
	const uint8_t *end = at + len, *theirs = NULL;
	size_t nfixed = 2 + TLS13_HASH + 1 + 2 + 1 + 2;

	if (len < nfixed || len < nfixed + at[2 + TLS13_HASH])
		return false;
	at += nfixed + at[2 + TLS13_HASH];
	while (end - at >= 4 && (size_t)(end - at) >= 4 + get16(at + 2)) {
		size_t nbody = get16(at + 2);

		if (get16(at) == PRE_SHARED_KEY)
			tls->is_resumed = true;
		else if (get16(at) == KEY_SHARE && nbody == 4 + SHARE)
			theirs = at + 4 + 4;
		at += 4 + nbody;
	}
	return theirs && derive_handshake_keys(tls, theirs);
}

static void finish(struct tls13 *tls)
{
	static const uint8_t change[] = {CHANGE_CIPHER_SPEC, 3, 3, 0, 1, 1};
	uint8_t message[4 + TLS13_HASH] = {FINISHED, 0, 0, TLS13_HASH};
	uint8_t hash[TLS13_HASH], traffic[TLS13_HASH];

	memcpy(tls->out + tls->nout, change, sizeof(change));
	tls->nout += sizeof(change);
	hash_so_far(tls, hash);
	verify_data(tls->ours, hash, message + 4);
	put_sealed(tls, HANDSHAKE, message, sizeof(message));
	derive_next(tls->secret, zeros);
	tls13_derive(tls->secret, "c ap traffic", hash, traffic);
	tls13_derive_keys(&tls->sending, traffic);
	tls13_derive(tls->secret, "s ap traffic", hash, traffic);
	tls13_derive_keys(&tls->receiving, traffic);
	SHA256_Update(&tls->transcript, message, sizeof(message));
	hash_so_far(tls, hash);
	tls13_derive(tls->secret, "res master", hash, tls->resumption);
	tls->has_finished = true;
}

static bool is_finished_good(const struct tls13 *tls, const uint8_t *body, size_t len)
{
	uint8_t hash[TLS13_HASH], expected[TLS13_HASH];

	hash_so_far(tls, hash);
	verify_data(tls->theirs, hash, expected);
	return len == TLS13_HASH && memcmp(body, expected, TLS13_HASH) == 0;
}

/* lifetime, age_add, nonce<0..255>, ticket<1..2^16-1>, extensions (4.6.1) */
static bool on_ticket(struct tls13 *tls, const uint8_t *body, size_t len)
{
	struct tls13_ticket *ticket = &tls->ticket;
	const uint8_t *nonce = body + 9, *name;

	if (!tls->has_finished || len < 9 || len < (size_t)9 + body[8] + 2)
		return false;
	name = nonce + body[8];
	if (get16(name) > sizeof(ticket->bytes) || len < (size_t)9 + body[8] + 2 + get16(name))
		return false;
	ticket->len = get16(name);
	memcpy(ticket->bytes, name + 2, ticket->len);
	ticket->age_add = get32(body + 4);
	ticket->came_ms = now_ms();
	tls13_expand(tls->resumption, "resumption", nonce, body[8], ticket->psk, TLS13_HASH);
	return tls->has_new_ticket = true;
}

/* Certificates and what signs them are heard, not judged. */
static bool on_message(struct tls13 *tls, const uint8_t *message, size_t len)
{
	enum message type = message[0];
	const uint8_t *body = message + 4;

	if (type == NEW_SESSION_TICKET)
		return on_ticket(tls, body, len - 4);
	if (type == FINISHED && !is_finished_good(tls, body, len - 4))
		return false;
	SHA256_Update(&tls->transcript, message, len);
	if (type == SERVER_HELLO)
		return !tls->has_server_hello && on_server_hello(tls, body, len - 4);
	if (type == FINISHED)
		finish(tls);
	return true;
}

static bool take_messages(struct tls13 *tls)
{
	uint8_t *at = tls->messages, *end = at + tls->nmessages;

	while (end - at >= 4 && (size_t)(end - at) >= 4 + (get32(at) & 0xffffff)) {
		size_t len = 4 + (get32(at) & 0xffffff);

		if (!on_message(tls, at, len))
			return false;
		at += len;
	}
	tls->nmessages = (size_t)(end - at);
	memmove(tls->messages, at, tls->nmessages);
	return true;
}

/* Behind the bytes of what is encrypted stands its type, and padding. */
static bool decrypt(struct tls13 *tls, const uint8_t *header, uint8_t *bytes, size_t *len,
		    enum record *ret_type)
{
	if (!tls->has_server_hello || *len < TLS13_TAG + 1 ||
	    !tls13_crypt(&tls->receiving, header, bytes, *len - TLS13_TAG, false))
		return false;
	*len -= TLS13_TAG + 1;
	while (*len > 0 && bytes[*len] == 0)
		--*len;
	*ret_type = bytes[*len];
	return true;
}

static bool on_record(struct tls13 *tls, const uint8_t *header, uint8_t *bytes, size_t len)
{
	enum record type = header[0];

	if (type == CHANGE_CIPHER_SPEC)
		return true;
	if (type == APPLICATION && !decrypt(tls, header, bytes, &len, &type))
		return false;
	if (type != HANDSHAKE || len > sizeof(tls->messages) - tls->nmessages)
		return false;
	memcpy(tls->messages + tls->nmessages, bytes, len);
	tls->nmessages += len;
	return take_messages(tls);
}

enum tls13_result tls13_take(struct tls13 *tls)
{
	uint8_t *at = tls->in, *end = at + tls->nin;

	while (end - at >= TLS13_HEADER && (size_t)(end - at) >= TLS13_HEADER + get16(at + 3)) {
		size_t len = get16(at + 3);

		if (!on_record(tls, at, at + TLS13_HEADER, len))
			return TLS13_FAILED;
		at += TLS13_HEADER + len;
	}
	tls->nin = (size_t)(end - at);
	memmove(tls->in, at, tls->nin);
	return tls->has_new_ticket ? TLS13_DONE : TLS13_WAITING;
}

void tls13_end(struct tls13 *tls)
{
	if (tls->has_finished)
		put_sealed(tls, ALERT, (const uint8_t[]){1, 0}, 2);
}
