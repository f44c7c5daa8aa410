// SPDX-License-Identifier: Apache-2.0
/* Whether this machine passes on what is for others, which is decided by the device that it comes
 * in by. Without /proc nothing is known, and nothing is said against it. */
#include "fastpath/machine.h"

#include <net/if.h>
#include <stdio.h>

bool machine_device_forwards(const char *device, sa_family_t family)
{
	char path[64];
	FILE *file;
	int value;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/forwarding",
		 family == AF_INET6 ? "ipv6" : "ipv4", device);
	file = fopen(path, "re");
	if (!file)
		return true;
	value = fgetc(file);
	fclose(file);
	return value != '0';
}

bool machine_forwards(sa_family_t family)
{
	struct if_nameindex *links = if_nameindex();
	bool forwards = !links;

	for (const struct if_nameindex *link = links; link && link->if_index && !forwards; link++)
		forwards = machine_device_forwards(link->if_name, family);
	if_freenameindex(links);
	return forwards;
}
