// SPDX-License-Identifier: Apache-2.0
/* The check that asks nothing: an endpoint that takes a connection is up. */
#include "upstream/probe.h"

const struct probe_kind probe_tcp = {};
