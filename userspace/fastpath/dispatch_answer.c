// SPDX-License-Identifier: Apache-2.0
/* What dispatch's programs ask the daemon to tell senders, in the name of who they sent to: the
 * programs have no second packet for it. */
#include "core/clock.h"
#include "fastpath/dispatch_internal.h"
#include "fastpath/fastpath_internal.h"
#include "fastpath/raw_packet.h"

static int socket_for(const struct splice *splice, const struct flow_key *key)
{
	return splice->reset_fd[!raw_is_ipv4(key->source)];
}

static void answer_too_big(struct splice *splice, const struct dispatch_too_big *record)
{
	const struct too_big too_big = {
		.key = record->key,
		.seq = record->event.seq,
		.mtu = record->event.mtu,
		.protocol = record->protocol,
	};

	too_big_send(socket_for(splice, &record->key), &too_big, &splice->too_big,
		     clock_monotonic_ms());
}

static void answer_lost(struct splice *splice, const struct dispatch_lost *record)
{
	const struct flow_key back = raw_turned_round(&record->key);
	int fd = socket_for(splice, &record->key);

	if (fd >= 0 && raw_budget_take(&splice->lost, clock_monotonic_ms()) &&
	    reset_send(fd, &back, record->event.seq, record->ack) < 0)
		return; /* its sender tries again, and so do we */
}

bool dispatch_answer(struct splice *splice, const struct flow_event *event)
{
	if (event->kind == FLOW_EVENT_DISPATCH_TOO_BIG)
		answer_too_big(splice, (const struct dispatch_too_big *)event);
	else if (event->kind == FLOW_EVENT_DISPATCH_LOST)
		answer_lost(splice, (const struct dispatch_lost *)event);
	else
		return false;
	return true;
}
