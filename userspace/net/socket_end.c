// SPDX-License-Identifier: Apache-2.0
/* How a socket's receiving ended. Apart from socket.c, for the kernel's header of TCP, which has
 * all of struct tcp_info, and the C library's exclude each other. */
#include "net/socket.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

bool socket_heard_fin(int fd, uint64_t taken)
{
	struct tcp_info facts = {};
	socklen_t len = sizeof(facts);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &facts, &len) < 0)
		return true;
	return facts.tcpi_bytes_received > taken;
}

uint32_t socket_unacknowledged(int fd)
{
	int count = 0;

	return ioctl(fd, SIOCOUTQ, &count) == 0 && count > 0 ? (uint32_t)count : 0;
}
