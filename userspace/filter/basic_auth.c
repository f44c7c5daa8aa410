// SPDX-License-Identifier: Apache-2.0
/*
 * The filter basic_auth: a name and a password, against a file of hashes (RFC 7617). Hashes are
 * slow on purpose, so that a thread of the filter's own verifies, while the exchange waits; what
 * was right once is known again by a keyed hash of it, which is all that is kept.
 */
#include "core/siphash.h"
#include "filter/file.h"
#include "filter/filter_internal.h"
#include "filter/htpasswd.h"
#include "http/basic.h"
#include "io/offload.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

/* Verifications that may wait; at 50 ms each the last one waits three seconds. */
#define QUEUE_MAX 64
/* A power of two. What two pairs share goes to the one that was right last. */
#define KNOWN_COUNT 4096

struct basic_auth {
	struct filter filter;
	struct arena arena;
	struct htpasswd users;
	struct slice challenge; /* the value of WWW-Authenticate */
	struct siphash_key key;
	struct io_offload *offload;
	_Atomic uint64_t known[KNOWN_COUNT]; /* hashes of pairs that were right; 0: none */
};

struct verification {
	struct io_job job;
	struct basic_auth *auth;          /* while the exchange lives */
	struct filter_exchange *exchange; /* NULL: it is over */
	struct waiting *waiting;
	uint64_t hash;
	const char *wanted; /* borrowed from @auth, not looked at once cancelled */
	bool is_known, is_right;
	char texts[HTTP_BASIC_MAX + 1 + HTPASSWD_HASH_SIZE]; /* the password, the hash */
};

/* Of an exchange. */
struct waiting {
	struct verification *verification; /* NULL: none is under way */
};

/* --- What was right before --------------------------------------------------------- */

static _Atomic uint64_t *place_of(struct basic_auth *auth, uint64_t hash)
{
	return &auth->known[hash % KNOWN_COUNT];
}

static bool is_remembered(struct basic_auth *auth, uint64_t hash)
{
	return atomic_load_explicit(place_of(auth, hash), memory_order_relaxed) == hash;
}

static void remember(struct basic_auth *auth, uint64_t hash)
{
	atomic_store_explicit(place_of(auth, hash), hash, memory_order_relaxed);
}

static uint64_t hash_of(const struct basic_auth *auth, const struct http_basic *credentials)
{
	uint64_t hash = siphash(credentials->whole, &auth->key);

	return hash ? hash : 1;
}

/* --- Verdicts ---------------------------------------------------------------------- */

static enum filter_verdict challenge(const struct basic_auth *auth,
				     struct filter_exchange *exchange)
{
	filter_answer(exchange, 401);
	if (http_fields_add_id(&exchange->response->fields, HTTP_FIELD_WWW_AUTHENTICATE,
			       auth->challenge) < 0)
		return filter_answer(exchange, 503);
	return FILTER_ANSWER;
}

static enum filter_verdict let_through(const struct basic_auth *auth,
				       struct filter_exchange *exchange, struct slice name)
{
	char *copy = arena_strdup(exchange->arena, name);

	if (!copy)
		return filter_answer(exchange, 503);
	exchange->user = slice_of(copy, name.len);
	if (!auth->filter.config->basic_auth.is_forwarded)
		http_fields_remove(&exchange->request->fields, HTTP_FIELD_AUTHORIZATION);
	return FILTER_CONTINUE;
}

/* --- Verification ------------------------------------------------------------------ */

static void drop(struct io_job *job)
{
	struct verification *verification = container_of(job, struct verification, job);

	explicit_bzero(verification->texts, sizeof(verification->texts));
	free(verification);
}

/* The thread's: it sees nothing but the verification itself. */
static void run(struct io_job *job)
{
	struct verification *verification = container_of(job, struct verification, job);
	const char *password = verification->texts;

	verification->is_right = htpasswd_verify(password, verification->wanted) &&
				 verification->is_known;
}

static void on_verified(struct io_job *job)
{
	struct verification *verification = container_of(job, struct verification, job);
	struct filter_exchange *exchange = verification->exchange;
	struct basic_auth *auth = verification->auth;
	enum filter_verdict verdict;
	char buf[HTTP_BASIC_MAX + 1];
	struct http_basic credentials;

	if (!exchange) {
		drop(&verification->job);
		return;
	}
	verification->waiting->verification = NULL;
	if (verification->is_right)
		remember(auth, verification->hash);
	/* The field is still there: the name comes from it once more. */
	if (verification->is_right &&
	    http_basic_read(&exchange->request->fields, buf, &credentials) == 0)
		verdict = let_through(auth, exchange, credentials.name);
	else
		verdict = challenge(auth, exchange);
	explicit_bzero(buf, sizeof(buf));
	drop(&verification->job);
	filter_resume(exchange, verdict);
}

