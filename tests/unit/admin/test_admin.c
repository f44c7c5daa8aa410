// SPDX-License-Identifier: Apache-2.0
/* The ports from outside: a client in a thread of its own talks to a loop that runs in the test. */
#include "admin/admin_internal.h"
#include "unit/admin/fake_server.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define DEADLINE_MS 20000

struct fixture {
	struct server server;
	struct config config;
	struct io_loop *loop;
	struct admin *admin;
	struct io_message over; /* the client is done */
	char directory[64], path[96];
	const char *failure; /* in the client's thread, where cmocka must not jump */
	void (*client)(struct fixture *fixture);
	int reload_result;
	const char *reload_text;
	bool is_reload_slow; /* it ends when the client posts @end_reload */
	struct io_message end_reload;
	struct server_reload *asked;
	struct io_message meeting;
	sem_t has_met;
};

static const enum io_backend backends[] = {IO_BACKEND_EPOLL, IO_BACKEND_URING};

static void end_reload(struct fixture *fixture)
{
	fixture->server.generation += fixture->reload_result == 0;
	fixture->asked->on_done(fixture->asked, fixture->reload_result, fixture->reload_text);
}

static void on_end_reload(struct io_message *message)
{
	end_reload(container_of(message, struct fixture, end_reload));
}

static void on_reload(void *context, struct server_reload *reload)
{
	struct fixture *fixture = context;

	fixture->asked = reload;
	if (!fixture->is_reload_slow)
		end_reload(fixture);
}

static void on_meeting(struct io_message *message)
{
	sem_post(&container_of(message, struct fixture, meeting)->has_met);
}

/* What one of the two threads did before, the other sees behind it: around what both touch. */
static void meet(struct fixture *fixture)
{
	fixture->meeting.on_message = on_meeting;
	io_loop_post(fixture->loop, &fixture->meeting);
	while (sem_wait(&fixture->has_met) < 0)
		continue;
}

/* --- The client's side -------------------------------------------------------- */

static void note(struct fixture *fixture, const char *failure)
{
	if (!fixture->failure)
		fixture->failure = failure;
}

