// SPDX-License-Identifier: Apache-2.0
/* What a hand-off decides and computes from two sockets' numbers, without touching anything. */
#include "abi/leg.h"
#include "core/clock.h"
#include "fastpath/fastpath_internal.h"

#include <linux/tcp.h>
#include <string.h>

#define IPV4_TCP_SIZE 40 /* headers without options: what an MTU leaves out of an MSS */
#define IPV6_TCP_SIZE 60
#define ESTABLISHED   1 /* enum in the kernel's net/tcp_states.h */

static bool has_both(const struct leg *a, const struct leg *b, uint8_t option)
{
	return a->options & b->options & option;
}

static bool is_ipv4(const struct flow_key *key)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(key->source, mapped, sizeof(mapped)) == 0;
}

/*
 * What the backend takes. A backend leg that was told to send no more than the client takes does
 * not know better; then the way to the backend is the limit.
 */
static uint32_t backend_mss(const struct leg *client, const struct leg *backend, uint32_t mtu_up)
{
	uint32_t headers = is_ipv4(&backend->key) ? IPV4_TCP_SIZE : IPV6_TCP_SIZE;

	if (backend->peer_mss >= client->peer_mss && mtu_up > headers)
		return mtu_up - headers;
	return backend->peer_mss;
}

enum splice_reason legs_compare(const struct leg *client, const struct leg *backend,
				uint32_t mtu_up)
{
	const uint8_t needed = TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK;

	if (is_ipv4(&client->key) != is_ipv4(&backend->key))
		return SPLICE_REASON_FAMILY;
	if ((client->options ^ backend->options) & needed)
		return SPLICE_REASON_OPTIONS;
	if (backend->our_mss > client->peer_mss ||
	    client->our_mss > backend_mss(client, backend, mtu_up))
		return SPLICE_REASON_MSS;
	return SPLICE_REASON_NONE;
}

/*
 * A backend that our last ACK of the handshake has not reached waits for it, and only a socket that
 * is not frozen sends it again. Data either way says that it was reached. A SYN counts as a byte.
 */
static bool is_established(const struct leg_numbers *numbers)
{
	return numbers->state == ESTABLISHED &&
	       (numbers->bytes_received > 0 || numbers->bytes_acked > 1);
}

void leg_take_numbers(struct leg *leg, const struct leg_numbers *numbers)
{
	leg->is_established = is_established(numbers);
	leg->has_gap = numbers->has_gap;
	leg->rcv_nxt = numbers->rcv_nxt;
	leg->unread = numbers->rcv_nxt - numbers->copied_seq;
	leg->snd_una = numbers->snd_una;
	leg->snd_end = numbers->write_seq;
	leg->clock = (uint32_t)clock_monotonic_ms() + numbers->clock_offset;
}

bool leg_is_caught_up(const struct leg *leg, const struct flow_record *seen)
{
	const uint8_t ends = FLOW_SEEN_FIN | FLOW_SEEN_RST;

	if (!leg->is_established || leg->has_gap)
		return false;
	if ((seen->flags & (FLOW_SEEN_ANY | ends)) != FLOW_SEEN_ANY)
		return false;
	if (leg->options & TCPI_OPT_TIMESTAMPS && !seen->tsval)
		return false;
	return seen->seq_end == leg->rcv_nxt;
}

uint64_t legs_tail(const struct leg *client, const struct leg *backend)
{
	uint64_t up = (uint64_t)client->unread + (backend->snd_end - backend->snd_una);
	uint64_t down = (uint64_t)backend->unread + (client->snd_end - client->snd_una);

	return up > down ? up : down;
}

/* What arrives on @from becomes what @to would have sent, behind all that it is still to send. */
static void translate(const struct leg *from, const struct leg *to, struct flow_translation *ret)
{
	*ret = (struct flow_translation){
		.source_port = to->key.destination_port,
		.destination_port = to->key.source_port,
		.seq_delta = to->snd_end + from->unread - from->rcv_nxt,
		.ack_delta = to->rcv_nxt - (from->snd_end + to->unread),
		.scale_in = from->snd_wscale,
		.scale_out = to->rcv_wscale,
	};
	memcpy(ret->source, to->key.destination, sizeof(ret->source));
	memcpy(ret->destination, to->key.source, sizeof(ret->destination));
	if (has_both(from, to, TCPI_OPT_TIMESTAMPS))
		ret->flags |= FLOW_HAS_TIMESTAMPS;
	if (has_both(from, to, TCPI_OPT_ECN))
		ret->flags |= FLOW_HAS_ECN;
}

void legs_translate(const struct leg *client, const struct leg *backend,
		    const struct flow_record seen[FLOW_DIRECTIONS],
		    struct flow_translation ret[FLOW_DIRECTIONS])
{
	struct flow_translation *up = &ret[FLOW_UP], *down = &ret[FLOW_DOWN];

	translate(client, backend, up);
	translate(backend, client, down);
	if (!(up->flags & FLOW_HAS_TIMESTAMPS))
		return;
	/* Each end has seen our clock on its leg; its peer's goes on from there, with a lead over
	 * what our socket still sends: what was on its way for longer would seem to be from before
	 * that, and be dropped (PAWS). */
	up->tsval_delta = backend->clock + CLOCK_LEAD - seen[FLOW_UP].tsval;
	down->tsval_delta = client->clock + CLOCK_LEAD - seen[FLOW_DOWN].tsval;
	up->tsecr_delta = -down->tsval_delta;
	down->tsecr_delta = -up->tsval_delta;
}
