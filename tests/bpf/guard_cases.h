// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_BPF_GUARD_CASES_H
#define TESTS_BPF_GUARD_CASES_H

/* What the guard does with packets, at either hook: what it is, how it comes, why it is refused. */
#include "abi/guard.h"
#include "core/compiler.h"
#include "guard/limiter.h"
#include "guard/list6.h"
#include "guard/table.h"
#include "splice_frame.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define FINE GUARD_REASON_COUNT

#define METADATA_MAX 256

struct guard_hook {
	bool is_xdp;
	uint32_t pass, drop, reply;
};

static struct guard_fixture {
	const struct guard_hook *hook;
	struct bpf_object *object;
	int program_fd;
	uint32_t ifindex; /* of a device that is not lo */
	struct guard_settings settings;
} guard;

static int map_fd(const char *name)
{
	return bpf_object__find_map_fd_by_name(guard.object, name);
}

static void put(const char *name, uint32_t index, const void *value)
{
	assert_int_equal(bpf_map_update_elem(map_fd(name), &index, value, BPF_ANY), 0);
}

static struct guard_count count_of(uint32_t index)
{
	struct guard_count sum = {}, *parts;

	parts = calloc((size_t)libbpf_num_possible_cpus(), sizeof(*parts));
	assert_non_null(parts);
	assert_int_equal(bpf_map_lookup_elem(map_fd("guard_counts"), &index, parts), 0);
	for (int i = 0; i < libbpf_num_possible_cpus(); i++) {
		sum.packets += parts[i].packets;
		sum.bytes += parts[i].bytes;
	}
	free(parts);
	return sum;
}

/* @ret_metadata: what the program has left beside the frame, of *@ret_metadata_len bytes. */
static uint32_t run_beside(struct frame *frame, uint8_t *ret_metadata, uint32_t *ret_metadata_len)
{
	struct __sk_buff skb = {.ifindex = guard.ifindex};
	struct xdp_md xdp = {.data_end = (uint32_t)frame->len};
	static uint8_t out[FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->bytes,
		    .data_size_in = (uint32_t)frame->len, .data_out = out,
		    .data_size_out = sizeof(out), .repeat = 1);

	opts.ctx_in = opts.ctx_out = guard.hook->is_xdp ? (void *)&xdp : (void *)&skb;
	opts.ctx_size_in = opts.ctx_size_out = guard.hook->is_xdp ? sizeof(xdp) : sizeof(skb);
	assert_int_equal(bpf_prog_test_run_opts(guard.program_fd, &opts), 0);
	*ret_metadata_len = xdp.data;
	memcpy(ret_metadata, out, xdp.data);
	frame->len = opts.data_size_out - xdp.data;
	memcpy(frame->bytes, out + xdp.data, frame->len);
	return opts.retval;
}

static uint32_t run(struct frame *frame)
{
	uint8_t metadata[METADATA_MAX];
	uint32_t len;

	return run_beside(frame, metadata, &len);
}

static void set(enum guard_mode mode, uint32_t flags)
{
	guard.settings = (struct guard_settings){.mode = mode, .flags = flags, .seed = 12345};
	put("guard_settings", 0, &guard.settings);
}

/* --- Frames ----------------------------------------------------------------------------------- */

static struct frame tcp_frame(uint8_t flags, bool is_ipv6)
{
	const struct segment segment = {.leg = UP_IN, .flags = flags, .seq = 1000, .window = 500};
	const struct shape shape = {.is_ipv6 = is_ipv6};

	return build_frame(&segment, &shape);
}

static void set_source4(struct frame *frame, uint32_t address)
{
	put32(frame->bytes + 14 + 12, address);
}

/* UDP in place of TCP: 8 bytes of header and @payload more. */
static struct frame udp_frame(uint16_t source_port, size_t payload)
{
	struct frame frame = tcp_frame(ACK, false);
	uint8_t *ip = frame.bytes + 14, *udp = ip + 20;

	ip[9] = 17;
	put16(ip + 2, (unsigned)(28 + payload));
	put16(udp, source_port);
	put16(udp + 2, 80);
	put16(udp + 4, (unsigned)(8 + payload));
	memset(udp + 6, 0, 2 + payload);
	frame.len = 14 + 28 + payload;
	return frame;
}

/* --- Malformed packets ------------------------------------------------------------------------ */

