# SPDX-License-Identifier: Apache-2.0
"""Many connections of all kinds through a line with faults: every byte right, every map empty.

1,000 connections by default; E2E_SCALE=20 makes them 20,000 (make soak).
"""
from lib import traffic
from lib.configs import FRONT
from lib.lines import BadLine
from lib.splice import assert_maps_empty, log_lines, spliced, wait_over

MOST = 400_000


def test_connections_of_all_kinds_leave_nothing_behind(net, sluice, traffic_server, tmp_path, keep,
                                                       scale):
    """Sizes of all magnitudes, pauses, FIN in either order, half-close, RST of either side."""
    count = int(1000 * scale)
    server = traffic_server()
    # An end is given up after twice that silence: a sender whose packets are lost six times in a row
    # is silent for 6.4 s.
    sluice.start(spliced(server, {"max_flows": 4096}, listener_options={"keepalive": "4s"}))
    keep(BadLine(net.client, "c0", tmp_path, lose=1000, double=200, hold=200).start())
    keep(BadLine(net.backend, "b0", tmp_path, lose=1000, double=200, hold=200).start())
    report = traffic.run(net.client, FRONT, connections=count, concurrency=200, mixed=1, up=MOST,
                         down=MOST, seed=count, timeout=int(60_000 + 10_000 * scale))
    assert not report["odd"], report
    assert report["aborted"] == report["to_abort"] > count / 32, report
    assert report["ok"] + report["aborted"] + report["reset"] == count, report
    assert report["reset"] <= report["to_be_reset"], report  # some had said and heard FIN before
    wait_over(sluice, 30)
    assert_maps_empty(sluice)
    # Of a client that was quick to reset, the origin may never have heard.
    server.wait_results(count - report["aborted"])
    outcomes = server.outcomes()
    assert set(outcomes) <= {"ok", "reset", "aborted"}, outcomes
    assert outcomes["aborted"] == report["to_be_reset"] > count / 32
    lines = log_lines(sluice)
    joined = sum(line["rung"] == "splice-tc" for line in lines)
    print(f"{joined} of {count} connections were spliced")
    assert len(lines) == count and joined > count / 10
