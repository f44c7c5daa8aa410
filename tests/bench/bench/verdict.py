# SPDX-License-Identifier: Apache-2.0
"""What Sluice is held to, one worker each."""
from .series import ratio, summary

# (claim, metric, base path or None for the value itself, limit, is_at_most)
TARGETS = [
    ("process CPU per request, 64 connections, against HAProxy", "process_cpu_64", "haproxy",
     0.80, True),
    ("process CPU per request, 64 connections, against nginx", "process_cpu_64", "nginx",
     0.87, True),
    ("throughput of one stream, against HAProxy", "throughput", "haproxy", 1.0, False),
    ("throughput of one stream, against HAProxy without splice", "throughput", "haproxy-copy",
     1.0, False),
    ("new connections, against HAProxy", "connections", "haproxy", 1.1, False),
    ("bytes of user memory per idle connection", "memory", None, 4096, True),
]


def judge(samples):
    """A row for each target that was measured; met: the median keeps the limit."""
    rows = []
    for claim, metric, base, limit, is_at_most in TARGETS:
        found = (ratio(samples, metric, "sluice", base) if base
                 else summary(samples, metric, "sluice"))
        if not found:
            continue
        met = found["median"] <= limit if is_at_most else found["median"] >= limit
        rows.append({"claim": claim, "limit": limit, "at_most": is_at_most, "met": met, **found})
    return rows
