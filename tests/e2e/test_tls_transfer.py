# SPDX-License-Identifier: Apache-2.0
"""Bytes come through TLS as they do without: sizes, close orders, faults, many at once.

One daemon speaks with itself, so that checked transfers cross each kind of leg:

    client ── plain → TLS ══ TLS → TLS ══ TLS → plain ── origin
"""
import pytest

from lib import traffic
from lib.configs import FRONT, listener, pool
from lib.netns import PROXY
from lib.pki import Authority

SIZES = [0, 1, 2, 1368, 1369, 1370, 16383, 16384, 16385, 65536, 1_000_003, 256 << 20]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


def chain(authority, server, **tls):
    certificate = authority.issue("hop.test").row()
    client = {"ca": str(authority.cert), "server_name": "hop.test"}
    return {
        "listeners": [
            listener("first", name="in"),
            listener("second", name="middle", bind=[f"{PROXY}:8441"],
                     tls={"certificates": [certificate], **tls}),
            listener("main", name="out", bind=[f"{PROXY}:8442"],
                     tls={"certificates": [certificate], **tls}),
        ],
        "pools": [pool(f"{PROXY}:8441", name="first", tls=client),
                  pool(f"{PROXY}:8442", name="second", tls=client),
                  pool(server)],
    }


@pytest.fixture
def chained(sluice, authority, traffic_server):
    server = traffic_server()
    sluice.start(chain(authority, server))
    return server


@pytest.mark.parametrize("size", SIZES)
def test_both_ways_at_once(net, chained, scale, size):
    size = int(size * scale / 8) if size > 1_000_003 else size
    report = traffic.run(net.client, FRONT, up=size, down=size, timeout=120_000)
    traffic.assert_ok(report)
    assert (report["sent"], report["received"]) == (size, size)
    assert chained.wait_results(1)[0]["outcome"] == "ok"


@pytest.mark.parametrize("order", ["both", "client", "server"])
@pytest.mark.parametrize("size", [0, 1, 100_000, 5_000_000])
def test_half_close(net, chained, order, size):
    """A FIN crosses as close_notify, and comes out as a FIN, while the other direction runs."""
    report = traffic.run(net.client, FRONT, connections=10, up=size, down=size, order=order)
    traffic.assert_ok(report, 10)
    chained.wait_results(10)
    assert chained.outcomes() == {"ok": 10}


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_many_short_transfers(net, sluice, authority, traffic_server, scale, version):
    server = traffic_server()
    sluice.start(chain(authority, server, min_version=version, max_version=version))
    count = int(600 * scale)
    report = traffic.run(net.client, FRONT, connections=count, concurrency=64, up=3000, down=5000)
    traffic.assert_ok(report, count)


def test_resets_come_through_as_resets(net, chained):
    report = traffic.run(net.client, FRONT, up=1 << 20, down=1 << 20, peer_reset_after=1 << 18)
    assert report["reset"] == 1, report
    # Of what is received, so that the origin has been reached; too much to be all under way.
    report = traffic.run(net.client, FRONT, up=1 << 10, down=1 << 26, reset_after=1 << 18)
    assert report["aborted"] == 1, report
    assert {r["outcome"] for r in chained.wait_results(2)} == {"aborted", "reset"}
