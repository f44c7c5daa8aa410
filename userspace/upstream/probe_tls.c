// SPDX-License-Identifier: Apache-2.0
/*
 * A TLS handshake, to the end of ours: the endpoint is up once the handshake is complete and our
 * last flight is sent. tls/ works on memory; probe.c moves the bytes.
 */
#include "upstream/probe.h"
#include "tls/client.h"

#include <errno.h>

/* Goes on as far as the bytes at hand allow. Return: 0, a failed handshake included; -ENOMEM. */
static int shake_hands(struct probe *probe, struct slice received)
{
	struct slice send;
	const char *reason;
	int result = tls_client_shake_hands(probe->state, received, &send, &reason);
	int err;

	if (result == -ENOMEM)
		return result;
	if (result == -EPROTO) {
		probe_fail(probe, "TLS handshake: %s", reason);
		return 0;
	}
	err = send.len > 0 ? probe_send(probe, send) : 0;
	if (!err && result == 0)
		probe_pass_when_sent(probe);
	return err;
}

static int tls_begin(struct probe *probe)
{
	probe->state = tls_client_new(probe->tls, probe->pool->health.tls_sni);
	return probe->state ? shake_hands(probe, slice_of(NULL, 0)) : -ENOMEM;
}

static void tls_on_bytes(struct probe *probe, struct slice bytes)
{
	if (shake_hands(probe, bytes))
		probe_fail(probe, "out of memory");
}

static void tls_on_eof(struct probe *probe)
{
	probe_fail(probe, "connection closed during the TLS handshake");
}

static void tls_done(struct probe *probe)
{
	tls_client_free(probe->state);
	probe->state = NULL;
}

const struct probe_kind probe_tls = {
	.begin = tls_begin,
	.on_bytes = tls_on_bytes,
	.on_eof = tls_on_eof,
	.done = tls_done,
};