static void assert_refused(const char *what, const struct frame *frame, uint32_t flags,
			   enum guard_reason reason)
{
	for (enum guard_mode mode = GUARD_OFF; mode <= GUARD_ENFORCE; mode++) {
		uint32_t index = (mode == GUARD_ENFORCE ? GUARD_COUNT_DROPPED
							: GUARD_COUNT_WOULD_DROP) +
				 (reason == FINE ? 0 : reason);
		uint64_t before = count_of(index).packets;
		bool is_counted = mode != GUARD_OFF && reason != FINE;
		struct frame copy = *frame;
		uint32_t action, expected = mode == GUARD_ENFORCE && reason != FINE
						    ? guard.hook->drop
						    : guard.hook->pass;

		set(mode, flags);
		action = run(&copy);
		if (action != expected)
			fail_msg("%s, mode %d: action %u, not %u", what, mode, action, expected);
		if (reason != FINE && count_of(index).packets - before != is_counted)
			fail_msg("%s, mode %d: counted %llu", what, mode,
				 (unsigned long long)(count_of(index).packets - before));
	}
}

static void malformed_packets_are_refused_by_their_reason(void **state)
{
	static const struct {
		const char *what;
		uint8_t flags;
		uint32_t source; /* 0: as it is */
		enum guard_reason reason;
	} cases[] = {
		{"a SYN", SYN, 0, FINE},
		{"a SYN with ECN", SYN | ECE | CWR, 0, FINE},
		{"an ACK", ACK, 0, FINE},
		{"a FIN", FIN | ACK, 0, FINE},
		{"an RST", RST, 0, FINE},
		{"an RST with ACK", RST | ACK, 0, FINE},
		{"no flags", 0, 0, GUARD_REASON_BAD_FLAGS},
		{"FIN alone", FIN, 0, GUARD_REASON_BAD_FLAGS},
		{"SYN and FIN", SYN | FIN, 0, GUARD_REASON_BAD_FLAGS},
		{"SYN and RST", SYN | RST, 0, GUARD_REASON_BAD_FLAGS},
		{"FIN and RST", FIN | RST | ACK, 0, GUARD_REASON_BAD_FLAGS},
		{"FIN, PSH and URG", FIN | PSH | 0x20, 0, GUARD_REASON_BAD_FLAGS},
		{"from 0.0.0.1", SYN, 0x00000001, GUARD_REASON_MARTIAN},
		{"from 127.0.0.1", SYN, 0x7f000001, GUARD_REASON_MARTIAN},
		{"from 223.255.255.255", SYN, 0xdfffffff, FINE},
		{"from 224.0.0.1", SYN, 0xe0000001, GUARD_REASON_MARTIAN},
		{"from 255.255.255.255", SYN, 0xffffffff, GUARD_REASON_MARTIAN},
		{"from itself", SYN, 0x0a010001, GUARD_REASON_LAND},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct frame frame = tcp_frame(cases[i].flags, false);

		if (cases[i].source)
			set_source4(&frame, cases[i].source);
		assert_refused(cases[i].what, &frame, GUARD_HAS_MALFORMED, cases[i].reason);
		assert_refused(cases[i].what, &frame, 0, FINE);
	}
}

static void lengths_that_do_not_fit_are_refused(void **state)
{
	struct frame frame = tcp_frame(ACK, false);

	(void)state;
	put16(frame.bytes + 14 + 2, 41); /* a byte more than there is */
	assert_refused("IPv4 is cut", &frame, GUARD_HAS_MALFORMED, GUARD_REASON_BAD_LENGTH);
	frame = tcp_frame(ACK, false);
	frame.bytes[14 + 20 + 12] = 4 << 4;
	assert_refused("a TCP header of 16", &frame, GUARD_HAS_MALFORMED, GUARD_REASON_BAD_LENGTH);
	frame.bytes[14 + 20 + 12] = 6 << 4;
	assert_refused("TCP options cut", &frame, GUARD_HAS_MALFORMED, GUARD_REASON_BAD_LENGTH);
	frame = tcp_frame(ACK, false);
	put16(frame.bytes + 14 + 2, 39);
	assert_refused("half a TCP header", &frame, GUARD_HAS_MALFORMED, GUARD_REASON_BAD_LENGTH);
	frame = tcp_frame(ACK, true);
	put16(frame.bytes + 14 + 4, 21);
	assert_refused("IPv6 is cut", &frame, GUARD_HAS_MALFORMED, GUARD_REASON_BAD_LENGTH);
	frame = udp_frame(4000, 10);
	assert_refused("UDP", &frame, GUARD_HAS_MALFORMED, FINE);
	put16(frame.bytes + 14 + 20 + 4, 19);
	assert_refused("UDP says more", &frame, GUARD_HAS_MALFORMED, GUARD_REASON_BAD_LENGTH);
	put16(frame.bytes + 14 + 20 + 4, 7);
	assert_refused("UDP says less", &frame, GUARD_HAS_MALFORMED, GUARD_REASON_BAD_LENGTH);
}

