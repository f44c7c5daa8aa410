// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_BPF_DISPATCH_CASES_H
#define TESTS_BPF_DISPATCH_CASES_H

/* What dispatch does with packets, at either hook: the frame in, the tables, the frame out. Legs
 * are those of splice_frame.h: 2 is the client, 1:80 the service, 3 our source address, 4:8080 the
 * endpoint. Expected frames are built from fields, with checksums summed up over their bytes. */
#include "abi/dispatch.h"
#include "core/compiler.h"
#include "event_use.h"
#include "splice_frame.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define LINES   64u
#define NATS    64u
#define REALS   4u
#define RUNS    16u
#define RING    5u
#define NEXTHOP 3u
#define SERVICE 2u
#define REAL    1u
#define PORTS   50000 /* of our source address, from there on */

struct dispatch_hook {
	bool is_xdp;
	uint32_t pass, drop, redirect, reply;
};

static struct dispatch_fixture {
	const struct dispatch_hook *hook;
	struct bpf_object *object;
	int program_fd;
	uint32_t ifindex; /* of a device that is not lo */
	bool is_ipv6;
	struct dispatch_settings settings;
	struct dispatch_virtual service;
	struct dispatch_real real;
	struct dispatch_run run;
	struct flow_nexthop nexthop;
} fixture;

/* --- Tables ----------------------------------------------------------------------------------- */

static int map_fd(const char *name)
{
	return bpf_object__find_map_fd_by_name(fixture.object, name);
}

static void put(const char *name, uint32_t index, const void *value)
{
	assert_int_equal(bpf_map_update_elem(map_fd(name), &index, value, BPF_ANY), 0);
}

static void clear(const char *name, size_t size, uint32_t count)
{
	static const char zeros[128];

	assert_true(size <= sizeof(zeros));
	for (uint32_t i = 0; i < count; i++)
		put(name, i, zeros);
}

static void sum_counts(const char *name, uint32_t index, uint64_t *ret, size_t count)
{
	size_t ncpus = (size_t)libbpf_num_possible_cpus();
	uint64_t *parts = calloc(ncpus, count * sizeof(*parts));

	assert_non_null(parts);
	assert_int_equal(bpf_map_lookup_elem(map_fd(name), &index, parts), 0);
	memset(ret, 0, count * sizeof(*ret));
	for (size_t i = 0; i < ncpus * count; i++)
		ret[i % count] += parts[i];
	free(parts);
}

static struct dispatch_service_count service_count(void)
{
	struct dispatch_service_count count;

	sum_counts("dispatch_service_counts", SERVICE, (uint64_t *)(void *)&count,
		   sizeof(count) / sizeof(uint64_t));
	return count;
}

static struct dispatch_real_count real_count(void)
{
	struct dispatch_real_count count;

	sum_counts("dispatch_real_counts", REAL, (uint64_t *)(void *)&count,
		   sizeof(count) / sizeof(uint64_t));
	return count;
}

static void put_vip(uint8_t last, uint32_t flags, uint16_t nranges)
{
	struct dispatch_vip vip = {.flags = flags, .nranges = nranges}, there;
	uint32_t index;
	uint64_t place;

	address_of(last, fixture.is_ipv6, vip.address);
	place = dispatch_hash_address(vip.address, &fixture.settings.secret);
	do {
		index = (uint32_t)place++ & fixture.settings.halves[0].vip_mask;
		assert_int_equal(bpf_map_lookup_elem(map_fd("dispatch_vips"), &index, &there), 0);
	} while (there.flags && memcmp(there.address, vip.address, 16) != 0);
	put("dispatch_vips", index, &vip);
}

/* All slots of the ring lead to the one endpoint; 0: to none. */
static void put_ring(uint16_t real)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	struct dispatch_ring_line line;
	uint32_t zero = 0;
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "ring", 4, sizeof(line), 1, &options);

	assert_true(fd >= 0);
	for (size_t i = 0; i < DISPATCH_RING_SLOTS; i++)
		line.real[i] = real;
	assert_int_equal(bpf_map_update_elem(fd, &zero, &line, BPF_ANY), 0);
	put("dispatch_rings", 0, &fd);
	close(fd);
}

static void put_run(void)
{
	uint64_t place = dispatch_hash_run(fixture.run.endpoint, fixture.run.source,
					   fixture.run.protocol, &fixture.settings.secret);
	uint32_t index = (uint32_t)place & fixture.settings.run_mask;

	clear("dispatch_runs", sizeof(fixture.run), RUNS);
	put("dispatch_runs", index, &fixture.run);
	fixture.real.run[0] = (uint16_t)index;
	fixture.real.nruns = 1;
	put("dispatch_reals", REAL, &fixture.real);
}

static void put_service(void)
{
	put("dispatch_services", SERVICE, &fixture.service);
}

static void put_ranges(uint8_t protocol)
{
	struct dispatch_range range = {
		.protocol = protocol, .first = 80, .last = 80, .service = SERVICE};

	put("dispatch_ranges", 0, &range);
	put_vip(1, DISPATCH_VIP_SERVES, 1);
}

static void put_nexthop(void)
{
	put("nexthops", NEXTHOP, &fixture.nexthop);
}

static void forget_flows(void)
{
	clear("dispatch_lines", sizeof(struct dispatch_line), LINES);
	clear("dispatch_fronts", sizeof(struct dispatch_front_line), LINES);
	clear("dispatch_nats", sizeof(struct dispatch_nat), NATS);
}

static void reset_settings(void)
{
	fixture.settings = (struct dispatch_settings){
		.abi_version = DISPATCH_ABI_VERSION,
		.is_on = 1,
		.flags = DISPATCH_SENDS_XDP,
		.halves[0].vip_mask = 15,
		.line_mask = LINES - 1,
		.run_mask = RUNS - 1,
	};
	for (uint32_t i = 0; i < DISPATCH_KEY_WORDS; i++) {
		fixture.settings.secret.word[i] = 0x9e3779b9u * (i + 1);
		fixture.settings.ring.word[i] = 0x85ebca6bu * (i + 1);
	}
	put("dispatch_settings", 0, &fixture.settings);
}

