# SPDX-License-Identifier: Apache-2.0
"""Bytes come through unchanged, both ways at once, whatever the sizes, speeds and close orders."""
import os

import pytest

from lib import traffic
from lib.configs import FRONT, simple
from lib.daemon import Sluiced
from lib.netns import BACKEND6, PROXY6
from lib.paths import BUILD

SIZES = [0, 1, 2, 1447, 1448, 1449, 16383, 16384, 16385, 65536, 1_000_003, 64 << 20]


@pytest.fixture
def relayed(sluice, traffic_server):
    server = traffic_server()
    sluice.start(simple(server))
    return server


@pytest.mark.parametrize("size", SIZES)
def test_both_ways_at_once(net, relayed, scale, size):
    size = int(size * scale) if size > 1_000_003 else size
    report = traffic.run(net.client, FRONT, up=size, down=size)
    traffic.assert_ok(report)
    assert (report["sent"], report["received"]) == (size, size)
    assert relayed.wait_results(1)[0]["outcome"] == "ok"


@pytest.mark.parametrize("up,down", [(0, 10 << 20), (10 << 20, 0), (1, 10 << 20), (10 << 20, 1)])
def test_one_way(net, relayed, up, down):
    traffic.assert_ok(traffic.run(net.client, FRONT, up=up, down=down))


@pytest.mark.parametrize("order", ["both", "client", "server"])
@pytest.mark.parametrize("size", [0, 1, 100_000, 5_000_000])
def test_half_close(net, relayed, order, size):
    """A FIN is passed on while the other direction has not begun, and that direction then runs."""
    report = traffic.run(net.client, FRONT, connections=10, up=size, down=size, order=order)
    traffic.assert_ok(report, 10)
    relayed.wait_results(10)
    assert relayed.outcomes() == {"ok": 10}


def test_thousands_of_short_transfers(net, relayed, scale):
    count = int(3000 * scale)
    report = traffic.run(net.client, FRONT, connections=count, concurrency=64, up=3000, down=5000)
    traffic.assert_ok(report, count)


def test_ipv6_to_ipv6(net, sluice, traffic_server):
    server = traffic_server((BACKEND6, 7000))
    config = simple(server, listener_options={"bind": ["[::]:8000"]})
    sluice.start(config)
    traffic.assert_ok(traffic.run(net.client, (PROXY6, 8000), up=1 << 20, down=1 << 20))


RELEASE = BUILD / "release" / "sluiced"


@pytest.mark.skipif(not RELEASE.exists(), reason="no release build: make")
def test_a_gibibyte_both_ways_at_once(net, tmp_path, io, traffic_server, monkeypatch, scale):
    """On the release build: a sanitizer would make it a test of patience."""
    monkeypatch.setattr("lib.daemon.SLUICED", RELEASE)
    server = traffic_server()
    daemon = Sluiced(net.proxy, tmp_path, io)
    size = int((1 << 30) * float(os.environ.get("E2E_GIB", scale)))
    try:
        daemon.start(simple(server))
        traffic.assert_ok(traffic.run(net.client, FRONT, up=size, down=size, timeout=120_000))
    finally:
        daemon.stop()
