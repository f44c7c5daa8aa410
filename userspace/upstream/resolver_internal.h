/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_UPSTREAM_RESOLVER_INTERNAL_H
#define SLUICE_UPSTREAM_RESOLVER_INTERNAL_H

#include "io/watch.h"
#include "upstream/resolver.h"

#include <ares.h>

/* c-ares has one UDP and one TCP socket a server. A query that finds none free times out. */
#define RESOLVER_SOCKETS 32

struct resolver_socket {
	struct resolver *resolver;
	struct io_watch watch;
	bool is_used;
};

struct resolver {
	struct io_loop *loop;
	ares_channel channel;
	struct io_timer timer; /* c-ares's next retransmission */
	struct list_node names;
	struct resolver_socket sockets[RESOLVER_SOCKETS];
};

/* After everything that may have begun or ended a query. */
void resolver_update_timer(struct resolver *resolver);

/* Lets go of what the resolver keeps in a name; its queries are over. */
void resolver_forget_name(struct resolver_name *name);

#endif