/* The state that a case begins with: one service of one endpoint, no flows. */
static void reset(enum dispatch_form form, uint8_t protocol, bool is_ipv6)
{
	fixture.is_ipv6 = is_ipv6;
	fixture.service = (struct dispatch_virtual){.id = 7,
						    .ring_size = RING,
						    .timeout_s = 100,
						    .form = (uint8_t)form,
						    .protocol = protocol};
	fixture.real = (struct dispatch_real){.id = 9,
					      .service_id = 7,
					      .nexthop = NEXTHOP,
					      .port = htons(8080),
					      .service = SERVICE,
					      .state = DISPATCH_REAL_UP};
	fixture.run = (struct dispatch_run){
		.base = 5, .first_port = PORTS, .nports = 1, .protocol = protocol, .is_used = 1};
	fixture.nexthop = (struct flow_nexthop){
		.ifindex = 1, .mtu = 1500, .flags = NEXTHOP_MAC_VALID};
	memcpy(fixture.nexthop.destination_mac, "\x02\x00\x00\x00\x00\xdd", 6);
	memcpy(fixture.nexthop.source_mac, "\x02\x00\x00\x00\x00\xee", 6);
	address_of(9, is_ipv6, fixture.nexthop.gateway);
	address_of(1, is_ipv6, fixture.service.address);
	address_of(4, is_ipv6, fixture.real.address);
	address_of(4, is_ipv6, fixture.run.endpoint);
	address_of(3, is_ipv6, fixture.run.source);
	forget_flows();
	clear("dispatch_vips", sizeof(struct dispatch_vip), 16);
	reset_settings();
	put_run();
	put_ranges(protocol);
	put_vip(3, DISPATCH_VIP_RETURNS, 0);
	put_ring(REAL);
	put_service();
	put_nexthop();
}

/* --- Frames ----------------------------------------------------------------------------------- */

struct datagram {
	enum leg leg;
	size_t payload;
	bool lacks_checksum;
	uint8_t ttl; /* 0: 64, or 63 where it leaves */
};

static struct frame udp_frame(const struct datagram *datagram)
{
	const struct shape shape = {.is_ipv6 = fixture.is_ipv6};
	uint8_t ttl = datagram->ttl ? datagram->ttl : datagram->leg >= UP_OUT ? 63 : 64;
	size_t len = 8 + datagram->payload;
	struct frame frame = {};
	uint8_t *ip = frame.bytes + put_ethernet(frame.bytes, &shape);
	uint8_t *udp = ip + ip_len(shape.is_ipv6);
	uint32_t sum = put_ip(ip, shape.is_ipv6, datagram->leg, 17, 0, ttl, len);
	uint16_t checksum;

	put16(udp, leg_ends[datagram->leg].source_port);
	put16(udp + 2, leg_ends[datagram->leg].destination_port);
	put16(udp + 4, (unsigned)len);
	for (size_t i = 0; i < datagram->payload; i++)
		udp[8 + i] = (uint8_t)(i * 5 + 3);
	checksum = checksum_of(sum_bytes(sum, udp, len));
	if (!datagram->lacks_checksum)
		put16(udp + 6, checksum ? checksum : 0xffff);
	frame.len = (size_t)(udp + len - frame.bytes);
	return frame;
}

static struct frame tcp_frame(enum leg leg, uint8_t flags, size_t payload)
{
	const struct segment segment = {.leg = leg,
					.flags = flags,
					.seq = 1000,
					.ack = 77,
					.window = 500,
					.payload = payload,
					.options_len = 4,
					.options = {2, 4, 5, 0xb4}};
	const struct shape shape = {.is_ipv6 = fixture.is_ipv6};

	return build_frame(&segment, &shape);
}

static void set_macs(struct frame *frame, const char *destination, const char *source)
{
	memcpy(frame->bytes, destination, 6);
	memcpy(frame->bytes + 6, source, 6);
}

/* At TC the kernel writes the link layer's header behind the program. */
static void set_way_up(struct frame *frame)
{
	if (fixture.hook->is_xdp)
		set_macs(frame, "\x02\x00\x00\x00\x00\xdd", "\x02\x00\x00\x00\x00\xee");
}

/* Return: the last one's action. */
static uint32_t run_often(struct frame *frame, uint32_t times)
{
	struct __sk_buff skb = {.ifindex = fixture.ifindex};
	struct xdp_md xdp = {.data_end = (uint32_t)frame->len, .ingress_ifindex = fixture.ifindex};
	static uint8_t out[FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->bytes,
		    .data_size_in = (uint32_t)frame->len, .data_out = out,
		    .data_size_out = sizeof(out), .repeat = (int)times);

	opts.ctx_in = opts.ctx_out = fixture.hook->is_xdp ? (void *)&xdp : (void *)&skb;
	opts.ctx_size_in = opts.ctx_size_out = fixture.hook->is_xdp ? sizeof(xdp) : sizeof(skb);
	assert_int_equal(bpf_prog_test_run_opts(fixture.program_fd, &opts), 0);
	/* Behind what the guard has left beside it. */
	frame->len = opts.data_size_out - xdp.data;
	memcpy(frame->bytes, out + xdp.data, frame->len);
	return opts.retval;
}

static uint32_t run(struct frame *frame)
{
	return run_often(frame, 1);
}

static void assert_action(const char *what, struct frame frame, uint32_t expected)
{
	uint32_t action = run(&frame);

	if (action != expected)
		fail_msg("%s: action %u, not %u", what, action, expected);
}

static void assert_becomes(const char *what, struct frame frame, uint32_t action,
			   const struct frame *expected)
{
	uint32_t got = run(&frame);

	if (got != action)
		fail_msg("%s: action %u, not %u", what, got, action);
	assert_frames_equal(what, &frame, expected);
}

static void assert_dropped(const char *what, struct frame frame, enum dispatch_drop why)
{
	uint64_t before = service_count().drops[why];

	assert_action(what, frame, fixture.hook->drop);
	if (service_count().drops[why] != before + 1)
		fail_msg("%s: not counted as drop %d", what, why);
}

/* --- Form NAT --------------------------------------------------------------------------------- */

