// SPDX-License-Identifier: Apache-2.0
/* Plans of mode dispatch that fail on their way into the packet programs, at any step: what is in
 * force is as it was, to the last source port. */
#include "core/compiler.h"
#include "fastpath/dispatch.h"
#include "fastpath/dispatch_internal.h"
#include "fastpath/fastpath_internal.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define FLOWS 4096
/* Of them half are for source ports, 64 a run at least. */
#define ENDPOINTS_THAT_FIT 32
#define ENDPOINTS_TOO_MANY 100

/* --- Failures --------------------------------------------------------------------------------- */

static int nsteps;                      /* of the kernel's, so far */
static int failing;                     /* the step that fails; 0: none */
static int server_ids_fd, answerers_fd; /* of other maps, dispatch_map_put() is counted */

int __real_dispatch_map_put(int fd, uint32_t index, const void *value);
int __wrap_dispatch_map_put(int fd, uint32_t index, const void *value);
int __real_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags);
int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags);
int __real_bpf_map_create(enum bpf_map_type type, const char *name, __u32 key_size,
			  __u32 value_size, __u32 max_entries,
			  const struct bpf_map_create_opts *options);
int __wrap_bpf_map_create(enum bpf_map_type type, const char *name, __u32 key_size,
			  __u32 value_size, __u32 max_entries,
			  const struct bpf_map_create_opts *options);

static bool fails_here(void)
{
	return ++nsteps == failing;
}

int __wrap_dispatch_map_put(int fd, uint32_t index, const void *value)
{
	return fails_here() ? -ENOMEM : __real_dispatch_map_put(fd, index, value);
}

int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	errno = ENOMEM;
	return (fd == server_ids_fd || fd == answerers_fd) && fails_here()
		       ? -1
		       : __real_bpf_map_update_elem(fd, key, value, flags);
}

int __wrap_bpf_map_create(enum bpf_map_type type, const char *name, __u32 key_size,
			  __u32 value_size, __u32 max_entries,
			  const struct bpf_map_create_opts *options)
{
	errno = ENOMEM;
	return fails_here() ? -1
			    : __real_bpf_map_create(type, name, key_size, value_size, max_entries,
						    options);
}

/* --- A daemon --------------------------------------------------------------------------------- */

struct daemon {
	struct io_loop *loop;
	struct splice *programs;
	struct dispatch *dispatch;
};

static int set_up(void **state)
{
	const struct io_options io = {.backend = IO_BACKEND_EPOLL};
	const struct splice_options options = {
		.max_flows = 16, .dispatch_flows = FLOWS, .hook = SPLICE_HOOK_TC};
	static struct daemon daemon;
	const char *why = "";

	failing = 0;
	daemon = (struct daemon){};
	assert_int_equal(io_loop_new(&io, &daemon.loop), 0);
	if (splice_new(&options, daemon.loop, &daemon.programs, &why))
		fail_msg("%s", why);
	assert_int_equal(dispatch_new(daemon.programs, &daemon.dispatch), 0);
	server_ids_fd = ingress_map(&daemon.programs->ingress, "dispatch_server_ids");
	answerers_fd = ingress_map(&daemon.programs->ingress, "dispatch_answerers");
	*state = &daemon;
	return 0;
}

static int tear_down(void **state)
{
	struct daemon *daemon = *state;

	dispatch_free(daemon->dispatch);
	splice_free(daemon->programs);
	io_loop_free(daemon->loop);
	return 0;
}

/* --- What is in force ------------------------------------------------------------------------- */

struct image {
	struct dispatch_settings settings;
	struct dispatch_real *reals;
	struct dispatch_run *runs;
	struct dispatch_load_of_real *loads;
	uint32_t of_server[256]; /* the second service's reals by server id; 0: none */
	struct dispatch_answerer answerers[256]; /* by the last byte of 10.5.0.0/24; zero: none */
};

static int map_of(const struct daemon *daemon, const char *name)
{
	return ingress_map(&daemon->programs->ingress, name);
}

static void *copy_array(const struct daemon *daemon, const char *name, size_t size)
{
	void *mapped = mmap(NULL, size, PROT_READ, MAP_SHARED, map_of(daemon, name), 0);
	void *copy = malloc(size);

	assert_true(mapped != MAP_FAILED);
	memcpy(copy, mapped, size);
	munmap(mapped, size);
	return copy;
}

