// SPDX-License-Identifier: Apache-2.0
/*
 * What a device can do at XDP. Kernels from 6.3 on tell (the generic netlink family "netdev"), and
 * tell of changes: a veth takes frames only while its far end has GRO or a program. Before, the
 * driver's name has to do.
 */
#include "core/compiler.h"
#include "fastpath/fastpath_internal.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* From <linux/netdev.h>, which the headers of 6.1 do not have. */
#define NETDEV_FAMILY  "netdev"
#define NETDEV_GROUP   "mgmt"
#define NETDEV_VERSION 1

enum { NETDEV_CMD_DEV_GET = 1 };

enum {
	NETDEV_A_DEV_IFINDEX = 1,
	NETDEV_A_DEV_XDP_FEATURES = 3,
	NETDEV_A_DEV_LAST = NETDEV_A_DEV_XDP_FEATURES,
};

#define XDP_ACT_BASIC    (1u << 0)
#define XDP_ACT_REDIRECT (1u << 1)
#define XDP_ACT_NDO_XMIT (1u << 2)

/* --- By the driver's name --------------------------------------------------------------------- */

/* Redirect from and to in 6.1; some send only while they have a program themselves. */
static const char *const redirecting_drivers[] = {
	"atlantic", "bnxt_en", "ena", "fsl_dpaa2_eth", "fsl_enetc", "i40e",
	"ice",      "igb",     "igc", "ixgbe",         "mlx5_core", "mvneta",
	"mvpp2",    "qede",    "sfc", "st_gmac",       "veth",      "virtio_net"};

/* Of these a packet may come without a finished checksum and longer than a frame. At XDP it has
 * lost both, and the whole machine pays for smaller packets; at TC it stays as it is. */
static const char *const virtual_drivers[] = {"veth", "tun", "virtio_net"};

static bool is_among(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static void read_driver(uint32_t ifindex, char ret[DRIVER_NAME_SIZE])
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq request = {.ifr_data = (void *)&info};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ret[0] = '\0';
	if (fd < 0)
		return;
	if (if_indextoname(ifindex, request.ifr_name) && ioctl(fd, SIOCETHTOOL, &request) == 0)
		snprintf(ret, DRIVER_NAME_SIZE, "%s", info.driver);
	close(fd);
}

/* --- By the kernel's word --------------------------------------------------------------------- */

struct news {
	struct attach *attach; /* NULL: @features is asked for */
	uint32_t ifindex;
	uint64_t features;
	bool is_told;
};

static void apply(struct device_xdp *device, uint64_t features)
{
	const uint64_t redirect = XDP_ACT_BASIC | XDP_ACT_REDIRECT;

	device->is_told = true;
	device->can_redirect = (features & redirect) == redirect;
	device->can_send = features & XDP_ACT_NDO_XMIT;
}

static int on_message(struct nl_msg *message, void *context)
{
	struct nlattr *attributes[NETDEV_A_DEV_LAST + 1];
	struct news *news = context;

	if (genlmsg_parse(nlmsg_hdr(message), 0, attributes, NETDEV_A_DEV_LAST, NULL) < 0 ||
	    !attributes[NETDEV_A_DEV_IFINDEX] || !attributes[NETDEV_A_DEV_XDP_FEATURES])
		return NL_SKIP;
	news->ifindex = nla_get_u32(attributes[NETDEV_A_DEV_IFINDEX]);
	news->features = nla_get_u64(attributes[NETDEV_A_DEV_XDP_FEATURES]);
	news->is_told = true;
	if (news->attach) {
		struct device_xdp device = {};

		apply(&device, news->features);
		attach_on_xdp_change(news->attach, news->ifindex, &device);
	}
	return NL_OK;
}

static struct nl_sock *connect_generic(void)
{
	struct nl_sock *sock = nl_socket_alloc();

	if (sock && genl_connect(sock) == 0)
		return sock;
	nl_socket_free(sock);
	return NULL;
}

static int send_query(struct nl_sock *sock, int family, uint32_t ifindex)
{
	struct nl_msg *message = nlmsg_alloc();
	int sent = -1;

	if (!message)
		return -ENOMEM;
	if (genlmsg_put(message, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, NLM_F_REQUEST,
			NETDEV_CMD_DEV_GET, NETDEV_VERSION) &&
	    nla_put_u32(message, NETDEV_A_DEV_IFINDEX, ifindex) == 0)
		sent = nl_send_auto(sock, message);
	nlmsg_free(message);
	return sent < 0 ? -EIO : 0;
}

static bool ask_kernel(uint32_t ifindex, uint64_t *ret_features)
{
	struct nl_sock *sock = connect_generic();
	struct news news = {};
	int family;

	if (!sock)
		return false;
	family = genl_ctrl_resolve(sock, NETDEV_FAMILY);
	nl_socket_disable_auto_ack(sock);
	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, on_message, &news);
	if (family >= 0 && send_query(sock, family, ifindex) == 0)
		(void)nl_recvmsgs_default(sock);
	nl_socket_free(sock);
	*ret_features = news.features;
	return news.is_told;
}

void device_xdp_query(uint32_t ifindex, struct device_xdp *ret)
{
	uint64_t features;

	*ret = (struct device_xdp){};
	read_driver(ifindex, ret->driver);
	if (ask_kernel(ifindex, &features)) {
		apply(ret, features);
		return;
	}
	ret->can_redirect = is_among(redirecting_drivers, ARRAY_SIZE(redirecting_drivers),
				     ret->driver);
}

const char *device_xdp_obstacle(const struct device_xdp *device, enum splice_hook hook)
{
	if (hook == SPLICE_HOOK_TC)
		return "the configuration asks for TC";
	if (hook == SPLICE_HOOK_XDP)
		return NULL;
	if (is_among(virtual_drivers, ARRAY_SIZE(virtual_drivers), device->driver))
		return "it gives packets whose checksums are not finished, which TC keeps whole";
	return device->can_redirect ? NULL : "its driver has no XDP with redirect";
}

/* --- News ------------------------------------------------------------------------------------- */

struct nl_sock *device_xdp_monitor_new(void)
{
	struct nl_sock *sock = connect_generic();
	int group;

	if (!sock)
		return NULL;
	group = genl_ctrl_resolve_grp(sock, NETDEV_FAMILY, NETDEV_GROUP);
	nl_socket_disable_seq_check(sock);
	if (group >= 0 && nl_socket_add_membership(sock, group) == 0 &&
	    nl_socket_set_nonblocking(sock) == 0)
		return sock;
	nl_socket_free(sock);
	return NULL;
}

bool device_xdp_monitor_read(struct nl_sock *sock, struct attach *attach)
{
	struct news news = {.attach = attach};

	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, on_message, &news);
	while (nl_recvmsgs_default(sock) == 0)
		;
	return news.is_told;
}