/* Later fragments have no header, and the first one's speaks of all. */
static void fragments_are_not_malformed(void **state)
{
	struct frame frame = udp_frame(4000, 10);

	(void)state;
	put16(frame.bytes + 14 + 6, 0x2000);
	put16(frame.bytes + 14 + 20 + 4, 5000);
	assert_refused("first fragment", &frame, GUARD_HAS_MALFORMED, FINE);
	put16(frame.bytes + 14 + 6, 100);
	assert_refused("last fragment", &frame, GUARD_HAS_MALFORMED, FINE);
}

static void sources_of_ipv6_that_cannot_be_are_refused(void **state)
{
	struct frame frame = tcp_frame(SYN, true);

	(void)state;
	assert_refused("a SYN", &frame, GUARD_HAS_MALFORMED, FINE);
	frame.bytes[14 + 8] = 0xff;
	assert_refused("multicast", &frame, GUARD_HAS_MALFORMED, GUARD_REASON_MARTIAN);
	memset(frame.bytes + 14 + 8, 0, 16);
	assert_refused("::", &frame, GUARD_HAS_MALFORMED, FINE);
	frame.bytes[14 + 8 + 15] = 1;
	assert_refused("::1", &frame, GUARD_HAS_MALFORMED, GUARD_REASON_MARTIAN);
	frame.bytes[14 + 8 + 10] = frame.bytes[14 + 8 + 11] = 0xff;
	assert_refused("mapped", &frame, GUARD_HAS_MALFORMED, GUARD_REASON_MARTIAN);
	memcpy(frame.bytes + 14 + 8, frame.bytes + 14 + 24, 16);
	assert_refused("from itself", &frame, GUARD_HAS_MALFORMED, GUARD_REASON_LAND);
}

/* --- Lists ------------------------------------------------------------------------------------ */

static void add(struct guard_list *list, const char *text, enum guard_why why)
{
	struct guard_entry entry = {.why = (uint8_t)why};

	assert_int_equal(prefix_parse(slice_from_str(text), &entry.prefix), 0);
	guard_list_add(list, &entry);
}

/* As userspace/fastpath/guard_maps.c does, by hand. */
static void load4(const struct guard_table *table)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	size_t nlines = guard_table_lines(table);
	struct guard_line *lines;
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "lines", 4, sizeof(*lines), (uint32_t)nlines,
				&options);

	assert_true(fd >= 0);
	lines = mmap(NULL, nlines * sizeof(*lines), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(lines, MAP_FAILED);
	guard_table_fill(table, lines);
	munmap(lines, nlines * sizeof(*lines));
	put("guard_list4", 0, &fd);
	close(fd);
}

static void load6(const struct guard_table *table)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	struct guard_list6 list;
	void *pages;
	size_t size;
	int fd;

	assert_int_equal(guard_list6_new(table, 99, &list), 0);
	size = list.npages * sizeof(*list.pages);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "pages", 4, sizeof(*list.pages),
			    (uint32_t)list.npages, &options);
	assert_true(fd >= 0);
	pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(pages, MAP_FAILED);
	memcpy(pages, list.pages, size);
	munmap(pages, size);
	put("guard_list6", 0, &fd);
	guard_list6_done(&list);
	close(fd);
}

static void lists_decide_by_the_source(void **state)
{
	const uint32_t lists = GUARD_HAS_LIST4 | GUARD_HAS_LIST6;
	struct frame frame = tcp_frame(SYN, false), frame6 = tcp_frame(SYN, true);
	struct guard_list list = {};
	struct guard_table *table;
	uint64_t allowed;

	(void)state;
	assert_refused("no list yet", &frame, lists, FINE);
	add(&list, "192.0.2.0/24", GUARD_WHY_BLOCK);
	add(&list, "192.0.2.128/25", GUARD_WHY_ALLOW);
	add(&list, "198.51.0.0/16", GUARD_WHY_GEO);
	add(&list, "fd00::/8", GUARD_WHY_BLOCK);
	assert_int_equal(guard_table_new(&list, 0, &table), 0);
	load4(table);
	load6(table);
	assert_refused("unlisted", &frame, lists, FINE);
	set_source4(&frame, 0xc0000205);
	assert_refused("blocked", &frame, lists, GUARD_REASON_BLOCKED);
	assert_refused("without the lists", &frame, 0, FINE);
	allowed = count_of(GUARD_COUNT_ALLOWED).packets;
	set_source4(&frame, 0xc0000285);
	assert_refused("allowed", &frame, lists, FINE);
	assert_int_equal(count_of(GUARD_COUNT_ALLOWED).packets - allowed, 2);
	set_source4(&frame, 0xc6330707);
	assert_refused("a place", &frame, lists, GUARD_REASON_GEO);
	frame.bytes[14 + 6] = 0; /* a later fragment, with IP options in its way */
	frame.bytes[14 + 7] = 10;
	assert_refused("a fragment from there", &frame, lists, GUARD_REASON_GEO);
	assert_refused("IPv6", &frame6, lists, GUARD_REASON_BLOCKED);
	guard_table_free(table);
	guard_list_done(&list);
}

