/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TLS_INTERNAL_H
#define SLUICE_TLS_INTERNAL_H

#include "config/config.h"
#include "core/list.h"
#include "core/slice.h"
#include "core/strbuf.h"
#include "io/layer.h"
#include "io/timer.h"
#include "tls/context.h"
#include "tls/kernel.h"
#include "tls/pacer.h"
#include "tls/session.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Who knows what: loader.c reads files, certificates.c has them by name, policy.c is what both
 * sides of a handshake share, server_context.c and client_context.c put it together; session.c is
 * one connection, wire.c its bytes, pacer.c its turn, kernel_tx.c its way into the kernel.
 */

/* --- Files and complaints: loader.c ------------------------------------------------ */

struct tls_loader {
	const char *path; /* the configuration file's */
	struct strbuf *errors;
	bool has_failed;
};

/* A line "path:line:col: …". The second is a warning, and nothing fails for it. */
void tls_complain(struct tls_loader *loader, const struct config_file *at, const char *fmt, ...)
	PRINTF(3, 4);
void tls_warn(struct tls_loader *loader, const struct config_file *at, const char *fmt, ...)
	PRINTF(3, 4);

/* What OpenSSL's last error means, for people; the queue of errors is empty then. */
const char *tls_error_text(void);

/* The whole file. Return: a BIO over its bytes; NULL with a complaint. */
BIO *tls_read_file(struct tls_loader *loader, const struct config_file *file) WARN_UNUSED;

/* Behind the last thing that was read of a PEM file. Return: true: that was its end; false with a
 * complaint: OpenSSL's last error. */
bool tls_is_pem_read(struct tls_loader *loader, const struct config_file *file) WARN_UNUSED;

/* Where a file is. Return: from malloc(); NULL: out of memory. */
char *tls_resolve_path(const struct tls_loader *loader, const char *path) WARN_UNUSED;

/* Complains if the file's permissions let everybody read it. */
void tls_check_secrecy(struct tls_loader *loader, const struct config_file *file);

/* Adds the certificates of a PEM file to @store. Return: how many; 0 with a complaint. */
size_t tls_load_authorities(struct tls_loader *loader, const struct config_file *file,
			    X509_STORE *store);

/* --- Certificates: certificates.c, staple.c ---------------------------------------- */

enum tls_key_kind { TLS_KEY_RSA, TLS_KEY_EC, TLS_KEY_ED, TLS_KEY_KINDS };

struct tls_certificate {
	const struct config_certificate *config;
	X509 *leaf;
	EVP_PKEY *key;
	STACK_OF(X509) * chain;
	enum tls_key_kind kind;
	char **names; /* lower case; of its subjectAltName, or else its common name */
	size_t nnames;
	unsigned char *staple; /* OCSP response; NULL: none */
	size_t nstaple;
	int64_t staple_until_s;     /* seconds since 1970 */
	struct tls_staple *fetched; /* in place of those; NULL: none is */
};

/* The certificates for one name, of each kind of key at most one. */
struct tls_choice {
	const char *name; /* of one of them; "*.example.com" is a wildcard */
	const struct tls_certificate *by_kind[TLS_KEY_KINDS];
};

struct tls_certificates {
	struct tls_certificate *all;
	size_t count;
	struct tls_choice *choices; /* by name */
	size_t nchoices;
	struct tls_choice fallback; /* the first certificate, and its sisters */
};

/* Return: 0; -EINVAL with complaints; -ENOMEM. Either way tls_certificates_done() is due. */
int tls_certificates_load(struct tls_loader *loader, const struct config_tls *config,
			  struct tls_certificates *ret) WARN_UNUSED;
void tls_certificates_done(struct tls_certificates *certificates);

/* @name: from the client; NULL: it gave none. Return: never NULL. */
const struct tls_choice *tls_certificates_choose(const struct tls_certificates *certificates,
						 const char *name);

