// SPDX-License-Identifier: Apache-2.0
/*
 * When names are looked up and what becomes of the answers. A and AAAA are asked for apart, because
 * one may fail while the other answers: each keeps its own last good answer. How c-ares gets onto
 * the loop is resolver_channel.c's.
 *
 *   outcome   addresses used
 *   GOOD      the answer's
 *   NONE      none (the name exists not, or not in this family)
 *   FAILED    those of the family's last good answer
 * Where that leaves no address at all, everything stays as it was: for as long as servers fail, and
 * for hold_ms where every family is NONE. A name that is taken out of its zone is gone, one that a
 * mistake took out comes back.
 */
#include "upstream/resolver_internal.h"

#include <errno.h>
#include <string.h>

/* --- One answer -------------------------------------------------------------------- */

static void note_ttl(struct resolver_family *lookup, int ttl_s)
{
	if (ttl_s >= 0 && (uint32_t)ttl_s < lookup->ttl_s)
		lookup->ttl_s = (uint32_t)ttl_s;
}

static int read_answer(struct resolver_family *lookup, const struct ares_addrinfo *answer)
{
	int err = 0;

	lookup->ttl_s = UINT32_MAX;
	for (const struct ares_addrinfo_cname *c = answer->cnames; c; c = c->next)
		note_ttl(lookup, c->ttl);
	for (const struct ares_addrinfo_node *n = answer->nodes; n && !err; n = n->ai_next) {
		struct address address;

		address_from_sockaddr(n->ai_addr, n->ai_addrlen, &address);
		address_set_port(&address, lookup->name->port);
		note_ttl(lookup, n->ai_ttl);
		err = address_set_add(&lookup->fresh, &address);
	}
	return err;
}

static void judge_answer(struct resolver_family *lookup, int status,
			 const struct ares_addrinfo *answer)
{
	address_set_done(&lookup->fresh);
	lookup->outcome = LOOKUP_FAILED;
	if (status == ARES_ENODATA || status == ARES_ENOTFOUND)
		lookup->outcome = LOOKUP_NONE;
	else if (status == ARES_SUCCESS && read_answer(lookup, answer) == 0)
		lookup->outcome = lookup->fresh.count > 0 ? LOOKUP_GOOD : LOOKUP_NONE;
	if (status != ARES_SUCCESS)
		lookup->name->reason = ares_strerror(status);
}

/* --- The answers together ----------------------------------------------------------- */

static uint64_t clamp_ms(uint64_t value, uint64_t least, uint64_t most)
{
	return value < least ? least : value > most ? most : value;
}

static uint64_t retry_delay_ms(unsigned failures)
{
	uint64_t delay_ms = RESOLVER_RETRY_MIN_MS;

	for (unsigned i = 1; i < failures && delay_ms < RESOLVER_RETRY_MAX_MS; i++)
		delay_ms *= 2;
	return clamp_ms(delay_ms, RESOLVER_RETRY_MIN_MS, RESOLVER_RETRY_MAX_MS);
}

static uint64_t ttl_ms(const struct resolver_name *name)
{
	uint64_t ttl_s = UINT32_MAX;

	for (size_t i = 0; i < ARRAY_SIZE(name->families); i++)
		if (name->families[i].outcome == LOOKUP_GOOD && name->families[i].ttl_s < ttl_s)
			ttl_s = name->families[i].ttl_s;
	return clamp_ms(ttl_s * 1000, RESOLVER_TTL_MIN_MS, RESOLVER_TTL_MAX_MS);
}

static bool has(const struct resolver_name *name, enum lookup_outcome outcome)
{
	for (size_t i = 0; i < ARRAY_SIZE(name->families); i++)
		if (name->families[i].outcome == outcome)
			return true;
	return false;
}

static int merge(const struct resolver_name *name, struct address_set *ret)
{
	struct address_set all = {};
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(name->families) && !err; i++) {
		const struct resolver_family *lookup = &name->families[i];

		if (lookup->outcome == LOOKUP_GOOD)
			err = address_set_add_all(&all, &lookup->fresh);
		else if (lookup->outcome == LOOKUP_FAILED)
			err = address_set_add_all(&all, &lookup->good);
	}
	if (err)
		address_set_done(&all);
	else
		*ret = all;
	return err;
}

static void remember_good(struct resolver_name *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(name->families); i++) {
		struct resolver_family *lookup = &name->families[i];

		/* An empty set replaces the good one where the family has no addresses now. */
		if (lookup->outcome != LOOKUP_FAILED)
			address_set_move(&lookup->good, &lookup->fresh);
	}
}