/* Their lines have pages of their own behind the first one. */
static void many_networks_of_ipv6_are_found(void **state)
{
	struct frame frame = tcp_frame(SYN, true);
	struct guard_list list = {};
	struct guard_table *table;
	char network[64];

	(void)state;
	for (unsigned i = 0; i < 50000; i++) {
		(void)snprintf(network, sizeof(network), "2001:db8:%x:%x::/64", i >> 8, i & 0xff);
		add(&list, network, GUARD_WHY_BLOCK);
	}
	assert_int_equal(guard_table_new(&list, 0, &table), 0);
	load6(table);
	for (unsigned i = 0; i < 50000; i += 1000) {
		assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", frame.bytes + 14 + 8), 1);
		frame.bytes[14 + 13] = (unsigned char)(i >> 8);
		frame.bytes[14 + 15] = (unsigned char)i;
		assert_refused("listed", &frame, GUARD_HAS_LIST6, GUARD_REASON_BLOCKED);
		frame.bytes[14 + 14] = 1;
		assert_refused("beside", &frame, GUARD_HAS_LIST6, FINE);
	}
	guard_table_free(table);
	guard_list_done(&list);
}

/* What becomes of a SYN from @source by a list of @networks, each with how it is meant: '-'
 * blocked,
 * '+' allowed, 'g' a place, 'x' blocked until it expired. */
static void assert_listed6(const char *const networks[], const char *source,
			   enum guard_reason reason)
{
	static const enum guard_why meant[] = {
		['-'] = GUARD_WHY_BLOCK,
		['+'] = GUARD_WHY_ALLOW,
		['g'] = GUARD_WHY_GEO,
		['x'] = GUARD_WHY_BLOCK,
	};
	struct frame frame = tcp_frame(SYN, true);
	struct guard_list list = {};
	struct guard_table *table;

	for (size_t i = 0; networks[i]; i++) {
		add(&list, networks[i] + 1, meant[(int)networks[i][0]]);
		list.entries[i].expires_s = networks[i][0] == 'x' ? 100 : 0;
	}
	assert_int_equal(guard_table_new(&list, 100, &table), 0);
	load6(table);
	assert_int_equal(inet_pton(AF_INET6, source, frame.bytes + 14 + 8), 1);
	assert_refused(source, &frame, GUARD_HAS_LIST6, reason);
	guard_table_free(table);
	guard_list_done(&list);
}

#define LISTED6(...) ((const char *const[]){__VA_ARGS__, NULL})

