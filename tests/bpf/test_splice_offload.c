// SPDX-License-Identifier: Apache-2.0
// The packet splice at TC in states that a test-run cannot make: checksums left to the device,
// large packets of a sender, a VLAN tag beside the frame. Two pairs of veth in a namespace of our
// own: frames go in at a0, arrive at a1 where the program is, and leave through b0 to b1.
#include "splice_fixture.h"
#include "core/compiler.h"
#include "tc_ingress.skel.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define ETHERNET_ALL htons(3)

static struct fixture fixture;
static struct tc_ingress_bpf *skeleton;
static int sender, receiver;

static const char *const commands[] = {
	"ip link add a0 type veth peer name a1",
	"ip link add b0 address 02:00:00:00:00:ee type veth peer name b1",
	"ip link set a0 up",
	"ip link set a1 up",
	"ip link set b0 up",
	"ip link set b1 up",
	"ip neigh add 10.9.0.9 lladdr 02:00:00:00:00:dd dev b0",
	"ip neigh add fd00:0:0:99::9 lladdr 02:00:00:00:00:dd dev b0",
};

static int open_packet_socket(const char *device)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = ETHERNET_ALL,
				      .sll_ifindex = (int)if_nametoindex(device)};
	struct timeval patience = {.tv_sec = 2};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, ETHERNET_ALL);
	int one = 1;

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return -1;
	return fd;
}

static int load(void **state)
{
	static const struct hook hook = {};
	LIBBPF_OPTS(bpf_tc_hook, where, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options);

	(void)state;
	if (unshare(CLONE_NEWNET))
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (system(commands[i]))
			return -1;
	skeleton = tc_ingress_bpf__open_and_load();
	if (!skeleton)
		return -1;
	fixture_init(&fixture, &hook, skeleton->obj, skeleton->progs.tc_ingress);
	where.ifindex = (int)if_nametoindex("a1");
	options.prog_fd = fixture.program_fd;
	if (bpf_tc_hook_create(&where) || bpf_tc_attach(&where, &options))
		return -1;
	sender = open_packet_socket("a0");
	receiver = open_packet_socket("b1");
	return sender < 0 || receiver < 0 ? -1 : 0;
}

static int unload(void **state)
{
	(void)state;
	close(sender);
	close(receiver);
	fixture_done(&fixture);
	tc_ingress_bpf__destroy(skeleton);
	return 0;
}

static void send_frame(const struct virtio_net_hdr *offload, const struct frame *frame)
{
	struct iovec parts[] = {
		{.iov_base = (void *)(uintptr_t)offload, .iov_len = sizeof(*offload)},
		{.iov_base = (void *)(uintptr_t)frame->bytes, .iov_len = frame->len}};

	assert_int_equal(writev(sender, parts, 2), sizeof(*offload) + frame->len);
}

/* Return: whether the kernel holds a VLAN tag beside the frame. */
static bool has_tag_beside(struct msghdr *message)
{
	const struct cmsghdr *control = CMSG_FIRSTHDR(message);
	struct tpacket_auxdata aux = {};

	if (control && control->cmsg_level == SOL_PACKET && control->cmsg_type == PACKET_AUXDATA)
		memcpy(&aux, CMSG_DATA(control), sizeof(aux));
	return aux.tp_status & TP_STATUS_VLAN_VALID;
}

/* The next frame for the next hop; the kernel's own multicast is passed over. */
static void receive_frame(struct virtio_net_hdr *ret_offload, struct frame *ret)
{
	struct iovec parts[] = {{.iov_base = ret_offload, .iov_len = sizeof(*ret_offload)},
				{.iov_base = ret->bytes, .iov_len = sizeof(ret->bytes)}};
	uint8_t control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2, .msg_control = control};
	ssize_t n;

	do {
		message.msg_controllen = sizeof(control);
		n = recvmsg(receiver, &message, 0);
		if (n < (ssize_t)sizeof(*ret_offload))
			fail_msg("nothing came out");
	} while (ret->bytes[0] != 2 || ret->bytes[5] != 0xdd);
	ret->len = (size_t)n - sizeof(*ret_offload);
	assert_false(has_tag_beside(&message));
}

