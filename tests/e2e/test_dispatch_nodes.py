# SPDX-License-Identifier: Apache-2.0
"""Two nodes of one configuration, and a client that spreads its connections over both by ECMP."""
import contextlib
import socket
import struct

import pytest

from lib import ask, origins
from lib.configs import pool
from lib.netns import PROXY, address, join
from lib.origins import read_line
from lib.tunnel import Decapsulator

ENGINE = "epoll"  # packets do not see the other

VIP = "10.99.0.1"
SECOND = "10.78.1.1"
SOURCE = "10.99.1.1"  # of neither line, or the kernel would prefer that one
NAMES = ("a", "b", "c")


def end_address(i):
    return f"10.79.0.{i}"


def add_second_node(net):
    """Beside the first: c1 ── s0."""
    node = net.add("second")
    join(net.client, "c1", node, "s0")
    address(net.client, "c1", "10.78.1.2/24")
    address(node, "s0", f"{SECOND}/24")
    node.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    address(net.client, "lo", f"{SOURCE}/32")
    node.run("ip", "route", "add", SOURCE, "via", "10.78.1.2")
    net.client.run("sysctl", "-qw", "net.ipv4.fib_multipath_hash_policy=1")
    for device in ("c0", "c1"):
        net.client.run("ethtool", "-K", device, "tx", "off")  # what a tunnel brings has checksums
    return node


def add_endpoint(net, nodes, i, keep, name):
    """Joined to both nodes; it answers clients by way of the second."""
    end = net.add(f"end{i}")
    for n, node in enumerate(nodes):
        join(node, f"e{i}", end, f"n{n}")
        address(node, f"e{i}", f"10.8{n}.{i}.1/24")
        address(end, f"n{n}", f"10.8{n}.{i}.2/24")
        node.run("ip", "route", "add", f"{end_address(i)}/32", "via", f"10.8{n}.{i}.2")
    address(end, "lo", f"{end_address(i)}/32", f"{VIP}/32")
    end.run("ip", "route", "add", "default", "via", f"10.81.{i}.1")
    keep(Decapsulator(end))
    end.run("sh", "-c", "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done")
    keep(origins.Origin(end, (VIP, 80), origins.say_name, name))


@pytest.fixture(scope="module")
def cluster(net):
    """The namespaces of both nodes, with three endpoints behind them."""
    with contextlib.ExitStack() as stack:
        def keep(thing):
            stack.callback(getattr(thing, "stop", None) or thing.close)
            return thing

        nodes = [net.proxy, add_second_node(net)]
        for i, name in enumerate(NAMES):
            add_endpoint(net, nodes, i, keep, name)
        yield nodes


@pytest.fixture
def daemons(cluster, make_daemon):
    config = {"listeners": [{"name": "service", "mode": "dispatch", "bind": f"{VIP}:80",
                             "pool": "main", "dispatch": {"forward": "ipip"}}],
              "pools": [pool(*(f"{end_address(i)}:80" for i in range(3)), balance="maglev")],
              "dispatch": {"max_flows": 4096}}
    started = []
    for n, node in enumerate(cluster):
        daemon = make_daemon(f"node{n}", node)
        daemon.instance = f"{daemon.instance}-{n}"
        daemon.start(config)
        started.append(daemon)
    return started


def route(net, *gateways):
    hops = [word for gateway in gateways for word in ("nexthop", "via", gateway)]
    net.client.run("ip", "route", "replace", VIP, *hops)


def flows(daemon):
    return daemon.ctl_json("services")["services"][0]["flows"]


def name_for_port(net, port):
    with net.client.socket() as sock:
        sock.settimeout(10)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((SOURCE, port))
        sock.connect((VIP, 80))
        name = read_line(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # frees the port
        return name


def test_both_nodes_choose_the_same_endpoint_for_a_flow(net, daemons):
    ports = range(20000, 20030)
    route(net, PROXY)
    first = [name_for_port(net, port) for port in ports]
    route(net, SECOND)
    second = [name_for_port(net, port) for port in ports]
    assert first == second and set(first) == set(NAMES)
    assert [flows(daemon) for daemon in daemons] == [30, 30]


def test_connections_live_on_when_their_node_is_gone(net, daemons):
    route(net, PROXY, SECOND)
    held = [ask.opened(net.client, (VIP, 80), source=SOURCE) for _ in range(30)]
    assert {name for _, name in held} == set(NAMES)
    shares = [flows(daemon) for daemon in daemons]
    assert sum(shares) == 30 and min(shares) > 0
    assert all(ask.echoes(sock) for sock, _ in held)
    daemons[0].kill()
    daemons[0].process = None
    net.proxy.run("ip", "link", "set", "p0", "down")
    route(net, SECOND)
    assert all(ask.echoes(sock) for sock, _ in held)
    assert flows(daemons[1]) == 30  # those of the other are new to it
    for sock, _ in held:
        sock.close()
