// SPDX-License-Identifier: Apache-2.0
/* What a packet costs in the program at TC or XDP; the tools that ask are packet, guard and
 * dispatch. */
#include "testrun.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <err.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const struct testrun_hook {
	const char *name, *measured, *bring, *nothing;
	bool has_skb;
	__u32 pass, drop, redirect, reply;
} hooks[] = {
	{"tc", "tc_ingress", "bring", "nothing", true, (__u32)TC_ACT_UNSPEC, TC_ACT_SHOT,
	 TC_ACT_REDIRECT, TC_ACT_REDIRECT},
	{"xdp", "xdp_ingress", "bring_xdp", "nothing_xdp", false, XDP_PASS, XDP_DROP, XDP_REDIRECT,
	 XDP_TX},
};

static struct bpf_object *open_object(const char *path)
{
	struct bpf_object *object = bpf_object__open(path);

	if (!object)
		err(1, "%s", path);
	return object;
}

static struct bpf_program *find_program(const struct bpf_object *object, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	if (!program)
		errx(1, "no program %s", name);
	return program;
}

static const struct testrun_hook *find_hook(const struct bpf_object *object)
{
	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++)
		if (bpf_object__find_program_by_name(object, hooks[i].measured))
			return &hooks[i];
	errx(1, "neither tc_ingress nor xdp_ingress");
}

/* Programs of two kinds cannot call by one table. */
static void leave_out(const struct testrun *run, const struct testrun_hook *hook)
{
	bpf_program__set_autoload(find_program(run->bring, hook->bring), false);
	bpf_program__set_autoload(find_program(run->bring, hook->nothing), false);
}

void testrun_open(struct testrun *run, const char *program, const char *bringer)
{
	*run = (struct testrun){.measured = open_object(program), .bring = open_object(bringer)};
	run->hook = find_hook(run->measured);
	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++)
		if (&hooks[i] != run->hook)
			leave_out(run, &hooks[i]);
}

const char *testrun_hook_name(const struct testrun *run)
{
	return run->hook->name;
}

bool testrun_has_skb(const struct testrun *run)
{
	return run->hook->has_skb;
}

void testrun_close(struct testrun *run)
{
	bpf_object__close(run->bring);
	bpf_object__close(run->measured);
}

__u32 testrun_enter_network(void)
{
	if (unshare(CLONE_NEWNET) || system("ip link add d0 type veth peer name d1"))
		err(1, "a network of our own");
	return if_nametoindex("d0");
}

/* --- Frames ----------------------------------------------------------------------------------- */

static void start_ethernet(struct testrun *run, __u32 size, unsigned type)
{
	memset(run->frame, 0, sizeof(run->frame));
	run->size = size;
	run->is_ipv6 = type == ETH_P_IPV6;
	run->frame[5] = 1;
	run->frame[11] = 2;
	run->frame[12] = (unsigned char)(type >> 8);
	run->frame[13] = (unsigned char)type;
}

void testrun_start_frame(struct testrun *run, __u32 size, __u8 protocol, __u32 destination)
{
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = protocol};

	start_ethernet(run, size, ETH_P_IP);
	ip.tot_len = htons((__u16)(size - ETH_HLEN));
	ip.daddr = htonl(destination);
	memcpy(run->frame + ETH_HLEN, &ip, sizeof(ip));
}

void testrun_start_frame6(struct testrun *run, __u32 size, __u8 protocol, __u32 network)
{
	struct ipv6hdr ip = {.version = 6, .hop_limit = 64, .nexthdr = protocol};

	start_ethernet(run, size, ETH_P_IPV6);
	ip.payload_len = htons((__u16)(size - ETH_HLEN - sizeof(ip)));
	ip.saddr.s6_addr32[0] = htonl(network);
	ip.daddr.s6_addr32[0] = htonl(network + 1);
	memcpy(run->frame + ETH_HLEN, &ip, sizeof(ip));
}

static __u32 l4_at(const struct testrun *run)
{
	return ETH_HLEN + (run->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
}

void *testrun_l4(struct testrun *run)
{
	return run->frame + l4_at(run);
}

/* --- Maps ------------------------------------------------------------------------------------- */

static struct bpf_map *find_map(const struct bpf_object *object, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);

	if (!map)
		errx(1, "no map %s", name);
	return map;
}