static int dial(const struct address *address)
{
	int fd = socket(address->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, &address->sa, address->len) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static int dial_control(const struct fixture *fixture)
{
	struct strbuf text = {0};
	struct address address;
	int fd = -1;

	strbuf_printf(&text, "unix:%s", fixture->path);
	if (address_parse(slice_from_str(text.text), &address) == 0)
		fd = dial(&address);
	strbuf_done(&text);
	return fd;
}

static int dial_http(const struct fixture *fixture)
{
	struct address address;

	if (socket_local(fixture->admin->http.fd, &address) < 0)
		return -1;
	return dial(&address);
}

static void say(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

/* Reads until @stop stands in the text (NULL: until the end). Return: free() it. */
static char *hear(int fd, const char *stop)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	struct strbuf text = {0};
	char bytes[4096];
	ssize_t n = 1;

	strbuf_append_str(&text, "");
	while (!(stop && strstr(text.text, stop)) && n > 0 && poll(&pollfd, 1, DEADLINE_MS) == 1) {
		n = recv(fd, bytes, stop ? 1 : sizeof(bytes), 0);
		if (n > 0)
			strbuf_append(&text, slice_of(bytes, (size_t)n));
	}
	return strbuf_take(&text);
}

static void expect(struct fixture *fixture, int fd, const char *request, const char *answer)
{
	char *text;

	say(fd, request);
	text = hear(fd, "\n");
	if (strcmp(text, answer) != 0) {
		fprintf(stderr, "%s gave %s", request, text);
		note(fixture, request);
	}
	free(text);
}

static void expect_end(struct fixture *fixture, int fd, const char *what)
{
	char *text = hear(fd, NULL);

	if (*text)
		note(fixture, what);
	free(text);
	close(fd);
}

static void *run_client(void *context)
{
	struct fixture *fixture = context;

	fixture->client(fixture);
	io_loop_post(fixture->loop, &fixture->over);
	return NULL;
}

/* --- The daemon's side ---------------------------------------------------------- */

static void on_admin_stopped(void *context)
{
	struct fixture *fixture = context;

	io_loop_stop(fixture->loop);
}

static void on_over(struct io_message *message)
{
	struct fixture *fixture = container_of(message, struct fixture, over);

	admin_stop(fixture->admin, on_admin_stopped, fixture);
}

static void set_up(struct fixture *fixture, enum io_backend backend)
{
	struct admin_actions actions = {.reload = on_reload, .context = fixture};
	struct io_options options = {.backend = backend};
	struct strbuf errors = {0};

	memset(fixture, 0, sizeof(*fixture));
	fake_server_init(&fixture->server);
	strcpy(fixture->directory, "/tmp/sluice-admin-test-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->path, sizeof(fixture->path), "%s/run/socket", fixture->directory);
	fixture->config.admin.socket = fixture->path;
	fixture->config.admin.socket_mode = 0640;
	fixture->reload_text = "";
	fixture->over.on_message = on_over;
	sem_init(&fixture->has_met, 0, 0);
	assert_int_equal(
		address_parse(slice_from_str("127.0.0.1:0"), &fixture->config.admin.listen), 0);
	assert_int_equal(io_loop_new(&options, &fixture->loop), 0);
	if (admin_open(&fixture->config, &fixture->admin, &errors) < 0)
		fail_msg("%s", errors.text);
	admin_start(fixture->admin, fixture->loop, &fixture->server, &actions);
}

static void tear_down(struct fixture *fixture)
{
	char run[96];

	admin_free(fixture->admin);
	io_loop_free(fixture->loop);
	sem_destroy(&fixture->has_met);
	snprintf(run, sizeof(run), "%s/run", fixture->directory);
	assert_int_equal(access(fixture->path, F_OK), -1);
	rmdir(run);
	rmdir(fixture->directory);
}

static bool has_uring(void)
{
	struct io_options options = {.backend = IO_BACKEND_URING};
	struct io_loop *loop;

	if (io_loop_new(&options, &loop) < 0)
		return false;
	io_loop_free(loop);
	return true;
}

/* Runs @client against the admin room on both back ends. */
static void run(void (*client)(struct fixture *fixture))
{
	for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
		struct fixture fixture;
		pthread_t thread;

		if (backends[i] == IO_BACKEND_URING && !has_uring())
			continue;
		set_up(&fixture, backends[i]);
		fixture.client = client;
		assert_int_equal(pthread_create(&thread, NULL, run_client, &fixture), 0);
		assert_int_equal(io_loop_run(fixture.loop), 0);
		pthread_join(thread, NULL);
		tear_down(&fixture);
		if (fixture.failure)
			fail_msg("%s: %s", io_backend_name(backends[i]), fixture.failure);
	}
}

/* --- The control socket ------------------------------------------------------------ */

#define PING "{\"v\":1,\"command\":\"ping\"}\n"
#define PONG "{\"v\":1,\"ok\":true,\"result\":{}}\n"

static void ping(struct fixture *fixture)
{
	int fd = dial_control(fixture);
	struct stat facts;

	if (stat(fixture->path, &facts) < 0 || (facts.st_mode & 0777) != 0640)
		note(fixture, "the socket's mode");
	expect(fixture, fd, PING, PONG);
	expect(fixture, fd, PING, PONG);
	close(fd);
}

static void a_connection_asks_as_often_as_it_likes(void **state)
{
	(void)state;
	run(ping);
}

static void ask_bytewise(struct fixture *fixture)
{
	int fd = dial_control(fixture);

	for (const char *p = PING; p[1]; p++)
		say(fd, (char[]){*p, '\0'});
	expect(fixture, fd, "\n", PONG);
	close(fd);
}

static void requests_may_come_byte_by_byte(void **state)
{
	(void)state;
	run(ask_bytewise);
}

static void ask_pipelined(struct fixture *fixture)
{
	int fd = dial_control(fixture);
	char *text;

	say(fd, PING PING PING);
	shutdown(fd, SHUT_WR);
	text = hear(fd, NULL);
	if (strcmp(text, PONG PONG PONG) != 0)
		note(fixture, text);
	free(text);
	close(fd);
}

static void pipelined_requests_are_answered_in_turn_before_the_end(void **state)
{
	(void)state;
	run(ask_pipelined);
}

static void ask_nonsense(struct fixture *fixture)
{
	int fd = dial_control(fixture);

	expect(fixture, fd, "{\"v\":9,\"command\":\"ping\"}\n",
	       "{\"v\":1,\"ok\":false,\"error\":{\"code\":\"bad_version\","
	       "\"message\":\"\\\"v\\\" must be 1\"}}\n");
	expect(fixture, fd, PING, PONG);
	close(fd);
}

static void an_error_does_not_end_the_connection(void **state)
{
	(void)state;
	run(ask_nonsense);
}

static void ask_too_much(struct fixture *fixture)
{
	int fd = dial_control(fixture);
	char *line = malloc(CONTROL_REQUEST_MAX + 2);

	memset(line, 'x', CONTROL_REQUEST_MAX + 1);
	line[CONTROL_REQUEST_MAX + 1] = '\0';
	expect(fixture, fd, line,
	       "{\"v\":1,\"ok\":false,\"error\":{\"code\":\"too_large\","
	       "\"message\":\"a request may have 65536 bytes\"}}\n");
	expect_end(fixture, fd, "the connection goes on after too_large");
	free(line);
}

static void an_endless_line_ends_the_connection(void **state)
{
	(void)state;
	run(ask_too_much);
}

static void steer(struct fixture *fixture)
{
	struct endpoint *endpoints = fixture->server.pool.endpoints;
	int fd = dial_control(fixture);
	char *text;

	say(fd, "{\"v\":1,\"command\":\"endpoint\",\"pool\":\"app\","
		"\"endpoint\":\"10.0.0.2:80\",\"action\":\"drain\"}\n");
	text = hear(fd, "\n");
	if (!strstr(text, "\"ok\":true") || !strstr(text, "\"admin\":\"drain\""))
		note(fixture, "drain");
	free(text);
	meet(fixture);
	if (atomic_load(&endpoints[0].admin) != ENDPOINT_READY ||
	    atomic_load(&endpoints[1].admin) != ENDPOINT_DRAIN ||
	    fixture->server.pool.touched != 1 || fixture->server.refreshed != 1)
		note(fixture, "drain reached the wrong endpoint");
	expect(fixture, fd,
	       "{\"v\":1,\"command\":\"endpoint\",\"pool\":\"app\",\"endpoint\":\"x\","
	       "\"action\":\"weight\",\"weight\":3}\n",
	       "{\"v\":1,\"ok\":false,\"error\":{\"code\":\"not_found\","
	       "\"message\":\"there is no endpoint \\\"x\\\" in pool app\"}}\n");
	expect(fixture, fd,
	       "{\"v\":1,\"command\":\"endpoint\",\"pool\":\"p\",\"endpoint\":\"x\","
	       "\"action\":\"ready\"}\n",
	       "{\"v\":1,\"ok\":false,\"error\":{\"code\":\"not_found\","
	       "\"message\":\"there is no pool \\\"p\\\"\"}}\n");
	close(fd);
}

static void orders_reach_the_endpoint_they_name(void **state)
{
	(void)state;
	run(steer);
}

static void reload(struct fixture *fixture)
{
	int fd = dial_control(fixture);

	fixture->reload_text = "workers: needs a restart\n";
	meet(fixture);
	expect(fixture, fd, "{\"v\":1,\"command\":\"reload\"}\n",
	       "{\"v\":1,\"ok\":true,\"result\":{\"generation\":2,"
	       "\"warnings\":\"workers: needs a restart\\u000a\",\"pending\":\"\"}}\n");
	meet(fixture);
	fixture->reload_result = -EINVAL;
	fixture->reload_text = "f:1:2: bad\n";
	meet(fixture);
	expect(fixture, fd, "{\"v\":1,\"command\":\"reload\"}\n",
	       "{\"v\":1,\"ok\":false,\"error\":{\"code\":\"reload_failed\","
	       "\"message\":\"f:1:2: bad\\u000a\"}}\n");
	close(fd);
}

static void reload_slowly(struct fixture *fixture)
{
	int fd = dial_control(fixture), other = dial_control(fixture);
	struct pollfd waiting = {.fd = fd, .events = POLLIN};

	fixture->is_reload_slow = true;
	fixture->end_reload.on_message = on_end_reload;
	meet(fixture);
	say(fd, "{\"v\":1,\"command\":\"reload\"}\n");
	if (poll(&waiting, 1, 50) != 0)
		note(fixture, "the reload is answered before it is done");
	expect(fixture, other, "{\"v\":1,\"command\":\"ping\"}\n",
	       "{\"v\":1,\"ok\":true,\"result\":{}}\n");
	io_loop_post(fixture->loop, &fixture->end_reload);
	expect(fixture, fd, "",
	       "{\"v\":1,\"ok\":true,\"result\":{\"generation\":2,\"warnings\":\"\",\"pending\":"
	       "\"\"}}\n");
	close(other);
	close(fd);
}

static void others_are_answered_while_a_reload_goes_on(void **state)
{
	(void)state;
	run(reload_slowly);
}

static void reload_passes_on_what_it_says(void **state)
{
	(void)state;
	run(reload);
}

#define COUNTRIES GEO_DATA "/country.mmdb"
#define SYSTEMS   GEO_DATA "/asn.mmdb"
#define BUILT     "\"built\":\"2023-11-14T22:13:20.000000Z\","
#define NOTHING   "\"country\":\"\",\"continent\":\"\",\"asn\":0,\"organisation\":\"\""

static void look_at_places(struct fixture *fixture)
{
	static const char *const paths[] = {COUNTRIES, SYSTEMS};
	struct strbuf errors = {};
	int fd = dial_control(fixture);

	expect(fixture, fd, "{\"v\":1,\"command\":\"geo\"}\n",
	       "{\"v\":1,\"ok\":false,\"error\":{\"code\":\"not_found\",\"message\":\"there are "
	       "no databases of places: the configuration has no geo.databases\"}}\n");
	meet(fixture);
	if (geo_open(paths, ARRAY_SIZE(paths), &fixture->server.geo, &errors))
		note(fixture, "the databases cannot be opened");
	meet(fixture);
	expect(fixture, fd, "{\"v\":1,\"command\":\"geo\",\"addresses\":[\"192.0.2.1\",\"::1\"]}\n",
	       "{\"v\":1,\"ok\":true,\"result\":{\"databases\":["
	       "{\"path\":\"" COUNTRIES "\",\"type\":\"Test-Country\"," BUILT
	       "\"has_country\":true,\"has_continent\":true,\"has_asn\":false,"
	       "\"has_point\":false},"
	       "{\"path\":\"" SYSTEMS "\",\"type\":\"Test-ASN\"," BUILT
	       "\"has_country\":false,\"has_continent\":false,\"has_asn\":true,"
	       "\"has_point\":false}],\"addresses\":["
	       "{\"address\":\"192.0.2.1\",\"country\":\"DE\",\"continent\":\"EU\","
	       "\"asn\":64500,\"organisation\":\"Example Net\",\"databases\":["
	       "{\"path\":\"" COUNTRIES "\"," BUILT "\"country\":\"DE\",\"continent\":\"EU\","
	       "\"asn\":0,\"organisation\":\"\"},"
	       "{\"path\":\"" SYSTEMS "\"," BUILT "\"country\":\"\",\"continent\":\"\","
	       "\"asn\":64500,\"organisation\":\"Example Net\"}]},"
	       "{\"address\":\"::1\"," NOTHING ",\"databases\":[]}]}}\n");
	meet(fixture);
	geo_unref(fixture->server.geo);
	close(fd);
}

static void what_databases_say_is_told_with_who_says_it(void **state)
{
	(void)state;
	run(look_at_places);
}

/* Every view is one object with the member that the documentation names. */
static void look(struct fixture *fixture)
{
	static const char *const views[][2] = {
		{"version", "protocol"},    {"status", "connections_active"},
		{"listeners", "listeners"}, {"pools", "pools"},
		{"connections", "total"},   {"metrics", "text"},
		{"services", "services"},
	};
	int fd = dial_control(fixture);

	for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
		char request[64], *text;
		json_t *answer;

		snprintf(request, sizeof(request), "{\"v\":1,\"command\":\"%s\"}\n", views[i][0]);
		say(fd, request);
		text = hear(fd, "\n");
		answer = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
		if (!json_object_get(json_object_get(answer, "result"), views[i][1]))
			note(fixture, views[i][0]);
		json_decref(answer);
		free(text);
	}
	close(fd);
}

