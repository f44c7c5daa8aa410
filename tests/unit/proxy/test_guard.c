// SPDX-License-Identifier: Apache-2.0
/* What the guard takes up and what it leaves alone, before a kernel that may refuse. */
#include "config/config.h"
#include "fastpath/guard_maps.h"
#include "io/loop.h"
#include "proxy/guard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* --- The packet programs' tables -------------------------------------------------- */

static struct kernel {
	int make_err, use_err;
	int services_err, lists_err, settings_err; /* the next time, with some of it written */
	struct guard_settings settings;
	unsigned lists, services;               /* how often they were written */
	int nopen;                              /* lists made and not let go */
	int nmade, lines;                       /* which of them is there; 0: some of it */
	const struct guard_services *listeners; /* likewise; NULL */
} kernel;

static int once(int *err)
{
	int taken = *err;

	*err = 0;
	return taken;
}

uint32_t __wrap_guard_maps_buckets(const struct guard_maps *maps)
{
	(void)maps;
	return 4;
}

int __wrap_guard_maps_make_sources(const struct guard_maps *maps)
{
	(void)maps;
	return 0;
}

int __wrap_guard_maps_set(const struct guard_maps *maps, const struct guard_settings *settings)
{
	(void)maps;
	if (kernel.settings_err)
		return once(&kernel.settings_err);
	kernel.settings = *settings;
	return 0;
}

int __wrap_guard_maps_set_services(const struct guard_maps *maps,
				   const struct guard_services *services)
{
	(void)maps;
	kernel.listeners = kernel.services_err ? NULL : services;
	kernel.services += !kernel.services_err;
	return once(&kernel.services_err);
}

int __wrap_guard_map_lists_make(const struct guard_table *table, struct guard_map_lists *ret)
{
	(void)table;
	if (kernel.make_err)
		return kernel.make_err;
	kernel.nopen++;
	*ret = (struct guard_map_lists){
		.lines = ++kernel.nmade, .pages6 = -1, .flags = GUARD_HAS_LIST4};
	return 0;
}

void __wrap_guard_map_lists_done(struct guard_map_lists *lists)
{
	(void)lists;
	kernel.nopen--;
}

int __wrap_guard_maps_use_lists(const struct guard_maps *maps, const struct guard_map_lists *lists)
{
	(void)maps;
	if (kernel.use_err)
		return kernel.use_err;
	kernel.lines = kernel.lists_err ? 0 : lists->lines;
	kernel.lists += !kernel.lists_err;
	return once(&kernel.lists_err);
}

int __wrap_guard_maps_ban(const struct guard_maps *maps, const uint8_t key[16], uint64_t until_ns)
{
	(void)maps;
	(void)key;
	(void)until_ns;
	return 0;
}

void __wrap_guard_maps_counts(const struct guard_maps *maps, struct guard_count ret[GUARD_COUNTS])
{
	(void)maps;
	memset(ret, 0, GUARD_COUNTS * sizeof(*ret));
}

/* --- The guard -------------------------------------------------------------------- */

struct fixture {
	struct io_loop *loop;
	struct guard *guard;
	struct config *config; /* of prepare() */
	struct strbuf errors;
	char path[32];
};

/* A file of @lines is blocked. */
static int prepare(struct fixture *f, const char *mode, unsigned syns, const char *lines,
		   struct guard_change **ret)
{
	struct strbuf text = {};
	FILE *file = fopen(f->path, "w");

	assert_non_null(file);
	fputs(lines, file);
	fclose(file);
	strbuf_printf(&text,
		      "guard: {mode: %s, block: [%s], source: {syns: %u}}\n"
		      "listeners: [{name: web, mode: tcp, bind: '127.0.0.1:80', pool: p}]\n"
		      "pools: [{name: p, endpoints: ['127.0.0.1:81']}]\n",
		      mode, f->path, syns);
	config_free(f->config);
	if (config_parse("t", slice_of(text.text, text.len), &f->config, &f->errors))
		fail_msg("%s", f->errors.text);
	strbuf_done(&text);
	return guard_prepare(f->guard, f->config, ret, &f->errors);
}