static void assert_tcp_goes_up(const char *what, uint8_t flags, size_t payload)
{
	struct frame out = tcp_frame(UP_OUT, flags, payload);

	set_way_up(&out);
	assert_becomes(what, tcp_frame(UP_IN, flags, payload), fixture.hook->redirect, &out);
}

/* The way that the client's packet came, turned round. */
static void assert_tcp_comes_down(const char *what, uint8_t flags, size_t payload)
{
	struct frame out = tcp_frame(DOWN_OUT, flags, payload);

	set_macs(&out, "\x02\x00\x00\x00\x00\x02", "\x02\x00\x00\x00\x00\x01");
	assert_becomes(what, tcp_frame(DOWN_IN, flags, payload), fixture.hook->reply, &out);
}

static void nat_changes_both_addresses_of_tcp(void **state)
{
	struct dispatch_real_count before = real_count(), after;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		reset(DISPATCH_NAT, IPPROTO_TCP, is_ipv6);
		assert_tcp_goes_up("SYN", SYN, 0);
		assert_tcp_comes_down("SYN, ACK", SYN | ACK, 0);
		assert_tcp_goes_up("data", PSH | ACK, 501);
		assert_tcp_comes_down("answer", PSH | ACK, 1000);
	}
	after = real_count();
	assert_int_equal(after.flows - before.flows, 2);
	assert_int_equal(after.packets - before.packets, 4);
	assert_int_equal(after.returned_packets - before.returned_packets, 4);
	assert_int_equal(after.bytes - before.bytes, 2 * (58 + 58 + 501) + 2 * 20);
}

static void nat_changes_both_addresses_of_udp(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct datagram datagram = {.leg = UP_IN, .payload = 33, .lacks_checksum = i == 3};
		struct frame in, out;

		reset(DISPATCH_NAT, IPPROTO_UDP, i == 1);
		datagram.payload += i == 2;
		in = udp_frame(&datagram);
		datagram.leg = UP_OUT;
		out = udp_frame(&datagram);
		set_way_up(&out);
		assert_becomes("up", in, fixture.hook->redirect, &out);
		datagram.leg = DOWN_IN;
		in = udp_frame(&datagram);
		datagram.leg = DOWN_OUT;
		out = udp_frame(&datagram);
		set_macs(&out, "\x02\x00\x00\x00\x00\x02", "\x02\x00\x00\x00\x00\x01");
		assert_becomes("down", in, fixture.hook->reply, &out);
	}
}

/* The checksum 0 stands for none: one that comes to that is sent as its complement. */
static void udp_checksum_never_becomes_none(void **state)
{
	const struct datagram up_in = {.leg = UP_IN, .payload = 2},
			      up_out = {.leg = UP_OUT, .payload = 2};
	struct frame in, out;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		size_t udp = 14 + ip_len(is_ipv6);
		unsigned sum;

		reset(DISPATCH_NAT, IPPROTO_UDP, is_ipv6);
		in = udp_frame(&up_in);
		out = udp_frame(&up_out);
		/* Whatever is missing at the sum goes into the payload. */
		sum = (unsigned)out.bytes[udp + 6] << 8 | out.bytes[udp + 7];
		sum += (unsigned)out.bytes[udp + 8] << 8 | out.bytes[udp + 9];
		sum = (sum & 0xffff) + (sum >> 16);
		put16(out.bytes + udp + 8, sum);
		put16(out.bytes + udp + 6, 0xffff);
		sum = (unsigned)in.bytes[udp + 6] << 8 | in.bytes[udp + 7];
		sum += (unsigned)in.bytes[udp + 8] << 8 | in.bytes[udp + 9];
		sum += 0xffff - ((unsigned)out.bytes[udp + 8] << 8 | out.bytes[udp + 9]);
		sum = (sum & 0xffff) + (sum >> 16);
		memcpy(in.bytes + udp + 8, out.bytes + udp + 8, 2);
		put16(in.bytes + udp + 6, sum);
		set_way_up(&out);
		assert_becomes("up", in, fixture.hook->redirect, &out);
	}
}

static void others_are_passed_untouched(void **state)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t byte;
	} cases[] = {
		{"another port", 14 + 20 + 3, 81},
		{"another address", 14 + 19, 99},
		{"another protocol", 14 + 9, 132},
	};
	struct frame in, tagged;
	const struct segment segment = {.leg = UP_IN, .flags = SYN, .window = 500};
	const struct shape shape = {.is_tagged = true};

	(void)state;
	reset(DISPATCH_NAT, IPPROTO_TCP, false);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		in = tcp_frame(UP_IN, SYN, 0);
		in.bytes[cases[i].at] = cases[i].byte;
		assert_becomes(cases[i].what, in, fixture.hook->pass, &in);
	}
	tagged = build_frame(&segment, &shape);
	assert_action("of a VLAN", tagged, fixture.hook->pass);
	in = tcp_frame(DOWN_IN, ACK, 0);
	assert_becomes("an answer to nobody", in, fixture.hook->pass, &in);
	fixture.settings.is_on = 0;
	put("dispatch_settings", 0, &fixture.settings);
	in = tcp_frame(UP_IN, SYN, 0);
	assert_becomes("off", in, fixture.hook->pass, &in);
}

static void what_cannot_be_sent_is_dropped_by_its_reason(void **state)
{
	struct frame in;

	(void)state;
	reset(DISPATCH_NAT, IPPROTO_TCP, false);
	assert_dropped("no flow", tcp_frame(UP_IN, ACK, 0), DISPATCH_DROP_NO_FLOW);
	put_ring(0);
	assert_dropped("no endpoint", tcp_frame(UP_IN, SYN, 0), DISPATCH_DROP_NO_ENDPOINT);
	put_ring(REAL);
	in = tcp_frame(UP_IN, SYN, 0);
	in.bytes[14 + 20 + 12] = 4 << 4;
	assert_dropped("a header of 16", in, DISPATCH_DROP_MALFORMED);
	fixture.nexthop.ifindex = 0;
	put_nexthop();
	assert_dropped("no way", tcp_frame(UP_IN, SYN, 0), DISPATCH_DROP_NEXTHOP_GONE);
	fixture.nexthop.ifindex = 1;
	put_nexthop();
	in = tcp_frame(UP_IN, SYN, 0);
	in.bytes[14 + 8] = 1;
	put16(in.bytes + 14 + 10, 0);
	put16(in.bytes + 14 + 10, checksum_of(sum_bytes(0, in.bytes + 14, 20)));
	assert_dropped("its last hop", in, DISPATCH_DROP_TTL_EXPIRED);
	in = tcp_frame(UP_IN, SYN, 0);
	in.bytes[14 + 15] = 77; /* another client: the one port is taken */
	assert_dropped("no port", in, DISPATCH_DROP_NO_PORT);
}