static void networks_of_ipv6_end_where_they_say(void **state)
{
	static const struct {
		const char *network, *last, *beyond;
	} cases[] = {
		{"-::/1", "7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "8000::1"},
		{"-2001:db8::/32", "2001:db8:ffff:ffff::1", "2001:db9::"},
		{"-2001:db8:1::/48", "2001:db8:1:ffff::1", "2001:db8:2::"},
		{"-2001:db8:1:2::/64", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:3::"},
		{"-2001:db8:1:2::/65", "2001:db8:1:2:7fff:ffff:ffff:ffff", "2001:db8:1:2:8000::"},
		{"-2001:db8:1:2::4/127", "2001:db8:1:2::5", "2001:db8:1:2::6"},
		{"-2001:db8:1:2::4/128", "2001:db8:1:2::4", "2001:db8:1:2::5"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_listed6(LISTED6(cases[i].network), cases[i].last, GUARD_REASON_BLOCKED);
		assert_listed6(LISTED6(cases[i].network), cases[i].beyond, FINE);
		/* A length beside it on either side, so that search turns at each. */
		assert_listed6(LISTED6("-4000::/3", cases[i].network, "-fc00::1"), cases[i].last,
			       GUARD_REASON_BLOCKED);
	}
	assert_listed6(LISTED6("-::/0"), "2001:db8::1", GUARD_REASON_BLOCKED);
	assert_listed6(LISTED6("-::/0", "+2001:db8::/32"), "2001:db8::1", FINE);
	assert_listed6(LISTED6("-::/0", "+2001:db8::/32"), "2001:db9::1", GUARD_REASON_BLOCKED);
}

static void networks_of_ipv6_lie_in_each_other(void **state)
{
	const char *const *nested = LISTED6("g2000::/3", "-2001:db8::/32", "+2001:db8:1::/48",
					    "-2001:db8:1:2::/64", "x2001:dba::/32",
					    "-2001:db8:5::1", "+2001:db8:6::1");

	(void)state;
	assert_listed6(nested, "2001:db9::1", GUARD_REASON_GEO);
	assert_listed6(nested, "2001:dba::1", GUARD_REASON_GEO);
	assert_listed6(nested, "2001:db8::1", GUARD_REASON_BLOCKED);
	assert_listed6(nested, "2001:db8:1::1", FINE);
	assert_listed6(nested, "2001:db8:1:2::1", FINE); /* who is allowed stays allowed */
	assert_listed6(nested, "2001:db8:5::1", GUARD_REASON_BLOCKED);
	assert_listed6(nested, "2001:db8:6::1", FINE);
	assert_listed6(nested, "2001:db8:6::2", GUARD_REASON_BLOCKED);
	assert_listed6(nested, "4001::1", FINE);
	assert_listed6(LISTED6("x2001:db8::/32", "-2001:db8::1"), "2001:db8::2", FINE);
}

static void a_ban_ends_at_its_time(void **state)
{
	struct frame frame = tcp_frame(SYN, false);
	uint8_t key[16];
	struct guard_ban ban = {.until_ns = UINT64_MAX};

	(void)state;
	address_of(2, false, key);
	assert_int_equal(bpf_map_update_elem(map_fd("guard_bans"), key, &ban, BPF_ANY), 0);
	assert_refused("banned", &frame, GUARD_HAS_BANS, GUARD_REASON_BANNED);
	ban.until_ns = 1;
	assert_int_equal(bpf_map_update_elem(map_fd("guard_bans"), key, &ban, BPF_ANY), 0);
	assert_refused("over", &frame, GUARD_HAS_BANS, FINE);
	assert_int_equal(bpf_map_delete_elem(map_fd("guard_bans"), key), 0);
}

static void udp_from_abused_ports_is_refused(void **state)
{
	struct guard_port port = {.flags = GUARD_PORT_AMPLIFIES};
	struct frame frame = udp_frame(1900, 10);

	(void)state;
	put("guard_ports", 1900, &port);
	assert_refused("from 1900", &frame, GUARD_HAS_PORTS, GUARD_REASON_AMPLIFICATION);
	frame = udp_frame(1901, 10);
	assert_refused("from 1901", &frame, GUARD_HAS_PORTS, FINE);
	port.flags = 0;
	put("guard_ports", 1900, &port);
}

/* --- Rates ------------------------------------------------------------------------------------ */

static void listen_on_port_80(const struct guard_service *service)
{
	struct guard_port port = {.tcp_place = 1, .udp_place = 1};
	struct guard_place place = {.flags = GUARD_PLACE_ANY4 | GUARD_PLACE_ANY6};

	put("guard_services", 0, service);
	put("guard_places", 1, &place);
	put("guard_ports", 80, &port);
}

static unsigned passed(struct frame frame, unsigned count)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < count; i++) {
		struct frame copy = frame;

		passed += run(&copy) == guard.hook->pass;
	}
	return passed;
}

static void forget_sources(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "buckets", 4, sizeof(struct guard_bucket), 1,
				NULL);

	assert_true(fd >= 0);
	put("guard_sources", 0, &fd);
	close(fd);
}

static void each_rate_holds_for_its_packets(void **state)
{
	const uint32_t flags = GUARD_HAS_RATES | GUARD_HAS_SERVICES;
	const struct guard_rate ten = guard_rate_of(1, 10000); /* ten at once, then one a second */
	struct guard_service service = {};
	struct frame syn = tcp_frame(SYN, false), ack = tcp_frame(ACK, false);
	struct frame udp = udp_frame(4000, 10);

	(void)state;
	listen_on_port_80(&service);
	for (enum guard_kind kind = GUARD_PACKETS; kind < GUARD_KINDS; kind++) {
		for (int of_prefix = 0; of_prefix < 2; of_prefix++) {
			set(GUARD_ENFORCE, flags);
			(of_prefix ? guard.settings.prefix : guard.settings.source)[kind] = ten;
			put("guard_settings", 0, &guard.settings);
			forget_sources();
			assert_in_range(passed(syn, 20), kind == GUARD_UDP ? 20 : 10,
					kind == GUARD_UDP ? 20 : 12);
			forget_sources();
			assert_in_range(passed(udp, 20), kind == GUARD_SYNS ? 20 : 10,
					kind == GUARD_SYNS ? 20 : 12);
			forget_sources();
			assert_in_range(passed(ack, 20), kind == GUARD_PACKETS ? 10 : 20,
					kind == GUARD_PACKETS ? 12 : 20);
		}
	}
	/* Others have their own, and so have packets to nobody. */
	assert_in_range(passed(tcp_frame(SYN, true), 5), 5, 5);
	put16(syn.bytes + 14 + 20 + 2, 81);
	assert_int_equal(passed(syn, 20), 20);
}

