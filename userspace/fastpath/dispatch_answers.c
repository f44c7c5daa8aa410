// SPDX-License-Identifier: Apache-2.0
/*
 * What comes from endpoints of form DNAT, whose gateway we are: which service it answers for, by
 * the endpoint's address and port alone. bpf/lib/dispatch_answer.h asks the map that this fills;
 * all but that is pure.
 */
#include "fastpath/dispatch_internal.h"
#include "fastpath/map_journal.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct dispatch_answer answer_of(const struct dispatch_service *service,
					const struct dispatch_endpoint *endpoint, uint16_t real)
{
	uint16_t first = address_port(&service->address);
	uint16_t last = service->last_port ? service->last_port : first;
	uint16_t port = address_port(&endpoint->address);

	return (struct dispatch_answer){
		.first = port ? port : first,
		.last = port ? port : last,
		.service_port = port && port != first ? htons(first) : 0,
		.real = real,
		.protocol = service->protocol,
	};
}

static bool make_room(struct dispatch_answers *answers, size_t count)
{
	struct dispatch_placed_answer *all;
	size_t cap = answers->cap ? answers->cap : 16;

	while (cap < answers->count + count)
		cap *= 2;
	if (cap == answers->cap)
		return true;
	all = reallocarray(answers->all, cap, sizeof(*all));
	if (!all)
		return false;
	answers->all = all;
	answers->cap = cap;
	return true;
}

int dispatch_answers_add(struct dispatch_answers *answers, const struct dispatch_service *service,
			 const uint16_t *reals)
{
	if (service->form != DISPATCH_DNAT)
		return 0;
	if (!make_room(answers, service->nendpoints))
		return -ENOMEM;
	for (size_t i = 0; i < service->nendpoints; i++) {
		struct dispatch_placed_answer *added = &answers->all[answers->count++];

		dispatch_address(&service->endpoints[i].address, added->address.bytes);
		added->answer = answer_of(service, &service->endpoints[i], reals ? reals[i] : 0);
		added->service = service;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct dispatch_placed_answer *left = a, *right = b;
	int order = memcmp(&left->address, &right->address, sizeof(left->address));

	if (order)
		return order;
	if (left->answer.protocol != right->answer.protocol)
		return left->answer.protocol < right->answer.protocol ? -1 : 1;
	return left->answer.first < right->answer.first ? -1
							: left->answer.first > right->answer.first;
}

static bool is_same_place(const struct dispatch_placed_answer *a,
			  const struct dispatch_placed_answer *b)
{
	return memcmp(&a->address, &b->address, sizeof(a->address)) == 0;
}

void dispatch_answers_sort(struct dispatch_answers *answers)
{
	struct dispatch_placed_answer *all = answers->all;
	size_t kept = 0;

	if (!answers->count)
		return;
	qsort(all, answers->count, sizeof(*all), compare);
	for (size_t i = 1; i < answers->count; i++)
		if (compare(&all[kept], &all[i]) != 0 || all[kept].service != all[i].service)
			all[++kept] = all[i];
	answers->count = kept + 1;
}

/* Where the answers of the address of the one at @first end. */
static size_t end_of(const struct dispatch_answers *answers, size_t first)
{
	size_t end = first + 1;

	while (end < answers->count && is_same_place(&answers->all[first], &answers->all[end]))
		end++;
	return end;
}

const char *dispatch_answers_collide(const struct dispatch_answers *answers)
{
	for (size_t i = 1; i < answers->count; i++) {
		const struct dispatch_placed_answer *a = &answers->all[i - 1], *b = a + 1;

		if (is_same_place(a, b) && a->answer.protocol == b->answer.protocol &&
		    b->answer.first <= a->answer.last)
			return "two services of form dnat share an endpoint's address and port";
	}
	for (size_t first = 0, end; first < answers->count; first = end) {
		end = end_of(answers, first);
		if (end - first > DISPATCH_ANSWERS_MAX)
			return "an endpoint's address is in more than sixteen services of form "
			       "dnat";
	}
	return NULL;
}

void dispatch_answers_mark(const struct dispatch_answers *answers,
			   const struct dispatch_hash_key *key, struct dispatch_answerer_bits *ret)
{
	*ret = (struct dispatch_answerer_bits){};
	for (size_t i = 0; i < answers->count; i++)
		dispatch_add_answerer(ret,
				      dispatch_hash_address(answers->all[i].address.bytes, key));
}

int dispatch_answers_put(struct map_journal *journal, int fd,
			 const struct dispatch_answers *answers)
{
	int err = 0;

	for (size_t first = 0, end; !err && first < answers->count; first = end) {
		const struct dispatch_address *address = &answers->all[first].address;
		struct dispatch_answerer answerer = {};

		end = end_of(answers, first);
		for (size_t i = first; i < end; i++)
			answerer.answer[i - first] = answers->all[i].answer;
		err = map_journal_put(journal, fd, slice_of(address, sizeof(*address)),
				      slice_of(&answerer, sizeof(answerer)));
	}
	return err;
}

static bool is_listed(const struct dispatch_answers *answers, const struct dispatch_address *key)
{
	size_t low = 0, high = answers->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(key, &answers->all[middle].address, sizeof(*key));

		if (!order)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

void dispatch_answers_trim(int fd, const struct dispatch_answers *answers)
{
	struct dispatch_address key, next;
	bool has_key = bpf_map_get_next_key(fd, NULL, &key) == 0, has_next;

	for (; has_key; has_key = has_next, key = next) {
		has_next = bpf_map_get_next_key(fd, &key, &next) == 0;
		if (!is_listed(answers, &key))
			(void)bpf_map_delete_elem(fd, &key);
	}
}

void dispatch_answers_done(struct dispatch_answers *answers)
{
	free(answers->all);
	*answers = (struct dispatch_answers){};
}