int testrun_map(const struct testrun *run, const char *name)
{
	return bpf_map__fd(find_map(run->measured, name));
}

void testrun_size_map(struct testrun *run, const char *name, __u32 nelements)
{
	if (bpf_map__set_max_entries(find_map(run->measured, name), nelements))
		errx(1, "%s", name);
}

static void put(const struct bpf_object *object, const char *name, __u32 index, const void *value)
{
	if (bpf_map_update_elem(bpf_map__fd(find_map(object, name)), &index, value, BPF_ANY))
		err(1, "%s", name);
}

void testrun_put(const struct testrun *run, const char *name, __u32 index, const void *value)
{
	put(run->measured, name, index, value);
}

void *testrun_mmap(const struct testrun *run, const char *name, size_t size)
{
	void *elements = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			      testrun_map(run, name), 0);

	if (elements == MAP_FAILED)
		err(1, "%s", name);
	return elements;
}

void testrun_map_address(__u8 to[16], __u32 address)
{
	__be32 be = htonl(address);

	memset(to, 0, 10);
	to[10] = to[11] = 0xff;
	memcpy(to + 12, &be, sizeof(be));
}

/* --- Runs ------------------------------------------------------------------------------------- */

void testrun_load(struct testrun *run, const struct bring_clients *clients, __u32 nflows)
{
	struct bring_rodata settings = {
		.nflows = nflows,
		.size = run->size,
		.headers = run->is_ipv6 ? BRING_HEADERS : BRING_HEADERS_IPV4,
		.source_at = ETH_HLEN + (run->is_ipv6 ? 8 + 2 : 12),
		.port_at = l4_at(run),
		.clients = *clients,
	};

	if (bpf_map__set_initial_value(find_map(run->bring, ".rodata"), &settings,
				       sizeof(settings)) ||
	    bpf_object__load(run->measured) || bpf_object__load(run->bring))
		errx(1, "load");
}

static int program_of(const struct bpf_object *object, const char *name)
{
	return bpf_program__fd(find_program(object, name));
}

static void aim(const struct testrun *run, int program)
{
	put(run->bring, "measured", 0, &program);
}

static const char *action_name(const struct testrun_hook *hook, __u32 action)
{
	if (action == hook->redirect)
		return "redirect";
	return action == hook->pass    ? "pass"
	       : action == hook->drop  ? "drop"
	       : action == hook->reply ? "reply"
				       : "nothing";
}

/* Return: ns a packet. */
static double run_once(struct testrun *run, __u32 npackets, __u32 *ret_action)
{
	struct __sk_buff skb = {.ifindex = run->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = run->frame, .data_size_in = run->size,
		    .repeat = (int)npackets);

	if (run->hook->has_skb) {
		opts.ctx_in = &skb;
		opts.ctx_size_in = sizeof(skb);
	}
	put(run->bring, ".data", 0, run->frame);
	if (bpf_prog_test_run_opts(program_of(run->bring, run->hook->bring), &opts))
		err(1, "test run");
	*ret_action = opts.retval;
	return opts.duration;
}

void testrun_warm(struct testrun *run, __u32 npackets)
{
	__u32 action;

	aim(run, program_of(run->measured, run->hook->measured));
	(void)run_once(run, npackets, &action);
}

static double best_of(struct testrun *run, unsigned rounds, int program, __u32 *ret_action)
{
	double best = 1e9;

	aim(run, program);
	for (unsigned i = 0; i < rounds; i++) {
		double ns;

		if (run->before_round)
			run->before_round(run);
		ns = run_once(run, run->npackets ? run->npackets : TESTRUN_PACKETS, ret_action);
		best = ns < best ? ns : best;
	}
	return best;
}

struct testrun_ns testrun_measure(struct testrun *run, unsigned rounds)
{
	__u32 action;
	double bring = best_of(run, rounds, program_of(run->bring, run->hook->nothing), &action);
	double both = best_of(run, rounds, program_of(run->measured, run->hook->measured), &action);

	return (struct testrun_ns){
		.program = both - bring, .bring = bring, .action = action_name(run->hook, action)};
}
