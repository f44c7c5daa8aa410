# SPDX-License-Identifier: Apache-2.0
"""A way that takes smaller packets than its ends think: what a spliced connection makes of it.

    far ── narrow ── client ── proxy ── backend        and the same on the other side
        1500      1300     1500     1500

`narrow` and the near end are routers; the far end believes in 1500 until it is told.
"""
import socket

import pytest

from lib import ask, origins
from lib.configs import PORT
from lib.netns import BACKEND, BACKEND6, CLIENT, CLIENT6, PROXY, PROXY6, address, join
from lib.process import wait_until
from lib.splice import MEBIBYTE, exchange, log_line, spliced, wait_joined, wait_over

ENGINE = "epoll"  # packets do not see the other

FAR, FAR6 = "10.78.2.2", "fd78:2::2"
MTU = 1300
VERSIONS = ("IPv4", "IPv6")


def ip(namespace, *words):
    for family in ("-4", "-6"):
        namespace.run("ip", family, *(w[family] if isinstance(w, dict) else w for w in words))


class Narrow:
    """Two namespaces behind `near`, a far end of the topology."""

    def __init__(self, net, near, via, via6):
        self.net, self.near = net, near
        self.narrow, self.far = net.add("narrow"), net.add("far")
        join(near, "n0", self.narrow, "n1", MTU)
        join(self.narrow, "f0", self.far, "f1")
        for namespace in (near, self.narrow):
            namespace.run("sysctl", "-qw", "net.ipv4.ip_forward=1",
                          "net.ipv6.conf.all.forwarding=1")
        address(near, "n0", "10.78.1.1/24", "fd78:1::1/64")
        address(self.narrow, "n1", "10.78.1.2/24", "fd78:1::2/64")
        address(self.narrow, "f0", "10.78.2.1/24", "fd78:2::1/64")
        address(self.far, "f1", f"{FAR}/24", f"{FAR6}/64")
        ip(self.far, "route", "add", "default", "via", {"-4": "10.78.2.1", "-6": "fd78:2::1"})
        ip(self.narrow, "route", "add", "default", "via", {"-4": "10.78.1.1", "-6": "fd78:1::1"})
        prefix = {"-4": "10.78.2.0/24", "-6": "fd78:2::/64"}
        ip(near, "route", "add", prefix, "via", {"-4": "10.78.1.2", "-6": "fd78:1::2"})
        ip(net.proxy, "route", "add", prefix, "via", {"-4": via, "-6": via6})

    def close(self):
        self.near.run("ip", "link", "delete", "n0")
        prefix = {"-4": "10.78.2.0/24", "-6": "fd78:2::/64"}
        ip(self.net.proxy, "route", "delete", prefix)
        for namespace in (self.narrow, self.far):
            self.net.remove(namespace)
        for namespace in (self.net.client, self.net.proxy, self.net.backend):
            ip(namespace, "route", "flush", "cache")


def learnt(namespace, destination):
    """The MTU that it has been told of for a destination; 0: none."""
    words = namespace.run("ip", "-o", "route", "get", destination).stdout.split()
    return int(words[words.index("mtu") + 1]) if "mtu" in words else 0


BINDS = {"bind": [f"0.0.0.0:{PORT}", f"[::]:{PORT}"]}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_backend_learns_of_a_narrow_way_to_the_client(net, sluice, named_origin, keep, version):
    narrow = keep(Narrow(net, net.client, CLIENT, CLIENT6))
    host, front, back = {"IPv4": (BACKEND, PROXY, "10.77.2.1"),
                         "IPv6": (BACKEND6, PROXY6, "fd77:2::1")}[version]
    sluice.start(spliced(named_origin("o", (host, 7000)), listener_options=BINDS))
    sock, _ = ask.opened(narrow.far, (front, PORT), timeout=60)
    wait_joined(sluice)
    assert exchange(sock, 4 * MEBIBYTE)
    assert learnt(net.backend, back) == MTU
    sock.close()
    wait_over(sluice)
    assert log_line(sluice)["rung"] == "splice-tc"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_client_learns_of_a_narrow_way_to_the_backend(net, sluice, keep, version):
    narrow = keep(Narrow(net, net.backend, BACKEND, BACKEND6))
    host, front = {"IPv4": (FAR, PROXY), "IPv6": (FAR6, PROXY6)}[version]
    origin = keep(origins.Origin(narrow.far, (host, 7000), origins.say_name, "o"))
    sluice.start(spliced(origin, listener_options=BINDS))
    for _ in range(2):  # the second knows from its beginning, and is spliced all the same
        sock, _ = ask.opened(net.client, (front, PORT), timeout=60)
        wait_joined(sluice)
        assert exchange(sock, 4 * MEBIBYTE)
        assert learnt(net.client, front) == MTU
        sock.close()
        wait_over(sluice)
        assert log_line(sluice)["rung"] == "splice-tc"


def test_what_the_proxy_has_learnt_itself_keeps_no_connection_from_being_spliced(net, sluice, keep):
    """The relay sends large packets to the narrow way, and the proxy's host remembers."""
    narrow = keep(Narrow(net, net.backend, BACKEND, BACKEND6))
    sink = keep(origins.Origin(narrow.far, (FAR, 7001), origins.record_all))
    with net.proxy.connect((FAR, 7001)) as sock:
        sock.sendall(bytes(MEBIBYTE))
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(2) == b"ok" and len(sink.records[0][1]) == MEBIBYTE
    assert learnt(net.proxy, FAR) == MTU
    origin = keep(origins.Origin(narrow.far, (FAR, 7000), origins.say_name, "o"))
    sluice.start(spliced(origin))
    sock, _ = ask.opened(net.client, (PROXY, PORT), timeout=60)
    wait_joined(sluice)
    assert exchange(sock, MEBIBYTE)
    sock.close()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("device, others", [("p0", "backend"), ("p1", "client")])
def test_both_ends_learn_of_a_device_of_ours_that_shrinks(net, sluice, named_origin, device, others,
                                                          version):
    """Its far end goes on to believe in 1500, and so do the connection's ends until they are told."""
    host, front = {"IPv4": (BACKEND, PROXY), "IPv6": (BACKEND6, PROXY6)}[version]
    sluice.start(spliced(named_origin("o", (host, 7000)), listener_options=BINDS))
    sock, _ = ask.opened(net.client, (front, PORT), timeout=60)
    wait_joined(sluice)
    assert exchange(sock, MEBIBYTE)
    net.proxy.run("ip", "link", "set", device, "mtu", "1400")
    try:
        towards = {"client": front, "backend": {"IPv4": "10.77.2.1", "IPv6": "fd77:2::1"}[version]}
        wait_until(lambda: exchange(sock, MEBIBYTE)
                   and learnt(getattr(net, others), towards[others]) == 1400, 20, "the new MTU is learnt")
    finally:
        net.proxy.run("ip", "link", "set", device, "mtu", "1500")
        for namespace in (net.client, net.backend):
            ip(namespace, "route", "flush", "cache")
    sock.close()
    wait_over(sluice)
    assert log_line(sluice)["rung"] == "splice-tc"
