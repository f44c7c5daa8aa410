# SPDX-License-Identifier: Apache-2.0
"""What Sluice is held to, one worker each."""
from .series import ratio, ratio_to_best, summary

HTTP_PEERS = ("haproxy-http", "nginx-http")
HTTPS_PEERS = ("haproxy-https", "nginx-https")
NFTABLES = ("nft-numgen", "nft-jhash")

# (claim, metric, path, base, limit, is_at_most); base: a path; several: the better of them; None:
# the value itself counts
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
    ("http: process CPU per request, 64 connections, against the better", "http_64_cpu",
     "sluice-http", HTTP_PEERS, 0.80, True),
    ("http: process CPU per request, 512 connections, against the better", "http_512_cpu",
     "sluice-http", HTTP_PEERS, 0.80, True),
    ("files: process CPU per file, 1 KiB, against nginx", "files_1k_cpu", "sluice-http",
     "nginx-http", 1.0, True),
    ("files: process CPU per file, 64 KiB, against nginx", "files_64k_cpu", "sluice-http",
     "nginx-http", 1.0, True),
    ("https: process CPU per request, 64 connections, against the better", "http_64_cpu",
     "sluice-https", HTTPS_PEERS, 0.85, True),
    ("https: process CPU per request, 512 connections, against the better", "http_512_cpu",
     "sluice-https", HTTPS_PEERS, 0.85, True),
    ("https: full handshakes, against the better", "handshakes_full", "sluice-https", HTTPS_PEERS,
     1.0, False),
    ("https: resumed handshakes, against the better", "handshakes_resumed", "sluice-https",
     HTTPS_PEERS, 1.0, False),
    ("https: p99 during a flood of handshakes, against the better", "flood_p99", "sluice-https",
     HTTPS_PEERS, 1.0, True),
    ("https: p99 during a flood of half handshakes, against the better", "half_flood_p99",
     "sluice-https", HTTPS_PEERS, 1.0, True),
    ("https: memory per idle connection, against nginx", "tls_memory", "sluice-https",
     "nginx-https", 1.0, True),
    # Whoever else is at work on the machine takes away from rates, and not from this.
    *((f"nat: the machine's CPU per {what}, against the better nftables", metric, "sluice-nat",
       NFTABLES, 1.0, True) for what, metric in (
           ("request", "machine_64"), ("connection", "connection_machine"),
           ("question over UDP", "datagram_machine"), ("gigabyte", "throughput_machine"))),
    ("bytes of user memory per idle connection", "memory", "sluice", None, 4096, True),
]


def _found(samples, metric, path, base):
    if base is None:
        return summary(samples, metric, path)
    compare = ratio if isinstance(base, str) else ratio_to_best
    return compare(samples, metric, path, base)


def judge(samples):
    """A row for each target that was measured; met: the median keeps the limit."""
    rows = []
    for claim, metric, path, base, limit, is_at_most in TARGETS:
        found = _found(samples, metric, path, base)
        if not found:
            continue
        met = found["median"] <= limit if is_at_most else found["median"] >= limit
        rows.append({"claim": claim, "limit": limit, "at_most": is_at_most, "met": met, **found})
    return rows