static void look_at_services(struct fixture *fixture)
{
	int fd = dial_control(fixture);
	char *text;
	json_t *answer, *service, *endpoint;

	say(fd, "{\"v\":1,\"command\":\"services\"}\n");
	text = hear(fd, "\n");
	answer = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	service = json_array_get(json_object_get(json_object_get(answer, "result"), "services"), 0);
	if (strcmp(json_string_value(json_object_get(service, "address")), "192.0.2.53:53-54/udp"))
		note(fixture, "address");
	if (strcmp(json_string_value(json_object_get(service, "forward")), "gue"))
		note(fixture, "forward");
	if (json_integer_value(json_object_get(service, "packets_in")) != 30 ||
	    json_integer_value(json_object_get(json_object_get(service, "drops"), "rate")) != 8)
		note(fixture, "counts");
	if (json_array_size(json_object_get(service, "endpoints")) != 2)
		note(fixture, "endpoints");
	endpoint = json_array_get(json_object_get(service, "endpoints"), 0);
	if (strcmp(json_string_value(json_object_get(endpoint, "pool")), "app"))
		note(fixture, "pool");
	if (!json_is_true(json_object_get(endpoint, "misses_answers")))
		note(fixture, "misses_answers");
	json_decref(answer);
	free(text);
	close(fd);
}

