# SPDX-License-Identifier: Apache-2.0
"""Floods of SYNs and of UDP from invented sources, beside clients that must not notice."""
import pytest

from lib import ask, flood
from lib.configs import FRONT, PORT, simple
from lib.netns import BACKEND, PROXY6, client_address
from lib.paths import ROOT
from lib.process import wait_until

ORIGIN = (BACKEND, 7000)
RATE = 20_000  # a second; a loaded machine makes fewer
CLIENTS = 40


def config(origin, hook="tc", **guard):
    return simple(origin, top={"guard": {"mode": "enforce", "syn_cookie_threshold": 100, **guard},
                               "acceleration": {"hook": hook}},
                  listener_options={"bind": [f"0.0.0.0:{PORT}", f"[::]:{PORT}"], "backlog": 64})


def cookies(sluice):
    return sluice.ctl_json("guard")["cookies"]["packets"]


def assert_served(net, source=None, target=FRONT):
    sock, name = ask.opened(net.client, target, source=source) if source else \
        ask.opened(net.client, target)
    with sock:
        assert name == "o" and ask.echoes(sock, b"x" * 100_000)


@pytest.fixture
def set_cookies(net):
    before = net.proxy.run("sysctl", "-n", "net.ipv4.tcp_syncookies").stdout.strip()
    yield lambda value: flood.set_syncookies(net, value)
    flood.set_syncookies(net, before)


@pytest.fixture
def cookies_on(set_cookies):
    set_cookies(2)


@pytest.fixture(params=["tc", "xdp"])
def hook(request, net):
    """At XDP as behind a wire: the far end finishes its checksums, and takes what XDP_TX sends, which a veth does only
    with a program of its own."""
    if request.param == "tc":
        yield "tc"
        return
    net.client.run("ethtool", "-K", "c0", "tx", "off")
    net.client.run("ip", "link", "set", "c0", "xdpdrv", "obj",
                   ROOT / "build" / "bpf" / "xdp_ingress.bpf.o", "sec", "xdp")
    yield "xdp"
    net.client.run("ip", "link", "set", "c0", "xdpdrv", "off")
    net.client.run("ethtool", "-K", "c0", "tx", "on")


def test_clients_connect_through_a_flood_of_syns(net, sluice, named_origin, cookies_on, hook):
    sluice.start(config(named_origin("o", ORIGIN), hook))
    with flood.way_back(net), flood.running(net, "syn", FRONT, 30, RATE) as child:
        wait_until(lambda: cookies(sluice) > 1000, 20, "SYNs are answered with cookies")
        for _ in range(CLIENTS):
            assert_served(net)
        assert_served(net, target=(PROXY6, PORT))
        assert child.poll() is None, "the flood ended too soon"
        assert flood.half_open(net) <= 100


def is_served(net):
    """One attempt, whose first SYN counts: a second one comes after a second."""
    try:
        sock, _ = ask.opened(net.client, FRONT, timeout=0.8)
        with sock:
            return ask.echoes(sock)
    except OSError:
        return False


@pytest.mark.parametrize("syncookies", [0, 1], ids=["nothing", "the kernel's cookies"])
def test_what_the_same_flood_does_without_the_guard(net, sluice, named_origin, set_cookies, syncookies):
    """Beside the guard's: with no defence clients are shut out, but for a few that find a place as one becomes free, so
    the flood is one; the kernel's cookies let them in once its queue is full, which the guard keeps from filling."""
    set_cookies(syncookies)
    sluice.start(config(named_origin("o", ORIGIN), mode="off"))
    with flood.way_back(net), flood.running(net, "syn", FRONT, 30, RATE) as child:
        wait_until(lambda: flood.half_open(net) >= 50, 20, "the queue is full")
        served = [is_served(net) for _ in range(10)].count(True)
        assert child.poll() is None, "the flood ended too soon"
    assert served <= 6 if syncookies == 0 else served > 6, served
    assert cookies(sluice) == 0


def test_clients_connect_through_a_flood_of_udp(net, sluice, named_origin):
    sluice.start(config(named_origin("o", ORIGIN), source={"packets": 50_000}))
    with flood.way_back(net), flood.running(net, "udp", FRONT, 30, RATE) as child:
        before = sluice.ctl_json("guard")["seen"]["packets"]
        wait_until(lambda: sluice.ctl_json("guard")["seen"]["packets"] > before + 1000, 20)
        for _ in range(CLIENTS):
            assert_served(net)
        assert child.poll() is None, "the flood ended too soon"


def test_the_heaviest_source_is_named(net, sluice, named_origin):
    sluice.start(config(named_origin("o", ORIGIN)))
    sock, _ = ask.opened(net.client, FRONT)
    with sock:
        def heaviest():
            for _ in range(100):
                assert ask.echoes(sock, b"y" * 10)
            rows = sluice.ctl_json("guard", "talkers")["talkers"]
            return rows and rows[0]["source"].startswith((client_address(2), BACKEND))
        wait_until(heaviest, 20, "the client or its backend is the heaviest")
