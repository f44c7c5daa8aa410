# SPDX-License-Identifier: Apache-2.0
"""Health checks of mode dispatch take the way that packets of the service take."""
import pytest

from lib import ask, origins
from lib.configs import pool
from lib.netns import BACKEND, PROXY, PROXY6, address, join
from lib.process import wait_until
from lib.tunnel import Decapsulator

ENGINE = "epoll"  # packets do not see the other

VIP, VIP6 = "10.99.0.1", "fd99::1"
BACKEND6 = "fd77:2::2"
FAST = {"interval": "200ms", "timeout": "150ms", "rise": 1, "fall": 1}


def config(forward, endpoints=(f"{BACKEND}:80",), bind=f"{VIP}:80", hook="tc", **health):
    health.setdefault("http" if "http" in health else "tcp", {})
    return {"listeners": [{"name": "service", "mode": "dispatch", "bind": bind, "pool": "main",
                           "dispatch": {"forward": forward}}],
            "pools": [pool(*endpoints, balance="maglev", health={**FAST, **health})],
            "acceleration": {"hook": hook}, "dispatch": {"max_flows": 4096}}


@pytest.fixture(autouse=True)
def endpoint(net, keep, named_origin):
    """It serves at any address that it has, and has the service's only if a test gives it."""
    net.client.run("ip", "route", "replace", VIP, "via", PROXY)
    net.client.run("ip", "-6", "route", "replace", VIP6, "via", PROXY6)
    net.backend.run("sh", "-c", "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done")
    tunnel = keep(Decapsulator(net.backend))
    for namespace, device in ((net.client, "c0"), (net.proxy, "p1")):
        namespace.run("ethtool", "-K", device, "tx", "off")  # what a tunnel brings has checksums
    named_origin("v", ("::", 80))  # and IPv4's
    yield tunnel
    for namespace, device in ((net.client, "c0"), (net.proxy, "p1")):
        namespace.run("ethtool", "-K", device, "tx", "on")
    take(net.backend, VIP)
    take(net.backend, VIP6)


def give(namespace, ip):
    length = 128 if ":" in ip else 32
    namespace.run("ip", "address", "replace", f"{ip}/{length}", "dev", "lo", "nodad")


def take(namespace, ip):
    length = 128 if ":" in ip else 32
    namespace.run("ip", "address", "delete", f"{ip}/{length}", "dev", "lo", check=False)


def health(sluice, name=f"{BACKEND}:80"):
    return sluice.endpoints("main")[name]["health"]


@pytest.mark.parametrize("hook", ["tc", "xdp"])
@pytest.mark.parametrize("forward", ["ipip", "gue", "l2"])
def test_an_endpoint_without_the_services_address_is_down_until_it_has_it(net, sluice, endpoint,
                                                                         forward, hook):
    sluice.start(config(forward, hook=hook))
    wait_until(lambda: health(sluice) == "down", 10, "the address is missing")
    assert f"{VIP} by {forward}" in sluice.process.stderr()
    give(net.backend, VIP)
    wait_until(lambda: health(sluice) == "up", 10, "the address is there")
    assert ask.name(net.client, (VIP, 80)) == "v"
    assert forward == "l2" or endpoint.packets[forward] > 2
    take(net.backend, VIP)
    wait_until(lambda: health(sluice) == "down", 10, "the address has gone")


@pytest.mark.parametrize("forward", ["ipip", "gue", "l2"])
def test_the_same_with_ipv6(net, sluice, endpoint, forward):
    name = f"[{BACKEND6}]:80"
    sluice.start(config(forward, endpoints=(name,), bind=f"[{VIP6}]:80"))
    wait_until(lambda: health(sluice, name) == "down", 10, "the address is missing")
    give(net.backend, VIP6)
    wait_until(lambda: health(sluice, name) == "up", 10, "the address is there")


def test_it_does_not_matter_whether_this_machine_has_the_address_too(net, sluice):
    give(net.proxy, VIP)
    try:
        sluice.start(config("ipip"))
        wait_until(lambda: health(sluice) == "down", 10, "the address is missing there")
        give(net.backend, VIP)
        wait_until(lambda: health(sluice) == "up", 10, "the address is there")
    finally:
        take(net.proxy, VIP)


def test_an_endpoint_that_would_forward_the_check_is_down(net, sluice, keep):
    """To whoever it takes for the service, who is well and would answer in its place."""
    other = net.add("other")
    join(net.backend, "b1", other, "o0")
    address(net.backend, "b1", "10.88.0.1/24")
    address(other, "o0", "10.88.0.2/24")
    address(other, "lo", f"{VIP}/32")
    other.run("ip", "route", "add", "default", "via", "10.88.0.1")
    keep(origins.Origin(other, (VIP, 80), origins.say_name, "other"))
    net.backend.run("ip", "route", "replace", VIP, "via", "10.88.0.2")
    net.backend.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    try:
        sluice.start(config("ipip"))
        net.proxy.run("ip", "route", "replace", VIP, "via", BACKEND)
        assert ask.name(net.proxy, (VIP, 80)) == "other", "it does forward"
        wait_until(lambda: health(sluice) == "down", 10, "it forwards")
    finally:
        net.proxy.run("ip", "route", "delete", VIP)
        net.backend.run("ip", "route", "delete", VIP)
        net.backend.run("sysctl", "-qw", "net.ipv4.ip_forward=0")
        net.remove(other)


def test_every_address_of_the_service_has_to_be_there(net, sluice):
    give(net.backend, VIP)
    sluice.start(config("ipip", bind=[f"{VIP}:80", "10.99.0.2:80", f"{VIP}:443"]))
    wait_until(lambda: health(sluice) == "down", 10, "the second address is missing")
    assert "10.99.0.2 by ipip" in sluice.process.stderr()
    give(net.backend, "10.99.0.2")
    try:
        wait_until(lambda: health(sluice) == "up", 10, "both are there")
    finally:
        take(net.backend, "10.99.0.2")


def test_through_address_goes_without_the_tunnel(net, sluice, endpoint):
    sluice.start(config("ipip", through="address"))
    wait_until(lambda: health(sluice) == "up", 10, "its own address answers")
    assert endpoint.packets["ipip"] == 0


def test_an_http_check_takes_the_tunnel_too_and_leaves_no_port_behind(net, sluice, endpoint):
    give(net.backend, VIP)
    sluice.start(config("gue", http={"path": "/", "expect": "200"}))
    wait_until(lambda: health(sluice) == "down", 10, "it speaks no HTTP")
    before = endpoint.packets["gue"]
    wait_until(lambda: endpoint.packets["gue"] > before + 20, 10, "it is checked again")
    held = net.proxy.run("ss", "-Htan", "dst", BACKEND).stdout
    assert "TIME-WAIT" not in held
    assert f"({VIP} by gue)" in sluice.process.stderr()