static void udp_for_nobody_keeps_rates_where_it_shall(void **state)
{
	const uint32_t flags = GUARD_HAS_RATES | GUARD_HAS_SERVICES;
	struct guard_port answers = {.flags = GUARD_PORT_ANSWERS};
	struct frame udp = udp_frame(4000, 10), tcp = tcp_frame(ACK, false);

	(void)state;
	put16(udp.bytes + 14 + 20 + 2, 82);
	put16(tcp.bytes + 14 + 20 + 2, 82);
	for (int is_prefix = 0; is_prefix < 2; is_prefix++) {
		forget_sources();
		set(GUARD_ENFORCE, flags);
		(is_prefix ? guard.settings.prefix
			   : guard.settings.source)[GUARD_UDP] = guard_rate_of(1, 10000);
		put("guard_settings", 0, &guard.settings);
		assert_int_equal(passed(udp, 20), 20);
		guard.settings.flags |= GUARD_HAS_ALL_UDP;
		put("guard_settings", 0, &guard.settings);
		assert_in_range(passed(udp, 20), 10, 12);
		assert_int_equal(passed(tcp, 20), 20);
	}
	put16(udp.bytes + 14 + 20 + 2, 83);
	put("guard_ports", 83, &answers);
	assert_int_equal(passed(udp, 20), 20);
}

/* It is made when the guard is turned on. */
static void without_their_table_sources_keep_no_rates(void **state)
{
	struct guard_service service = {};
	uint32_t zero = 0;

	(void)state;
	listen_on_port_80(&service);
	set(GUARD_ENFORCE, GUARD_HAS_RATES | GUARD_HAS_SERVICES);
	guard.settings.source[GUARD_PACKETS] = guard_rate_of(1, 10000);
	put("guard_settings", 0, &guard.settings);
	forget_sources();
	assert_in_range(passed(tcp_frame(ACK, false), 20), 10, 12);
	assert_int_equal(bpf_map_delete_elem(map_fd("guard_sources"), &zero), 0);
	assert_int_equal(passed(tcp_frame(ACK, false), 20), 20);
}

static void a_listener_has_its_limits(void **state)
{
	const struct guard_rate ten = guard_rate_of(1, 10000);
	struct guard_service service = {.syns = ten};

	(void)state;
	set(GUARD_ENFORCE, GUARD_HAS_SERVICES);
	listen_on_port_80(&service);
	assert_in_range(passed(tcp_frame(SYN, false), 20), 10, 12);
	assert_int_equal(passed(tcp_frame(ACK, false), 20), 20);
	service = (struct guard_service){.packets = ten};
	listen_on_port_80(&service);
	assert_in_range(passed(tcp_frame(ACK, false), 20), 10, 12);
}

/* --- SYN cookies ------------------------------------------------------------------------------ */

