// SPDX-License-Identifier: Apache-2.0
/* What `top` shows at one moment: answers of the daemon, taken one after the other. */
#include "ctl/ctl_internal.h"
#include "core/clock.h"

#define CONNECTIONS_SHOWN 1000

static int ask(struct client *client, json_t *request, json_t **ret, struct strbuf *ret_error)
{
	int r = client_call(client, request, ret, ret_error);

	json_decref(request);
	return r;
}

int top_sample_take(struct client *client, struct top_sample *ret, struct strbuf *ret_error)
{
	struct top_sample sample = {0};
	const struct {
		json_t *request;
		json_t **answer;
	} questions[] = {
		{json_pack("{s:s}", "command", "status"), &sample.status},
		{json_pack("{s:s}", "command", "listeners"), &sample.listeners},
		{json_pack("{s:s}", "command", "pools"), &sample.pools},
		{json_pack("{s:s,s:i}", "command", "connections", "limit", CONNECTIONS_SHOWN),
		 &sample.connections},
		{json_pack("{s:s}", "command", "services"), &sample.services},
		{json_pack("{s:s,s:s}", "command", "guard", "action", "status"), &sample.guard},
		{json_pack("{s:s,s:s}", "command", "guard", "action", "talkers"), &sample.talkers},
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		if (r == 0)
			r = ask(client, questions[i].request, questions[i].answer, ret_error);
		else
			json_decref(questions[i].request);
	}
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
	json_decref(sample->services);
	json_decref(sample->guard);
	json_decref(sample->talkers);
	*sample = (struct top_sample){0};
}