/* Whoever has that address would answer to all, or the service to itself. */
static void packet_that_nobody_can_be_answered_is_dropped(void **state)
{
	static const struct {
		const char *what, *source; /* NULL: the destination */
		bool is_ipv6;
	} cases[] = {
		{"the service", NULL, false},
		{"the service, IPv6", NULL, true},
		{"broadcast", "\xff\xff\xff\xff", false},
		{"multicast", "\xe0\0\0\x01", false},
		{"multicast, IPv6", "\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", true},
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		const char *source = cases[i / 2].source;
		bool is_ipv6 = cases[i / 2].is_ipv6;
		size_t len = is_ipv6 ? 16 : 4;
		struct frame in;
		uint8_t *at;

		reset(i & 1 ? DISPATCH_NAT : DISPATCH_L2, IPPROTO_TCP, is_ipv6);
		in = tcp_frame(UP_IN, SYN, 0);
		at = in.bytes + 14 + (is_ipv6 ? 8 : 12);
		memcpy(at, source ? (const uint8_t *)source : at + len, len);
		assert_dropped(cases[i / 2].what, in, DISPATCH_DROP_MALFORMED);
	}
}

/* --- The life of a flow with NAT -------------------------------------------------------------- */

static struct dispatch_nat nat_of_flow(void)
{
	struct dispatch_nat nat;
	uint32_t index = fixture.run.base;

	assert_int_equal(bpf_map_lookup_elem(map_fd("dispatch_nats"), &index, &nat), 0);
	return nat;
}

static void flow_is_kept_briefly_until_it_opens_and_when_it_has_ended(void **state)
{
	(void)state;
	reset(DISPATCH_NAT, IPPROTO_TCP, false);
	assert_tcp_goes_up("SYN", SYN, 0);
	assert_int_equal(nat_of_flow().claim.timeout_s, DISPATCH_NAT_BRIEF_S);
	assert_tcp_goes_up("an ACK of nothing", ACK, 0);
	assert_int_equal(nat_of_flow().claim.timeout_s, DISPATCH_NAT_BRIEF_S);
	assert_tcp_comes_down("SYN, ACK", SYN | ACK, 0);
	assert_tcp_goes_up("ACK", ACK, 0);
	assert_int_equal(nat_of_flow().claim.timeout_s, fixture.service.timeout_s);
	assert_tcp_goes_up("FIN", FIN | ACK, 0);
	assert_int_equal(nat_of_flow().claim.timeout_s, fixture.service.timeout_s);
	assert_tcp_comes_down("FIN", FIN | ACK, 0);
	assert_int_equal(nat_of_flow().claim.timeout_s, DISPATCH_NAT_BRIEF_S);
	assert_tcp_goes_up("the last ACK", ACK, 0);
	assert_int_equal(nat_of_flow().claim.timeout_s, DISPATCH_NAT_BRIEF_S);
	assert_tcp_goes_up("a new SYN", SYN, 0);
	assert_int_equal(nat_of_flow().claim.flags, 0);
	assert_tcp_comes_down("RST", RST | ACK, 0);
	assert_int_equal(nat_of_flow().claim.timeout_s, DISPATCH_NAT_BRIEF_S);
}

/* Anyone may send an RST in its name: only if nothing else follows was it the client's. */
static void flow_that_is_reset_is_kept_briefly_unless_it_goes_on(void **state)
{
	(void)state;
	reset(DISPATCH_NAT, IPPROTO_TCP, false);
	assert_tcp_goes_up("SYN", SYN, 0);
	assert_tcp_comes_down("SYN, ACK", SYN | ACK, 0);
	assert_tcp_goes_up("ACK", ACK, 0);
	assert_tcp_goes_up("RST", RST, 0);
	assert_int_equal(nat_of_flow().claim.timeout_s, DISPATCH_NAT_BRIEF_S);
	assert_tcp_comes_down("under way before", ACK, 9);
	assert_int_equal(nat_of_flow().claim.timeout_s, DISPATCH_NAT_BRIEF_S);
	assert_tcp_goes_up("it was not the client's", ACK, 9);
	assert_int_equal(nat_of_flow().claim.timeout_s, fixture.service.timeout_s);
	assert_tcp_comes_down("RST", RST, 0);
	assert_int_equal(nat_of_flow().claim.timeout_s, DISPATCH_NAT_BRIEF_S);
	assert_tcp_goes_up("under way before", ACK, 9);
	assert_int_equal(nat_of_flow().claim.timeout_s, DISPATCH_NAT_BRIEF_S);
	assert_tcp_comes_down("it was not the endpoint's", ACK, 9);
	assert_int_equal(nat_of_flow().claim.timeout_s, fixture.service.timeout_s);
}

/* Its time is set back instead of waiting. */
static void idle_flow_gives_its_port_to_another(void **state)
{
	uint32_t index;
	struct dispatch_nat nat;
	struct frame in, out;

	(void)state;
	reset(DISPATCH_NAT, IPPROTO_TCP, false);
	index = fixture.run.base;
	assert_tcp_goes_up("SYN", SYN, 0);
	nat = nat_of_flow();
	nat.claim.seen_s -= DISPATCH_NAT_BRIEF_S + 1u;
	put("dispatch_nats", index, &nat);
	assert_dropped("it is forgotten", tcp_frame(UP_IN, ACK, 0), DISPATCH_DROP_NO_FLOW);
	in = tcp_frame(UP_IN, SYN, 0);
	out = tcp_frame(UP_OUT, SYN, 0);
	in.bytes[14 + 15] = 77;
	put16(in.bytes + 14 + 10, 0);
	put16(in.bytes + 14 + 10, checksum_of(sum_bytes(0, in.bytes + 14, 20)));
	put16(in.bytes + 14 + 20 + 16,
	      ((unsigned)in.bytes[14 + 20 + 16] << 8 | in.bytes[14 + 20 + 17]) - 75);
	set_way_up(&out);
	assert_becomes("another client", in, fixture.hook->redirect, &out);
	assert_dropped("the first one again", tcp_frame(UP_IN, SYN, 0), DISPATCH_DROP_NO_PORT);
}

