/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TESTS_DNS_FIXTURE_H
#define SLUICE_TESTS_DNS_FIXTURE_H

/* A DNS server for tests, on the loop of what asks it: one zone, whatever the name. */
#include "io/watch.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DNS_TYPE_A    1
#define DNS_TYPE_AAAA 28

#define DNS_OK       0
#define DNS_SERVFAIL 2
#define DNS_NXDOMAIN 3

struct dns_records {
	int rcode;
	const char *texts[6]; /* ended by NULL */
};

static struct {
	int fd;
	struct io_watch watch;
	char csv[32];
	struct dns_records a, aaaa;
	uint32_t ttl_s;
	bool is_silent;
	unsigned questions;
} dns;

static inline size_t dns_put16(unsigned char *out, unsigned value)
{
	out[0] = (unsigned char)(value >> 8);
	out[1] = (unsigned char)value;
	return 2;
}

static inline size_t dns_put_record(unsigned char *out, int type, const char *text)
{
	int family = type == DNS_TYPE_A ? AF_INET : AF_INET6;
	size_t size = type == DNS_TYPE_A ? 4 : 16, n = 0;

	n += dns_put16(out + n, 0xc00c); /* the question's name */
	n += dns_put16(out + n, (unsigned)type);
	n += dns_put16(out + n, 1);
	n += dns_put16(out + n, dns.ttl_s >> 16);
	n += dns_put16(out + n, dns.ttl_s & 0xffff);
	n += dns_put16(out + n, (unsigned)size);
	inet_pton(family, text, out + n);
	return n + size;
}

/* The end of the question in @query. */
static inline size_t dns_question_end(const unsigned char *query)
{
	size_t n = 12;

	while (query[n] != 0)
		n += query[n] + 1u;
	return n + 5;
}

static inline size_t dns_make_reply(unsigned char *reply)
{
	size_t n = dns_question_end(reply);
	int type = reply[n - 3];
	const struct dns_records *records = type == DNS_TYPE_A ? &dns.a : &dns.aaaa;
	unsigned count = 0;

	for (; records->texts[count] && records->rcode == DNS_OK; count++)
		n += dns_put_record(reply + n, type, records->texts[count]);
	dns_put16(reply + 2, 0x8180u | (unsigned)records->rcode);
	dns_put16(reply + 6, count);
	dns_put16(reply + 8, 0);
	dns_put16(reply + 10, 0);
	return n;
}

static inline void dns_on_question(struct io_watch *watch, uint32_t ready)
{
	unsigned char packet[512];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(watch->fd, packet, sizeof(packet) - 200, MSG_DONTWAIT,
			     (struct sockaddr *)&from, &len);

	(void)ready;
	if (n < 17)
		return;
	dns.questions++;
	if (!dns.is_silent)
		(void)!sendto(watch->fd, packet, dns_make_reply(packet), 0,
			      (struct sockaddr *)&from, len);
}

static inline void dns_start(struct io_loop *loop)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	memset(&dns, 0, sizeof(dns));
	dns.ttl_s = 7;
	dns.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(dns.fd, (struct sockaddr *)&address, len) ||
	    getsockname(dns.fd, (struct sockaddr *)&address, &len))
		abort();
	snprintf(dns.csv, sizeof(dns.csv), "127.0.0.1:%u", ntohs(address.sin_port));
	dns.watch.on_ready = dns_on_question;
	if (io_watch_start(&dns.watch, loop, dns.fd, IO_READABLE))
		abort();
}

static inline void dns_stop(void)
{
	io_watch_stop(&dns.watch);
	close(dns.fd);
}

#endif