static void apply(struct fixture *f, const char *mode, unsigned syns, const char *lines)
{
	struct guard_change *change;

	assert_int_equal(prepare(f, mode, syns, lines, &change), 0);
	assert_int_equal(guard_commit(f->guard, change), 0);
}

static int set_up(void **state)
{
	const struct io_options options = {.backend = IO_BACKEND_EPOLL};
	struct fixture *f = calloc(1, sizeof(*f));
	int fd;

	kernel = (struct kernel){};
	strcpy(f->path, "/tmp/sluice-guard-XXXXXX");
	fd = mkstemp(f->path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(io_loop_new(&options, &f->loop), 0);
	assert_int_equal(guard_new(f->loop, &f->guard), 0);
	guard_use_packets(f->guard, (const struct guard_maps *)&kernel);
	apply(f, "enforce", 100, "192.0.2.0/24\n");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	guard_free(f->guard);
	assert_int_equal(kernel.nopen, 0);
	config_free(f->config);
	io_loop_free(f->loop);
	strbuf_done(&f->errors);
	unlink(f->path);
	free(f);
	return 0;
}

/* What set_up() has put in force, and nothing else. */
static void expect_as_before(const struct fixture *f, const struct kernel *before)
{
	struct guard_facts facts;

	guard_describe(f->guard, &facts);
	assert_int_equal(facts.mode, GUARD_ENFORCE);
	assert_int_equal(facts.listed, 1);
	assert_int_equal(facts.live, 0);
	assert_int_equal(kernel.lists, before->lists);
	assert_memory_equal(&kernel.settings, &before->settings, sizeof(kernel.settings));
}

/* Settings are published whole by whatever changes one of them. */
static void publish_again(struct fixture *f)
{
	struct address address;

	assert_int_equal(address_parse_ip(slice_from_str("203.0.113.9"), 0, &address), 0);
	assert_int_equal(guard_ban(f->guard, &address, 1000, "test"), 0);
	kernel.settings.flags &= ~(uint32_t)GUARD_HAS_BANS;
}

static void a_change_is_in_force_once_it_is_committed(void **state)
{
	struct fixture *f = *state;
	const struct kernel before = kernel;
	struct guard_change *change;
	struct guard_facts facts;

	assert_int_equal(prepare(f, "monitor", 7, "192.0.2.0/24\n198.51.100.1\n", &change), 0);
	expect_as_before(f, &before);
	assert_int_equal(kernel.services, before.services);
	assert_int_equal(guard_commit(f->guard, change), 0);
	guard_describe(f->guard, &facts);
	assert_int_equal(facts.mode, GUARD_MONITOR);
	assert_int_equal(facts.listed, 2);
	assert_int_equal(kernel.settings.mode, GUARD_MONITOR);
	assert_true(kernel.settings.source[GUARD_SYNS].cost >
		    before.settings.source[GUARD_SYNS].cost);
	assert_int_equal(kernel.services, before.services + 1);
}

static void a_change_that_is_given_up_leaves_no_trace(void **state)
{
	struct fixture *f = *state;
	const struct kernel before = kernel;
	struct guard_change *change;

	assert_int_equal(prepare(f, "monitor", 7, "", &change), 0);
	guard_change_free(change);
	publish_again(f);
	expect_as_before(f, &before);
}

static void lists_that_cannot_be_loaded_change_nothing(void **state)
{
	struct fixture *f = *state;
	const struct kernel before = kernel;
	struct guard_change *change;

	kernel.make_err = -E2BIG;
	assert_int_equal(prepare(f, "monitor", 7, "192.0.2.0/24\n198.51.100.1\n", &change), -E2BIG);
	assert_non_null(strstr(f->errors.text, "more networks than"));
	publish_again(f);
	expect_as_before(f, &before);
	assert_int_equal(kernel.services, before.services);
}

static void lists_that_the_kernel_refuses_leave_lists_and_rates(void **state)
{
	struct fixture *f = *state;
	const struct kernel before = kernel;
	struct guard_change *change;

	assert_int_equal(prepare(f, "monitor", 7, "", &change), 0);
	kernel.use_err = -EPERM;
	assert_int_equal(guard_commit(f->guard, change), -EPERM);
	publish_again(f);
	expect_as_before(f, &before);
}

/* @err: of the kernel's, at one of the steps. */
static void expect_all_taken_back(struct fixture *f, int *err)
{
	const struct kernel before = kernel;
	struct guard_change *change;
	struct guard_facts facts;

	assert_int_equal(prepare(f, "monitor", 7, "198.51.100.1\n198.51.100.2\n", &change), 0);
	*err = -ENOMEM;
	assert_int_equal(guard_commit(f->guard, change), -ENOMEM);
	guard_describe(f->guard, &facts);
	assert_int_equal(facts.mode, GUARD_ENFORCE);
	assert_int_equal(facts.listed, 1);
	assert_int_equal(kernel.lines, before.lines);
	assert_ptr_equal(kernel.listeners, before.listeners);
	assert_memory_equal(&kernel.settings, &before.settings, sizeof(kernel.settings));
	assert_int_equal(kernel.nopen, before.nopen);
}

static void a_change_that_the_kernel_refuses_half_way_is_taken_back(void **state)
{
	struct fixture *f = *state;

	assert_non_null(kernel.listeners);
	assert_true(kernel.lines > 0);
	expect_all_taken_back(f, &kernel.services_err);
	expect_all_taken_back(f, &kernel.lists_err);
	expect_all_taken_back(f, &kernel.settings_err);
	publish_again(f);
	assert_int_equal(kernel.settings.mode, GUARD_ENFORCE);
	apply(f, "monitor", 7, "");
	assert_int_equal(kernel.settings.mode, GUARD_MONITOR);
}

static void an_order_by_hand_that_is_refused_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct prefix prefix;
	struct guard_facts facts;

	assert_int_equal(prefix_parse(slice_from_str("198.51.100.0/24"), &prefix), 0);
	kernel.make_err = -E2BIG;
	assert_int_equal(guard_list_live(f->guard, &prefix, GUARD_WHY_BLOCK, 0, "x"), -E2BIG);
	guard_describe(f->guard, &facts);
	assert_int_equal(facts.live, 0);
	kernel.make_err = 0;
	assert_int_equal(guard_list_live(f->guard, &prefix, GUARD_WHY_BLOCK, 0, "x"), 0);
	kernel.make_err = -ENOMEM;
	assert_int_equal(guard_list_live(f->guard, &prefix, GUARD_WHY_ALLOW, 0, "y"), -ENOMEM);
	assert_int_equal(guard_unlist(f->guard, &prefix), -ENOMEM);
	guard_describe(f->guard, &facts);
	assert_int_equal(facts.live, 1);
}

