// SPDX-License-Identifier: Apache-2.0
#include "proxy/uptake.h"

#include "core/compiler.h"
#include "io/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* A unix socket holds what its peer has not read. */
struct wire {
	struct io_stream stream;
	int peer;
};

static struct wire open_wire(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	return (struct wire){.stream.fd = fds[0], .peer = fds[1]};
}

static void close_wire(struct wire *wire)
{
	close(wire->stream.fd);
	close(wire->peer);
}

static void say(struct wire *wire, const char *text)
{
	size_t len = strlen(text);

	assert_int_equal(send(wire->stream.fd, text, len, 0), len);
	wire->stream.bytes_out += len;
}

static void take_all(struct wire *wire)
{
	char bytes[64];

	assert_true(recv(wire->peer, bytes, sizeof(bytes), 0) > 0);
}

static void nothing_to_take_is_no_progress(void **state)
{
	struct wire wire = open_wire();
	struct uptake uptake = {};

	(void)state;
	assert_false(uptake_goes_on(&uptake, &wire.stream));
	say(&wire, "all of it");
	take_all(&wire);
	assert_false(uptake_goes_on(&uptake, &wire.stream));
	close_wire(&wire);
}

static void what_waits_is_waited_for_once_without_progress(void **state)
{
	struct wire wire = open_wire();
	struct uptake uptake = {};

	(void)state;
	say(&wire, "unread");
	assert_true(uptake_goes_on(&uptake, &wire.stream));
	assert_false(uptake_goes_on(&uptake, &wire.stream));
	close_wire(&wire);
}

static void a_look_at_the_beginning_counts(void **state)
{
	struct wire wire = open_wire();
	struct uptake uptake = {};

	(void)state;
	say(&wire, "unread");
	uptake_begin(&uptake, &wire.stream);
	assert_false(uptake_goes_on(&uptake, &wire.stream));
	close_wire(&wire);
}

static void what_was_taken_since_is_progress(void **state)
{
	struct wire wire = open_wire();
	struct uptake uptake = {};

	(void)state;
	say(&wire, "first");
	uptake_begin(&uptake, &wire.stream);
	take_all(&wire);
	say(&wire, "second");
	assert_true(uptake_goes_on(&uptake, &wire.stream));
	assert_false(uptake_goes_on(&uptake, &wire.stream));
	close_wire(&wire);
}

/* The kernel has it all, and it was acknowledged, but more waits here. */
static void a_queue_of_ours_waits_too(void **state)
{
	struct wire wire = open_wire();
	struct uptake uptake = {};

	(void)state;
	uptake_begin(&uptake, &wire.stream);
	say(&wire, "gone");
	take_all(&wire);
	wire.stream.queued = 5;
	assert_true(uptake_goes_on(&uptake, &wire.stream));
	assert_false(uptake_goes_on(&uptake, &wire.stream));
	close_wire(&wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_to_take_is_no_progress),
		cmocka_unit_test(what_waits_is_waited_for_once_without_progress),
		cmocka_unit_test(a_look_at_the_beginning_counts),
		cmocka_unit_test(what_was_taken_since_is_progress),
		cmocka_unit_test(a_queue_of_ours_waits_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
