/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_CORE_ADDRESS_H
#define SLUICE_CORE_ADDRESS_H

#include "core/compiler.h"
#include "core/slice.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/*
 * Where a socket is: IPv4, IPv6 or a unix path. @len is what system calls want with @sa; 0 says
 * that there is no address (AF_UNSPEC). An abstract unix name begins with a NUL and is written
 * "@name".
 */
struct address {
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un un;
	};
	socklen_t len;
};

/* Longest text of an address: "unix:" and a path. */
#define ADDRESS_TEXT_SIZE 128
/* Longest text of an IP address: IPv6 with a scope. */
#define ADDRESS_IP_SIZE 64

/**
 * Reads "192.0.2.1:80", "[2001:db8::1]:80", "[fe80::1%eth0]:80", "unix:/path" or "unix:@name".
 * Host names are not looked up here.
 * Return: 0; -EINVAL if the text is none of these; -ERANGE for a port above 65535;
 * -ENAMETOOLONG for a unix path of more than 107 bytes; -ENODEV for an unknown interface.
 */
int address_parse(struct slice text, struct address *ret) WARN_UNUSED;

/* Reads a bare IP address, "192.0.2.1" or "2001:db8::1"; the port becomes @port (host order). */
int address_parse_ip(struct slice text, uint16_t port, struct address *ret) WARN_UNUSED;

/* The text that address_parse() reads; "-" for no address. Return: @ret. */
const char *address_format(const struct address *address, char ret[ADDRESS_TEXT_SIZE]);

/* The same without the port, an IPv6 address without brackets. Return: @ret. */
const char *address_format_ip(const struct address *address, char ret[ADDRESS_IP_SIZE]);

/* Copies what the kernel gave. */
void address_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct address *ret);

/* Host order; 0 for unix. */
uint16_t address_port(const struct address *address);
void address_set_port(struct address *address, uint16_t port);

/* ::ffff:192.0.2.1 becomes 192.0.2.1, so that policy for IPv4 holds on dual-stack sockets. */
void address_unmap(struct address *address);

bool address_equal(const struct address *a, const struct address *b);
bool address_is_ip(const struct address *address);

/* 0.0.0.0 or [::]. */
bool address_is_any(const struct address *address);

/* A network: the first @bits bits of @ip count. IPv4 sits in the first four bytes. */
struct prefix {
	sa_family_t family; /* AF_INET or AF_INET6 */
	uint8_t bits;       /* 0..32 or 0..128 */
	uint8_t ip[16];     /* network byte order; bits beyond @bits are 0 */
};

#define PREFIX_TEXT_SIZE 64

/**
 * Reads "10.0.0.0/8", "2001:db8::/32", or a bare address as /32 or /128.
 * Return: 0; -EINVAL; -ERANGE for a length that is too long; -EDOM if bits beyond the length are
 * set.
 */
int prefix_parse(struct slice text, struct prefix *ret) WARN_UNUSED;

const char *prefix_format(const struct prefix *prefix, char ret[PREFIX_TEXT_SIZE]);

/* The network of @bits bits that @address is in; @bits is cut to the family's. False for unix. */
bool prefix_of(const struct address *address, uint8_t bits, struct prefix *ret);

/* An address of another family is in no network; v4-mapped IPv6 counts as IPv4. */
bool prefix_contains(const struct prefix *prefix, const struct address *address);

#endif
