// SPDX-License-Identifier: Apache-2.0
/*
 * Fetched OCSP responses and the threads that fetch them. An entry lives while a context uses it:
 *
 *   wanted ─► asked ─► kept until half of its time is over ─► asked again …
 *               └────► failed: again in a minute, then in two, … at most in an hour
 *
 * One lock guards everything; it is given up while a responder is asked. A responder is asked one
 * thing at a time, and several responders at once: one that is slow holds up none but its own.
 */
#include "tls/staples.h"
#include "core/clock.h"
#include "core/list.h"
#include "core/rng.h"
#include "tls/ocsp.h"
#include "tls/tls_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define ASKERS 4 /* threads at most; one a responder */

#define RETRY_FIRST_S  60u
#define RETRY_MOST_S   3600u
#define REFRESH_MOST_S 86400u

struct tls_staple {
	struct list_node node;
	struct tls_staples *staples;
	uint32_t refs;
	X509 *leaf;
	STACK_OF(X509) * chain;
	char *url, *subject;
	uint64_t due_ms;
	bool is_asked; /* now */
	uint32_t failures;
	unsigned char *der; /* NULL: nothing was fetched yet */
	size_t len;
	int64_t until_s;
};

struct tls_staples {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t threads[ASKERS];
	uint32_t nthreads;
	bool is_stopping;
	int wake; /* eventfd: nobody waits for an answer any more */
	struct list_node entries;
	struct rng rng;
	void (*on_news)(const struct tls_staple_news *news, void *context);
	void *context;
};

/* --- Entries -----------------------------------------------------------------------------------*/

static void entry_free(struct tls_staple *staple)
{
	list_remove(&staple->node);
	X509_free(staple->leaf);
	sk_X509_pop_free(staple->chain, X509_free);
	OPENSSL_free(staple->subject);
	free(staple->url);
	free(staple->der);
	free(staple);
}

/* With the lock. */
static void entry_unref(struct tls_staple *staple)
{
	if (--staple->refs == 0)
		entry_free(staple);
}

static struct tls_staple *entry_find(struct tls_staples *staples, const X509 *leaf)
{
	list_for_each (node, &staples->entries) {
		struct tls_staple *staple = container_of(node, struct tls_staple, node);

		if (X509_cmp(staple->leaf, leaf) == 0)
			return staple;
	}
	return NULL;
}

static struct tls_staple *entry_new(struct tls_staples *staples, const char *url, X509 *leaf,
				    STACK_OF(X509) * chain)
{
	struct tls_staple *staple = calloc(1, sizeof(*staple));

	if (!staple)
		return NULL;
	*staple = (struct tls_staple){
		.staples = staples,
		.leaf = leaf,
		.chain = X509_chain_up_ref(chain),
		.url = strdup(url),
		.subject = X509_NAME_oneline(X509_get_subject_name(leaf), NULL, 0),
		.due_ms = clock_monotonic_ms(),
	};
	X509_up_ref(leaf);
	list_push_back(&staples->entries, &staple->node);
	if (staple->chain && staple->url && staple->subject)
		return staple;
	entry_free(staple);
	return NULL;
}

/* --- One answer --------------------------------------------------------------------------------*/

/* In seconds, give or take a tenth: that not every certificate of many is asked for at once. */
static uint32_t jittered(struct tls_staples *staples, uint32_t seconds)
{
	return seconds - seconds / 10 + rng_below(&staples->rng, seconds / 5 + 1);
}

static uint32_t refresh_after(int64_t until_s)
{
	int64_t half_s = (until_s - (int64_t)time(NULL)) / 2;

	if (half_s > REFRESH_MOST_S)
		return REFRESH_MOST_S;
	return half_s > RETRY_FIRST_S ? (uint32_t)half_s : RETRY_FIRST_S;
}

static uint32_t retry_after(uint32_t failures)
{
	return failures < 6 ? RETRY_FIRST_S << failures : RETRY_MOST_S;
}

