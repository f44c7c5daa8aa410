// SPDX-License-Identifier: Apache-2.0
/*
 * Sends the SYN to an endpoint again that a SYN cookie's flow began with, where it was lost: a
 * client that waits for the server to speak first has nothing to send, and the packet programs act
 * on packets alone. What they have asked for is in the table `dispatch_asked`, as often as a client
 * would try: a second later, then twice as long each time, until the flow's minute is over (RFC
 * 6298 section 2.1 and 5.5). What is due is told from when the flow was last heard of, so nothing
 * is kept of it here.
 */
#include "fastpath/dispatch_internal.h"
#include "fastpath/raw_packet.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <string.h>

#define FIRST_S 2 /* dispatch_seconds(), the first one begun: 1.07 s at least */
/* In a step: whoever answers cookies for endpoints that do not answer has no more than these. */
#define SYNS_MAX 1000

#define OPTIONS_LEN 12

static bool is_due(uint32_t seen_s, uint32_t before_s, uint32_t now_s)
{
	uint32_t age = now_s - seen_s;

	if (age < FIRST_S || age > INT32_MAX)
		return false;
	return (int32_t)((1u << (31 - __builtin_clz(age))) - (before_s - seen_s)) > 0;
}

/* --- A SYN ------------------------------------------------------------------------------------ */

/* As the packet program writes them (bpf/lib/syn_options.h). */
static void write_options(const struct dispatch_nat *nat, bool is_ipv6, uint8_t at[OPTIONS_LEN])
{
	uint16_t mss = dispatch_cookie_mss(is_ipv6, nat->cookie_options);
	const uint8_t size[4] = {TCPOPT_MAXSEG, TCPOLEN_MAXSEG, (uint8_t)(mss >> 8), (uint8_t)mss};
	const uint8_t sack[2] = {TCPOPT_SACK_PERMITTED, TCPOLEN_SACK_PERMITTED};
	const uint8_t scale[3] = {TCPOPT_WINDOW, TCPOLEN_WINDOW,
				  dispatch_cookie_scale(nat->cookie_options)};

	memset(at, TCPOPT_NOP, OPTIONS_LEN);
	memcpy(at, size, sizeof(size));
	if (dispatch_cookie_has_sack(nat->cookie_options))
		memcpy(at + 4, sack, sizeof(sack));
	if (dispatch_cookie_has_scale(nat->cookie_options))
		memcpy(at + 7, scale, sizeof(scale));
}

/* Nobody has said yet that windows are scaled. */
static uint16_t window_of(const struct dispatch_nat *nat)
{
	uint32_t bytes = (uint32_t)ntohs(nat->cookie_window)
			 << dispatch_cookie_scale(nat->cookie_options);

	return bytes > UINT16_MAX ? UINT16_MAX : (uint16_t)bytes;
}

/* Return: whether the flow still has its endpoint. */
static bool find_ends(const struct dispatch_ask_tables *tables, const struct dispatch_nat *nat,
		      struct flow_key *ret)
{
	const struct dispatch_real *real = &tables->reals[nat->real];
	const struct dispatch_run *run = &tables->runs[nat->run];

	if (real->service != nat->service || memcmp(run->endpoint, real->address, 16) != 0 ||
	    (real->state != DISPATCH_REAL_UP && real->state != DISPATCH_REAL_DRAINING))
		return false;
	*ret = (struct flow_key){
		.source_port = nat->source_port,
		.destination_port = nat->endpoint_port,
	};
	memcpy(ret->source, run->source, sizeof(ret->source));
	memcpy(ret->destination, real->address, sizeof(ret->destination));
	return true;
}

/* Return: whether it was sent. */
static bool send_syn(const struct dispatch_ask_tables *tables, const struct dispatch_nat *nat,
		     uint32_t seq)
{
	uint8_t packet[RAW_IP_MAX + RAW_TCP_LEN + OPTIONS_LEN], options[OPTIONS_LEN];
	struct flow_key key;
	const struct raw_segment segment = {
		.key = &key,
		.seq = seq,
		.window = window_of(nat),
		.flags = TH_SYN,
		.options = options,
		.options_len = sizeof(options),
	};
	bool is_ipv6;
	int fd;

	if (!find_ends(tables, nat, &key))
		return false;
	is_ipv6 = !raw_is_ipv4(key.source);
	fd = tables->fds[is_ipv6];
	write_options(nat, is_ipv6, options);
	return fd >= 0 && !raw_send(fd, &key, packet, raw_write_segment(&segment, packet));
}

/* --- The table -------------------------------------------------------------------------------- */

static bool is_asked(const struct dispatch_nat *nat, uint32_t seq, uint32_t now_s)
{
	return !dispatch_is_free(&nat->claim, now_s) && nat->cookie == DISPATCH_COOKIE_ASKED &&
	       nat->cookie_seq == (uint16_t)seq && nat->real <= DISPATCH_ENDPOINTS_MAX &&
	       nat->run < DISPATCH_RUN_PLACES;
}

/* @before_s: the look before this. Return: whether a SYN was sent. */
static bool tend(const struct dispatch_asks *asks, uint32_t before_s, uint32_t now_s)
{
	uint64_t *asked = &asks->tables.asked[asks->next];
	uint64_t word = __atomic_load_n(asked, __ATOMIC_RELAXED);
	uint32_t index = (uint32_t)(word >> 32), seq = (uint32_t)word;
	struct dispatch_nat nat;

	if (!word)
		return false;
	if (index < asks->tables.nnats) {
		nat = asks->tables.nats[index];
		if (is_asked(&nat, seq, now_s))
			return is_due(nat.claim.seen_s, before_s, now_s) &&
			       send_syn(&asks->tables, &nat, seq);
	}
	/* Unless it is another one's by now. */
	(void)__atomic_compare_exchange_n(asked, &word, 0, false, __ATOMIC_RELAXED,
					  __ATOMIC_RELAXED);
	return false;
}

void dispatch_asks_step(struct dispatch_asks *asks, uint32_t now_s)
{
	uint32_t nsent = 0, i;

	for (i = 0; i < DISPATCH_ASKED_PLACES && nsent < SYNS_MAX; i++) {
		nsent += tend(asks, i < asks->nleft ? asks->left_s : asks->looked_s, now_s);
		asks->next = (asks->next + 1) % DISPATCH_ASKED_PLACES;
	}
	if (i >= asks->nleft)
		asks->left_s = asks->looked_s;
	asks->nleft = DISPATCH_ASKED_PLACES - i;
	asks->looked_s = now_s;
}