#define NREALS (DISPATCH_ENDPOINTS_MAX + 1u)

static struct dispatch_address answerer_key(unsigned last)
{
	return (struct dispatch_address){.bytes = {[10] = 0xff, 0xff, 10, 5, 0, (uint8_t)last}};
}

static struct image take_image(const struct daemon *daemon, uint32_t service)
{
	struct image image = {
		.reals = copy_array(daemon, "dispatch_reals", NREALS * sizeof(*image.reals)),
		.runs = copy_array(daemon, "dispatch_runs",
				   DISPATCH_RUN_PLACES * sizeof(*image.runs)),
		.loads = copy_array(daemon, "dispatch_loads", NREALS * sizeof(*image.loads)),
	};

	assert_int_equal(dispatch_map_get(map_of(daemon, "dispatch_settings"), 0, &image.settings),
			 0);
	for (unsigned id = 0; id < 256; id++) {
		const struct dispatch_server_id key = {.id = {(uint8_t)id}, .service = service};

		(void)bpf_map_lookup_elem(map_of(daemon, "dispatch_server_ids"), &key,
					  &image.of_server[id]);
	}
	for (unsigned last = 0; last < 256; last++) {
		const struct dispatch_address key = answerer_key(last);

		(void)bpf_map_lookup_elem(answerers_fd, &key, &image.answerers[last]);
	}
	return image;
}

static void image_done(struct image *image)
{
	free(image->reals);
	free(image->runs);
	free(image->loads);
}

static bool is_live(const struct dispatch_real *real)
{
	return real->state == DISPATCH_REAL_UP || real->state == DISPATCH_REAL_DRAINING;
}

static void assert_same(const struct image *a, const struct image *b)
{
	for (uint32_t i = 0; i < NREALS; i++) {
		assert_int_equal(is_live(&a->reals[i]), is_live(&b->reals[i]));
		if (!is_live(&a->reals[i]))
			continue;
		assert_memory_equal(&a->reals[i], &b->reals[i], sizeof(*a->reals));
		assert_int_equal(a->loads[i].weight, b->loads[i].weight);
	}
	for (uint32_t i = 0; i < DISPATCH_RUN_PLACES; i++) {
		assert_int_equal(a->runs[i].is_used, b->runs[i].is_used);
		if (a->runs[i].is_used)
			assert_memory_equal(&a->runs[i], &b->runs[i], sizeof(*a->runs));
	}
	assert_memory_equal(a->of_server, b->of_server, sizeof(a->of_server));
	assert_memory_equal(a->answerers, b->answerers, sizeof(a->answerers));
	assert_memory_equal(&a->settings.ring, &b->settings.ring, sizeof(a->settings.ring));
	assert_int_equal(a->settings.half, b->settings.half);
}

/* --- Plans ------------------------------------------------------------------------------------ */

static struct address parsed(const char *text)
{
	struct address address;

	assert_int_equal(address_parse(slice_from_str(text), &address), 0);
	return address;
}

static struct address sources[1];
static struct dispatch_endpoint web[3], quic[3], spare[1], gated[3];
static struct dispatch_service services[4];
static struct dispatch_plan plan;

#define QUIC_PLACE 1 /* of the second service: they are placed in their order */