static void services_show_addresses_and_endpoints(void **state)
{
	(void)state;
	run(look_at_services);
}

static void every_view_is_json(void **state)
{
	(void)state;
	run(look);
}

static void count_connections(struct fixture *fixture, int fd, const char *members, size_t shown,
			      size_t matched)
{
	json_t *answer, *result;
	char request[128], *text;

	snprintf(request, sizeof(request), "{\"v\":1,\"command\":\"connections\"%s}\n", members);
	say(fd, request);
	text = hear(fd, "\n");
	answer = json_loads(text, 0, NULL);
	result = json_object_get(answer, "result");
	if (json_array_size(json_object_get(result, "connections")) != shown ||
	    json_integer_value(json_object_get(result, "matched")) != (json_int_t)matched)
		note(fixture, members);
	json_decref(answer);
	free(text);
}

static void filter(struct fixture *fixture)
{
	int fd = dial_control(fixture);

	count_connections(fixture, fd, "", 3, 3);
	count_connections(fixture, fd, ",\"limit\":1", 1, 3);
	meet(fixture);
	if (fixture->server.limit_asked != 1)
		note(fixture, "without a filter the limit goes to the workers");
	meet(fixture);
	count_connections(fixture, fd, ",\"state\":\"relay\",\"limit\":1", 1, 2);
	count_connections(fixture, fd, ",\"endpoint\":\"b.internal:80\"", 1, 1);
	count_connections(fixture, fd, ",\"listener\":\"web\",\"pool\":\"app\"", 3, 3);
	count_connections(fixture, fd, ",\"listener\":\"other\"", 0, 0);
	close(fd);
}

