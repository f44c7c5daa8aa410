// SPDX-License-Identifier: Apache-2.0
// What `sluiced --demo` tells the person at the terminal, and which endpoints it plays.
#include "demo/hints.h"
#include "demo/origin.h"

#include <arpa/inet.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define MAX_SHOWN 24

static bool is_loopback(const struct address *address)
{
	if (address->sa.sa_family == AF_INET)
		return ntohl(address->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return address->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

static bool is_listed(const struct address *address, const struct address *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (address_equal(address, &list[i]))
			return true;
	return false;
}

size_t demo_origin_addresses(const struct config *config, struct address *ret, size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < config->npools; i++) {
		const struct config_pool *pool = &config->pools[i];

		for (size_t j = 0; j < pool->nendpoints && count < max; j++) {
			const struct address *address = &pool->endpoints[j].address;

			if (address->len > 0 && is_loopback(address) &&
			    !is_listed(address, ret, count))
				ret[count++] = *address;
		}
	}
	return count;
}

/* A wildcard address is reached over loopback from this machine. */
static void format_for_client(const struct address *address, char ret[ADDRESS_TEXT_SIZE])
{
	struct address target = *address;

	if (target.sa.sa_family == AF_INET && target.v4.sin_addr.s_addr == htonl(INADDR_ANY))
		target.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (target.sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&target.v6.sin6_addr))
		target.v6.sin6_addr = in6addr_loopback;
	address_format(&target, ret);
}

static void print_listeners(FILE *out, const struct config *config)
{
	char text[ADDRESS_TEXT_SIZE];

	for (size_t i = 0; i < config->nlisteners; i++) {
		const struct config_listener *listener = &config->listeners[i];

		for (size_t j = 0; j < listener->nbinds; j++)
			fprintf(out, "  listens  %-24s %s\n",
				address_format(&listener->binds[j].address, text), listener->name);
	}
}

static void print_origins(FILE *out, const struct config *config)
{
	struct address addresses[MAX_SHOWN];
	size_t count = demo_origin_addresses(config, addresses, MAX_SHOWN);
	char text[ADDRESS_TEXT_SIZE];

	for (size_t i = 0; i < count; i++)
		fprintf(out, "  origin   %-24s %s\n", address_format(&addresses[i], text),
			demo_origin_name(i));
}

/* Writes the current directory, which the hints are read in, as ".". */
static void shorten(char path[PATH_MAX])
{
	char here[PATH_MAX];
	size_t len = getcwd(here, sizeof(here)) ? strlen(here) : 0;

	if (len <= 1 || strncmp(path, here, len) != 0 || path[len] != '/')
		return;
	path[0] = '.';
	memmove(path + 1, path + len, strlen(path + len) + 1);
}

/* The control program beside this one, which need not be in PATH. */
static void find_sluicectl(char ret[PATH_MAX])
{
	char path[PATH_MAX / 2];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash = len > 0 ? memrchr(path, '/', (size_t)len) : NULL;

	if (slash) {
		snprintf(ret, PATH_MAX, "%.*s/sluicectl", (int)(slash - path), path);
		shorten(ret);
		if (access(ret, X_OK) == 0)
			return;
	}
	snprintf(ret, PATH_MAX, "sluicectl");
}

static void print_control(FILE *out, const struct config *config)
{
	char text[ADDRESS_TEXT_SIZE], sluicectl[PATH_MAX];

	if (config->admin.socket) {
		find_sluicectl(sluicectl);
		fprintf(out, "  %s --socket %s status\n", sluicectl, config->admin.socket);
		fprintf(out, "  %s --socket %s top\n", sluicectl, config->admin.socket);
	}
	if (config->admin.listen.len > 0) {
		format_for_client(&config->admin.listen, text);
		fprintf(out, "  curl http://%s/metrics\n", text);
	}
}

void demo_print_hints(FILE *out, const struct config *config)
{
	char text[ADDRESS_TEXT_SIZE];

	fprintf(out, "\nSluice runs a demonstration on %s:\n\n", config->path);
	print_listeners(out, config);
	print_origins(out, config);
	fprintf(out, "\nTry, in another terminal (each answer names the origin that it comes "
		     "from):\n\n");
	if (config->nlisteners > 0 && config->listeners[0].nbinds > 0) {
		format_for_client(&config->listeners[0].binds[0].address, text);
		fprintf(out, "  for i in 1 2 3 4 5 6; do curl -s http://%s/; done\n", text);
	}
	print_control(out, config);
	fprintf(out, "\nCtrl-C ends it.\n\n");
	fflush(out);
}
