# SPDX-License-Identifier: Apache-2.0
"""The network changes below spliced connections under load: they follow, and lose no byte."""
import json
import time

import pytest

from lib import ask
from lib.configs import FRONT, PORT
from lib.load import Load
from lib.netns import BACKEND, BACKEND6, CLIENT, CLIENT6, PROXY, PROXY6, address, join
from lib.splice import exchange, rungs, spliced, wait_joined

ENGINE = "io_uring"  # packets do not see the other

ORIGIN = (BACKEND, 7000)
# Of either line: device and namespace of the far end, the proxy's device, addresses of both.
LINES = {
    "client": ("c0", "client", "p0", {"4": (PROXY, CLIENT), "6": (PROXY6, CLIENT6)}),
    "backend": ("b0", "backend", "p1", {"4": ("10.77.2.1", BACKEND), "6": ("fd77:2::1", BACKEND6)}),
}


@pytest.fixture
def load(net, sluice, named_origin, keep):
    """load(version): on a connection that has been handed over."""
    def make(version="4"):
        host, front = {"4": (BACKEND, PROXY), "6": (BACKEND6, PROXY6)}[version]
        options = {"bind": [f"0.0.0.0:{PORT}", f"[::]:{PORT}"]}
        sluice.start(spliced(named_origin("o", (host, 7000)), listener_options=options))
        sock, _ = ask.opened(net.client, (front, PORT))
        wait_joined(sluice)
        running = keep(Load(sock))
        running.assert_goes_on()
        return running
    return make


def link(namespace, device):
    return json.loads(namespace.run("ip", "-j", "-s", "link", "show", "dev", device).stdout)[0]


def assert_spliced(sluice):
    assert rungs(sluice) == [("splice-tc", "-")]


# --- Neighbours -----------------------------------------------------------------------------------
@pytest.mark.parametrize("version", ["4", "6"])
@pytest.mark.parametrize("side", LINES)
def test_a_neighbour_that_changes_its_mac_is_followed(net, sluice, load, living_neighbours, side,
                                                      version):
    device, role, near, _ = LINES[side]
    far = getattr(net, role)
    before = link(far, device)["address"]
    running = load(version)
    try:
        far.run("ip", "link", "set", device, "address", "02:00:00:00:09:99")
        running.assert_goes_on()
        assert "02:00:00:00:09:99" in net.proxy.run("ip", "neighbour", "show", "dev", near).stdout
    finally:
        far.run("ip", "link", "set", device, "address", before)
    running.assert_goes_on()
    assert_spliced(sluice)
    running.stop()


@pytest.mark.parametrize("version", ["4", "6"])
def test_neighbours_stay_fresh(net, sluice, load, living_neighbours, version):
    """Entries live for less than a second here; nothing but spliced packets asks for them."""
    running = load(version)
    slowest, end = 0, time.monotonic() + 5
    while time.monotonic() < end:
        began = time.monotonic()
        running.assert_goes_on(1)
        slowest = max(slowest, time.monotonic() - began)
    assert slowest < 1.5
    running.stop()
    assert_spliced(sluice)


def test_a_neighbour_that_was_forgotten_is_found_again(net, sluice, joined, living_neighbours):
    for _ in range(2):
        for device in ("p0", "p1"):
            net.proxy.run("ip", "neighbour", "flush", "dev", device)
        assert exchange(joined, 100_000)
    assert_spliced(sluice)


# --- Links ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("side", LINES)
def test_a_link_that_goes_down_for_a_while_loses_no_byte(net, sluice, load, side):
    near = LINES[side][2]
    running = load()
    for _ in range(2):
        net.proxy.run("ip", "link", "set", near, "down")
        running.assert_stands()
        net.proxy.run("ip", "link", "set", near, "up")
        running.assert_goes_on()
    assert_spliced(sluice)
    running.stop()


def test_a_device_that_is_replaced_is_followed(net, sluice, load):
    """As at a hot-plug: another device, with another number, has the old one's name and place."""
    running = load()
    net.client.run("ip", "link", "delete", "c0")
    running.assert_stands()
    net.rejoin("client")
    running.assert_goes_on()
    assert_spliced(sluice)
    running.stop()


# --- Routes ---------------------------------------------------------------------------------------
@pytest.fixture
def second_line(net):
    """second_line(side): another line to a far end; both ends then use it for all that they say."""
    made = []

    def make(side):
        _, role, near, _ = LINES[side]
        far = getattr(net, role)
        made.append((far, near))
        join(net.proxy, "p9", far, "x9")
        address(net.proxy, "p9", "10.77.9.1/24")
        address(far, "x9", "10.77.9.2/24")

        def use():
            far_address = LINES[side][3]["4"][1]
            net.proxy.run("ip", "route", "replace", f"{far_address}/32", "via", "10.77.9.2")
            far.run("ip", "route", "replace", "default", "via", "10.77.9.1")
            far.run("ip", "route", "replace", f"{LINES[side][3]['4'][0]}/32", "via", "10.77.9.1")
        return use
    yield make
    for far, near in made:
        net.proxy.run("ip", "link", "delete", "p9")
        gateway = {"p0": "10.77.1.1", "p1": "10.77.2.1"}[near]
        far.run("ip", "route", "replace", "default", "via", gateway)


def packets(namespace, device):
    return link(namespace, device)["stats64"]["tx"]["packets"]


@pytest.mark.parametrize("side", LINES)
def test_a_route_that_moves_to_a_device_that_appears_later_is_followed(net, sluice, load,
                                                                       second_line, side):
    running = load()
    second_line(side)()
    running.assert_goes_on()
    before = packets(net.proxy, "p9"), packets(net.proxy, LINES[side][2])
    running.assert_goes_on()
    assert packets(net.proxy, "p9") > before[0]
    assert packets(net.proxy, LINES[side][2]) - before[1] < 5
    assert_spliced(sluice)
    running.stop()


@pytest.mark.parametrize("side", LINES)
def test_a_route_that_vanishes_holds_its_connections_up(net, sluice, load, side):
    """Nobody is reset: the packets are lost, and sent again when there is a way."""
    near, ends = LINES[side][2:]
    running = load()
    net.proxy.run("ip", "route", "add", "unreachable", f"{ends['4'][1]}/32")
    running.assert_stands()
    net.proxy.run("ip", "route", "delete", "unreachable", f"{ends['4'][1]}/32")
    running.assert_goes_on()
    assert_spliced(sluice)
    running.stop()


def test_a_gateway_that_fails_over_is_followed(net, sluice, named_origin, second_line, keep):
    """The backend's host is behind its namespace's old line and, later, the new one."""
    use = second_line("backend")
    net.backend.run("ip", "address", "add", "10.77.88.8/32", "dev", "lo")
    net.proxy.run("ip", "route", "add", "10.77.88.8/32", "via", BACKEND)
    try:
        sluice.start(spliced(named_origin("o", ("10.77.88.8", 7000))))
        sock, _ = ask.opened(net.client, FRONT)
        wait_joined(sluice)
        running = keep(Load(sock))
        running.assert_goes_on()
        net.proxy.run("ip", "link", "set", "p1", "down")
        running.assert_stands()
        use()
        net.proxy.run("ip", "route", "replace", "10.77.88.8/32", "via", "10.77.9.2")
        running.assert_goes_on()
        assert_spliced(sluice)
        running.stop()
    finally:
        net.proxy.run("ip", "link", "set", "p1", "up")
        net.proxy.run("ip", "route", "delete", "10.77.88.8/32")
        net.backend.run("ip", "address", "delete", "10.77.88.8/32", "dev", "lo")