static struct verification *verification_new(struct basic_auth *auth,
					     struct filter_exchange *exchange,
					     struct waiting *waiting,
					     const struct http_basic *credentials)
{
	struct verification *verification = calloc(1, sizeof(*verification));
	char *to;
	const char *hash;

	if (!verification)
		return NULL;
	hash = htpasswd_hash(&auth->users, credentials->name, &verification->is_known);
	to = mempcpy(verification->texts, credentials->password.ptr, credentials->password.len);
	verification->wanted = to + 1;
	memcpy(to + 1, hash, strlen(hash) + 1);
	verification->auth = auth;
	verification->exchange = exchange;
	verification->waiting = waiting;
	verification->hash = hash_of(auth, credentials);
	verification->job.run = run;
	verification->job.on_done = on_verified;
	verification->job.on_drop = drop;
	return verification;
}

static enum filter_verdict verify(struct basic_auth *auth, struct filter_exchange *exchange,
				  struct waiting *waiting, const struct http_basic *credentials)
{
	struct verification *verification = verification_new(auth, exchange, waiting, credentials);

	if (!verification)
		return filter_answer(exchange, 503);
	if (io_offload_submit(auth->offload, exchange->host->loop(exchange), &verification->job) <
	    0) {
		drop(&verification->job);
		exchange->detail = "basic_auth: too many passwords at once";
		return filter_answer(exchange, 503);
	}
	waiting->verification = verification;
	return FILTER_WAIT;
}

/* --- Hooks ------------------------------------------------------------------------- */

/* Verified pairs and the queue change; they are safe to share. */
static struct basic_auth *auth_of(const struct filter *filter)
{
	return (struct basic_auth *)(uintptr_t)filter;
}

static enum filter_verdict on_request_head(const struct filter *filter,
					   struct filter_exchange *exchange, void *own)
{
	struct basic_auth *auth = auth_of(filter);
	char buf[HTTP_BASIC_MAX + 1];
	struct http_basic credentials;
	enum filter_verdict verdict;

	if (http_basic_read(&exchange->request->fields, buf, &credentials) < 0)
		return challenge(auth, exchange);
	if (is_remembered(auth, hash_of(auth, &credentials)))
		verdict = let_through(auth, exchange, credentials.name);
	else
		verdict = verify(auth, exchange, own, &credentials);
	explicit_bzero(buf, sizeof(buf));
	return verdict;
}

static void on_end(const struct filter *filter, struct filter_exchange *exchange, void *own)
{
	struct waiting *waiting = own;
	struct verification *verification = waiting->verification;

	(void)exchange;
	waiting->verification = NULL;
	if (verification && !io_offload_cancel(auth_of(filter)->offload, &verification->job))
		verification->exchange = NULL;
}

/* --- What the configuration makes ---------------------------------------------------- */

static int read_users(struct basic_auth *auth, const struct filter_setup *setup)
{
	const struct config_file *file = &setup->config->basic_auth.file;
	char problem[HTPASSWD_PROBLEM_SIZE];
	struct strbuf text = {};
	int err = filter_read_file(setup, file, &text);

	if (err)
		return err;
	err = htpasswd_parse(slice_of(text.text, text.len), &auth->arena, &auth->users, problem);
	if (err == -EINVAL)
		filter_complain(setup, file, "\"%s\": %s", file->path, problem);
	if (text.text)
		explicit_bzero(text.text, text.len);
	strbuf_done(&text);
	return err;
}

static int build(struct filter *filter, const struct filter_setup *setup)
{
	struct basic_auth *auth = (struct basic_auth *)filter;
	char *text = arena_printf(&auth->arena, "Basic realm=\"%s\", charset=\"UTF-8\"",
				  setup->config->basic_auth.realm);
	int err = text ? read_users(auth, setup) : -ENOMEM;

	if (err)
		return err;
	auth->challenge = slice_from_str(text);
	if (getrandom(&auth->key, sizeof(auth->key), 0) != sizeof(auth->key))
		return -EIO;
	auth->offload = io_offload_new(1, QUEUE_MAX);
	return auth->offload ? 0 : -ENOMEM;
}

static void done(struct filter *filter)
{
	struct basic_auth *auth = (struct basic_auth *)filter;

	io_offload_free(auth->offload);
	arena_done(&auth->arena);
}

const struct filter_kind filter_basic_auth = {
	.id = CONFIG_FILTER_BASIC_AUTH,
	.size = sizeof(struct basic_auth),
	.exchange_size = sizeof(struct waiting),
	.build = build,
	.done = done,
	.on_request_head = on_request_head,
	.on_end = on_end,
};