static void connections_are_filtered(void **state)
{
	(void)state;
	run(filter);
}

/* The answer is due when the client has long gone: the rows must find nobody, and no harm is done.
 */
static void leave_early(struct fixture *fixture)
{
	int fd = dial_control(fixture);

	fixture->server.is_slow = true;
	meet(fixture);
	say(fd, "{\"v\":1,\"command\":\"connections\"}\n");
	close(fd);
	/* The next connection is served while the first is held. */
	fd = dial_control(fixture);
	expect(fixture, fd, PING, PONG);
	close(fd);
}

static void on_over_answer_late(struct io_message *message)
{
	struct fixture *fixture = container_of(message, struct fixture, over);
	struct server *server = &fixture->server;

	admin_stop(fixture->admin, on_admin_stopped, fixture);
	if (server->on_done)
		server->on_done(server->rows, 1, 1, server->context);
}

static void an_answer_may_come_after_the_client_left(void **state)
{
	struct fixture fixture;
	pthread_t thread;

	(void)state;
	set_up(&fixture, IO_BACKEND_EPOLL);
	fixture.over.on_message = on_over_answer_late;
	fixture.client = leave_early;
	assert_int_equal(pthread_create(&thread, NULL, run_client, &fixture), 0);
	assert_int_equal(io_loop_run(fixture.loop), 0);
	pthread_join(thread, NULL);
	assert_non_null(fixture.server.on_done);
	tear_down(&fixture);
	assert_null(fixture.failure);
}

static void crowd(struct fixture *fixture)
{
	int fds[40];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial_control(fixture);
		expect(fixture, fds[i], PING, PONG);
		expect(fixture, fds[0], PING, PONG);
	}
	/* With 31 of them there is a place for the next one. */
	for (size_t i = 1; i < 10; i++)
		expect_end(fixture, fds[i], "who was idle for longest stays");
	for (size_t i = 10; i < ARRAY_SIZE(fds); i++)
		expect(fixture, fds[i], PING, PONG);
	for (size_t i = 10; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	expect(fixture, fds[0], PING, PONG);
	close(fds[0]);
}

static void who_is_idle_for_longest_gives_way_to_the_32nd(void **state)
{
	(void)state;
	run(crowd);
}

