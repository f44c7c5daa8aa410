// SPDX-License-Identifier: Apache-2.0
/* Listening sockets: shared by workers or one for each, and the file of a unix socket. */
#include "net/socket.h"
#include "proxy/binding.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define WORKERS 2

static const struct config_listener listener = {
	.name = "web",
	.backlog = 16,
	.socket_mode = 0600,
};

struct fixture {
	char directory[32];
	struct address address;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char text[64];

	strcpy(f->directory, "/tmp/sluice-binding-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(text, sizeof(text), "unix:%s/socket", f->directory);
	assert_int_equal(address_parse(slice_from_str(text), &f->address), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	unlink(f->address.un.sun_path);
	assert_int_equal(rmdir(f->directory), 0);
	free(f);
	return 0;
}

static struct binding *open_binding(const struct address *address)
{
	struct binding *binding = NULL;

	assert_int_equal(binding_open(&listener, address, WORKERS, NULL, &binding), 0);
	return binding;
}

static int connect_to(const struct address *address)
{
	int fd = socket(address->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err = connect(fd, &address->sa, address->len) < 0 ? errno : 0;

	close(fd);
	return err;
}

static void every_worker_has_a_socket_of_the_same_port(void **state)
{
	struct address loopback, first, second;
	struct binding *binding;

	(void)state;
	assert_int_equal(address_parse(slice_from_str("127.0.0.1:0"), &loopback), 0);
	binding = open_binding(&loopback);
	assert_int_not_equal(binding_socket(binding, 0), binding_socket(binding, 1));
	assert_int_equal(socket_local(binding_socket(binding, 0), &first), 0);
	assert_int_equal(socket_local(binding_socket(binding, 1), &second), 0);
	assert_int_equal(address_port(&first), address_port(&second));
	assert_int_equal(address_port(&first), address_port(&binding->address));
	assert_true(binding_fits(binding, &listener, &loopback));
	binding_unref(binding);
}

static void a_worker_closes_its_own_socket_alone(void **state)
{
	struct address loopback;
	struct binding *binding;

	(void)state;
	assert_int_equal(address_parse(slice_from_str("127.0.0.1:0"), &loopback), 0);
	binding = open_binding(&loopback);
	binding_close_socket(binding, 0);
	assert_int_equal(connect_to(&binding->address), 0);
	binding_close_socket(binding, 1);
	assert_int_equal(connect_to(&binding->address), ECONNREFUSED);
	binding_unref(binding);
}

static void a_unix_socket_ends_with_the_last_worker(void **state)
{
	struct fixture *f = *state;
	struct binding *binding = open_binding(&f->address);

	assert_int_equal(binding_socket(binding, 0), binding_socket(binding, 1));
	binding_close_socket(binding, 0);
	assert_int_equal(connect_to(&f->address), 0);
	binding_close_socket(binding, 1);
	assert_int_equal(connect_to(&f->address), ENOENT);
	binding_unref(binding);
}

static void a_unix_socket_can_be_opened_while_an_old_one_is_held(void **state)
{
	struct fixture *f = *state;
	struct binding *old = open_binding(&f->address), *new;

	binding_close_socket(old, 0);
	binding_close_socket(old, 1);
	new = open_binding(&f->address);
	binding_unref(old);
	assert_int_equal(connect_to(&f->address), 0);
	binding_unref(new);
	assert_int_equal(access(f->address.un.sun_path, F_OK), -1);
}

/* Another process may have put its own there. */
static void the_file_of_somebody_else_stays(void **state)
{
	struct fixture *f = *state;
	struct binding *ours = open_binding(&f->address), *theirs;

	assert_int_equal(unlink(f->address.un.sun_path), 0);
	theirs = open_binding(&f->address);
	binding_unref(ours);
	assert_int_equal(connect_to(&f->address), 0);
	binding_unref(theirs);
}

static void the_mode_follows_the_configuration(void **state)
{
	struct config_listener open_to_all = listener;
	struct fixture *f = *state;
	struct binding *binding = open_binding(&f->address);
	struct stat status;

	assert_int_equal(stat(f->address.un.sun_path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	open_to_all.socket_mode = 0666;
	binding_apply(binding, &open_to_all);
	assert_int_equal(stat(f->address.un.sun_path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0666);
	binding_unref(binding);
}

static void a_taken_address_is_an_error_and_stays_theirs(void **state)
{
	struct fixture *f = *state;
	struct binding *first = open_binding(&f->address), *second = NULL;

	assert_int_equal(binding_open(&listener, &f->address, WORKERS, NULL, &second), -EADDRINUSE);
	assert_null(second);
	assert_int_equal(connect_to(&f->address), 0);
	binding_unref(first);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(every_worker_has_a_socket_of_the_same_port),
		EACH(a_worker_closes_its_own_socket_alone),
		EACH(a_unix_socket_ends_with_the_last_worker),
		EACH(a_unix_socket_can_be_opened_while_an_old_one_is_held),
		EACH(the_file_of_somebody_else_stays),
		EACH(the_mode_follows_the_configuration),
		EACH(a_taken_address_is_an_error_and_stays_theirs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
