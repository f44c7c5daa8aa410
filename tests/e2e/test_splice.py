# SPDX-License-Identifier: Apache-2.0
"""Packet splice: established connections leave the daemon, and not a byte is lost, doubled or late."""
import asyncio
import json
import socket
import threading

import pytest

from lib import ask, traffic
from lib.configs import FRONT, PORT, listener, pool
from lib.netns import BACKEND, BACKEND6, PROXY, PROXY6, address, join
from lib.origins import Origin, say_name
from lib.process import wait_until
from lib.splice import (MEBIBYTE, SPLICE, exchange, log_line, rungs, spliced, wait_joined,
                        wait_over)
from lib.websocket import Server, converse

ORIGIN = (BACKEND, 7000)


def test_a_spliced_connection_carries_every_byte_both_ways(joined, sluice, scale):
    assert ask.echoes(joined, b"first")
    assert exchange(joined, int(16 * MEBIBYTE * scale))
    row = sluice.connections()[0]
    assert row["rung"] == "splice-tc" and row["reason"] == "-"
    assert row["bytes_in"] == 5 + int(16 * MEBIBYTE * scale)
    assert row["bytes_out"] == 5 + 2 + int(16 * MEBIBYTE * scale)


def test_many_connections_are_handed_over_at_any_moment(net, sluice, named_origin):
    """Bursts with pauses between them, so that the switch comes in the middle of transfers."""
    sluice.start(spliced(named_origin("o", ORIGIN)))
    failures = []

    def talk(number):
        sock, _ = ask.opened(net.client, FRONT)
        try:
            for burst in range(12):
                if not exchange(sock, 1 + (number * 7919 + burst * 104729) % 200000):
                    failures.append((number, burst))
                threading.Event().wait((number + burst) % 7 / 100)
        except OSError as error:
            failures.append((number, error))
        finally:
            sock.close()

    threads = [threading.Thread(target=talk, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    wait_until(lambda: sluice.active() == 0, 5, "all connections have ended")
    lines = [json.loads(line) for line in sluice.process.stdout().splitlines()]
    assert sum(line["rung"] == "splice-tc" for line in lines) >= 8
    assert all(line["bytes_out"] == line["bytes_in"] + 2 for line in lines)


def test_a_websocket_is_handed_over_once_http_is_behind_it(net, sluice, keep):
    async def talk(peer):
        await peer.send("first")
        assert await peer.recv() == "first"
        await asyncio.to_thread(wait_joined, sluice)
        for size in (1, 1000, 300_000):
            await peer.send("x" * size)
            assert await peer.recv() == "x" * size

    sluice.start(spliced(keep(Server(net.backend, ORIGIN)), listener_options={"mode": "http"}))
    converse(net.client.connect(FRONT), talk)
    wait_over(sluice)
    line = log_line(sluice)
    assert (line["status"], line["end"]) == (101, "upgraded")


@pytest.mark.parametrize("order", ["both", "client", "server"])
def test_ends_at_any_moment_of_a_hand_over_lose_nothing(net, sluice, traffic_server, order):
    """Short connections end while the hand-over looks for its quiet moment, or just behind it."""
    sluice.start(spliced(traffic_server()))
    for size in (100, 20_000, 300_000):
        report = traffic.run(net.client, FRONT, connections=200, concurrency=20, up=size,
                             down=size, order=order)
        traffic.assert_ok(report, 200)
    wait_until(lambda: sluice.active() == 0, 10)


def test_what_cannot_be_spliced_is_relayed_and_says_why(net, sluice, named_origin, tmp_path, keep):
    local = keep(Origin(net.proxy, (PROXY, 7001), say_name, "local"))
    v6 = named_origin("v6", (BACKEND6, 7002))
    sluice.start({**SPLICE, "listeners": [
        listener(pool="local"), listener(pool="v6", name="family", bind=["0.0.0.0:8002"]),
    ], "pools": [pool(local, name="local"), pool(v6, name="v6")]})
    for port, reason in ((PORT, "loopback"), (8002, "family")):
        sock, _ = ask.opened(net.client, (PROXY, port))
        assert ask.echoes(sock)
        assert rungs(sluice) == [("relay", reason)]
        sock.close()
        wait_until(lambda: sluice.active() == 0, 5)


def test_a_unix_socket_is_relayed_and_says_why(net, sluice, traffic_server, tmp_path):
    sluice.start(spliced(traffic_server(tmp_path / "o.sock")))
    traffic.assert_ok(traffic.run(net.client, FRONT, up=MEBIBYTE, down=MEBIBYTE))
    line = log_line(sluice)
    assert (line["rung"], line["reason"]) == ("relay", "not_tcp_sockets")


def test_a_connection_is_relayed_until_it_has_carried_enough(net, sluice, named_origin):
    config = spliced(named_origin("o", ORIGIN))
    config["acceleration"] = {**config["acceleration"], "after": "64KiB"}
    sluice.start(config)
    sock, _ = ask.opened(net.client, FRONT)
    assert ask.echoes(sock)
    threading.Event().wait(0.3)
    assert rungs(sluice)[0][0] == "relay"
    assert exchange(sock, 40000)
    wait_joined(sluice)
    assert exchange(sock, MEBIBYTE)
    sock.close()


CLIENT_STACKS = {
    "plain": [],
    "without timestamps": ["net.ipv4.tcp_timestamps=0"],
    "without SACK": ["net.ipv4.tcp_sack=0"],
    "without window scaling": ["net.ipv4.tcp_window_scaling=0"],
    "without any of them": ["net.ipv4.tcp_timestamps=0", "net.ipv4.tcp_sack=0",
                            "net.ipv4.tcp_window_scaling=0"],
    "with ECN": ["net.ipv4.tcp_ecn=1"],
}


@pytest.fixture
def client_stack(net):
    """Sets sysctls of the client's namespace for the test."""
    before = []

    def apply(settings):
        for setting in settings:
            name = setting.split("=")[0]
            before.append(f"{name}={net.client.run('sysctl', '-n', name).stdout.strip()}")
            net.client.run("sysctl", "-q", "-w", setting)
    yield apply
    for setting in before:
        net.client.run("sysctl", "-q", "-w", setting)


@pytest.mark.parametrize("version", ["IPv4", "IPv6"])
@pytest.mark.parametrize("stack", CLIENT_STACKS)
def test_every_kind_of_client_is_spliced(net, sluice, named_origin, client_stack, stack, version):
    client_stack(CLIENT_STACKS[stack])
    origin = named_origin("o", ORIGIN if version == "IPv4" else (BACKEND6, 7000))
    sluice.start(spliced(origin, listener_options={"bind": [f"0.0.0.0:{PORT}", f"[::]:{PORT}"]}))
    sock, _ = ask.opened(net.client, FRONT if version == "IPv4" else (PROXY6, PORT))
    wait_joined(sluice)
    assert exchange(sock, 4 * MEBIBYTE)
    sock.shutdown(socket.SHUT_WR)
    assert ask.ended(sock)[0] == "fin"


def test_a_client_with_a_small_mss_is_spliced(net, sluice, named_origin):
    sluice.start(spliced(named_origin("o", ORIGIN)))
    sock = net.client.socket()
    sock.settimeout(10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    sock.connect(FRONT)
    assert sock.recv(2) == b"o\n"
    wait_joined(sluice)
    assert exchange(sock, 4 * MEBIBYTE)
    sock.close()


def test_a_device_that_appears_later_is_spliced_over(net, sluice, named_origin, keep):
    sluice.start(spliced(named_origin("o", ORIGIN)))
    net.client.run("ip", "link", "add", "c9", "type", "veth", "peer", "name", "p9",
                   "netns", net.proxy.name)
    try:
        net.client.run("ip", "address", "add", "10.77.9.2/24", "dev", "c9")
        net.proxy.run("ip", "address", "add", "10.77.9.1/24", "dev", "p9")
        net.client.run("ip", "link", "set", "c9", "up")
        net.proxy.run("ip", "link", "set", "p9", "up")
        sock, _ = ask.opened(net.client, ("10.77.9.1", PORT))
        wait_joined(sluice)
        assert exchange(sock, MEBIBYTE)
        sock.close()
        wait_until(lambda: sluice.active() == 0, 5)
    finally:
        net.client.run("ip", "link", "delete", "c9")


def add_or_skip(namespace, device, *words):
    if namespace.run("ip", "link", "add", *words, check=False).returncode != 0:
        pytest.skip(f"the kernel cannot make {device}")


def assert_spliced_between(net, sluice, origin, client_device, proxy_device):
    address(net.client, client_device, "10.77.5.2/24")
    address(net.proxy, proxy_device, "10.77.5.1/24")
    for namespace, device in ((net.client, client_device), (net.proxy, proxy_device)):
        namespace.run("ip", "link", "set", device, "up")
    sluice.start(spliced(origin))
    sock, _ = ask.opened(net.client, ("10.77.5.1", PORT))
    wait_joined(sluice)
    assert exchange(sock, 4 * MEBIBYTE)
    sock.close()


def test_a_connection_over_a_vlan_is_spliced(net, sluice, named_origin):
    try:
        add_or_skip(net.client, "VLANs", "link", "c0", "name", "c5", "type", "vlan", "id", "5")
        add_or_skip(net.proxy, "VLANs", "link", "p0", "name", "p5", "type", "vlan", "id", "5")
        assert_spliced_between(net, sluice, named_origin("o", ORIGIN), "c5", "p5")
    finally:
        for namespace, device in ((net.client, "c5"), (net.proxy, "p5")):
            namespace.run("ip", "link", "delete", device, check=False)


def test_a_connection_over_a_bond_is_spliced(net, sluice, named_origin):
    try:
        for namespace, device, member in ((net.client, "c5", "c6"), (net.proxy, "p5", "p6")):
            add_or_skip(namespace, "bonds", device, "type", "bond", "mode", "active-backup")
        join(net.client, "c6", net.proxy, "p6")
        for namespace, device, member in ((net.client, "c5", "c6"), (net.proxy, "p5", "p6")):
            namespace.run("ip", "link", "set", member, "down")
            namespace.run("ip", "link", "set", member, "master", device)
        assert_spliced_between(net, sluice, named_origin("o", ORIGIN), "c5", "p5")
    finally:
        for namespace, device in ((net.client, "c6"), (net.client, "c5"), (net.proxy, "p5")):
            namespace.run("ip", "link", "delete", device, check=False)


def test_filters_of_others_stay(net, sluice, named_origin):
    show = ("tc", "filter", "show", "dev", "p0", "ingress")
    net.proxy.run("tc", "qdisc", "replace", "dev", "p0", "clsact")
    net.proxy.run("tc", "filter", "add", "dev", "p0", "ingress", "prio", "9", "matchall", "action",
                  "continue", check=False)
    before = net.proxy.run(*show).stdout
    sluice.start(spliced(named_origin("o", ORIGIN)))
    sock, _ = ask.opened(net.client, FRONT)
    wait_joined(sluice)
    assert "tc_ingress" in net.proxy.run(*show).stdout
    sock.close()
    wait_over(sluice)
    sluice.stop()
    assert net.proxy.run(*show).stdout == before


def test_a_daemon_after_one_that_was_killed_splices_again(net, make_daemon, named_origin):
    config = spliced(named_origin("o", ORIGIN))
    first = make_daemon("first").start(config)
    sock, _ = ask.opened(net.client, FRONT)
    wait_joined(first)
    first.kill()
    sock.close()
    second = make_daemon("second").start(config)
    sock, _ = ask.opened(net.client, FRONT)
    wait_joined(second)
    assert exchange(sock, MEBIBYTE)
    sock.close()
    first.process = None


def test_a_full_table_relays_and_is_empty_again_afterwards(net, sluice, named_origin):
    config = spliced(named_origin("o", ORIGIN))
    config["acceleration"] = {**config["acceleration"], "max_flows": 16}
    sluice.start(config)
    for _ in range(3):
        socks = [ask.opened(net.client, FRONT)[0] for _ in range(18)]
        wait_joined(sluice, 16)
        assert rungs(sluice).count(("relay", "table_full")) == 2
        assert all(ask.echoes(sock) for sock in socks)
        for sock in socks:
            sock.close()
        wait_until(lambda: sluice.active() == 0, 5)
        threading.Event().wait(1.1)