/* As while flows of a range that was changed are left. */
static void answers_are_of_the_run_that_has_their_port(void **state)
{
	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		struct dispatch_run before;
		uint32_t place;

		reset(DISPATCH_NAT, IPPROTO_TCP, is_ipv6);
		place = fixture.real.run[0];
		before = fixture.run;
		before.base = 20;
		before.first_port = PORTS - 10;
		before.nports = 10;
		put("dispatch_runs", place, &before);
		fixture.real.run[0] = (uint16_t)((place + 1) & fixture.settings.run_mask);
		put("dispatch_runs", fixture.real.run[0], &fixture.run);
		put("dispatch_reals", REAL, &fixture.real);
		assert_tcp_goes_up("SYN", SYN, 0);
		assert_tcp_comes_down("SYN, ACK", SYN | ACK, 0);
	}
}

/* Clocks of two CPUs differ by a tick: where a second ends, one is in the next already. */
static void flow_that_another_cpu_has_seen_in_the_next_second_goes_on(void **state)
{
	uint32_t index;
	struct dispatch_nat nat;

	(void)state;
	reset(DISPATCH_NAT, IPPROTO_TCP, false);
	index = fixture.run.base;
	assert_tcp_goes_up("SYN", SYN, 0);
	nat = nat_of_flow();
	nat.claim.seen_s += 2; /* one may have passed until the next packet */
	put("dispatch_nats", index, &nat);
	assert_tcp_goes_up("ACK", ACK, 0);
	nat.claim.seen_s += 2;
	put("dispatch_nats", index, &nat);
	assert_tcp_comes_down("ACK", ACK, 0);
}

static void draining_endpoint_keeps_its_flows_and_gone_one_loses_them(void **state)
{
	(void)state;
	reset(DISPATCH_NAT, IPPROTO_TCP, false);
	assert_tcp_goes_up("SYN", SYN, 0);
	put_ring(0);
	fixture.real.state = DISPATCH_REAL_DRAINING;
	put("dispatch_reals", REAL, &fixture.real);
	assert_tcp_goes_up("ACK", ACK, 0);
	assert_tcp_comes_down("ACK", ACK, 0);
	fixture.real.state = DISPATCH_REAL_GONE;
	put("dispatch_reals", REAL, &fixture.real);
	assert_dropped("ACK", tcp_frame(UP_IN, ACK, 0), DISPATCH_DROP_NO_FLOW);
	assert_dropped("SYN", tcp_frame(UP_IN, SYN, 0), DISPATCH_DROP_NO_ENDPOINT);
}

static int on_lost(void *context, void *record, size_t size)
{
	assert_int_equal(size, sizeof(struct dispatch_lost));
	memcpy(context, record, size);
	return 0;
}

/* Return: how many have been told of; the last one is in *@ret. */
static int told_lost(struct dispatch_lost *ret)
{
	struct ring_buffer *ring = ring_buffer__new(map_fd("events"), on_lost, ret, NULL);
	int count;

	assert_non_null(ring);
	count = ring_buffer__consume(ring);
	ring_buffer__free(ring);
	return count;
}

static void segments_of_lost_flows_are_told_of(void **state)
{
	struct flow_key key = {.source_port = htons(40000), .destination_port = htons(80)};
	struct dispatch_lost lost;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		reset(DISPATCH_NAT, IPPROTO_TCP, is_ipv6);
		assert_dropped("not asked for", tcp_frame(UP_IN, ACK, 5), DISPATCH_DROP_NO_FLOW);
		assert_int_equal(told_lost(&lost), 0);
		fixture.service.resets_lost = 1;
		put_service();
		assert_dropped("data", tcp_frame(UP_IN, ACK, 5), DISPATCH_DROP_NO_FLOW);
		assert_int_equal(told_lost(&lost), 1);
		address_of(2, is_ipv6, key.source);
		address_of(1, is_ipv6, key.destination);
		assert_int_equal(lost.event.kind, FLOW_EVENT_DISPATCH_LOST);
		assert_int_equal(lost.event.seq, 77);
		assert_int_equal(lost.ack, 1005);
		assert_memory_equal(&lost.key, &key, sizeof(key));
		assert_dropped("FIN", tcp_frame(UP_IN, FIN | ACK, 5), DISPATCH_DROP_NO_FLOW);
		assert_int_equal(told_lost(&lost), 1);
		assert_int_equal(lost.ack, 1006);
		assert_dropped("RST", tcp_frame(UP_IN, RST | ACK, 0), DISPATCH_DROP_NO_FLOW);
		assert_dropped("no ACK", tcp_frame(UP_IN, FIN, 0), DISPATCH_DROP_NO_FLOW);
		assert_int_equal(told_lost(&lost), 0);
	}
}