/* What the sender's stack leaves to its device: the sum of the pseudo-header alone. */
static void leave_checksum_to_device(struct frame *frame, size_t ip, bool is_ipv6)
{
	size_t addresses = is_ipv6 ? 8 : 12, tcp = ip + ip_len(is_ipv6);
	uint32_t sum = sum_bytes((uint32_t)(6 + frame->len - tcp), frame->bytes + ip + addresses,
				 is_ipv6 ? 32 : 8);

	put16(frame->bytes + tcp + 16, (uint16_t)~checksum_of(sum));
}

static const struct segment segment_in = {
	.leg = UP_IN, .flags = 0x10, .seq = 1, .ack = 2, .window = 3, .payload = 3000};
static const struct segment segment_out = {.leg = UP_OUT,
					   .flags = 0x10,
					   .seq = 1 + SEQ_UP,
					   .ack = 2 - SEQ_DOWN,
					   .window = 3,
					   .payload = 3000};

static void assert_offloaded(struct shape shape, uint16_t gso_size)
{
	struct frame in = build_frame(&segment_in, &shape), expected, out = {};
	size_t ip = shape.is_tagged ? 18 : 14;
	struct virtio_net_hdr offload = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = (uint16_t)(ip + ip_len(shape.is_ipv6)),
		.csum_offset = 16,
		.gso_type = shape.is_ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4,
		.gso_size = gso_size,
		.hdr_len = (uint16_t)(ip + ip_len(shape.is_ipv6) + 20),
	};

	leave_checksum_to_device(&in, ip, shape.is_ipv6);
	shape.is_tagged = false;
	expected = build_frame(&segment_out, &shape);
	leave_checksum_to_device(&expected, 14, shape.is_ipv6);
	memcpy(expected.bytes, "\x02\x00\x00\x00\x00\xdd\x02\x00\x00\x00\x00\xee", 12);
	reset_pair(&fixture, shape.is_ipv6);
	put_nexthop(&fixture, if_nametoindex("b0"), 0);
	send_frame(&offload, &in);
	receive_frame(&offload, &out);
	assert_frames_equal("offloaded", &out, &expected);
	assert_int_equal(offload.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(offload.csum_start, 14 + ip_len(shape.is_ipv6));
	assert_int_equal(offload.gso_size, gso_size);
}

static void checksum_of_a_large_packet_is_left_to_the_device(void **state)
{
	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++)
		assert_offloaded((struct shape){.is_ipv6 = is_ipv6}, 1000);
}

static void tag_beside_the_frame_is_taken_off(void **state)
{
	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++)
		assert_offloaded((struct shape){.is_ipv6 = is_ipv6, .is_tagged = true}, 1000);
}

static void whole_checksum_stays_whole(void **state)
{
	struct segment in = segment_in, out = segment_out;
	struct virtio_net_hdr offload = {};

	(void)state;
	in.payload = out.payload = 700;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		struct shape shape = {.is_ipv6 = is_ipv6};
		struct frame frame = build_frame(&in, &shape), got = {};
		struct frame expected = build_frame(&out, &shape);

		memcpy(expected.bytes, "\x02\x00\x00\x00\x00\xdd\x02\x00\x00\x00\x00\xee", 12);
		reset_pair(&fixture, is_ipv6);
		put_nexthop(&fixture, if_nametoindex("b0"), 0);
		offload = (struct virtio_net_hdr){};
		send_frame(&offload, &frame);
		receive_frame(&offload, &got);
		assert_frames_equal("whole", &got, &expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksum_of_a_large_packet_is_left_to_the_device),
		cmocka_unit_test(tag_beside_the_frame_is_taken_off),
		cmocka_unit_test(whole_checksum_stays_whole),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
