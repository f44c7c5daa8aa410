// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_BPF_DISPATCH_QUIC_CASES_H
#define TESTS_BPF_DISPATCH_QUIC_CASES_H

/* New flows that belong to a connection of QUIC: what its id says counts, not the ring. */
#include "dispatch_cases.h"

/* A packet whose connection id has @id behind its first byte. */
static struct frame quic_frame(uint8_t first, uint16_t port, const uint8_t id[3])
{
	const struct datagram datagram = {.leg = UP_IN, .payload = 40, .lacks_checksum = true};
	struct frame frame = udp_frame(&datagram);
	uint8_t *udp = frame.bytes + 14 + ip_len(fixture.is_ipv6);

	put16(udp, port);
	udp[8] = first;
	memcpy(udp + 10, id, 3);
	return frame;
}

/* The ring leads nowhere, so that what arrives has been named. */
static void reset_quic(enum dispatch_form form, bool is_ipv6)
{
	struct dispatch_server_id key = {.id = {0xab, 0xcd, 0xef}, .service = SERVICE};
	uint32_t real = REAL;

	reset(form, IPPROTO_UDP, is_ipv6);
	fixture.service.server_id_len = 3;
	put_service();
	put_ring(0);
	assert_int_equal(bpf_map_update_elem(map_fd("dispatch_server_ids"), &key, &real, BPF_ANY),
			 0);
}

static void moved_connection_stays_with_its_server(void **state)
{
	static const enum dispatch_form forms[] = {DISPATCH_L2, DISPATCH_NAT};
	static const uint8_t ours[3] = {0xab, 0xcd, 0xef}, others[3] = {0xab, 0xcd, 0xee};

	(void)state;
	for (int i = 0; i < 4; i++) {
		reset_quic(forms[i / 2], i & 1);
		assert_action("its id", quic_frame(0x40, 1000, ours), fixture.hook->redirect);
		assert_action("known by now", quic_frame(0x40, 1000, others),
			      fixture.hook->redirect);
		assert_dropped("another id", quic_frame(0x40, 1001, others),
			       DISPATCH_DROP_NO_ENDPOINT);
		assert_dropped("a long header", quic_frame(0xc0, 1002, ours),
			       DISPATCH_DROP_NO_ENDPOINT);
		fixture.real.state = DISPATCH_REAL_GONE;
		put("dispatch_reals", REAL, &fixture.real);
		assert_dropped("it is gone", quic_frame(0x40, 1003, ours),
			       DISPATCH_DROP_NO_ENDPOINT);
	}
}

static void ids_count_for_services_that_have_them(void **state)
{
	static const uint8_t ours[3] = {0xab, 0xcd, 0xef};
	const struct datagram empty = {.leg = UP_IN, .lacks_checksum = true};

	(void)state;
	reset_quic(DISPATCH_L2, false);
	assert_dropped("no payload", udp_frame(&empty), DISPATCH_DROP_NO_ENDPOINT);
	fixture.service.server_id_len = 0;
	put_service();
	assert_dropped("not asked for", quic_frame(0x40, 1004, ours), DISPATCH_DROP_NO_ENDPOINT);
}

#define DISPATCH_QUIC_TESTS                                       \
	cmocka_unit_test(moved_connection_stays_with_its_server), \
		cmocka_unit_test(ids_count_for_services_that_have_them)

#endif