static int listen_at(bool is_ipv6)
{
	struct sockaddr_in6 address6 = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
	struct sockaddr_in address4 = {.sin_family = AF_INET, .sin_port = htons(80)};
	int fd = socket(is_ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0), one = 1;

	assert_true(fd >= 0);
	if (is_ipv6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
		assert_int_equal(bind(fd, (struct sockaddr *)&address6, sizeof(address6)), 0);
	} else {
		assert_int_equal(bind(fd, (struct sockaddr *)&address4, sizeof(address4)), 0);
	}
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* Where the cookie may be anything, it is taken from the answer. */
static void assert_answer(const struct frame *answer, bool is_ipv6)
{
	const struct segment segment = {.leg = DOWN_OUT,
					.flags = SYN | ACK,
					.ttl = 64,
					.window = 29200,
					.ack = 1001,
					.options_len = 8,
					.options = {2, 4, 5, 0xb4, 1, 1, 1, 1}};
	struct segment expected = segment;
	const struct shape shape = {.is_ipv6 = is_ipv6};
	const uint8_t *tcp = answer->bytes + 14 + ip_len(is_ipv6);
	struct frame frame;

	expected.seq = (uint32_t)tcp[4] << 24 | (uint32_t)tcp[5] << 16 | (uint32_t)tcp[6] << 8 |
		       tcp[7];
	expected.options[2] = tcp[22];
	expected.options[3] = tcp[23];
	frame = build_frame(&expected, &shape);
	/* Back to whom it came from. */
	memcpy(frame.bytes, "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01", 12);
	assert_frames_equal(is_ipv6 ? "answer, IPv6" : "answer", answer, &frame);
	assert_in_range(tcp[22] << 8 | tcp[23], 536, 1460);
}

static void syns_beyond_the_threshold_are_answered(void **state)
{
	struct guard_service service = {.cookies = guard_rate_of(1, 10)};

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		const struct segment segment = {.leg = UP_IN,
						.flags = SYN | ECE | CWR,
						.seq = 1000,
						.window = 500,
						.ttl = 50,
						.options_len = 8,
						.options = {2, 4, 5, 0xb4, 1, 3, 3, 7}};
		const struct shape shape = {.is_ipv6 = is_ipv6};
		struct frame frame = build_frame(&segment, &shape);
		uint64_t before = count_of(GUARD_COUNT_COOKIES).packets;
		int fd = listen_at(is_ipv6);

		set(GUARD_ENFORCE, GUARD_HAS_SERVICES);
		listen_on_port_80(&service);
		assert_int_equal(passed(frame, 1), 1);
		assert_int_equal(run(&frame), guard.hook->reply);
		assert_int_equal(count_of(GUARD_COUNT_COOKIES).packets - before, 1);
		assert_answer(&frame, is_ipv6);
		assert_int_equal(passed(tcp_frame(ACK, is_ipv6), 3), 3);
		set(GUARD_MONITOR, GUARD_HAS_SERVICES);
		assert_int_equal(passed(tcp_frame(SYN, is_ipv6), 3), 3);
		close(fd);
		/* Nobody listens: the stack shall say so. */
		set(GUARD_ENFORCE, GUARD_HAS_SERVICES);
		assert_int_equal(passed(tcp_frame(SYN, is_ipv6), 3), 3);
	}
}

/* --- From XDP to TC --------------------------------------------------------------------------- */

static void assert_stamped(const char *what, struct frame frame, bool is_stamped)
{
	struct guard_stamp expected = {.seed = 12345, .ifindex = 1}, stamp;
	uint8_t metadata[METADATA_MAX];
	uint32_t len, action = run_beside(&frame, metadata, &len);

	if (len != (is_stamped && guard.hook->is_xdp ? sizeof(stamp) : 0))
		fail_msg("%s, action %u: %u bytes of metadata", what, action, len);
	if (!len)
		return;
	memcpy(&stamp, metadata, sizeof(stamp));
	expected.action = stamp.action;
	assert_int_equal(action, guard.hook->pass);
	assert_memory_equal(&stamp, &expected, sizeof(stamp));
}

static void what_has_been_judged_at_xdp_is_stamped(void **state)
{
	struct frame ack = tcp_frame(ACK, false), arp = ack, tagged = ack, no_flags = ack;

	(void)state;
	put16(arp.bytes + 12, 0x0806);
	no_flags.bytes[14 + 20 + 13] = 0;
	/* Two tags, of which the kernel takes one off for TC. */
	memmove(tagged.bytes + 20, tagged.bytes + 12, tagged.len - 12);
	memcpy(tagged.bytes + 12, "\x81\x00\x00\x05\x81\x00\x00\x06", 8);
	tagged.len += 8;
	set(GUARD_OFF, GUARD_HAS_MALFORMED);
	assert_stamped("off", ack, false);
	set(GUARD_ENFORCE, GUARD_HAS_MALFORMED);
	assert_stamped("passed", ack, true);
	assert_stamped("dropped", no_flags, false);
	assert_stamped("no IP", arp, false);
	assert_stamped("behind two tags", tagged, false);
	set(GUARD_MONITOR, GUARD_HAS_MALFORMED);
	assert_stamped("would be dropped", no_flags, true);
}

/* TC may answer what XDP cannot, and counts what becomes of it. */
static void a_syn_that_is_not_answered_counts_once(void **state)
{
	struct guard_service service = {.cookies = guard_rate_of(1, 10)};
	struct frame syn = tcp_frame(SYN, false); /* to nobody */
	uint64_t unmade = count_of(GUARD_COUNT_COOKIES_UNMADE).packets;

	(void)state;
	set(GUARD_ENFORCE, GUARD_HAS_SERVICES);
	listen_on_port_80(&service);
	assert_stamped("below the threshold", syn, true);
	assert_stamped("unanswered", syn, true);
	assert_int_equal(count_of(GUARD_COUNT_COOKIES_UNMADE).packets - unmade,
			 guard.hook->is_xdp ? 0 : 1);
}