struct answer {
	unsigned char *der;
	size_t len;
	int64_t until_s;
	const char *problem;
};

/* Without the lock: what it reads of an entry never changes. */
static struct answer ask(const struct tls_staples *staples, const struct tls_staple *staple)
{
	struct answer answer = {};

	answer.problem = ocsp_fetch(staple->url, staple->leaf, sk_X509_value(staple->chain, 0),
				    staples->wake, &answer.der, &answer.len);
	if (answer.problem)
		return answer;
	answer.problem = ocsp_judge(slice_of(answer.der, answer.len), staple->leaf, staple->chain,
				    &answer.until_s);
	if (answer.problem) {
		free(answer.der);
		answer.der = NULL;
	}
	return answer;
}

/* One that fails leaves what is there: it is good until it has run out. */
static void keep(struct tls_staple *staple, const struct answer *answer, uint32_t next_s)
{
	staple->due_ms = clock_monotonic_ms() + next_s * 1000ULL;
	if (answer->problem) {
		staple->failures++;
		return;
	}
	staple->failures = 0;
	free(staple->der);
	staple->der = answer->der;
	staple->len = answer->len;
	staple->until_s = answer->until_s;
}

static void tell(const struct tls_staples *staples, const struct tls_staple_news *news)
{
	if (staples->on_news && !staples->is_stopping)
		staples->on_news(news, staples->context);
}

/* With the lock, which it gives up while it waits. */
static void refresh(struct tls_staples *staples, struct tls_staple *staple)
{
	struct tls_staple_news news = {
		.certificate = staple->subject,
		.url = staple->url,
		.failures = staple->failures,
		.is_first = !staple->der,
	};
	struct answer answer;

	staple->refs++;
	staple->is_asked = true;
	pthread_mutex_unlock(&staples->lock);
	answer = ask(staples, staple);
	pthread_mutex_lock(&staples->lock);
	staple->is_asked = false;
	news.problem = answer.problem;
	news.next_s = jittered(staples, answer.problem ? retry_after(staple->failures)
						       : refresh_after(answer.until_s));
	keep(staple, &answer, news.next_s);
	tell(staples, &news);
	entry_unref(staple);
	/* Its responder may be asked the next thing. */
	pthread_cond_broadcast(&staples->changed);
}

/* --- The thread --------------------------------------------------------------------------------*/

/* Whether it is asked now. */
static bool is_busy(const struct tls_staples *staples, const char *url)
{
	list_for_each (node, &staples->entries) {
		const struct tls_staple *staple = list_entry(node, struct tls_staple, node);

		if (staple->is_asked && strcmp(staple->url, url) == 0)
			return true;
	}
	return false;
}

/* Among those whose responders are free. */
static struct tls_staple *first_due(struct tls_staples *staples)
{
	struct tls_staple *first = NULL;

	list_for_each (node, &staples->entries) {
		struct tls_staple *staple = list_entry(node, struct tls_staple, node);

		if ((!first || staple->due_ms < first->due_ms) && !is_busy(staples, staple->url))
			first = staple;
	}
	return first;
}

static void wait_until(struct tls_staples *staples, uint64_t due_ms)
{
	struct timespec until = {.tv_sec = (time_t)(due_ms / 1000),
				 .tv_nsec = (long)(due_ms % 1000) * 1000000};

	pthread_cond_timedwait(&staples->changed, &staples->lock, &until);
}

static void *run(void *context)
{
	struct tls_staples *staples = context;

	pthread_mutex_lock(&staples->lock);
	while (!staples->is_stopping) {
		struct tls_staple *next = first_due(staples);

		if (!next)
			pthread_cond_wait(&staples->changed, &staples->lock);
		else if (next->due_ms > clock_monotonic_ms())
			wait_until(staples, next->due_ms);
		else
			refresh(staples, next);
	}
	pthread_mutex_unlock(&staples->lock);
	return NULL;
}

