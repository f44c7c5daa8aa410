// SPDX-License-Identifier: Apache-2.0
/* Records from the packet programs, of which there is no end. libbpf and the loop are fakes. */
#include "fastpath/fastpath_internal.h"
#include "io/watch.h"

#include <bpf/libbpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define FLOOD 1000000

static struct {
	ring_buffer_sample_fn on_record;
	void *context;
	struct io_watch *watch;
	unsigned told;
} fake;

struct ring_buffer *__wrap_ring_buffer__new(int fd, ring_buffer_sample_fn on_record, void *context,
					    const struct ring_buffer_opts *options)
{
	(void)fd;
	(void)options;
	fake.on_record = on_record;
	fake.context = context;
	return (struct ring_buffer *)&fake;
}

/* As libbpf: until there is none, or one is answered with an error; that one is gone as well. */
int __wrap_ring_buffer__consume(struct ring_buffer *ring)
{
	struct flow_event event = {};
	int err = 0;

	(void)ring;
	for (int i = 0; !err && i < FLOOD; i++)
		err = fake.on_record(fake.context, &event, sizeof(event));
	return err;
}

int __wrap_ring_buffer__epoll_fd(const struct ring_buffer *ring)
{
	(void)ring;
	return 0;
}

void __wrap_ring_buffer__free(struct ring_buffer *ring)
{
	(void)ring;
}

int __wrap_io_watch_start(struct io_watch *watch, struct io_loop *loop, int fd, uint32_t events)
{
	(void)loop;
	(void)fd;
	(void)events;
	fake.watch = watch;
	return 0;
}

void __wrap_io_watch_stop(struct io_watch *watch)
{
	(void)watch;
}

static void on_event(void *context, const struct flow_event *event)
{
	(void)context;
	(void)event;
	fake.told++;
}

static void flood_of_records_leaves_the_loop_its_turn(void **state)
{
	struct events *events = NULL;
	unsigned first;

	(void)state;
	assert_int_equal(events_new(0, NULL, on_event, NULL, &events), 0);
	fake.watch->on_ready(fake.watch, IO_READABLE);
	first = fake.told;
	assert_in_range(first, 1, FLOOD / 100);
	fake.watch->on_ready(fake.watch, IO_READABLE);
	assert_int_equal(fake.told, 2 * first);
	events_free(events);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flood_of_records_leaves_the_loop_its_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