/* --- HTTP --------------------------------------------------------------------------- */

static void scrape(struct fixture *fixture)
{
	static const char get[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
	static const char last[] = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	int fd = dial_http(fixture);
	char *text;

	say(fd, get);
	text = hear(fd, "serving\n");
	if (!strstr(text, "200 OK"))
		note(fixture, "healthz");
	free(text);
	say(fd, last);
	text = hear(fd, NULL);
	if (!strstr(text, "sluice_endpoint_sent_bytes_total"))
		note(fixture, "metrics");
	free(text);
	close(fd);
}

static void http_connections_are_kept_until_told(void **state)
{
	(void)state;
	run(scrape);
}

static void flood_head(struct fixture *fixture)
{
	static const char start[] = "GET / HTTP/1.1\r\nHost: x\r\nX: ";
	int fd = dial_http(fixture);
	char *filler = malloc(20001), *text;

	memset(filler, 'a', 20000);
	filler[20000] = '\0';
	say(fd, start);
	say(fd, filler);
	text = hear(fd, NULL);
	if (!strstr(text, "HTTP/1.1 431 "))
		note(fixture, "an endless head is not refused");
	free(text);
	free(filler);
	close(fd);
}

static void an_endless_head_is_refused(void **state)
{
	(void)state;
	run(flood_head);
}

/* --- Opening ------------------------------------------------------------------------- */

static void what_cannot_be_opened_is_named(void **state)
{
	struct config config = {.admin = {.socket = "/proc/nowhere/socket"}};
	struct strbuf errors = {0};
	struct admin *admin;

	(void)state;
	assert_true(admin_open(&config, &admin, &errors) < 0);
	assert_non_null(strstr(errors.text, "admin.socket: /proc/nowhere/socket: No such file or "
					    "directory; its directory is missing"));
	strbuf_done(&errors);
}

static void what_was_not_started_leaves_nothing(void **state)
{
	char path[] = "/tmp/sluice-admin-test-XXXXXX";
	struct config config = {.admin = {.socket = path, .socket_mode = 0600}};
	struct strbuf errors = {0};
	struct admin *admin;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(admin_open(&config, &admin, &errors), 0);
	assert_int_equal(access(path, F_OK), 0);
	admin_free(admin);
	assert_int_equal(access(path, F_OK), -1);
	strbuf_done(&errors);
}

/* As if taken away by hand, and bound by the next daemon. */
static void anothers_socket_stays(void **state)
{
	char path[] = "/tmp/sluice-admin-test-XXXXXX", aside[64];
	struct config config = {.admin = {.socket = path, .socket_mode = 0600}};
	struct strbuf errors = {0};
	struct admin *admin, *other;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(unlink(path), 0);
	snprintf(aside, sizeof(aside), "%s.aside", path);
	assert_int_equal(admin_open(&config, &admin, &errors), 0);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(admin_open(&config, &other, &errors), 0);
	admin_free(admin);
	assert_int_equal(access(path, F_OK), 0);
	admin_free(other);
	assert_int_equal(access(path, F_OK), -1);
	unlink(aside);
	strbuf_done(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_asks_as_often_as_it_likes),
		cmocka_unit_test(requests_may_come_byte_by_byte),
		cmocka_unit_test(pipelined_requests_are_answered_in_turn_before_the_end),
		cmocka_unit_test(an_error_does_not_end_the_connection),
		cmocka_unit_test(an_endless_line_ends_the_connection),
		cmocka_unit_test(orders_reach_the_endpoint_they_name),
		cmocka_unit_test(reload_passes_on_what_it_says),
		cmocka_unit_test(others_are_answered_while_a_reload_goes_on),
		cmocka_unit_test(every_view_is_json),
		cmocka_unit_test(services_show_addresses_and_endpoints),
		cmocka_unit_test(what_databases_say_is_told_with_who_says_it),
		cmocka_unit_test(connections_are_filtered),
		cmocka_unit_test(an_answer_may_come_after_the_client_left),
		cmocka_unit_test(who_is_idle_for_longest_gives_way_to_the_32nd),
		cmocka_unit_test(http_connections_are_kept_until_told),
		cmocka_unit_test(an_endless_head_is_refused),
		cmocka_unit_test(what_cannot_be_opened_is_named),
		cmocka_unit_test(what_was_not_started_leaves_nothing),
		cmocka_unit_test(anothers_socket_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
