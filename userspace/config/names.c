// SPDX-License-Identifier: Apache-2.0
/* What values of a configuration are called, for logs, metrics and sluicectl. */
#include "config/config.h"

#include <stdio.h>

const char *config_mode_name(enum config_mode mode)
{
	static const char *const names[] = {
		[CONFIG_MODE_TCP] = "tcp",
		[CONFIG_MODE_HTTP] = "http",
		[CONFIG_MODE_DISPATCH] = "dispatch",
	};

	return names[mode];
}

const char *config_bind_format(const struct config_bind *bind, char ret[CONFIG_BIND_SIZE])
{
	char address[ADDRESS_TEXT_SIZE], last[sizeof("-65535")] = "";

	if (bind->last_port != address_port(&bind->address))
		snprintf(last, sizeof(last), "-%u", bind->last_port);
	snprintf(ret, CONFIG_BIND_SIZE, "%s%s/%s", address_format(&bind->address, address), last,
		 bind->is_udp ? "udp" : "tcp");
	return ret;
}

const char *config_balance_name(enum config_balance balance)
{
	static const char *const names[] = {
#define X(name, text) [CONFIG_BALANCE_##name] = text,
		CONFIG_BALANCES(X)
#undef X
	};

	return names[balance];
}
