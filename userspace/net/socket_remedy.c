// SPDX-License-Identifier: Apache-2.0
/* Why a place to listen is refused mostly, and what helps. */
#include "net/socket.h"

#include <errno.h>
#include <netinet/in.h>

static const char *remedy_for_file(int error)
{
	switch (error) {
	case -EADDRINUSE:
		return "; another program listens there, or the file is no socket";
	case -ENOENT:
		return "; its directory is missing: make it, or name another";
	case -EACCES:
	case -EPERM:
	case -EROFS:
		return "; its directory must be writable for the daemon's user";
	default:
		return "";
	}
}

const char *socket_listen_remedy(const struct address *address, int error)
{
	if (address->sa.sa_family == AF_UNIX)
		return remedy_for_file(error);
	if (error == -EADDRINUSE)
		return "; another program listens there: `ss -ltnp` names it";
	if (error == -EADDRNOTAVAIL)
		return "; no interface has this address: `ip address` shows those that there are";
	if (error == -EACCES && address_port(address) < IPPORT_RESERVED)
		return "; ports below 1024 take root or CAP_NET_BIND_SERVICE";
	return "";
}
