// SPDX-License-Identifier: Apache-2.0
/* What `top` shows at one moment: four answers of the daemon, taken one after the other. */
#include "ctl/ctl_internal.h"
#include "core/clock.h"

#define CONNECTIONS_SHOWN 1000

static int ask(struct client *client, const char *command, json_t **ret, struct strbuf *ret_error)
{
	json_t *request = json_pack("{s:s}", "command", command);
	int r;

	if (strcmp(command, "connections") == 0)
		json_object_set_new(request, "limit", json_integer(CONNECTIONS_SHOWN));
	r = client_call(client, request, ret, ret_error);
	json_decref(request);
	return r;
}

int top_sample_take(struct client *client, struct top_sample *ret, struct strbuf *ret_error)
{
	struct top_sample sample = {0};
	int r = ask(client, "status", &sample.status, ret_error);

	if (r == 0)
		r = ask(client, "listeners", &sample.listeners, ret_error);
	if (r == 0)
		r = ask(client, "pools", &sample.pools, ret_error);
	if (r == 0)
		r = ask(client, "connections", &sample.connections, ret_error);
	if (r < 0) {
		top_sample_done(&sample);
		return r;
	}
	sample.taken_us = clock_monotonic_ns() / 1000;
	*ret = sample;
	return 0;
}

void top_sample_done(struct top_sample *sample)
{
	json_decref(sample->status);
	json_decref(sample->listeners);
	json_decref(sample->pools);
	json_decref(sample->connections);
	*sample = (struct top_sample){0};
}
