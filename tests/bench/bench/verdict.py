# SPDX-License-Identifier: Apache-2.0
"""What Sluice is held to, one worker each."""
from .series import ratio, summary

# (claim, metric, path, base path or None for the value itself, limit, is_at_most)
TARGETS = [
    ("process CPU per request, 64 connections, against HAProxy", "process_cpu_64", "sluice",
     "haproxy", 0.80, True),
    ("process CPU per request, 64 connections, against nginx", "process_cpu_64", "sluice", "nginx",
     0.87, True),
    ("throughput of one stream, against HAProxy", "throughput", "sluice", "haproxy", 1.0, False),
    ("throughput of one stream, against HAProxy without splice", "throughput", "sluice",
     "haproxy-copy", 1.0, False),
    ("new connections, against HAProxy", "connections", "sluice", "haproxy", 1.1, False),
    ("spliced: added CPU per request, 64 connections, against HAProxy", "added_cpu_64",
     "sluice-splice-tc", "haproxy", 0.20, True),
    ("spliced: requests, 64 connections, against plain routing", "requests_64",
     "sluice-splice-tc", "plain", 0.88, False),
    # The last twentieth is the spread of plain routing itself.
    ("spliced: one stream, against plain routing", "throughput", "sluice-splice-tc", "plain", 0.95,
     False),
    ("http: process CPU per request, 64 connections, against HAProxy", "http_64_cpu", "sluice-http",
     "haproxy-http", 0.80, True),
    ("http: process CPU per request, 64 connections, against nginx", "http_64_cpu", "sluice-http",
     "nginx-http", 0.80, True),
    ("bytes of user memory per idle connection", "memory", "sluice", None, 4096, True),
]


def judge(samples):
    """A row for each target that was measured; met: the median keeps the limit."""
    rows = []
    for claim, metric, path, base, limit, is_at_most in TARGETS:
        found = ratio(samples, metric, path, base) if base else summary(samples, metric, path)
        if not found:
            continue
        met = found["median"] <= limit if is_at_most else found["median"] >= limit
        rows.append({"claim": claim, "limit": limit, "at_most": is_at_most, "met": met, **found})
    return rows
