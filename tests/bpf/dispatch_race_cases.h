/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BPF_DISPATCH_RACE_CASES_H
#define TESTS_BPF_DISPATCH_RACE_CASES_H

/* Packets of several CPUs at once. More flows than ports, all in one line of the table, begin and
 * open, and lose their endpoint: whatever stays behind, no packet has another flow's port. */
#include "dispatch_cases.h"

#include <pthread.h>
#include <stdatomic.h>

#define RACE_CPUS   3
#define RACE_FLOWS  8u
#define RACE_PORTS  4u
#define RACE_STEPS  200 /* of a CPU, before it is looked what they have left */
#define RACE_MS     2000
#define RACE_CLIENT 1000 /* the first flow's port */

#define PORTS_AT (14 + 20)

static pthread_barrier_t race_turn;
static atomic_bool race_is_over;

static unsigned get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

/* Of no memory but the caller's. Return: the action. */
static uint32_t race_run(struct frame *frame)
{
	struct __sk_buff skb = {.ifindex = fixture.ifindex};
	struct xdp_md xdp = {.data_end = (uint32_t)frame->len, .ingress_ifindex = fixture.ifindex};
	struct frame out;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->bytes,
		    .data_size_in = (uint32_t)frame->len, .data_out = out.bytes,
		    .data_size_out = sizeof(out.bytes), .repeat = 1);

	opts.ctx_in = fixture.hook->is_xdp ? (void *)&xdp : (void *)&skb;
	opts.ctx_size_in = fixture.hook->is_xdp ? sizeof(xdp) : sizeof(skb);
	if (bpf_prog_test_run_opts(fixture.program_fd, &opts))
		abort();
	frame->len = opts.data_size_out;
	memcpy(frame->bytes, out.bytes, frame->len);
	return opts.retval;
}

static uint32_t race_up(unsigned flow, uint8_t flags, unsigned *ret_port)
{
	struct frame frame = tcp_frame(UP_IN, flags, 0);
	uint32_t action;

	put16(frame.bytes + PORTS_AT, RACE_CLIENT + flow);
	action = race_run(&frame);
	*ret_port = get16(frame.bytes + PORTS_AT);
	return action;
}

static void race_answer(unsigned port)
{
	struct frame frame = tcp_frame(DOWN_IN, SYN | ACK, 0);

	put16(frame.bytes + PORTS_AT + 2, PORTS + port);
	(void)race_run(&frame);
}

static void race_set_state(uint8_t state)
{
	struct dispatch_real real = fixture.real;
	uint32_t index = REAL;

	real.state = state;
	if (bpf_map_update_elem(map_fd("dispatch_reals"), &index, &real, BPF_ANY))
		abort();
}

static void race_step(unsigned random)
{
	unsigned flow = random >> 8 & (RACE_FLOWS - 1), port;

	switch (random & 15) {
	case 0:
		race_set_state(DISPATCH_REAL_GONE);
		break;
	case 1:
	case 2:
		race_set_state(DISPATCH_REAL_UP);
		break;
	case 3:
	case 4:
		(void)race_up(flow, SYN, &port);
		break;
	case 5:
		(void)race_up(flow, RST, &port);
		break;
	case 6:
	case 7:
		race_answer(flow & (RACE_PORTS - 1));
		break;
	default:
		(void)race_up(flow, ACK, &port);
	}
}

static void *race_cpu(void *arg)
{
	uint64_t random = 0x9e3779b97f4a7c15ULL * (1 + (uintptr_t)arg);

	for (;;) {
		pthread_barrier_wait(&race_turn);
		if (race_is_over)
			return NULL;
		for (int i = 0; i < RACE_STEPS; i++) {
			random = random * 6364136223846793005ULL + 1442695040888963407ULL;
			race_step((unsigned)(random >> 33));
		}
		pthread_barrier_wait(&race_turn);
	}
}

/* Return: whether it went on. */
static bool assert_has_own_port(unsigned flow)
{
	struct dispatch_nat nat;
	uint32_t index;
	unsigned port;

	if (race_up(flow, ACK, &port) != fixture.hook->redirect)
		return false;
	index = fixture.run.base + port - PORTS;
	assert_int_equal(bpf_map_lookup_elem(map_fd("dispatch_nats"), &index, &nat), 0);
	assert_int_equal(ntohs(nat.client_port), RACE_CLIENT + flow);
	assert_true(nat.claim.word);
	return true;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void no_packet_has_another_flows_port(void **state)
{
	uint64_t end_ms = now_ms() + RACE_MS;
	pthread_t cpus[RACE_CPUS];
	unsigned went_on = 0;

	(void)state;
	reset(DISPATCH_NAT, IPPROTO_TCP, false);
	fixture.run.nports = RACE_PORTS;
	put_run();
	fixture.settings.line_mask = 0;
	put("dispatch_settings", 0, &fixture.settings);
	clear("dispatch_cookies", sizeof(struct dispatch_cookie_use), SERVICE + 1);
	race_is_over = false;
	assert_int_equal(pthread_barrier_init(&race_turn, NULL, RACE_CPUS + 1), 0);
	for (uintptr_t i = 0; i < RACE_CPUS; i++)
		assert_int_equal(pthread_create(&cpus[i], NULL, race_cpu, (void *)i), 0);
	while (now_ms() < end_ms) {
		pthread_barrier_wait(&race_turn);
		pthread_barrier_wait(&race_turn);
		race_set_state(DISPATCH_REAL_UP);
		for (unsigned flow = 0; flow < RACE_FLOWS; flow++)
			went_on += assert_has_own_port(flow);
	}
	race_is_over = true;
	pthread_barrier_wait(&race_turn);
	for (int i = 0; i < RACE_CPUS; i++)
		pthread_join(cpus[i], NULL);
	pthread_barrier_destroy(&race_turn);
	assert_int_not_equal(went_on, 0);
}

#define DISPATCH_RACE_TESTS cmocka_unit_test(no_packet_has_another_flows_port)

#endif