static uint64_t milliseconds(void)
{
	struct timespec now;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A hundred at once and one more each millisecond, on each CPU; a tick may be ten of them. */
static void no_more_are_told_of_than_the_daemon_answers(void **state)
{
	const uint32_t sent = 20000;
	uint64_t told, untold, began, most;
	struct dispatch_lost lost;
	struct frame frame;

	(void)state;
	reset(DISPATCH_NAT, IPPROTO_TCP, false);
	fixture.service.resets_lost = 1;
	put_service();
	untold = count_untold(map_fd("event_uses"), FLOW_EVENT_DISPATCH_LOST);
	frame = tcp_frame(UP_IN, ACK, 5);
	began = milliseconds();
	assert_int_equal(run_often(&frame, sent), fixture.hook->drop);
	most = FLOW_EVENTS_AT_ONCE + milliseconds() - began + 10;
	told = (uint64_t)told_lost(&lost);
	untold = count_untold(map_fd("event_uses"), FLOW_EVENT_DISPATCH_LOST) - untold;
	assert_int_equal(told + untold, sent);
	assert_in_range(told, 1, most * (uint64_t)libbpf_num_possible_cpus());
}

static void flows_of_many_clients_have_ports_of_their_own(void **state)
{
	bool is_taken[40] = {};
	struct frame frame;

	(void)state;
	reset(DISPATCH_NAT, IPPROTO_UDP, false);
	fixture.run.nports = 40;
	put_run();
	for (unsigned i = 0; i < 20; i++) {
		const struct datagram datagram = {.leg = UP_IN, .lacks_checksum = true};
		unsigned port;

		frame = udp_frame(&datagram);
		put16(frame.bytes + 14 + 20, 1000 + i);
		assert_int_equal(run(&frame), fixture.hook->redirect);
		port = (unsigned)frame.bytes[14 + 20] << 8 | frame.bytes[14 + 21];
		assert_in_range(port, PORTS, PORTS + 39);
		assert_false(is_taken[port - PORTS]);
		is_taken[port - PORTS] = true;
	}
}

/* --- Forms of direct server return ------------------------------------------------------------ */

/* Bytes in front of the packet of @in, as they should be: the outer source is in 172.16/16 or
 * 100::/64, or the given one. */
static struct frame wrapped(const struct frame *in, const struct frame *got, bool has_udp)
{
	bool is_ipv6 = fixture.is_ipv6;
	size_t inner = in->len - 14, udp_len = has_udp ? 8 : 0, ip = ip_len(is_ipv6);
	uint8_t protocol = has_udp ? 17 : is_ipv6 ? 41 : 4, source[16];
	struct frame frame = {.len = in->len + ip + udp_len};
	uint8_t *at = frame.bytes + 14, *udp = at + ip;

	memcpy(frame.bytes, in->bytes, 14);
	put_ip(at, is_ipv6, UP_OUT, protocol, 0, 64, inner + udp_len);
	if (is_ipv6) {
		memcpy(at, in->bytes + 14, 4); /* with its flow label */
		memcpy(at + 8, "\x01\0\0\0\0\0\0\0", 8);
		memcpy(at + 16, got->bytes + 14 + 16, 8);
	} else {
		put16(at + 4, 0);
		put32(at + 12,
		      0xac100000u | (uint32_t)got->bytes[14 + 14] << 8 | got->bytes[14 + 15]);
	}
	if (fixture.service.tunnel_source[15]) {
		address_of(3, is_ipv6, source);
		memcpy(at + (is_ipv6 ? 8 : 12), source + (is_ipv6 ? 0 : 12), is_ipv6 ? 16 : 4);
	}
	if (!is_ipv6) {
		put16(at + 10, 0);
		put16(at + 10, checksum_of(sum_bytes(0, at, 20)));
	}
	if (has_udp) {
		put16(udp, 0xc000u | (unsigned)got->bytes[14 + ip] << 8 | got->bytes[14 + ip + 1]);
		put16(udp + 2, 6080);
		put16(udp + 4, (unsigned)(inner + 8));
	}
	memcpy(udp + udp_len, in->bytes + 14, inner);
	set_way_up(&frame);
	return frame;
}

static void assert_is_wrapped(const char *what, const struct frame *in, bool has_udp)
{
	struct frame got = *in, expected;

	assert_int_equal(run(&got), fixture.hook->redirect);
	expected = wrapped(in, &got, has_udp);
	assert_frames_equal(what, &got, &expected);
}

static void reset_tunnel(enum dispatch_form form, uint8_t protocol, bool is_ipv6, bool has_source)
{
	reset(form, protocol, is_ipv6);
	fixture.service.gue_port = htons(6080);
	if (has_source)
		address_of(3, is_ipv6, fixture.service.tunnel_source);
	put_service();
}

static void tunnels_bring_packets_unchanged(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		bool is_ipv6 = i & 1, has_udp = i & 2, has_source = i & 4;
		enum dispatch_form form = has_udp ? DISPATCH_GUE : DISPATCH_IPIP;
		const struct datagram datagram = {.leg = UP_IN, .payload = 33};
		struct frame in;

		reset_tunnel(form, IPPROTO_TCP, is_ipv6, has_source);
		in = tcp_frame(UP_IN, SYN, 0);
		assert_is_wrapped("SYN", &in, has_udp);
		in = tcp_frame(UP_IN, ACK, 700);
		assert_is_wrapped("data", &in, has_udp);
		reset_tunnel(form, IPPROTO_UDP, is_ipv6, has_source);
		in = udp_frame(&datagram);
		assert_is_wrapped("UDP", &in, has_udp);
	}
}

static void layer_two_changes_addresses_of_the_link_alone(void **state)
{
	struct frame in, out;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		reset(DISPATCH_L2, IPPROTO_TCP, is_ipv6);
		in = out = tcp_frame(UP_IN, ACK, 100);
		set_way_up(&out);
		assert_becomes("a segment", in, fixture.hook->redirect, &out);
	}
}

static int on_too_big(void *context, void *record, size_t size)
{
	assert_int_equal(size, sizeof(struct dispatch_too_big));
	memcpy(context, record, size);
	return 0;
}

/* What has been told of it. */
static struct dispatch_too_big told_too_big(void)
{
	struct dispatch_too_big record = {};
	struct ring_buffer *ring = ring_buffer__new(map_fd("events"), on_too_big, &record, NULL);

	assert_non_null(ring);
	assert_int_equal(ring_buffer__consume(ring), 1);
	ring_buffer__free(ring);
	return record;
}

static void assert_told(void)
{
	struct dispatch_too_big record = told_too_big();
	struct flow_key key = {.source_port = htons(40000), .destination_port = htons(80)};

	address_of(2, fixture.is_ipv6, key.source);
	address_of(1, fixture.is_ipv6, key.destination);
	assert_int_equal(record.event.kind, FLOW_EVENT_DISPATCH_TOO_BIG);
	assert_int_equal(record.event.mtu, 1480);
	assert_int_equal(record.event.seq, 1000);
	assert_int_equal(record.protocol, IPPROTO_TCP);
	assert_memory_equal(&record.key, &key, sizeof(key));
}