static void make_plan(void)
{
	sources[0] = parsed("10.3.0.3:0");
	web[0] = (struct dispatch_endpoint){
		.id = 11, .address = parsed("10.3.0.4:80"), .weight = 1};
	web[1] = (struct dispatch_endpoint){
		.id = 12, .address = parsed("10.3.0.5:80"), .weight = 1};
	quic[0] = (struct dispatch_endpoint){
		.id = 21, .address = parsed("10.3.0.6:443"), .weight = 1, .server_id = {0x0a}};
	quic[1] = (struct dispatch_endpoint){
		.id = 22, .address = parsed("10.3.0.7:443"), .weight = 1, .server_id = {0x0b}};
	spare[0] = (struct dispatch_endpoint){
		.id = 31, .address = parsed("10.3.0.8:80"), .weight = 1};
	services[0] = (struct dispatch_service){.id = 1,
						.address = parsed("10.1.0.1:80"),
						.protocol = IPPROTO_TCP,
						.form = DISPATCH_NAT,
						.ring_size = 251,
						.sources = sources,
						.nsources = 1,
						.endpoints = web,
						.nendpoints = 2};
	services[1] = (struct dispatch_service){.id = 2,
						.address = parsed("10.1.0.2:443"),
						.protocol = IPPROTO_UDP,
						.form = DISPATCH_L2,
						.ring_size = 251,
						.server_id_len = 1,
						.endpoints = quic,
						.nendpoints = 2};
	services[2] = (struct dispatch_service){.id = 3,
						.address = parsed("10.1.0.3:80"),
						.protocol = IPPROTO_TCP,
						.form = DISPATCH_L2,
						.ring_size = 251,
						.endpoints = spare,
						.nendpoints = 1};
	gated[0] = (struct dispatch_endpoint){
		.id = 41, .address = parsed("10.5.0.1:8080"), .weight = 1};
	gated[1] = (struct dispatch_endpoint){
		.id = 42, .address = parsed("10.5.0.2:8080"), .weight = 1};
	services[3] = (struct dispatch_service){.id = 5,
						.address = parsed("10.1.0.5:80"),
						.protocol = IPPROTO_TCP,
						.form = DISPATCH_DNAT,
						.ring_size = 251,
						.endpoints = gated,
						.nendpoints = 2};
	plan = (struct dispatch_plan){.services = services, .nservices = 4, .ring_seed = 1};
}

/* Of all that can change something: ports, weights, endpoints that come and go, ids of servers,
 * addresses that answers come from, a service in another one's place, the seed. */
static void change_plan(void)
{
	web[0].weight = 0;
	web[1] = (struct dispatch_endpoint){
		.id = 13, .address = parsed("10.3.0.9:80"), .weight = 1};
	address_set_port(&web[0].address, 8080);
	quic[0].server_id[0] = 0x0b;
	quic[1].server_id[0] = 0x0a;
	quic[2] = (struct dispatch_endpoint){
		.id = 23, .address = parsed("10.3.0.10:443"), .weight = 1, .server_id = {0x0c}};
	services[1].nendpoints = 3;
	services[2].id = 4;
	services[2].address = parsed("10.1.0.4:80");
	address_set_port(&gated[0].address, 8081);
	gated[1] = (struct dispatch_endpoint){
		.id = 43, .address = parsed("10.5.0.3:8080"), .weight = 1};
	gated[2] = (struct dispatch_endpoint){
		.id = 44, .address = parsed("10.5.0.4:8080"), .weight = 1};
	services[3].nendpoints = 3;
	plan.ring_seed = 2;
}

static int apply(const struct daemon *daemon)
{
	const char *why = "";

	return dispatch_apply(daemon->dispatch, &plan, &why);
}

static int count_service(const struct daemon *daemon, uint64_t id)
{
	struct dispatch_service_counts counts;

	return dispatch_count_service(daemon->dispatch, id, &counts);
}

/* --- Facts ------------------------------------------------------------------------------------ */

/* Among many elements that are written alike a few will do. */
static int next_step(int step, int last)
{
	return step == 20 && last > 40 ? last - 20 : step + 1;
}

/* But for the last one, without which the plan is in force all the same. */
static int steps_of_the_change(const struct daemon *daemon)
{
	make_plan();
	assert_int_equal(apply(daemon), 0);
	change_plan();
	nsteps = 0;
	assert_int_equal(apply(daemon), 0);
	return nsteps - 1;
}

static void a_plan_that_fails_at_any_step_has_changed_nothing(void **state)
{
	const struct daemon *daemon = *state;
	int last = steps_of_the_change(daemon);
	struct image before, after;

	assert_true(last > 10);
	make_plan();
	assert_int_equal(apply(daemon), 0);
	before = take_image(daemon, QUIC_PLACE);
	change_plan();
	for (int step = 1; step <= last; step = next_step(step, last)) {
		nsteps = 0;
		failing = step;
		assert_int_equal(apply(daemon), -ENOMEM);
		failing = 0;
		after = take_image(daemon, QUIC_PLACE);
		assert_same(&before, &after);
		image_done(&after);
		assert_int_equal(count_service(daemon, 3), 0);
		assert_int_equal(count_service(daemon, 4), -ENOENT);
	}
	assert_int_equal(apply(daemon), 0);
	assert_int_equal(count_service(daemon, 4), 0);
	after = take_image(daemon, QUIC_PLACE);
	assert_int_not_equal(after.settings.half, before.settings.half);
	image_done(&after);
	image_done(&before);
}

