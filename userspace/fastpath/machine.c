// SPDX-License-Identifier: Apache-2.0
/* What the machine can do for packet splice, asked without doing it. */
#include "fastpath/machine.h"
#include "fastpath/fastpath_internal.h"

#include "tc_egress.skel.h"
#include "tc_ingress.skel.h"
#include "xdp_ingress.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- Programs -----------------------------------------------------------------------------------
 */

int machine_try_tc(void)
{
	struct tc_ingress_bpf *ingress;
	struct tc_egress_bpf *egress;
	int err = 0;

	fastpath_log_libbpf();
	ingress = tc_ingress_bpf__open_and_load();
	if (!ingress)
		return -errno;
	egress = tc_egress_bpf__open_and_load();
	if (!egress)
		err = -errno;
	tc_egress_bpf__destroy(egress);
	tc_ingress_bpf__destroy(ingress);
	return err;
}

int machine_try_xdp(void)
{
	struct xdp_ingress_bpf *xdp;

	fastpath_log_libbpf();
	xdp = xdp_ingress_bpf__open_and_load();
	if (!xdp)
		return -errno;
	xdp_ingress_bpf__destroy(xdp);
	return 0;
}

bool machine_has_sockmap(void)
{
	fastpath_log_libbpf();
	return libbpf_probe_bpf_map_type(BPF_MAP_TYPE_SOCKHASH, NULL) > 0 &&
	       libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SK_SKB, NULL) > 0;
}

/* --- Devices ------------------------------------------------------------------------------------
 */

struct filters {
	uint32_t ours, others;
};

static int on_filter(struct nl_msg *message, void *context)
{
	const struct tcmsg *body = nlmsg_data(nlmsg_hdr(message));
	struct filters *filters = context;

	/* A priority of several filters is announced by a message without a handle. */
	if (nlmsg_hdr(message)->nlmsg_type != RTM_NEWTFILTER || !body->tcm_handle)
		return NL_OK;
	if (body->tcm_info >> 16 == HOOK_TC_PRIORITY)
		filters->ours++;
	else
		filters->others++;
	return NL_OK;
}

/* At TC ingress; of whatever instance. */
static struct filters count_filters(uint32_t ifindex)
{
	struct tcmsg body = {
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = (int)ifindex,
		.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
	};
	struct nl_sock *sock = route_socket_new();
	struct filters filters = {};

	if (!sock)
		return filters;
	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, on_filter, &filters);
	if (nl_send_simple(sock, RTM_GETTFILTER, NLM_F_DUMP, &body, sizeof(body)) >= 0)
		(void)nl_recvmsgs_default(sock);
	nl_socket_free(sock);
	return filters;
}

/* Return: ARPHRD_…; -1. */
static int hardware_type(const char *name)
{
	struct ifreq request = {};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), type = -1;

	if (fd < 0)
		return -1;
	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	if (ioctl(fd, SIOCGIFHWADDR, &request) == 0)
		type = request.ifr_hwaddr.sa_family;
	close(fd);
	return type;
}

static void visit_device(const struct if_nameindex *link, bool is_loopback,
			 void (*visit)(const struct machine_device *device, void *context),
			 void *context)
{
	struct machine_device device = {.name = link->if_name};
	struct device_xdp xdp;
	struct filters filters;

	device_xdp_query(link->if_index, &xdp);
	device.driver = xdp.driver;
	device.can_redirect = xdp.can_redirect;
	device.can_send = xdp.can_send;
	device.xdp_obstacle = is_loopback ? "lo has no driver"
					  : device_xdp_obstacle(&xdp, SPLICE_HOOK_AUTO);
	device.xdp_id = hook_xdp_look(link->if_index, &device.is_xdp_ours);
	filters = count_filters(link->if_index);
	device.is_tc_ours = filters.ours;
	device.other_filters = filters.others;
	visit(&device, context);
}

void machine_for_each_device(void (*visit)(const struct machine_device *device, void *context),
			     void *context)
{
	struct if_nameindex *links = if_nameindex();

	fastpath_log_libbpf();
	for (const struct if_nameindex *link = links; link && link->if_index; link++) {
		int type = hardware_type(link->if_name);

		if (type == ARPHRD_ETHER || type == ARPHRD_LOOPBACK)
			visit_device(link, type == ARPHRD_LOOPBACK, visit, context);
	}
	if_freenameindex(links);
}
