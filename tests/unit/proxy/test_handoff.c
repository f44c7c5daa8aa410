// SPDX-License-Identifier: Apache-2.0
/* How long a hand-over is tried; the kernel's side is the test's, and time goes faster. */
#include "proxy/handoff.h"

#include "fastpath/splice.h"
#include "tunnel_fixture.h"

#include <errno.h>

/* The one pair. */
static struct kernel {
	struct io_loop *loop;
	const struct io_timer *timer; /* the hand-off's: whatever it waits for is a millisecond */
	unsigned ntries;
	uint64_t longest_ms; /* of its waits */
} kernel;

#define PAIR ((struct splice_pair *)&kernel)

void __real_io_timer_start(struct io_loop *loop, struct io_timer *timer, uint64_t delay_ms);
void __wrap_io_timer_start(struct io_loop *loop, struct io_timer *timer, uint64_t delay_ms);

void __wrap_io_timer_start(struct io_loop *loop, struct io_timer *timer, uint64_t delay_ms)
{
	bool is_ours = timer == kernel.timer;

	if (is_ours && delay_ms > kernel.longest_ms)
		kernel.longest_ms = delay_ms;
	__real_io_timer_start(loop, timer, is_ours ? 1 : delay_ms);
}

int __wrap_splice_observe(struct splice *splice, int client_fd, int backend_fd,
			  const struct splice_label *label, struct splice_pair **ret,
			  enum splice_reason *ret_reason)
{
	(void)splice;
	(void)client_fd;
	(void)backend_fd;
	(void)label;
	*ret = PAIR;
	*ret_reason = SPLICE_REASON_NONE;
	return 0;
}

bool __wrap_splice_is_watched(const struct splice_pair *pair)
{
	return pair == PAIR;
}

void __wrap_splice_pair_set_relayed(struct splice_pair *pair, uint64_t up, uint64_t down)
{
	assert_ptr_equal(pair, PAIR);
	(void)up;
	(void)down;
}

/* A packet comes in between, each time. */
int __wrap_splice_join(struct splice_pair *pair)
{
	assert_ptr_equal(pair, PAIR);
	kernel.ntries++;
	io_loop_stop(kernel.loop);
	return -EAGAIN;
}

enum splice_rung __wrap_splice_pair_rung(const struct splice_pair *pair)
{
	assert_ptr_equal(pair, PAIR);
	return SPLICE_RUNG_TC;
}

void __wrap_splice_pair_close(struct splice_pair *pair, bool is_reset)
{
	assert_ptr_equal(pair, PAIR);
	(void)is_reset;
}

static void a_connection_that_is_never_quiet_is_tried_for_as_long_as_it_lives(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct config spliced = config;
	struct owner owner;

	spliced.acceleration.mode = CONFIG_SPLICE;
	open_owner(&owner, fixture);
	kernel = (struct kernel){.loop = fixture->loop, .timer = &owner.tunnel.handoff.timer};
	owner.tunnel.config = &spliced;
	owner.tunnel.splice = (struct splice *)&kernel;
	tunnel_start(&owner.tunnel, NULL, NULL);
	run_until(fixture, kernel.ntries == 100);
	assert_int_equal(kernel.longest_ms, 1000);
	assert_string_equal(handoff_reason(&owner.tunnel), "never_quiet");
	recorder_send(&owner.client, "bytes", 5);
	run_until(fixture, has(&owner.backend, "bytes"));
	io_stream_shutdown(&owner.client.stream);
	io_stream_shutdown(&owner.backend.stream);
	close_owner(&owner, fixture);
	assert_int_equal(owner.end, CONNECTION_END_DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(a_connection_that_is_never_quiet_is_tried_for_as_long_as_it_lives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