static void source_ports_of_a_plan_without_room_are_free_at_once(void **state)
{
	static struct dispatch_endpoint many[ENDPOINTS_TOO_MANY];
	const struct daemon *daemon = *state;
	struct image before, after;

	make_plan();
	plan.nservices = 1;
	assert_int_equal(apply(daemon), 0);
	before = take_image(daemon, QUIC_PLACE);
	for (uint32_t i = 0; i < ENDPOINTS_TOO_MANY; i++) {
		many[i] = (struct dispatch_endpoint){
			.id = 100 + i, .address = parsed("10.4.0.1:80"), .weight = 1};
		many[i].address.v4.sin_addr.s_addr = htonl(0x0a040001 + i);
	}
	services[0].endpoints = many;
	services[0].nendpoints = ENDPOINTS_TOO_MANY;
	assert_int_equal(apply(daemon), -ENOSPC);
	after = take_image(daemon, QUIC_PLACE);
	assert_same(&before, &after);
	services[0].endpoints = many + ENDPOINTS_TOO_MANY - ENDPOINTS_THAT_FIT;
	services[0].nendpoints = ENDPOINTS_THAT_FIT;
	assert_int_equal(apply(daemon), 0);
	image_done(&after);
	image_done(&before);
}

static struct dispatch_address key_of_nobody(uint32_t n)
{
	struct dispatch_address key = {.bytes = {0xfd}};

	memcpy(&key.bytes[12], &n, sizeof(n));
	return key;
}

/* Addresses that are in no plan, until so many places are left. Return: how many. */
static uint32_t fill_answerers(uint32_t left)
{
	static const struct dispatch_answerer answerer;
	struct dispatch_address key;
	uint32_t count = 0;

	for (;; count++) {
		key = key_of_nobody(count);
		if (bpf_map_update_elem(answerers_fd, &key, &answerer, BPF_ANY) < 0)
			break;
	}
	assert_int_equal(errno, E2BIG);
	for (; left; left--) {
		key = key_of_nobody(--count);
		assert_int_equal(bpf_map_delete_elem(answerers_fd, &key), 0);
	}
	return count;
}

/* The first of two new addresses still has a place. */
static void a_plan_without_room_for_answers_has_changed_nothing(void **state)
{
	const struct daemon *daemon = *state;
	struct image before, after;
	const char *why = "";

	make_plan();
	assert_int_equal(apply(daemon), 0);
	before = take_image(daemon, QUIC_PLACE);
	assert_int_not_equal(before.answerers[1].answer[0].real, 0);
	assert_true(fill_answerers(1) > DISPATCH_ENDPOINTS_MAX);
	change_plan();
	assert_int_equal(dispatch_apply(daemon->dispatch, &plan, &why), -E2BIG);
	assert_string_equal(why, "the table of endpoints of form dnat has no room");
	after = take_image(daemon, QUIC_PLACE);
	assert_same(&before, &after);
	image_done(&after);
	services[3].nendpoints = 2; /* one new address has a place */
	assert_int_equal(apply(daemon), 0);
	after = take_image(daemon, QUIC_PLACE);
	assert_int_equal(after.answerers[2].answer[0].real, 0);
	assert_int_not_equal(after.answerers[3].answer[0].real, 0);
	services[3].nendpoints = 3; /* what was in no plan is gone with it */
	assert_int_equal(apply(daemon), 0);
	image_done(&after);
	image_done(&before);
}

static int enter_namespace(void **state)
{
	(void)state;
	return unshare(CLONE_NEWNET) < 0 ||
	       system("ip link set lo up && ip link add d0 type veth peer name d1 && "
		      "ip link set d0 up && ip link set d1 up && ip addr add 10.3.0.3/24 dev d0");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_plan_that_fails_at_any_step_has_changed_nothing,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			source_ports_of_a_plan_without_room_are_free_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_plan_without_room_for_answers_has_changed_nothing,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, enter_namespace, NULL);
}
