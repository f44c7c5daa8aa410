# SPDX-License-Identifier: Apache-2.0
"""Ends that die: a reset goes through as a reset, and an end is never made up."""
import collections
import signal
import socket

import pytest

from lib import ask, traffic
from lib.configs import FRONT, simple
from lib.netns import BACKEND
from lib.process import wait_until


@pytest.fixture
def relayed(sluice, traffic_server):
    server = traffic_server()
    sluice.start(simple(server))
    return server


@pytest.mark.parametrize("after", [1, 1000, 500_000])
def test_a_backends_reset_reaches_the_client(net, relayed, after):
    report = traffic.run(net.client, FRONT, connections=20, up=4 << 20, down=1,
                         order="client", peer_reset_after=after)
    assert report["reset"] == 20, str(report)


@pytest.mark.parametrize("after", [1, 1000, 500_000])
def test_a_clients_reset_reaches_the_backend(net, relayed, after):
    report = traffic.run(net.client, FRONT, connections=20, up=1, down=4 << 20,
                         order="server", reset_after=after)
    assert report["aborted"] == 20, str(report)
    relayed.wait_results(20)
    assert relayed.outcomes() == {"reset": 20}


def test_resets_in_the_midst_of_both_streams_are_passed_on(net, relayed):
    report = traffic.run(net.client, FRONT, connections=50, up=4 << 20, down=4 << 20,
                         peer_reset_after=1 << 20)
    assert report["reset"] == 50, str(report)


def test_a_reset_on_an_idle_connection_is_passed_on(net, sluice, named_origin, keep):
    accepted = []

    def hold(sock, _):
        accepted.append(sock)
        sock.sendall(b"up\n")
        sock.recv(1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    origin = named_origin("holder", (BACKEND, 7000), hold)
    sluice.start(simple(origin))
    sock, _ = ask.opened(net.client, FRONT)
    sock.sendall(b"x")
    assert ask.ended(sock)[0] == "reset"


def test_a_killed_backend_ends_its_connections(net, tmp_path, sluice, traffic_server, keep):
    server = traffic_server()
    sluice.start(simple(server))
    client = keep(traffic.Client(net.client, FRONT, tmp_path, connections=50, up=1 << 30,
                                 down=1 << 30))
    wait_until(lambda: sluice.active() == 50, 10)
    server.signal(signal.SIGKILL)
    report = client.finish()
    assert report["reset"] + report["short"] == 50, str(report)
    wait_until(lambda: sluice.active() == 0, 10)


def test_a_killed_client_ends_its_backends_connections(net, tmp_path, sluice, traffic_server):
    server = traffic_server()
    sluice.start(simple(server))
    client = traffic.Client(net.client, FRONT, tmp_path, connections=50, up=1 << 30, down=1 << 30)
    wait_until(lambda: sluice.active() == 50, 10)
    client.signal(signal.SIGKILL)
    client.wait()
    wait_until(lambda: sluice.active() == 0, 10)
    wait_until(lambda: server.descriptors() < 10, 10, "the origin has no connections left")
    assert set(server.outcomes()) <= {"reset", "short"}


def test_resets_amid_good_traffic_hurt_nobody_else(net, tmp_path, relayed, keep):
    good = keep(traffic.Client(net.client, FRONT, tmp_path, connections=0, concurrency=8,
                               up=20_000, down=20_000))
    totals = collections.Counter()
    for _ in range(5):
        totals.update(traffic.run(net.client, FRONT, connections=30, up=1 << 20, down=1 << 20,
                                  peer_reset_after=100_000))
    assert totals["reset"] == 150, dict(totals).__repr__()
    report = good.finish()
    assert report["connections"] > 8
    traffic.assert_ok(report, report["connections"])


def test_no_backend_at_all_closes_the_client(net, sluice):
    sluice.start(simple(f"{BACKEND}:7999"))
    _, data, seconds = ask.refusal(net.client, FRONT)
    assert data == b""
    assert seconds < 5