/* At XDP it is left to TC, which tells its sender. */
static void packet_too_big_for_a_tunnel_is_dropped_at_tc(void **state)
{
	struct frame in;

	(void)state;
	reset_tunnel(DISPATCH_IPIP, IPPROTO_TCP, false, false);
	in = tcp_frame(UP_IN, ACK, 1500 - 20 - 20 - 24);
	assert_is_wrapped("fits", &in, false);
	in = tcp_frame(UP_IN, ACK, 1500 - 20 - 20 - 24 + 1);
	if (fixture.hook->is_xdp) {
		assert_action("a byte more", in, fixture.hook->pass);
		return;
	}
	assert_dropped("a byte more", in, DISPATCH_DROP_TOO_BIG);
	assert_told();
}

static unsigned count_entries(void)
{
	unsigned count = 0;

	for (uint32_t i = 0; i < LINES; i++) {
		struct dispatch_line line;

		assert_int_equal(bpf_map_lookup_elem(map_fd("dispatch_lines"), &i, &line), 0);
		for (int place = 0; place < DISPATCH_LINE_PLACES; place++)
			count += line.entry[place] != 0;
	}
	return count;
}

static void table_keeps_a_flow_on_its_endpoint_though_the_ring_changes(void **state)
{
	struct dispatch_real_count before;
	struct frame in;

	(void)state;
	reset(DISPATCH_L2, IPPROTO_TCP, false);
	before = real_count();
	in = tcp_frame(UP_IN, SYN, 0);
	assert_action("SYN", in, fixture.hook->redirect);
	put_ring(0);
	fixture.real.state = DISPATCH_REAL_DRAINING;
	put("dispatch_reals", REAL, &fixture.real);
	assert_action("ACK", tcp_frame(UP_IN, ACK, 0), fixture.hook->redirect);
	assert_int_equal(real_count().flows - before.flows, 1);
	assert_int_equal(real_count().packets - before.packets, 2);
	fixture.real.state = DISPATCH_REAL_GONE;
	put("dispatch_reals", REAL, &fixture.real);
	assert_dropped("ACK", tcp_frame(UP_IN, ACK, 0), DISPATCH_DROP_NO_ENDPOINT);
	assert_int_equal(count_entries(), 0);
}

static void flow_that_lost_its_endpoint_is_chosen_for_once(void **state)
{
	const uint32_t next = REAL + 1;
	uint64_t before[5], after[5];

	(void)state;
	reset(DISPATCH_L2, IPPROTO_TCP, false);
	assert_action("SYN", tcp_frame(UP_IN, SYN, 0), fixture.hook->redirect);
	put("dispatch_reals", next, &fixture.real);
	put_ring((uint16_t)next);
	fixture.real.state = DISPATCH_REAL_GONE;
	put("dispatch_reals", REAL, &fixture.real);
	sum_counts("dispatch_real_counts", next, before, 5);
	for (int i = 0; i < 3; i++)
		assert_action("ACK", tcp_frame(UP_IN, ACK, 0), fixture.hook->redirect);
	sum_counts("dispatch_real_counts", next, after, 5);
	assert_int_equal(after[2] - before[2], 1);
	assert_int_equal(count_entries(), 1);
}

/* Return: where the one flow is that begins a line. */
static uint32_t find_first_flow(struct dispatch_line *ret)
{
	for (uint32_t i = 0; i < LINES; i++) {
		assert_int_equal(bpf_map_lookup_elem(map_fd("dispatch_lines"), &i, ret), 0);
		if (ret->entry[0])
			return i;
	}
	fail_msg("no line has a flow");
	return 0;
}

/* Moves the time at which the flow was seen; its seconds wrap. */
static void shift_entry(__u64 *entry, int seconds)
{
	*entry = (*entry & ~0xffffULL) | (uint16_t)(*entry + (unsigned)seconds);
}

static void idle_flow_is_chosen_for_anew(void **state)
{
	struct dispatch_line line;
	uint32_t at;

	(void)state;
	reset(DISPATCH_L2, IPPROTO_TCP, false);
	assert_action("SYN", tcp_frame(UP_IN, SYN, 0), fixture.hook->redirect);
	at = find_first_flow(&line);
	put_ring(0);
	shift_entry(&line.entry[0], 2 - fixture.service.timeout_s);
	put("dispatch_lines", at, &line);
	assert_action("in time", tcp_frame(UP_IN, ACK, 0), fixture.hook->redirect);
	shift_entry(&line.entry[0], -5);
	put("dispatch_lines", at, &line);
	assert_dropped("too late", tcp_frame(UP_IN, ACK, 0), DISPATCH_DROP_NO_ENDPOINT);
}

static void flow_that_was_seen_in_the_next_second_keeps_its_endpoint(void **state)
{
	struct dispatch_line line;
	uint32_t at;

	(void)state;
	reset(DISPATCH_L2, IPPROTO_TCP, false);
	assert_action("SYN", tcp_frame(UP_IN, SYN, 0), fixture.hook->redirect);
	at = find_first_flow(&line);
	put_ring(0);
	shift_entry(&line.entry[0], 1);
	put("dispatch_lines", at, &line);
	assert_action("ACK", tcp_frame(UP_IN, ACK, 0), fixture.hook->redirect);
}

/* Of a line that is full, the one that has been quiet for a second gives way, not that. */
static void flow_that_was_seen_in_the_next_second_keeps_its_place(void **state)
{
	struct dispatch_line line;
	uint32_t now_s, at;

	(void)state;
	reset(DISPATCH_L2, IPPROTO_TCP, false);
	assert_action("SYN", tcp_frame(UP_IN, SYN, 0), fixture.hook->redirect);
	at = find_first_flow(&line);
	now_s = dispatch_entry_seconds(line.entry[0]);
	for (uint32_t place = 0; place < DISPATCH_LINE_PLACES; place++)
		line.entry[place] = dispatch_entry_real((place + 1ULL) << 32, 3, now_s);
	shift_entry(&line.entry[2], 1);
	shift_entry(&line.entry[5], -1);
	put("dispatch_lines", at, &line);
	assert_action("another SYN", tcp_frame(UP_IN, SYN, 0), fixture.hook->redirect);
	assert_int_equal(bpf_map_lookup_elem(map_fd("dispatch_lines"), &at, &line), 0);
	assert_int_equal((uint32_t)line.entry[2] >> 17, 3);
	assert_int_equal((uint32_t)line.entry[5] >> 17, REAL);
}

