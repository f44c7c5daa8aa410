/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traffic: checked transfers through a proxy, thousands at once.
 * `traffic serve ADDRESS` is the far end; `traffic client ADDRESS OPTION=VALUE…` asks for
 * transfers.
 */
#include "traffic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char *const orders[] = {"both", "client", "server", "hold"};

static int usage(void)
{
	fprintf(stderr, "usage: traffic serve ADDRESS\n"
			"       traffic client ADDRESS [OPTION=VALUE]...\n"
			"ADDRESS: 192.0.2.1:80, [2001:db8::1]:80, unix:/path\n"
			"OPTION:  connections (0: until standard input ends), concurrency, up, "
			"down (bytes),\n"
			"         order (both, client, server, hold), read-rate, peer-read-rate "
			"(bytes/s),\n"
			"         reset-after, peer-reset-after (bytes both ways), source (an "
			"ADDRESS), seed,\n"
			"         timeout (ms), mixed (1: sizes, orders, pauses and resets "
			"differ;\n"
			"         up and down are the most)\n");
	return 2;
}

static uint64_t *number_of(struct plan *plan, const char *name)
{
	const struct {
		const char *name;
		uint64_t *number;
	} numbers[] = {
		{"connections", &plan->connections},
		{"concurrency", &plan->concurrency},
		{"up", &plan->up},
		{"down", &plan->down},
		{"read-rate", &plan->read_rate},
		{"peer-read-rate", &plan->peer_read_rate},
		{"reset-after", &plan->reset_after},
		{"peer-reset-after", &plan->peer_reset_after},
		{"seed", &plan->seed},
		{"timeout", &plan->timeout_ms},
		{"mixed", &plan->mixed},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strcmp(numbers[i].name, name) == 0)
			return numbers[i].number;
	}
	return NULL;
}

static bool set_order(struct plan *plan, const char *value)
{
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		if (strcmp(orders[i], value) == 0) {
			plan->order = (enum close_order)i;
			return true;
		}
	}
	return false;
}

static bool set_option(struct plan *plan, char *option)
{
	char *value = strchr(option, '='), *end;
	uint64_t *number;

	if (!value)
		return false;
	*value++ = '\0';
	if (strcmp(option, "order") == 0)
		return set_order(plan, value);
	if (strcmp(option, "source") == 0)
		return parse_address(value, &plan->source, &plan->source_len) == 0;
	number = number_of(plan, option);
	if (!number)
		return false;
	*number = strtoull(value, &end, 10);
	return *end == '\0' && end != value;
}

/* Thousands of connections need as many descriptors. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit = {.rlim_cur = 65536, .rlim_max = 65536};

	if (setrlimit(RLIMIT_NOFILE, &limit) == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	struct plan plan = {
		.connections = 1, .concurrency = 16384, .up = 1, .down = 1, .timeout_ms = 60000};

	raise_descriptor_limit();
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2]);
	if (argc < 3 || strcmp(argv[1], "client") != 0 ||
	    parse_address(argv[2], &plan.target, &plan.target_len) < 0)
		return usage();
	for (int i = 3; i < argc; i++) {
		if (!set_option(&plan, argv[i])) {
			fprintf(stderr, "traffic: %s: not an option\n", argv[i]);
			return usage();
		}
	}
	if (plan.connections == 0)
		plan.connections = UINT64_MAX;
	return run_client(&plan);
}
