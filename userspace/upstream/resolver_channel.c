// SPDX-License-Identifier: Apache-2.0
/*
 * c-ares on the loop: its sockets are watched, its timeouts are one timer. Nothing here knows
 * names.
 */
#include "upstream/resolver_internal.h"

#include <errno.h>
#include <stdlib.h>

/* The first try's; c-ares lengthens it with each round over the servers. */
#define QUERY_TIMEOUT_MS 2000
#define QUERY_TRIES      3

void resolver_update_timer(struct resolver *resolver)
{
	struct timeval left;

	if (!ares_timeout(resolver->channel, NULL, &left)) {
		io_timer_stop(resolver->loop, &resolver->timer);
		return;
	}
	io_timer_start(resolver->loop, &resolver->timer,
		       (uint64_t)left.tv_sec * 1000 + ((uint64_t)left.tv_usec + 999) / 1000);
}

static void on_timer(struct io_timer *timer)
{
	struct resolver *resolver = container_of(timer, struct resolver, timer);

	ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	resolver_update_timer(resolver);
}

static void on_ready(struct io_watch *watch, uint32_t ready)
{
	struct resolver *resolver = container_of(watch, struct resolver_socket, watch)->resolver;
	int fd = watch->fd;

	ares_process_fd(resolver->channel, ready & IO_READABLE ? fd : ARES_SOCKET_BAD,
			ready & IO_WRITABLE ? fd : ARES_SOCKET_BAD);
	resolver_update_timer(resolver);
}

static struct resolver_socket *find_socket(struct resolver *resolver, int fd)
{
	struct resolver_socket *unused = NULL;

	for (size_t i = 0; i < RESOLVER_SOCKETS; i++) {
		struct resolver_socket *socket = &resolver->sockets[i];

		if (socket->is_used && socket->watch.fd == fd)
			return socket;
		if (!socket->is_used)
			unused = socket;
	}
	return unused;
}

/* c-ares says what it wants to know of a socket; nothing: it is about to be closed. */
static void on_socket_state(void *context, ares_socket_t fd, int is_readable, int is_writable)
{
	struct resolver *resolver = context;
	struct resolver_socket *socket = find_socket(resolver, fd);
	uint32_t events = (is_readable ? IO_READABLE : 0u) | (is_writable ? IO_WRITABLE : 0u);

	if (!socket)
		return;
	if (events == 0) {
		if (socket->is_used)
			io_watch_stop(&socket->watch);
		socket->is_used = false;
		return;
	}
	socket->resolver = resolver;
	socket->watch.on_ready = on_ready;
	/* A socket that cannot be watched is one whose queries time out. */
	socket->is_used = io_watch_start(&socket->watch, resolver->loop, fd, events) == 0;
}

static int open_channel(struct resolver *resolver, const struct resolver_options *options)
{
	struct ares_options ares = {
		.timeout = QUERY_TIMEOUT_MS,
		.tries = QUERY_TRIES,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = resolver,
	};
	int status = ares_init_options(&resolver->channel, &ares,
				       ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
					       ARES_OPT_SOCK_STATE_CB);

	if (status != ARES_SUCCESS)
		return status == ARES_ENOMEM ? -ENOMEM : -EINVAL;
	if (!options->servers)
		return 0;
	status = ares_set_servers_ports_csv(resolver->channel, options->servers);
	if (status == ARES_SUCCESS)
		return 0;
	ares_destroy(resolver->channel);
	return status == ARES_ENOMEM ? -ENOMEM : -EINVAL;
}

int resolver_new(struct io_loop *loop, const struct resolver_options *options,
		 struct resolver **ret)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));
	int err;

	if (!resolver)
		return -ENOMEM;
	resolver->loop = loop;
	resolver->timer.on_expire = on_timer;
	list_init(&resolver->names);
	err = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS ? 0 : -ENOMEM;
	if (err)
		goto free_resolver;
	err = open_channel(resolver, options);
	if (err)
		goto clean_library;
	*ret = resolver;
	return 0;

clean_library:
	ares_library_cleanup();
free_resolver:
	free(resolver);
	return err;
}

void resolver_free(struct resolver *resolver)
{
	if (!resolver)
		return;
	ares_destroy(resolver->channel);
	ares_library_cleanup();
	list_for_each_safe (node, &resolver->names) {
		resolver_forget_name(list_entry(node, struct resolver_name, node));
	}
	io_timer_stop(resolver->loop, &resolver->timer);
	free(resolver);
}