static void flood_of_new_flows_leaves_the_table_alone(void **state)
{
	uint64_t before;

	(void)state;
	reset(DISPATCH_L2, IPPROTO_TCP, false);
	fixture.settings.new_flows = (struct guard_rate){.cost = 1u << 20, .burst = 10u << 20};
	put("dispatch_settings", 0, &fixture.settings);
	before = service_count().unlisted;
	for (unsigned i = 0; i < 30; i++) {
		struct frame in = tcp_frame(UP_IN, SYN, 0);

		put16(in.bytes + 14 + 20, 1000 + i);
		assert_action("SYN", in, fixture.hook->redirect);
	}
	assert_in_range(count_entries(), 10, 12);
	assert_int_equal(service_count().unlisted - before, 30 - count_entries());
}

/* --- Set-up ----------------------------------------------------------------------------------- */

static void set_sizes(const struct bpf_object *object)
{
	static const struct {
		const char *name;
		uint32_t count;
	} sizes[] = {
		{"dispatch_vips", DISPATCH_HALVES * DISPATCH_VIP_PLACES},
		{"dispatch_ranges", DISPATCH_HALVES * DISPATCH_RANGES_MAX},
		{"dispatch_services", DISPATCH_HALVES * DISPATCH_SERVICES_MAX},
		{"dispatch_service_counts", DISPATCH_SERVICES_MAX},
		{"dispatch_cookies", DISPATCH_SERVICES_MAX},
		{"dispatch_asked", DISPATCH_ASKED_PLACES},
		{"dispatch_reals", REALS},
		{"dispatch_real_counts", REALS},
		{"dispatch_loads", REALS},
		{"dispatch_lines", LINES},
		{"dispatch_fronts", LINES},
		{"dispatch_runs", RUNS},
		{"dispatch_nats", NATS},
		{"dispatch_fragments", DISPATCH_FRAGMENTS_MAX},
		{"dispatch_server_ids", 16},
		{"dispatch_answerers", 16},
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		assert_int_equal(bpf_map__set_max_entries(
					 bpf_object__find_map_by_name(object, sizes[i].name),
					 sizes[i].count),
				 0);
}

/* A network of our own, with a device that packets may come from. Rates are those of a CPU: we stay
 * on one. */
static void enter_network(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((size_t)sched_getcpu(), &cpus);
	assert_int_equal(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(system("ip link set lo up && ip link add d0 type veth peer name d1 && "
				"ip link set d0 up && ip link set d1 up"),
			 0);
	fixture.ifindex = if_nametoindex("d0");
}

/* Back out of the device that it came by, or of another one. */
static void answer_leaves_at_xdp_where_devices_send(void **state)
{
	uint32_t clients = fixture.ifindex, elsewhere = fixture.hook->redirect;

	(void)state;
	reset(DISPATCH_NAT, IPPROTO_TCP, false);
	assert_tcp_goes_up("SYN", SYN, 0);
	fixture.ifindex = if_nametoindex("d1");
	assert_action("all send", tcp_frame(DOWN_IN, SYN | ACK, 0), elsewhere);
	fixture.settings.flags = 0;
	put("dispatch_settings", 0, &fixture.settings);
	assert_action("not all send", tcp_frame(DOWN_IN, SYN | ACK, 0),
		      fixture.hook->is_xdp ? fixture.hook->pass : elsewhere);
	fixture.ifindex = clients;
	fixture.settings.flags = DISPATCH_SENDS_XDP;
	put("dispatch_settings", 0, &fixture.settings);
	assert_tcp_comes_down("the client's own device", SYN | ACK, 0);
}

#define DISPATCH_TESTS                                                                        \
	cmocka_unit_test(nat_changes_both_addresses_of_tcp),                                  \
		cmocka_unit_test(answer_leaves_at_xdp_where_devices_send),                    \
		cmocka_unit_test(nat_changes_both_addresses_of_udp),                          \
		cmocka_unit_test(udp_checksum_never_becomes_none),                            \
		cmocka_unit_test(others_are_passed_untouched),                                \
		cmocka_unit_test(what_cannot_be_sent_is_dropped_by_its_reason),               \
		cmocka_unit_test(flow_is_kept_briefly_until_it_opens_and_when_it_has_ended),  \
		cmocka_unit_test(flow_that_is_reset_is_kept_briefly_unless_it_goes_on),       \
		cmocka_unit_test(packet_that_nobody_can_be_answered_is_dropped),              \
		cmocka_unit_test(idle_flow_gives_its_port_to_another),                        \
		cmocka_unit_test(answers_are_of_the_run_that_has_their_port),                 \
		cmocka_unit_test(flow_that_another_cpu_has_seen_in_the_next_second_goes_on),  \
		cmocka_unit_test(draining_endpoint_keeps_its_flows_and_gone_one_loses_them),  \
		cmocka_unit_test(segments_of_lost_flows_are_told_of),                         \
		cmocka_unit_test(no_more_are_told_of_than_the_daemon_answers),                \
		cmocka_unit_test(flows_of_many_clients_have_ports_of_their_own),              \
		cmocka_unit_test(tunnels_bring_packets_unchanged),                            \
		cmocka_unit_test(layer_two_changes_addresses_of_the_link_alone),              \
		cmocka_unit_test(packet_too_big_for_a_tunnel_is_dropped_at_tc),               \
		cmocka_unit_test(table_keeps_a_flow_on_its_endpoint_though_the_ring_changes), \
		cmocka_unit_test(flow_that_lost_its_endpoint_is_chosen_for_once),             \
		cmocka_unit_test(idle_flow_is_chosen_for_anew),                               \
		cmocka_unit_test(flow_that_was_seen_in_the_next_second_keeps_its_endpoint),   \
		cmocka_unit_test(flow_that_was_seen_in_the_next_second_keeps_its_place),      \
		cmocka_unit_test(flood_of_new_flows_leaves_the_table_alone)

#endif