/* A reload that loads them may still be refused, and nobody else looks any more. */
static void programs_that_come_late_get_what_is_in_force(void **state)
{
	struct fixture *f = *state;
	const struct kernel before = kernel;

	guard_free(f->guard);
	assert_int_equal(guard_new(f->loop, &f->guard), 0);
	apply(f, "enforce", 100, "192.0.2.0/24\n");
	assert_int_equal(kernel.lists, before.lists);
	guard_use_packets(f->guard, (const struct guard_maps *)&kernel);
	kernel.settings = (struct guard_settings){};
	assert_int_equal(guard_hand_over(f->guard, f->config), 0);
	assert_int_equal(kernel.lists, before.lists + 1);
	assert_int_equal(kernel.services, before.services + 1);
	assert_int_equal(kernel.settings.mode, GUARD_ENFORCE);
	assert_int_equal(kernel.settings.source[GUARD_SYNS].cost,
			 before.settings.source[GUARD_SYNS].cost);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(a_change_is_in_force_once_it_is_committed),
		EACH(a_change_that_is_given_up_leaves_no_trace),
		EACH(lists_that_cannot_be_loaded_change_nothing),
		EACH(lists_that_the_kernel_refuses_leave_lists_and_rates),
		EACH(a_change_that_the_kernel_refuses_half_way_is_taken_back),
		EACH(programs_that_come_late_get_what_is_in_force),
		EACH(an_order_by_hand_that_is_refused_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
