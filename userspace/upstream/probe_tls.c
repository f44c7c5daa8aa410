// SPDX-License-Identifier: Apache-2.0
/* A TLS check: the endpoint is up once the handshake, which probe.c does, is complete. */
#include "upstream/probe.h"

const struct probe_kind probe_tls = {};