/* A certificate, its chain and its key. Return: 0; -EINVAL with complaints; -ENOMEM. */
int tls_certificate_load(struct tls_loader *loader, const struct config_file *cert,
			 const struct config_file *key, struct tls_certificate *ret) WARN_UNUSED;
void tls_certificate_done(struct tls_certificate *certificate);

/* One that cannot be stapled is left out with a complaint. */
void tls_staple_load(struct tls_loader *loader, const struct config_file *file,
		     struct tls_certificate *certificate);

/* --- Fetched OCSP responses: staples.c -------------------------------------------------- */

struct tls_staple;

/* That @leaf's responder be asked from now on. Return: NULL: it has none that can be, its issuer is
 * not known, or out of memory. */
struct tls_staple *tls_staple_want(struct tls_staples *staples, X509 *leaf, STACK_OF(X509) * chain);
void tls_staple_unref(struct tls_staple *staple); /* NULL is allowed */

/* Return: what may be stapled now, from OPENSSL_malloc(); NULL: nothing. Thread: any. */
unsigned char *tls_staple_copy(struct tls_staple *staple, size_t *ret_len);

/* Until when that is, in seconds since 1970; 0: there was none yet. Thread: any. */
int64_t tls_staple_until(struct tls_staple *staple);

/* --- Policy: policy.c, ticket_keys.c ------------------------------------------------ */

/* What is the same on both sides. Return: 0; -ENOMEM. */
int tls_policy_apply(SSL_CTX *ctx, enum config_tls_version min,
		     enum config_tls_version max) WARN_UNUSED;

/* ALPN's wire format, from malloc(). Return: 0; -ENOMEM. */
int tls_policy_alpn(const char **protocols, size_t count, unsigned char **ret,
		    unsigned *ret_len) WARN_UNUSED;

/* What callbacks that get an SSL alone find as its context's app data. */
struct tls_context_extra {
	struct tls_ticket_keys *ticket_keys; /* borrowed */
	int key_log;                         /* descriptor; -1: none */
};

/* Makes and takes tickets with the keys of @ctx's extra. */
void tls_ticket_keys_use(SSL_CTX *ctx, uint32_t lifetime_ms);

/* --- Early data: replay.c, server_context.c ---------------------------------------------- */

/* ClientHellos whose early data was taken, for as long as a copy of one would pass for fresh.
 * Shared by all contexts. Source: RFC 8446 section 8.2. */
struct tls_replays;

struct tls_replays *tls_replays_new(void) WARN_UNUSED; /* NULL: out of memory, or of random bytes */
void tls_replays_free(struct tls_replays *replays);    /* NULL is allowed */

/* @random: the client's, 32 bytes. Return: false: it was there already, or there is no room to
 * remember it. Thread: any. */
bool tls_replays_admit(struct tls_replays *replays, const unsigned char random[32]);

struct tls_replays *tls_ticket_keys_replays(struct tls_ticket_keys *keys);
/* Whether a certificate that @ssl's client may have been shown is for @host; one who resumes was
 * shown it earlier. */
bool tls_server_context_answers_for(SSL *ssl, const char *host);
bool tls_server_context_takes_early(const struct tls_server_context *context);
/* Return: what may be asked of the kernel; NULL: nothing. */
const struct tls_kernel_abilities *tls_server_context_kernel(
	const struct tls_server_context *context);

/* --- Contexts ----------------------------------------------------------------------- */

SSL_CTX *tls_server_context_ssl(const struct tls_server_context *context);
SSL_CTX *tls_client_context_ssl(const struct tls_client_context *context);

/* Tells @ssl whom it expects to reach. Return: 0; -ENOMEM; -EINVAL: nobody can tell who it is. */
int tls_client_context_aim(const struct tls_client_context *context, SSL *ssl,
			   const char *server) WARN_UNUSED;

/* --- Turns: pacer.c ----------------------------------------------------------------- */

