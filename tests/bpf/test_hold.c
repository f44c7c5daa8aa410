// SPDX-License-Identifier: Apache-2.0
/* A connection without a socket keeps its port, from a backend's point of view. As root, in a
 * network namespace of its own. */
#include "fastpath/fastpath_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define FIRST_PORT 40000u /* of two that the system may choose */
#define BACKEND    7000

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int enter_namespace(void **state)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd;

	(void)state;
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
	close(fd);
	write_file("/proc/sys/net/ipv4/ip_local_port_range", "40000 40001");
	return 0;
}

static struct sockaddr_in6 loopback(int family, uint16_t port)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};

	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sa.sin6_addr = in6addr_loopback;
	if (family == AF_INET)
		memcpy(&sa, &v4, sizeof(v4));
	return sa;
}

static int listen_on(int family, uint16_t port)
{
	struct sockaddr_in6 sa = loopback(family, port);
	int fd = socket(family, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

/* What comes from the backend @port to our @local port. */
static struct flow_key key_from(int family, uint16_t port, uint16_t local)
{
	struct flow_key key = {.source_port = htons(port), .destination_port = htons(local)};
	const uint8_t v4[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};

	memcpy(key.source, family == AF_INET ? v4 : (const uint8_t *)&in6addr_loopback, 16);
	memcpy(key.destination, key.source, 16);
	return key;
}

/* Return: the descriptor, with the port that the system chose; -errno. */
static int connect_to(int family, uint16_t port, uint16_t *ret_local)
{
	struct sockaddr_in6 sa = loopback(family, port);
	socklen_t len = sizeof(sa);
	int fd = socket(family, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		close(fd);
		return -errno;
	}
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	*ret_local = ntohs(sa.sin6_port); /* where IPv4 has it too */
	return fd;
}

static void holds(int family)
{
	int listener = listen_on(family, BACKEND), other = listen_on(family, BACKEND + 1);
	struct flow_key key = key_from(family, BACKEND, FIRST_PORT);
	int held = leg_hold(&key), first, second;
	uint16_t port;

	assert_true(held >= 0);
	first = connect_to(family, BACKEND, &port);
	assert_true(first >= 0);
	assert_int_equal(port, FIRST_PORT + 1);
	second = connect_to(family, BACKEND, &port);
	assert_int_equal(second, -EADDRNOTAVAIL);
	close(held);
	second = connect_to(family, BACKEND, &port);
	assert_true(second >= 0);
	assert_int_equal(port, FIRST_PORT);
	close(first);
	close(second);
	close(listener);
	close(other);
}

static void port_is_held_against_new_connections(void **state)
{
	(void)state;
	holds(AF_INET);
}

static void port_is_held_over_ipv6(void **state)
{
	(void)state;
	holds(AF_INET6);
}

/* Kernels before 6.3 hold it against all. */
static bool can_name_port(void)
{
	uint32_t range = (FIRST_PORT + 1) << 16 | FIRST_PORT;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int err = setsockopt(fd, SOL_IP, 51 /* IP_LOCAL_PORT_RANGE */, &range, sizeof(range));

	close(fd);
	return !err;
}

static void port_serves_other_backends(void **state)
{
	int listener = listen_on(AF_INET, BACKEND + 2);
	struct flow_key first = key_from(AF_INET, BACKEND, FIRST_PORT);
	struct flow_key second = key_from(AF_INET, BACKEND, FIRST_PORT + 1);
	int held[] = {leg_hold(&first), leg_hold(&second)}, fd;
	uint16_t port;

	(void)state;
	assert_true(held[0] >= 0 && held[1] >= 0);
	if (!can_name_port())
		skip();
	fd = connect_to(AF_INET, BACKEND + 2, &port);
	assert_true(fd >= 0);
	close(fd);
	close(held[0]);
	close(held[1]);
	close(listener);
}

static void port_outside_of_the_range_is_held(void **state)
{
	struct flow_key key = key_from(AF_INET, BACKEND, 1234), got;
	int held = leg_hold(&key);

	(void)state;
	assert_true(held >= 0);
	assert_int_equal(leg_read_key(held, &got), 0);
	assert_memory_equal(&got, &key, sizeof(key));
	assert_int_equal(leg_hold(&key), -EADDRNOTAVAIL);
	close(held);
}

static void address_of_a_client_is_held(void **state)
{
	struct flow_key key = key_from(AF_INET, BACKEND, FIRST_PORT), got;
	int held;

	(void)state;
	key.destination[12] = 198;
	key.destination[13] = 51;
	key.destination[14] = 100;
	held = leg_hold(&key);
	assert_true(held >= 0);
	assert_int_equal(leg_read_key(held, &got), 0);
	assert_memory_equal(&got, &key, sizeof(key));
	close(held);
}

static struct tcp_info info_of(int fd)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return info;
}

static void frozen_socket_takes_and_answers_nothing(void **state)
{
	int listener = listen_on(AF_INET, BACKEND + 3), peer, fd;
	uint16_t port;

	(void)state;
	peer = connect_to(AF_INET, BACKEND + 3, &port);
	fd = accept(listener, NULL, NULL);
	assert_true(peer >= 0 && fd >= 0);
	leg_freeze(fd);
	assert_int_equal(write(peer, "hello", 5), 5);
	assert_int_equal(info_of(fd).tcpi_bytes_received, 0);
	assert_int_equal(info_of(peer).tcpi_unacked, 1);
	close(fd);
	close(peer);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(port_is_held_against_new_connections),
		cmocka_unit_test(port_is_held_over_ipv6),
		cmocka_unit_test(port_serves_other_backends),
		cmocka_unit_test(port_outside_of_the_range_is_held),
		cmocka_unit_test(address_of_a_client_is_held),
		cmocka_unit_test(frozen_socket_takes_and_answers_nothing),
	};

	return cmocka_run_group_tests(tests, enter_namespace, NULL);
}