/* --- Seeing ------------------------------------------------------------------------------------*/

static void heaviest_source_is_in_its_slot(void **state)
{
	const __u64 half[2] = {0, __builtin_bswap64(0x0000ffff0a020002ULL)};
	uint32_t slot = (uint32_t)guard_hash(half, 12345) % GUARD_TALKER_SLOTS;
	struct guard_talker *parts = calloc((size_t)libbpf_num_possible_cpus(), sizeof(*parts));
	uint32_t count = 0;

	(void)state;
	assert_non_null(parts);
	set(GUARD_ENFORCE, GUARD_HAS_TALKERS);
	passed(tcp_frame(ACK, false), 64 * GUARD_TALKER_SAMPLE);
	assert_int_equal(bpf_map_lookup_elem(map_fd("guard_talkers"), &slot, parts), 0);
	for (int i = 0; i < libbpf_num_possible_cpus(); i++)
		if (parts[i].source[15] == 2)
			count += parts[i].count;
	assert_in_range(count, 10, 64 + 2);
	free(parts);
}

static int count_record(void *context, void *bytes, size_t size)
{
	const struct guard_capture *record = bytes;

	assert_int_equal(size, sizeof(*record));
	assert_int_equal(record->reason, GUARD_REASON_BAD_FLAGS);
	assert_int_equal(record->len, 54);
	assert_int_equal(record->captured, 54);
	assert_int_equal(record->frame[12], 0x08);
	(*(unsigned *)context)++;
	return 0;
}

static void refused_packets_are_captured_at_a_rate(void **state)
{
	unsigned count = 0;
	struct ring_buffer *ring = ring_buffer__new(map_fd("guard_captured"), count_record, &count,
						    NULL);

	(void)state;
	assert_non_null(ring);
	set(GUARD_ENFORCE, GUARD_HAS_MALFORMED);
	passed(tcp_frame(0, false), 3);
	guard.settings.capture_until_ns = UINT64_MAX;
	guard.settings.capture_cost = 1000000000; /* one a second */
	put("guard_settings", 0, &guard.settings);
	passed(tcp_frame(0, false), 3);
	passed(tcp_frame(ACK, false), 3);
	assert_true(ring_buffer__consume(ring) >= 0);
	assert_in_range(count, 1, 2);
	ring_buffer__free(ring);
}

/* In a network of its own, which may be set as the tests want it. */
static void enter_network(void)
{
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(system("ip link set lo up && ip link add g0 type veth peer name g1 && ip "
				"link set g0 up "
				"&& ip addr add 10.1.0.1/24 dev g0 && "
				"ip addr add fd00:0:0:91::1/64 dev g0 nodad && "
				"sysctl -qw net.ipv4.tcp_syncookies=2"),
			 0);
	guard.ifindex = if_nametoindex("g0");
}

#define GUARD_TESTS                                                           \
	cmocka_unit_test(malformed_packets_are_refused_by_their_reason),      \
		cmocka_unit_test(lengths_that_do_not_fit_are_refused),        \
		cmocka_unit_test(fragments_are_not_malformed),                \
		cmocka_unit_test(sources_of_ipv6_that_cannot_be_are_refused), \
		cmocka_unit_test(lists_decide_by_the_source),                 \
		cmocka_unit_test(many_networks_of_ipv6_are_found),            \
		cmocka_unit_test(networks_of_ipv6_end_where_they_say),        \
		cmocka_unit_test(networks_of_ipv6_lie_in_each_other),         \
		cmocka_unit_test(a_ban_ends_at_its_time),                     \
		cmocka_unit_test(udp_from_abused_ports_is_refused),           \
		cmocka_unit_test(each_rate_holds_for_its_packets),            \
		cmocka_unit_test(udp_for_nobody_keeps_rates_where_it_shall),  \
		cmocka_unit_test(without_their_table_sources_keep_no_rates),  \
		cmocka_unit_test(a_listener_has_its_limits),                  \
		cmocka_unit_test(syns_beyond_the_threshold_are_answered),     \
		cmocka_unit_test(what_has_been_judged_at_xdp_is_stamped),     \
		cmocka_unit_test(a_syn_that_is_not_answered_counts_once),     \
		cmocka_unit_test(heaviest_source_is_in_its_slot),             \
		cmocka_unit_test(refused_packets_are_captured_at_a_rate)

#endif
