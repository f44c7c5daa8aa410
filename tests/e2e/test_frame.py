# SPDX-License-Identifier: Apache-2.0
"""The frame itself: without a proxy in between, every fault that the tools shall see is seen."""
import pytest

from lib import origins, proxy_header, traffic
from lib.netns import BACKEND, BACKEND6, CLIENT, PROXY
from lib.process import can_connect


@pytest.mark.parametrize("host", [BACKEND, BACKEND6])
def test_client_reaches_backend_by_routing(net, traffic_server, host):
    server = traffic_server((host, 7000))
    report = traffic.run(net.client, server.target, connections=20, up=100_000, down=100_000)
    traffic.assert_ok(report, 20)
    assert server.outcomes() == {"ok": 20}


@pytest.mark.parametrize("order", ["both", "client", "server"])
def test_each_close_order_ends(net, traffic_server, order):
    server = traffic_server()
    traffic.assert_ok(traffic.run(net.client, server.target, order=order, up=1000, down=1000))


def test_a_changed_byte_is_seen(net, named_origin):
    origin = named_origin("liar", (BACKEND, 7000), lambda sock, _: sock.sendall(b"x" * 100))
    report = traffic.run(net.client, origin.address, up=0, down=100)
    assert report["corrupt"] == 1, report


def test_a_missing_byte_is_seen(net, named_origin):
    def cut(sock, _):
        sock.recv(100)
        sock.shutdown(2)
    origin = named_origin("cutter", (BACKEND, 7000), cut)
    report = traffic.run(net.client, origin.address, up=0, down=100)
    assert report["short"] == 1, report


def test_resets_are_told_from_ends(net, traffic_server):
    server = traffic_server()
    report = traffic.run(net.client, server.target, up=1 << 20, down=1 << 20,
                         peer_reset_after=1 << 18)
    assert report["reset"] == 1, report
    report = traffic.run(net.client, server.target, up=1 << 20, down=1 << 20, reset_after=1 << 18)
    assert report["aborted"] == 1, report
    assert {r["outcome"] for r in server.wait_results(2)} == {"aborted", "reset"}


def test_proxy_headers_are_the_ones_haproxy_writes(net, tmp_path, keep, named_origin):
    origin = named_origin("record", (BACKEND, 7000), origins.record_all)
    keep(origins.haproxy(net.proxy, tmp_path, f"""
defaults
  mode tcp
  timeout connect 5s
  timeout client 5s
  timeout server 5s
listen one
  bind {PROXY}:8001
  server s {origin.text} send-proxy
listen two
  bind {PROXY}:8002
  server s {origin.text} send-proxy-v2
""")).wait_ready(lambda: can_connect(net.client, (PROXY, 8002)))
    origin.records.clear()
    ours = []
    for port in (8001, 8002):
        sock = net.client.connect((PROXY, port))
        ours.append(sock.getsockname())
        assert origins.exchange(sock, b"hello") == b"ok"
    by_payload = [data for _, data in origin.records if data.endswith(b"hello")]
    first, second = sorted(by_payload, key=lambda data: data.startswith(proxy_header.SIGNATURE))
    assert first == proxy_header.v1(ours[0], (PROXY, 8001)) + b"hello"
    header, rest = proxy_header.split_v2(second)
    assert (header["source"], header["destination"], rest) == (ours[1], (PROXY, 8002), b"hello")
    assert ours[0][0] == CLIENT
