// SPDX-License-Identifier: Apache-2.0
/* Memory or descriptors run out in the middle of a reload, at each place in its turn: it is in
 * force with every worker, or it is refused and all is as it was. */
#include "proxy/server_internal.h"
#include "unit/denied_allocations.h"
#include "unit/proxy/server_fixture.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

/* --- Allocations ----------------------------------------------------------------------- */

static atomic_int left = INT_MAX; /* until one fails, of any thread's, and only that */

static bool is_denied(void)
{
	return atomic_load(&left) != INT_MAX && atomic_fetch_sub(&left, 1) == 0;
}

/* Return: whether there were so many. */
static bool disarm(void)
{
	return atomic_exchange(&left, INT_MAX) < 0;
}

/* --- The server ------------------------------------------------------------------------ */

struct fixture {
	struct served served;
	char directory[32], path[64];
	int origin;
	uint16_t origin_port;
};

/* @more: a listener that the configuration before does not have, on each worker. */
static void write_config(struct fixture *f, const char *more)
{
	FILE *file = fopen(f->path, "w");

	assert_non_null(file);
	fprintf(file,
		"workers: 2\nadmin: {socket: \"off\"}\nacceleration: {mode: \"off\"}\n"
		"listeners:\n- {name: web, bind: \"127.0.0.1:0\", mode: http, pool: origin}\n%s"
		"pools:\n- {name: origin, endpoints: [\"127.0.0.1:%u\"], balance: maglev}\n",
		more, f->origin_port);
	fclose(file);
}

static const char more[] = "- {name: more, bind: \"127.0.0.2:0\", mode: tcp, pool: origin}\n";

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->directory, "/tmp/sluice-server-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(f->path, sizeof(f->path), "%s/sluice.yaml", f->directory);
	f->origin = listen_on_loopback(&f->origin_port);
	write_config(f, "");
	serve_file(&f->served, f->path);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	end_serving(&f->served);
	close(f->origin);
	unlink(f->path);
	rmdir(f->directory);
	free(f);
	return 0;
}

static void wait_done(struct fixture *f, const struct asked_reload *asked)
{
	for (unsigned i = 0; i < 1000 && !asked->is_done; i++)
		run_loop_for(f->served.loop, 2);
	assert_true(asked->is_done);
}

/* Return: whether it is in force. */
static bool assert_whole_or_refused(const struct fixture *f, const struct asked_reload *asked,
				    uint32_t generation_before)
{
	const struct server *server = f->served.server;
	bool is_in_force = asked->err == 0;

	assert_int_equal(server->snapshot->generation, generation_before + is_in_force);
	for (uint32_t w = 0; w < server->nworkers; w++)
		assert_ptr_equal(server->workers[w]->view->snapshot, server->snapshot);
	assert_int_equal(server->snapshot->config->nlisteners, is_in_force ? 2 : 1);
	return is_in_force;
}

static void reload_to_fewer(struct fixture *f)
{
	write_config(f, "");
	reload_now(&f->served);
	write_config(f, more);
}

/* --- Facts ----------------------------------------------------------------------------- */

static bool survives_denial(struct fixture *f, int nth)
{
	struct asked_reload asked;
	uint32_t generation;
	bool was_denied;

	reload_to_fewer(f);
	generation = f->served.server->snapshot->generation;
	atomic_store(&left, nth);
	ask_reload(f->served.server, &asked);
	wait_done(f, &asked);
	was_denied = disarm();
	assert_whole_or_refused(f, &asked, generation);
	return was_denied;
}

static void a_reload_without_memory_is_whole_or_refused(void **state)
{
	int nth = 0;

	while (survives_denial(*state, nth))
		nth++;
	assert_true(nth > 30);
}

static rlim_t count_descriptors(void)
{
	int next = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(next);
	return (rlim_t)next;
}

/* With @spare descriptors. Return: whether they sufficed. */
static bool reloads_with(struct fixture *f, rlim_t spare)
{
	struct asked_reload asked;
	struct rlimit plenty, scarce;
	uint32_t generation;

	reload_to_fewer(f);
	run_loop_for(f->served.loop, 20);
	generation = f->served.server->snapshot->generation;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &plenty), 0);
	scarce = plenty;
	scarce.rlim_cur = count_descriptors() + spare;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &scarce), 0);
	ask_reload(f->served.server, &asked);
	wait_done(f, &asked);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &plenty), 0);
	return assert_whole_or_refused(f, &asked, generation);
}

static void a_reload_without_descriptors_is_whole_or_refused(void **state)
{
	rlim_t spare = 0;

	while (!reloads_with(*state, spare))
		spare++;
	assert_true(spare >= 2); /* a socket a worker */
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(a_reload_without_memory_is_whole_or_refused),
		EACH(a_reload_without_descriptors_is_whole_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
