/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TESTS_UNIT_PROXY_SERVER_FIXTURE_H
#define SLUICE_TESTS_UNIT_PROXY_SERVER_FIXTURE_H

/* A server by a file of configuration, in this process. */
#include "config/config.h"
#include "core/compiler.h"
#include "core/strbuf.h"
#include "io/loop.h"
#include "io/timer.h"
#include "proxy/inspect.h"
#include "proxy/server.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include <cmocka.h>

struct served {
	struct io_loop *loop;
	struct server *server;
	uint16_t port; /* of the last listener's first address */
};

static inline int listen_on_loopback(uint16_t *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, 128), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static inline void find_port(const struct listener_row *row, void *context)
{
	((struct served *)context)->port = address_port(&row->binds[0]);
}

static inline void serve_file(struct served *served, const char *path)
{
	const struct io_options options = {.backend = IO_BACKEND_EPOLL};
	struct strbuf errors = {};
	struct config *config;

	assert_int_equal(config_load(path, &config, &errors), 0);
	assert_int_equal(io_loop_new(&options, &served->loop), 0);
	assert_int_equal(server_start(config, served->loop, NULL, NULL, &served->server, &errors),
			 0);
	server_for_each_listener(served->server, find_port, served);
	strbuf_done(&errors);
}

struct pause {
	struct io_timer timer;
	struct io_loop *loop;
};

static inline void on_pause_over(struct io_timer *timer)
{
	io_loop_stop(container_of(timer, struct pause, timer)->loop);
}

static inline void run_loop_for(struct io_loop *loop, unsigned ms)
{
	struct pause pause = {.timer = {.on_expire = on_pause_over}, .loop = loop};

	io_timer_start(loop, &pause.timer, ms);
	assert_int_equal(io_loop_run(loop), 0);
	io_timer_stop(loop, &pause.timer);
}

/* A reload, and what has come of it. */
struct asked_reload {
	struct server_reload reload;
	bool is_done;
	int err;
	char text[512];
};

static inline void on_reload_done(struct server_reload *reload, int err, const char *text)
{
	struct asked_reload *asked = container_of(reload, struct asked_reload, reload);

	asked->is_done = true;
	asked->err = err;
	snprintf(asked->text, sizeof(asked->text), "%s", text);
}

static inline void ask_reload(struct server *server, struct asked_reload *asked)
{
	*asked = (struct asked_reload){.reload = {.on_done = on_reload_done}};
	server_reload(server, &asked->reload);
}

static inline void reload_now(struct served *served)
{
	struct asked_reload asked;

	ask_reload(served->server, &asked);
	for (unsigned i = 0; i < 1000 && !asked.is_done; i++)
		run_loop_for(served->loop, 5);
	assert_true(asked.is_done);
	assert_int_equal(asked.err, 0);
}

static inline void on_drained(void *context)
{
	struct served *served = context;

	server_free(served->server);
	served->server = NULL;
	io_loop_stop(served->loop);
}

/* The second order to drain does not wait. */
static inline void end_serving(struct served *served)
{
	if (served->server) {
		server_drain(served->server, on_drained, served);
		server_drain(served->server, on_drained, served);
		assert_int_equal(io_loop_run(served->loop), 0);
	}
	assert_null(served->server);
	io_loop_free(served->loop);
}

#endif