/* Embedded in a session. */
struct tls_turn {
	struct list_node node;
	bool is_under_way; /* counts in the limit */
	void (*on_turn)(struct tls_turn *turn);
};

/* Ends in on_turn(), from the loop; a handshake asks for each of its steps. */
void tls_pacer_ask(struct tls_pacer *pacer, struct tls_turn *turn);
/* The handshake is over, or will never be. */
void tls_pacer_leave(struct tls_pacer *pacer, struct tls_turn *turn);

struct io_loop *tls_pacer_loop(const struct tls_pacer *pacer);

/* --- Sending by the kernel: kernel_tx.c, kernel_keys.c ------------------------------- */

#define TLS_SECRET_MAX 48 /* a SHA-384 */

struct tls_traffic_secret {
	unsigned char bytes[TLS_SECRET_MAX];
	size_t len; /* 0: none */
};

/* Embedded in a session. */
struct tls_sending {
	const struct tls_kernel_abilities *kernel; /* the context's; NULL: it is never asked */
	bool is_kernels;                           /* the kernel makes the records */
	bool is_refused;                           /* it does not want to */
	bool is_silenced; /* the peer wants new keys, which the kernel does not take */
	enum tls_kernel_cipher cipher;
	struct tls_traffic_secret secret; /* TLS 1.3: that the keys are made from */
	unsigned char nonce[8];           /* TLS 1.2 with AES-GCM: of the last record */
	uint64_t records;                 /* under the present keys, until the kernel's first */
	uint64_t sealed;                  /* by the kernel, under keys before these */
	uint64_t taken_before;            /* tls_kernel_taken(), before its first */
	uint64_t out_before;              /* the stream's bytes_out */
	uint64_t farewell_ms;             /* since when the last record waits; loop time */
};

struct tls_session;

/* Counts what OpenSSL sends, so that the kernel may go on. @kernel: outlives the session. */
void tls_sending_watch(struct tls_session *session, const struct tls_kernel_abilities *kernel);
/* A line of the key log. */
void tls_sending_note_key(struct tls_session *session, const char *line);
/* A record that OpenSSL has made. */
void tls_sending_note_record(struct tls_session *session, const char *record, size_t len);
/* After each read: meets a request for new keys, or is_silenced. */
void tls_sending_answer(struct tls_session *session);
/* Whether what has come is not to be looked at yet. */
bool tls_sending_holds_wire(const struct tls_session *session);

extern const struct io_layer_kernel_ops tls_kernel_ops;

/* Return: false: the kernel has none such. */
bool tls_kernel_cipher_of(const SSL *ssl, enum tls_kernel_cipher *ret);
struct tls_kernel_key;
/* The key for the next record. Return: 0; -EOPNOTSUPP; -ENOMEM. */
int tls_kernel_key_make(const SSL *ssl, const struct tls_sending *sending,
			struct tls_kernel_key *ret) WARN_UNUSED;
/* Return: whether @line of the key log has the secret that a server sends with. */
bool tls_traffic_secret_read(const char *line, struct tls_traffic_secret *ret);
/* The one behind a KeyUpdate. Return: 0; -ENOMEM. */
int tls_traffic_secret_update(const SSL *ssl, struct tls_traffic_secret *secret) WARN_UNUSED;

/* --- Sessions ----------------------------------------------------------------------- */

/*
 * A record cannot be read before all of it is there: the first ones of a burst fit into a segment
 * each, so that the client can begin; later ones are as large as they may be.
 */
#define TLS_SMALL_RECORD 1369
#define TLS_SMALL_BURST  (16 * TLS_SMALL_RECORD)

