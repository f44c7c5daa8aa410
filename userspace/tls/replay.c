// SPDX-License-Identifier: Apache-2.0
/*
 * Which early data has been taken before. A copy of a ClientHello passes for fresh for as long as
 * the age of its ticket is about right, which OpenSSL takes for ten seconds; so long each is
 * remembered, in two tables that take turns. One that cannot be remembered is not taken: its client
 * sends again what it said, after the handshake.
 *
 * A client's random number stands for its ClientHello: nobody who copies it can change it, for the
 * binder covers it. Clients choose it as they like; so it is hashed with a secret, that they cannot
 * crowd one part of a table.
 */
#include "core/clock.h"
#include "core/siphash.h"
#include "tls/tls_internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define TURN_MS 15000u
#define PLACES  131072u /* a power of two; 1 MiB */
#define MOST    (PLACES / 4 * 3)

struct table {
	uint64_t *places; /* 0: free; made when the first comes */
	uint32_t count;
};

struct tls_replays {
	struct siphash_key key;
	pthread_mutex_t lock;
	struct table now, before;
	uint64_t turn_ms; /* when the tables took turns last */
};

struct tls_replays *tls_replays_new(void)
{
	struct tls_replays *replays = calloc(1, sizeof(*replays));

	if (!replays)
		return NULL;
	pthread_mutex_init(&replays->lock, NULL);
	if (getrandom(&replays->key, sizeof(replays->key), 0) == sizeof(replays->key))
		return replays;
	tls_replays_free(replays);
	return NULL;
}

void tls_replays_free(struct tls_replays *replays)
{
	if (!replays)
		return;
	pthread_mutex_destroy(&replays->lock);
	free(replays->now.places);
	free(replays->before.places);
	free(replays);
}

/* Return: where @mark is, or a free place. */
static uint64_t *find(const struct table *table, uint64_t mark)
{
	uint32_t at = (uint32_t)(mark >> 32);

	while (table->places[at % PLACES] && table->places[at % PLACES] != mark)
		at++;
	return &table->places[at % PLACES];
}

static bool contains(const struct table *table, uint64_t mark)
{
	return table->count && *find(table, mark);
}

static void clear(struct table *table)
{
	if (table->count)
		memset(table->places, 0, PLACES * sizeof(*table->places));
	table->count = 0;
}

static void take_turns(struct tls_replays *replays, uint64_t now_ms)
{
	struct table older = replays->before;

	if (now_ms - replays->turn_ms < TURN_MS)
		return;
	replays->before = replays->now;
	replays->now = older;
	clear(&replays->now);
	if (now_ms - replays->turn_ms >= 2ULL * TURN_MS)
		clear(&replays->before);
	replays->turn_ms = now_ms;
}

static bool add(struct table *table, uint64_t mark)
{
	if (!table->places)
		table->places = calloc(PLACES, sizeof(*table->places));
	if (!table->places || table->count >= MOST)
		return false;
	*find(table, mark) = mark;
	table->count++;
	return true;
}

bool tls_replays_admit(struct tls_replays *replays, const unsigned char random[32])
{
	struct slice bytes = slice_of((const char *)random, 32);
	uint64_t mark = siphash(bytes, &replays->key) | 1; /* never 0 */
	bool is_new;

	pthread_mutex_lock(&replays->lock);
	take_turns(replays, clock_monotonic_ms());
	is_new = !contains(&replays->before, mark) && !contains(&replays->now, mark) &&
		 add(&replays->now, mark);
	pthread_mutex_unlock(&replays->lock);
	return is_new;
}
