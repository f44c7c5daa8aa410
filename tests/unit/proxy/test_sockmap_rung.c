// SPDX-License-Identifier: Apache-2.0
/* When a FIN goes on beside a program that moves the bytes; the program is the test's. */
#include "proxy/sockmap_rung.h"

#include "fastpath/sockmap.h"
#include "tunnel_fixture.h"

/* The one pair. */
static struct program {
	struct io_loop *loop;
	bool is_joined, opens_ways, is_passing, is_drained;
	unsigned nlooks; /* of the rung, at what is still under way */
	uint64_t passed; /* upwards */
} program;

int __wrap_sockmap_join(struct sockmap *sockmap, int client_fd, int backend_fd,
			struct sockmap_pair **ret, enum splice_reason *ret_reason)
{
	(void)sockmap;
	(void)client_fd;
	(void)backend_fd;
	program.is_joined = true;
	*ret = (struct sockmap_pair *)&program;
	*ret_reason = SPLICE_REASON_NONE;
	io_loop_stop(program.loop);
	return 0;
}

void __wrap_sockmap_pair_close(struct sockmap_pair *pair)
{
	assert_ptr_equal(pair, &program);
}

bool __wrap_sockmap_open(struct sockmap_pair *pair, enum flow_direction way, uint64_t relayed)
{
	(void)pair;
	(void)way;
	(void)relayed;
	return program.opens_ways;
}

uint64_t __wrap_sockmap_passed(const struct sockmap_pair *pair, enum flow_direction way)
{
	(void)pair;
	program.nlooks++;
	io_loop_stop(program.loop);
	return way == FLOW_UP ? program.passed : 0;
}

void __wrap_sockmap_pass(struct sockmap_pair *pair, enum flow_direction way)
{
	(void)pair;
	program.is_passing |= way == FLOW_UP;
}

bool __wrap_sockmap_is_drained(const struct sockmap_pair *pair, enum flow_direction way,
			       uint64_t relayed)
{
	(void)pair;
	(void)way;
	(void)relayed;
	assert_true(program.is_passing);
	program.nlooks++;
	io_loop_stop(program.loop);
	return program.is_drained;
}

void __wrap_sockmap_traffic(const struct sockmap_pair *pair, enum flow_direction way,
			    struct sockmap_traffic *ret)
{
	(void)pair;
	(void)way;
	*ret = (struct sockmap_traffic){};
}

static void open_joined(struct owner *owner, struct fixture *fixture, bool opens_ways)
{
	static struct config redirected;

	redirected = config;
	redirected.acceleration.mode = CONFIG_SOCKMAP;
	program = (struct program){.loop = fixture->loop, .opens_ways = opens_ways};
	open_owner(owner, fixture);
	owner->tunnel.config = &redirected;
	owner->tunnel.sockmap = (struct sockmap *)&program;
	recorder_send(&owner->client, "early ", 6);
	tunnel_start(&owner->tunnel, NULL, NULL);
	run_until(fixture, program.is_joined && has(&owner->backend, "early "));
}

/* Once the rung has looked a second time whether the FIN may go on, it has not let it go. */
static void assert_fin_waits(struct owner *owner, struct fixture *fixture)
{
	run_until(fixture, program.nlooks >= 2 || owner->backend.ends);
	assert_int_equal(owner->backend.ends, 0);
	assert_true(has(&owner->backend, "early "));
}

static void assert_fin_goes_on(struct owner *owner, struct fixture *fixture)
{
	run_until(fixture, owner->backend.ends);
	assert_true(has(&owner->backend, "early late"));
	io_stream_shutdown(&owner->backend.stream);
	close_owner(owner, fixture);
	assert_int_equal(owner->end, CONNECTION_END_DONE);
}

/* Bytes that the program has passed may come to stand before a FIN that was read already. */
static void a_fin_is_believed_once_all_that_was_passed_is_read(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct owner owner;

	open_joined(&owner, fixture, false);
	program.passed = 4;
	io_stream_shutdown(&owner.client.stream);
	assert_fin_waits(&owner, fixture);
	io_stream_unread(&owner.near, buf_of(fixture->loop, "late"));
	assert_fin_goes_on(&owner, fixture);
}

static void what_was_redirected_goes_before_last_bytes_and_fin(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct owner owner;

	open_joined(&owner, fixture, true);
	program.passed = 4;
	recorder_send(&owner.client, "late", 4);
	io_stream_shutdown(&owner.client.stream);
	assert_fin_waits(&owner, fixture);
	program.is_drained = true;
	assert_fin_goes_on(&owner, fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_fin_is_believed_once_all_that_was_passed_is_read),
		ON_BOTH(what_was_redirected_goes_before_last_bytes_and_fin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