struct tls_session {
	struct io_layer layer;
	SSL *ssl;
	struct tls_pacer *pacer;
	struct tls_turn turn;
	struct io_timer timer;
	void (*on_ready)(struct io_stream *stream, const struct tls_result *result);
	void (*on_kernel)(struct io_stream *stream);
	struct tls_sending sending;
	struct io_buf *wire, **wire_tail; /* received, not yet taken by OpenSSL */
	bool is_server;
	bool reads_early;  /* early data may come, or come still */
	bool is_open;      /* the owner has it: the handshake is done, or early data has come */
	bool is_confirmed; /* the handshake is done */
	bool is_over;      /* it has failed */
	bool is_starved;   /* the handshake has lacked memory: what fails later may come of it */
	bool has_wire_ended;
	int wire_status;       /* with which it has */
	uint32_t burst;        /* bytes sent since the connection was last idle */
	uint64_t last_sent_ms; /* loop time */
	struct tls_session_cache *cache;
	uint64_t cache_id;
	struct tls_peer_kept *peer; /* peer.c's; NULL: nobody has asked for it */
};

/* --- Between session.c, early.c and kernel_tx.c ------------------------------------------------
 */

/* What has come is looked at. */
void tls_session_read(struct tls_session *session);

/* The owner has it from now on. */
void tls_session_open(struct tls_session *session);
/* Before it is open: the owner is told why it never will be. */
void tls_session_fail(struct tls_session *session, enum tls_failure failure, const char *reason);
/* After a step of the handshake that returned @result: more is needed, or it has failed. */
void tls_session_wait_or_fail(struct tls_session *session, int result);
struct io_buf *tls_session_take_buf(struct tls_session *session) WARN_UNUSED; /* NULL: no memory */

/* Return: true: no early data comes any more, and the handshake goes on. */
bool tls_early_read(struct tls_session *session) WARN_UNUSED;

/* --- What the peer has shown: peer.c --------------------------------------------------- */

/* The session ends. */
void tls_peer_forget(struct tls_session *session);

/* --- Whether a client may resume: resumption.c --------------------------------------------- */

/* From now on none does whose certificate has run out. @on_made: a ticket is; NULL: never mind. */
void tls_resumption_judge(SSL_CTX *ctx, int (*on_made)(SSL *ssl, void *arg));

/* --- The authorities behind a client's certificate: kept_chain.c --------------------------- */

/* From now on a client who resumes has them too. */
void tls_kept_chain_use(SSL_CTX *ctx);

/* Without leaf and anchor, and those of a chain that was too long. Return: the caller's, with its
 * references; NULL: none are known, or out of memory. */
STACK_OF(X509) * tls_kept_chain(const SSL *ssl) WARN_UNUSED;

/* --- What went wrong: failure.c ------------------------------------------------------- */

enum tls_failure tls_failure_of(unsigned long error);
/* Before calls of OpenSSL's whose failure is to be understood. */
void tls_errors_begin(void);
/* Whether what has failed since then did so for want of memory or other trouble of ours: it says
 * nothing of the peer. */
bool tls_errors_are_own(void);
/* Whether it is an alert of the peer's. */
bool tls_error_is_alert(unsigned long error);

/* --- What OpenSSL lacked: memory.c ----------------------------------------------------- */

/* Whether this thread's OpenSSL was denied memory since it was last forgotten. */
bool tls_memory_is_denied(void);
void tls_memory_forget(void);

/* --- Bytes between OpenSSL and the stream: wire.c ------------------------------------ */

/* Gives @session's SSL its two ends. Return: 0; -ENOMEM. */
int tls_wire_attach(struct tls_session *session) WARN_UNUSED;

/* Takes ownership of @buf. */
void tls_wire_append(struct tls_session *session, struct io_buf *buf);
void tls_wire_release(struct tls_session *session);

/* --- Resumption at endpoints: session_cache.c ---------------------------------------- */

/* Keeps what endpoints send for later. */
void tls_session_cache_use(SSL_CTX *ctx);
/* Return: a reference; NULL: none. */
SSL_SESSION *tls_session_cache_take(struct tls_session_cache *cache, uint64_t id) WARN_UNUSED;
/* Takes over the caller's reference. */
void tls_session_cache_store(struct tls_session_cache *cache, uint64_t id, SSL_SESSION *session);

#endif
