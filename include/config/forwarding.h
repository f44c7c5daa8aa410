/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CONFIG_FORWARDING_H
#define SLUICE_CONFIG_FORWARDING_H

#include "core/address.h"

#include <stddef.h>

/* Which fields tell backends of the client. */
enum config_forwarded {
	CONFIG_FORWARDED_X,        /* X-Forwarded-For, -Proto, -Host */
	CONFIG_FORWARDED_STANDARD, /* Forwarded (RFC 7239) */
	CONFIG_FORWARDED_BOTH,
	CONFIG_FORWARDED_OFF,
};

/* What is told of the client's certificate (RFC 9440). */
enum config_client_cert {
	CONFIG_CLIENT_CERT_OFF,
	CONFIG_CLIENT_CERT_LEAF,  /* Client-Cert */
	CONFIG_CLIENT_CERT_CHAIN, /* Client-Cert-Chain too */
};

/* What is told of a request's way, and whose word is taken for what came before. Mode http. */
struct config_forwarding {
	struct prefix *trust; /* proxies in front of us; none: nobody is believed */
	size_t ntrust;
	enum config_forwarded believe; /* x_forwarded; not OFF: which fields of theirs */
	enum config_forwarded fields;  /* x_forwarded */
	const char *request_id;        /* a field; NULL: none is sent */
	enum config_client_cert client_cert;
};

#endif
