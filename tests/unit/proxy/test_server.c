// SPDX-License-Identifier: Apache-2.0
/* A whole server in this process: real loops and loopback sockets, the control loop run by the
 * test. Mostly here for ThreadSanitizer; what a peer sees is tested end to end. */
#include "proxy/server_internal.h"
#include "unit/proxy/server_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
	struct served served;
	char directory[32], path[64];
	int origin;
	uint16_t origin_port;
	const char *pool_options, *databases;
};

static const char *backend_name;

static void write_config(struct fixture *f, uint16_t origin_port, const char *extra)
{
	FILE *file = fopen(f->path, "w");

	assert_non_null(file);
	fprintf(file,
		"workers: 2\nio: %s\naccess_log: {path: %s/access.log, format: json}\n"
		"admin: {socket: \"off\"}\n"
		"listeners:\n- {name: web, bind: \"127.0.0.1:0\", mode: tcp, pool: origin%s}\n"
		"pools:\n- {name: origin, endpoints: [\"127.0.0.1:%u\"]%s}\n%s",
		backend_name, f->directory, extra, origin_port, f->pool_options, f->databases);
	fclose(file);
}

static void run_for(struct fixture *f, unsigned ms)
{
	run_loop_for(f->served.loop, ms);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->pool_options = f->databases = "";
	strcpy(f->directory, "/tmp/sluice-server-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(f->path, sizeof(f->path), "%s/sluice.yaml", f->directory);
	f->origin = listen_on_loopback(&f->origin_port);
	write_config(f, f->origin_port, "");
	serve_file(&f->served, f->path);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char log[64];

	end_serving(&f->served);
	close(f->origin);
	unlink(f->path);
	snprintf(log, sizeof(log), "%s/access.log", f->directory);
	unlink(log);
	rmdir(f->directory);
	free(f);
	return 0;
}

static int connect_client(const struct fixture *f)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(f->served.port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Workers run on their own; nothing here needs the control loop. */
static int accept_backend(const struct fixture *f)
{
	struct pollfd poll_fd = {.fd = f->origin, .events = POLLIN};

	assert_int_equal(poll(&poll_fd, 1, 5000), 1);
	return accept(f->origin, NULL, NULL);
}

static void expect_bytes(int fd, const char *expected)
{
	size_t len = strlen(expected), got = 0;
	char bytes[64];

	while (got < len) {
		ssize_t n = recv(fd, bytes + got, len - got, 0);

		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_memory_equal(bytes, expected, len);
}

static void bytes_pass_both_ways_and_fin_passes_each_way(void **state)
{
	struct fixture *f = *state;
	int client = connect_client(f), backend = accept_backend(f);
	char byte;

	assert_int_equal(send(client, "ping", 4, 0), 4);
	expect_bytes(backend, "ping");
	assert_int_equal(shutdown(client, SHUT_WR), 0);
	assert_int_equal(recv(backend, &byte, 1, 0), 0);
	assert_int_equal(send(backend, "pong", 4, 0), 4);
	expect_bytes(client, "pong");
	close(backend);
	assert_int_equal(recv(client, &byte, 1, 0), 0);
	close(client);
}

static void reset_by_the_backend_reaches_the_client(void **state)
{
	const struct linger reset = {.l_onoff = 1};
	struct fixture *f = *state;
	int client = connect_client(f), backend = accept_backend(f);
	char byte;

	assert_int_equal(send(client, "x", 1, 0), 1);
	expect_bytes(backend, "x");
	assert_int_equal(setsockopt(backend, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	close(backend);
	assert_int_equal(recv(client, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	close(client);
}

static void connections_survive_reloads(void **state)
{
	struct fixture *f = *state;
	int client = connect_client(f), backend = accept_backend(f);
	struct server_facts facts;

	for (unsigned i = 0; i < 20; i++) {
		reload_now(&f->served);
		run_for(f, 5);
	}
	assert_int_equal(send(client, "still here", 10, 0), 10);
	expect_bytes(backend, "still here");
	server_describe(f->served.server, &facts);
	assert_int_equal(facts.config_generation, 21);
	assert_int_equal(facts.connections_active, 1);
	close(client);
	close(backend);
	client = connect_client(f); /* the listener kept its port, although the file says 0 */
	backend = accept_backend(f);
	close(client);
	close(backend);
}

static void read_access_log(struct fixture *f, char *line, int size)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/access.log", f->directory);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(line, size, file));
	fclose(file);
}

/* Waiting would not help: 192.0.2.1 is nowhere (RFC 5737). */
static void a_source_address_that_is_not_ours_fails_at_once_and_names_the_endpoint(void **state)
{
	const struct timeval patience = {.tv_sec = 3};
	struct fixture *f = *state;
	char byte, line[1024];
	int client;

	f->pool_options = ", source_address: 192.0.2.1, queue: {timeout: 1m}";
	write_config(f, f->origin_port, "");
	reload_now(&f->served);
	run_for(f, 20);
	client = connect_client(f);
	setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(recv(client, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	run_for(f, 50);
	read_access_log(f, line, sizeof(line));
	assert_non_null(strstr(line, "\"end\":\"connect_failed\""));
	assert_non_null(strstr(line, "\"endpoint\":\"127.0.0.1:"));
	close(client);
}

struct hold {
	struct io_message message;
	sem_t go_on;
};

static void on_hold(struct io_message *message)
{
	sem_wait(&container_of(message, struct hold, message)->go_on);
}

/* What is posted from here on reaches a worker in one round. */
static void hold_workers(struct fixture *f, struct hold *holds)
{
	for (uint32_t w = 0; w < f->served.server->nworkers; w++) {
		holds[w].message.on_message = on_hold;
		sem_init(&holds[w].go_on, 0, 0);
		io_loop_post(f->served.server->workers[w]->loop, &holds[w].message);
	}
	run_for(f, 20);
}

static void release_workers(struct hold *holds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sem_post(&holds[i].go_on);
}

/* Those that wait in the backlog for a place are found only after the connections were reset. */
static void a_second_drain_ends_those_too_that_wait_for_a_place(void **state)
{
	struct fixture *f = *state;
	struct hold holds[2];
	int clients[8], backend;

	write_config(f, f->origin_port, ", max_connections: 1");
	reload_now(&f->served);
	run_for(f, 20);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		clients[i] = connect_client(f);
	backend = accept_backend(f);
	hold_workers(f, holds);
	server_drain(f->served.server, on_drained, &f->served);
	server_drain(f->served.server, on_drained, &f->served);
	release_workers(holds, ARRAY_SIZE(holds));
	run_for(f, 3000);
	assert_null(f->served.server);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		close(clients[i]);
	close(backend);
}

static void bad_configuration_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct asked_reload asked;
	struct server_facts facts;

	write_config(f, 1, ", colour: red");
	ask_reload(f->served.server, &asked);
	assert_true(asked.is_done);
	assert_int_equal(asked.err, -EINVAL);
	assert_non_null(strstr(asked.text, "colour"));
	server_describe(f->served.server, &facts);
	assert_int_equal(facts.config_generation, 1);
	assert_int_equal(facts.reload_failures, 1);
}

/* --- Reloads that take their time
 * ---------------------------------------------------------------*/

#define GEO(name) "geo: {databases: [" GEO_DATA "/" name "]}\n"

static void wait_for(struct fixture *f, const struct asked_reload *asked)
{
	for (unsigned i = 0; i < 1000 && !asked->is_done; i++)
		run_for(f, 5);
	assert_true(asked->is_done);
}

/* One that waits for the workers, and another behind it. */
static void ask_while_workers_are_held(struct fixture *f, struct hold holds[2],
				       struct asked_reload *first, struct asked_reload *second)
{
	hold_workers(f, holds);
	ask_reload(f->served.server, first);
	ask_reload(f->served.server, second);
}

static void a_reload_is_done_when_every_worker_serves_it(void **state)
{
	struct fixture *f = *state;
	struct asked_reload first, second;
	struct hold holds[2];

	ask_while_workers_are_held(f, holds, &first, &second);
	sem_post(&holds[0].go_on);
	run_for(f, 50);
	assert_false(first.is_done);
	sem_post(&holds[1].go_on);
	wait_for(f, &second);
	assert_true(first.is_done);
	assert_int_equal(first.err, 0);
	assert_string_equal(first.text, "");
	assert_int_equal(second.err, 0);
}

static void a_worker_that_hangs_does_not_hold_a_reload_up_for_ever(void **state)
{
	struct fixture *f = *state;
	struct asked_reload asked;
	struct hold holds[2];

	hold_workers(f, holds);
	ask_reload(f->served.server, &asked);
	wait_for(f, &asked);
	assert_int_equal(asked.err, 0);
	assert_non_null(strstr(asked.text, "busy"));
	release_workers(holds, ARRAY_SIZE(holds));
	reload_now(&f->served);
}

static void the_end_does_not_wait_for_who_takes_a_reload(void **state)
{
	struct fixture *f = *state;
	struct asked_reload first, second;
	struct hold holds[2];

	ask_while_workers_are_held(f, holds, &first, &second);
	server_drain(f->served.server, on_drained, &f->served);
	assert_true(first.is_done && second.is_done);
	assert_int_equal(first.err, 0);
	assert_int_equal(second.err, -ESHUTDOWN);
	release_workers(holds, ARRAY_SIZE(holds));
}

static void ask_with_databases(struct fixture *f, const char *databases, struct asked_reload *asked)
{
	f->databases = databases;
	write_config(f, f->origin_port, "");
	ask_reload(f->served.server, asked);
	assert_false(asked->is_done);
}

static void who_asks_while_a_reload_is_under_way_is_for_the_next(void **state)
{
	struct fixture *f = *state;
	struct asked_reload first, second, third;
	struct server_facts facts;

	ask_with_databases(f, GEO("city.mmdb"), &first);
	ask_reload(f->served.server, &second);
	ask_reload(f->served.server, &third);
	server_describe(f->served.server, &facts);
	assert_int_equal(facts.config_generation, 1);
	wait_for(f, &first);
	wait_for(f, &third);
	assert_int_equal(first.err, 0);
	assert_true(second.is_done);
	assert_int_equal(second.err, 0);
	server_describe(f->served.server, &facts);
	assert_int_equal(facts.config_generation, 3);
	assert_non_null(f->served.server->snapshot->places.geo);
}

static void note_begin(void *context)
{
	strbuf_append_str(context, "begin ");
}

static void note_end(void *context, int err, const char *text)
{
	(void)text;
	strbuf_append_str(context, err ? "failure " : "end ");
}

/* For each RELOADING=1 a service manager waits for one READY=1. */
static void a_watcher_hears_of_each_reload_once_however_many_ask(void **state)
{
	struct fixture *f = *state;
	struct strbuf heard = {};
	const struct server_reload_watch watch = {note_begin, note_end, &heard};
	struct asked_reload first, second, third;

	server_watch_reloads(f->served.server, &watch);
	ask_with_databases(f, GEO("city.mmdb"), &first);
	ask_reload(f->served.server, &second);
	ask_reload(f->served.server, &third);
	assert_string_equal(heard.text, "begin ");
	wait_for(f, &third);
	assert_string_equal(heard.text, "begin end begin end ");
	strbuf_done(&heard);
}

/* The file that is read is that of the order, not of the start of the one before. */
static void what_is_asked_for_meanwhile_is_what_is_in_force_then(void **state)
{
	struct fixture *f = *state;
	struct asked_reload first, second;
	struct server_facts facts;

	ask_with_databases(f, GEO("city.mmdb"), &first);
	f->databases = "";
	write_config(f, f->origin_port, ", colour: red");
	ask_reload(f->served.server, &second);
	wait_for(f, &second);
	assert_int_equal(first.err, 0);
	assert_int_equal(second.err, -EINVAL);
	assert_non_null(strstr(second.text, "colour"));
	server_describe(f->served.server, &facts);
	assert_int_equal(facts.config_generation, 2);
}

static void a_database_that_is_not_there_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct asked_reload asked;
	struct server_facts facts;

	ask_with_databases(f, GEO("nowhere.mmdb"), &asked);
	wait_for(f, &asked);
	assert_int_equal(asked.err, -EINVAL);
	assert_non_null(strstr(asked.text, "nowhere.mmdb"));
	server_describe(f->served.server, &facts);
	assert_int_equal(facts.config_generation, 1);
	assert_int_equal(facts.reload_failures, 1);
}

static void a_reload_that_the_end_overtakes_is_refused(void **state)
{
	struct fixture *f = *state;
	struct asked_reload first, second;

	ask_with_databases(f, GEO("city.mmdb"), &first);
	ask_reload(f->served.server, &second);
	server_drain(f->served.server, on_drained, &f->served);
	server_drain(f->served.server, on_drained, &f->served);
	run_for(f, 5000);
	assert_null(f->served.server);
	assert_true(first.is_done && second.is_done);
	assert_int_equal(first.err, -ESHUTDOWN);
	assert_int_equal(second.err, -ESHUTDOWN);
}

static bool is_over(const struct patience *patience)
{
	(void)patience;
	return true;
}

static void a_start_ends_where_nobody_waits_for_its_databases(void **state)
{
	const struct patience over = {is_over};
	struct fixture *f = *state;
	struct strbuf errors = {};
	struct server *server;
	struct config *config;

	f->databases = GEO("city.mmdb");
	write_config(f, f->origin_port, "");
	assert_int_equal(config_load(f->path, &config, &errors), 0);
	assert_int_equal(server_start(config, f->served.loop, NULL, &over, &server, &errors),
			 -ECANCELED);
	assert_int_equal(errors.len, 0);
	config_free(config);
}

struct listed {
	struct fixture *fixture;
	size_t count;
	char state[16];
};

static void on_listed(const struct connection_row *rows, size_t count, uint64_t total,
		      void *context)
{
	struct listed *listed = context;

	assert_int_equal(count, total);
	listed->count = count;
	if (count)
		snprintf(listed->state, sizeof(listed->state), "%s",
			 connection_state_name(rows[0].state));
	io_loop_stop(listed->fixture->served.loop);
}

static void open_connections_are_listed(void **state)
{
	struct fixture *f = *state;
	struct listed listed = {.fixture = f};
	int client = connect_client(f), backend = accept_backend(f);

	/* The backend has accepted before the worker knows that its connect is done. */
	for (unsigned i = 0; i < 100 && strcmp(listed.state, "relay") != 0; i++) {
		assert_int_equal(server_list_connections(f->served.server, 10, on_listed, &listed),
				 0);
		assert_int_equal(io_loop_run(f->served.loop), 0);
	}
	assert_int_equal(listed.count, 1);
	assert_string_equal(listed.state, "relay");
	close(client);
	close(backend);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	static const char *const backends[] = {"epoll", "auto"};
	const struct CMUnitTest tests[] = {
		EACH(bytes_pass_both_ways_and_fin_passes_each_way),
		EACH(reset_by_the_backend_reaches_the_client),
		EACH(connections_survive_reloads),
		EACH(a_second_drain_ends_those_too_that_wait_for_a_place),
		EACH(a_source_address_that_is_not_ours_fails_at_once_and_names_the_endpoint),
		EACH(bad_configuration_changes_nothing),
		EACH(a_reload_is_done_when_every_worker_serves_it),
		EACH(a_worker_that_hangs_does_not_hold_a_reload_up_for_ever),
		EACH(the_end_does_not_wait_for_who_takes_a_reload),
		EACH(who_asks_while_a_reload_is_under_way_is_for_the_next),
		EACH(a_watcher_hears_of_each_reload_once_however_many_ask),
		EACH(what_is_asked_for_meanwhile_is_what_is_in_force_then),
		EACH(a_database_that_is_not_there_changes_nothing),
		EACH(a_reload_that_the_end_overtakes_is_refused),
		EACH(a_start_ends_where_nobody_waits_for_its_databases),
		EACH(open_connections_are_listed),
	};
	int failed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
		backend_name = backends[i];
		failed += cmocka_run_group_tests_name(backends[i], tests, NULL, NULL);
	}
	return failed;
}