static bool is_known(const struct tls_staples *staples, const char *url)
{
	list_for_each (node, &staples->entries)
		if (strcmp(list_entry(node, struct tls_staple, node)->url, url) == 0)
			return true;
	return false;
}

/* For a responder more. With the lock. Return: whether there is one at all. */
static bool start_thread(struct tls_staples *staples, const char *url)
{
	if (staples->nthreads < ASKERS && !is_known(staples, url) &&
	    pthread_create(&staples->threads[staples->nthreads], NULL, run, staples) == 0)
		staples->nthreads++;
	return staples->nthreads > 0;
}

int tls_staples_new(void (*on_news)(const struct tls_staple_news *news, void *context),
		    void *context, struct tls_staples **ret)
{
	struct tls_staples *staples = calloc(1, sizeof(*staples));
	pthread_condattr_t monotonic;
	int err;

	if (!staples)
		return -ENOMEM;
	staples->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (staples->wake < 0) {
		err = -errno;
		free(staples);
		return err;
	}
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&staples->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&staples->lock, NULL);
	list_init(&staples->entries);
	rng_seed_random(&staples->rng);
	staples->on_news = on_news;
	staples->context = context;
	*ret = staples;
	return 0;
}

void tls_staples_free(struct tls_staples *staples)
{
	if (!staples)
		return;
	pthread_mutex_lock(&staples->lock);
	staples->is_stopping = true;
	(void)eventfd_write(staples->wake, 1);
	pthread_cond_broadcast(&staples->changed);
	pthread_mutex_unlock(&staples->lock);
	for (uint32_t i = 0; i < staples->nthreads; i++)
		pthread_join(staples->threads[i], NULL);
	pthread_cond_destroy(&staples->changed);
	pthread_mutex_destroy(&staples->lock);
	close(staples->wake);
	free(staples);
}

/* --- For contexts ------------------------------------------------------------------------------*/

/* With the lock. Return: NULL: out of memory, or no thread. */
static struct tls_staple *find_or_make(struct tls_staples *staples, const char *url, X509 *leaf,
				       STACK_OF(X509) * chain)
{
	struct tls_staple *staple = entry_find(staples, leaf);

	if (staple || !start_thread(staples, url))
		return staple;
	return entry_new(staples, url, leaf, chain);
}

struct tls_staple *tls_staple_want(struct tls_staples *staples, X509 *leaf, STACK_OF(X509) * chain)
{
	char *url = ocsp_responder(leaf);
	struct tls_staple *staple;

	if (!url || sk_X509_num(chain) < 1) {
		free(url);
		return NULL;
	}
	pthread_mutex_lock(&staples->lock);
	staple = find_or_make(staples, url, leaf, chain);
	if (staple)
		staple->refs++;
	pthread_cond_signal(&staples->changed);
	pthread_mutex_unlock(&staples->lock);
	free(url);
	return staple;
}

void tls_staple_unref(struct tls_staple *staple)
{
	struct tls_staples *staples;

	if (!staple)
		return;
	staples = staple->staples;
	pthread_mutex_lock(&staples->lock);
	entry_unref(staple);
	pthread_mutex_unlock(&staples->lock);
}

/* One that has run out would only do harm. */
unsigned char *tls_staple_copy(struct tls_staple *staple, size_t *ret_len)
{
	unsigned char *copy = NULL;

	pthread_mutex_lock(&staple->staples->lock);
	if (staple->der && staple->until_s > time(NULL))
		copy = OPENSSL_memdup(staple->der, staple->len);
	*ret_len = copy ? staple->len : 0;
	pthread_mutex_unlock(&staple->staples->lock);
	return copy;
}

int64_t tls_staple_until(struct tls_staple *staple)
{
	int64_t until_s;

	pthread_mutex_lock(&staple->staples->lock);
	until_s = staple->der ? staple->until_s : 0;
	pthread_mutex_unlock(&staple->staples->lock);
	return until_s;
}