/* Return: 0; an error if the owner could not take the addresses. */
static int publish(struct resolver_name *name, struct address_set *set)
{
	int err;

	if (address_set_equal(set, &name->current))
		return 0;
	err = name->ops->on_addresses(name, set);
	if (!err)
		address_set_move(&name->current, set);
	return err;
}

static void forget_addresses(struct resolver_name *name)
{
	const struct address_set none = {};

	if (name->is_forgotten || name->ops->on_addresses(name, &none))
		return;
	name->is_forgotten = true;
	address_set_done(&name->current);
	remember_good(name);
}

/* Return: when to ask again: by @delay_ms, and when the hold ends. */
static uint64_t hold(struct resolver_name *name, bool is_denied, uint64_t delay_ms)
{
	if (!name->is_denied)
		return delay_ms;
	if (name->denied_ms < name->hold_ms)
		delay_ms = clamp_ms(delay_ms, 0, name->hold_ms - name->denied_ms);
	else if (is_denied)
		forget_addresses(name);
	name->denied_ms += delay_ms;
	return delay_ms;
}

/* No family has brought an address. Return: when to ask again. */
static uint64_t fail(struct resolver_name *name, uint64_t delay_ms)
{
	bool is_denied = !has(name, LOOKUP_FAILED);
	bool is_news = !name->is_failing || (is_denied && !name->is_denied);

	if (is_denied && !name->is_denied)
		name->denied_ms = 0;
	name->is_denied |= is_denied;
	name->is_failing = true;
	if (is_news)
		name->ops->on_failed(name, name->reason ? name->reason : "no addresses", is_denied);
	return hold(name, is_denied, delay_ms);
}

/* Return: 0; an error if there is nothing to use, or it could not be. */
static int use_answers(struct resolver_name *name)
{
	struct address_set set = {};
	int err = merge(name, &set);

	if (err)
		return err;
	if (set.count == 0)
		return -ENODATA;
	err = publish(name, &set);
	remember_good(name);
	address_set_done(&set);
	return err;
}

static void finish(struct resolver_name *name)
{
	uint64_t delay_ms = ttl_ms(name);

	if (use_answers(name) == 0 && !has(name, LOOKUP_FAILED)) {
		name->failures = 0;
	} else {
		uint64_t retry_ms = retry_delay_ms(++name->failures);

		delay_ms = retry_ms < delay_ms ? retry_ms : delay_ms;
	}
	if (has(name, LOOKUP_GOOD))
		name->is_failing = name->is_denied = name->is_forgotten = false;
	else
		delay_ms = fail(name, delay_ms);
	io_timer_start(name->resolver->loop, &name->timer, delay_ms);
}

/* --- Asking ------------------------------------------------------------------------- */

static void on_answer(void *context, int status, int timeouts, struct ares_addrinfo *answer)
{
	struct resolver_family *lookup = context;
	struct resolver_name *name = lookup->name;

	(void)timeouts;
	/* The channel ends, and so does everything else. */
	if (status != ARES_EDESTRUCTION) {
		judge_answer(lookup, status, answer);
		if (--name->pending == 0)
			finish(name);
	}
	if (answer)
		ares_freeaddrinfo(answer);
}

static void on_due(struct io_timer *timer)
{
	struct resolver_name *name = container_of(timer, struct resolver_name, timer);
	struct resolver *resolver = name->resolver;

	name->reason = NULL;
	name->pending = ARRAY_SIZE(name->families);
	for (size_t i = 0; i < ARRAY_SIZE(name->families); i++) {
		/* One entry an address; and no sorting, which would open a socket for each. */
		const struct ares_addrinfo_hints hints = {
			.ai_flags = ARES_AI_NOSORT,
			.ai_family = name->families[i].family,
			.ai_socktype = SOCK_STREAM,
		};

		ares_getaddrinfo(resolver->channel, name->host, NULL, &hints, on_answer,
				 &name->families[i]);
	}
	resolver_update_timer(resolver);
}

void resolver_add(struct resolver *resolver, struct resolver_name *name)
{
	static const int families[] = {AF_INET, AF_INET6};

	name->resolver = resolver;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		name->families[i].name = name;
		name->families[i].family = families[i];
	}
	name->timer.on_expire = on_due;
	list_push_back(&resolver->names, &name->node);
	io_timer_start(resolver->loop, &name->timer, 0);
}

void resolver_forget_name(struct resolver_name *name)
{
	list_remove(&name->node);
	io_timer_stop(name->resolver->loop, &name->timer);
	for (size_t i = 0; i < ARRAY_SIZE(name->families); i++) {
		address_set_done(&name->families[i].fresh);
		address_set_done(&name->families[i].good);
	}
	address_set_done(&name->current);
}
