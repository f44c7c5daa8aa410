# SPDX-License-Identifier: Apache-2.0
"""Mode dispatch with forward: dnat: endpoints see the client's address, and their answers come by us."""
import contextlib
import re
import socket

import pytest

from lib import ask, origins, traffic
from lib.configs import pool
from lib.netns import CLIENT, PROXY, PROXY6, backend_address
from lib.process import wait_until

ENGINE = "epoll"  # packets do not see the other

VIP, VIP6 = "10.99.0.1", "fd99::1"
NAMES = ("a", "b", "c")
HOOKS = pytest.mark.parametrize("hook", ["tc", "xdp"])


def config(endpoints, bind=f"{VIP}:80", hook="tc", top=None, **pool_options):
    return {"listeners": [{"name": "service", "mode": "dispatch", "bind": bind, "pool": "main",
                           "dispatch": {"forward": "dnat"}}],
            "pools": [pool(*endpoints, balance="maglev", **pool_options)],
            "acceleration": {"hook": hook}, "dispatch": {"max_flows": 4096}, **(top or {})}


@pytest.fixture(autouse=True)
def route_to_vip(net):
    net.client.run("ip", "route", "replace", VIP, "via", PROXY)
    net.client.run("ip", "-6", "route", "replace", VIP6, "via", PROXY6)


def say_peer(sock, origin):
    """Its name and whom it sees; then an echo."""
    sock.sendall(f"{origin.name} {sock.getpeername()[0]}\n".encode())
    origins.echo(sock)


@pytest.fixture
def named(named_origin):
    """Three at one port of addresses of their own, who say whom they see."""
    return [named_origin(name, (backend_address(2 + i), 7000), say_peer)
            for i, name in enumerate(NAMES)]


def rows(sluice):
    return {row["address"]: row for row in sluice.ctl_json("services")["services"]}


@HOOKS
def test_endpoints_see_the_client_and_clients_the_service(net, sluice, named, hook):
    sluice.start(config(named, hook=hook))
    seen = ask.names(net.client, (VIP, 80), 60)
    assert set(seen) == {f"{name} {CLIENT}" for name in NAMES}
    row = rows(sluice)[f"{VIP}:80/tcp"]
    assert row["forward"] == "dnat" and row["flows"] == 60
    assert row["packets_in"] >= 60 * 4 and row["packets_out"] >= 60 * 3
    assert {e["name"]: e["flows"] for e in row["endpoints"]} == {
        e["name"]: seen[f"{NAMES[i]} {CLIENT}"] for i, e in enumerate(row["endpoints"])}
    assert re.search(r'sluice_dispatch_sent_packets_total\{listener="service",[^}]*\} [1-9]',
                     sluice.ctl("metrics"))


@pytest.fixture
def unforwarding(net):
    net.proxy.run("sysctl", "-qw", "net.ipv4.ip_forward=0")
    yield
    net.proxy.run("sysctl", "-qw", "net.ipv4.ip_forward=1")


@HOOKS
def test_it_says_that_answers_want_forwarding(net, sluice, named, unforwarding, hook):
    sluice.start(config(named, hook=hook))
    assert "listener service: forward: dnat: answers of endpoints will be lost" \
        in sluice.process.stderr()
    with pytest.raises(TimeoutError):
        net.client.connect((VIP, 80), timeout=1)
    net.proxy.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    assert ask.names(net.client, (VIP, 80), 3)


@HOOKS
def test_bytes_are_right_both_ways(net, sluice, traffic_server, hook):
    server = traffic_server()
    sluice.start(config([server], hook=hook))
    report = traffic.run(net.client, (VIP, 80), connections=50, up=100000, down=300000)
    traffic.assert_ok(report, 50)


@HOOKS
def test_bytes_are_right_over_ipv6(net, sluice, traffic_server, hook):
    server = traffic_server(("fd77:2::2", 7000))
    sluice.start(config([server], bind=f"[{VIP6}]:80", hook=hook))
    report = traffic.run(net.client, (VIP6, 80), connections=20, up=100000, down=300000)
    traffic.assert_ok(report, 20)


@contextlib.contextmanager
def udp_pair(net, vip, host, listens=True):
    """A client's socket towards the service, and that of its endpoint."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with net.backend.socket(family, socket.SOCK_DGRAM) as end, \
            net.client.socket(family, socket.SOCK_DGRAM) as client:
        if listens:
            end.bind((host, 5300))
        end.settimeout(5)
        client.settimeout(5)
        client.connect((vip, 53))
        yield client, end


FAMILIES = pytest.mark.parametrize("vip, host", [
    (VIP, backend_address(2)), (VIP6, "fd77:2::2")], ids=["IPv4", "IPv6"])


@HOOKS
@FAMILIES
def test_datagrams_arrive_whole_and_in_pieces_both_ways(net, sluice, hook, vip, host):
    bind = f"{traffic.target_text((vip, 53))}/udp"
    sluice.start(config([traffic.target_text((host, 5300))], bind=bind, hook=hook))
    with udp_pair(net, vip, host) as (client, end):
        for size in (1, 100, 5000, 1473, 40000):
            sent = bytes(i * 7 % 251 for i in range(size))
            client.send(sent)
            got, peer = end.recvfrom(65536)
            assert got == sent and peer[:2] == client.getsockname()[:2]
            end.sendto(sent[::-1], peer)
            assert client.recv(65536) == sent[::-1]
    assert rows(sluice)[bind]["flows"] == 1


@HOOKS
@FAMILIES
def test_errors_reach_who_sent_what_they_are_about(net, sluice, hook, vip, host):
    bind = f"{traffic.target_text((vip, 53))}/udp"
    sluice.start(config([traffic.target_text((host, 5300))], bind=bind, hook=hook))
    with udp_pair(net, vip, host, listens=False) as (client, _):
        client.send(b"anybody?")
        with pytest.raises(ConnectionRefusedError):
            client.recv(64)
    with udp_pair(net, vip, host) as (client, end):
        client.send(b"bye")
        _, peer = end.recvfrom(64)
        assert peer[:2] == client.getsockname()[:2]
        client.close()
        end.connect(peer)
        end.send(b"too late")
        with pytest.raises(ConnectionRefusedError):
            end.recv(64)


@contextlib.contextmanager
def narrow(net, device, *prefixes):
    """The proxy's way to those: what is too big it has to refuse."""
    for prefix, via in prefixes:
        net.proxy.run("ip", "route", "add", prefix, "via", via, "dev", device, "mtu", "lock", "1300")
    yield
    for prefix, _ in prefixes:
        net.proxy.run("ip", "route", "delete", prefix)


@pytest.fixture
def far_client(net):
    """An address of the client's behind a narrow way."""
    net.client.run("ip", "address", "add", "10.78.9.9/32", "dev", "lo")
    with narrow(net, client_device(net), ("10.78.9.9/32", CLIENT)):
        yield "10.78.9.9"
    net.client.run("ip", "address", "delete", "10.78.9.9/32", "dev", "lo")


def client_device(net):
    return re.search(r"dev (\S+)", net.proxy.run("ip", "route", "get", CLIENT).stdout)[1]


@HOOKS
def test_endpoints_hear_what_fits_to_the_client(net, sluice, traffic_server, far_client, hook):
    """Answers too big for the way: the stack tells the endpoint, which then sends smaller ones."""
    server = traffic_server()
    sluice.start(config([server], hook=hook))
    with net.client.connect((VIP, 80), source=far_client) as sock:
        assert sock.getpeername() == (VIP, 80)
    report = traffic.run(net.client, (VIP, 80), connections=3, up=1000, down=200000,
                         source=f"{far_client}:0")
    traffic.assert_ok(report, 3)


@HOOKS
def test_datagrams_that_may_be_cut_are_cut_for_a_narrow_way(net, sluice, far_client, hook):
    host = backend_address(2)
    sluice.start(config([f"{host}:5300"], bind=f"{VIP}:53/udp", hook=hook))
    with net.client.socket(socket.AF_INET, socket.SOCK_DGRAM) as client, \
            net.backend.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: IP_PMTUDISC_DONT
        end.bind((host, 5300))
        client.bind((far_client, 0))
        client.connect((VIP, 53))
        client.settimeout(5)
        end.settimeout(5)
        client.send(b"who?")
        _, peer = end.recvfrom(64)
        sent = bytes(i * 3 % 253 for i in range(1400))
        end.sendto(sent, peer)
        assert client.recv(2048) == sent


def test_health_checks_and_relays_to_the_same_port_go_on(net, sluice, named):
    """What comes from the endpoint's port for this machine itself is no answer to a client."""
    wanted = config(named, health={"tcp": {}, "interval": "100ms", "timeout": "100ms",
                                   "rise": 1, "fall": 1})
    wanted["listeners"].append({"name": "relay", "bind": f"{PROXY}:8000", "pool": "main"})
    sluice.start(wanted)
    assert len(ask.names(net.client, (VIP, 80), 30)) == 3
    wait_until(lambda: all(e["health"] == "up" for e in sluice.endpoints("main").values()), 10,
               "answers to checks arrive")
    assert all(CLIENT not in name for name in ask.names(net.client, (PROXY, 8000), 10))
    named[0].close()
    wait_until(lambda: sluice.endpoints("main")[named[0].text]["health"] == "down", 10, "a is down")

    def reached():
        with contextlib.suppress(ConnectionRefusedError):
            return set(ask.names(net.client, (VIP, 80), 20, timeout=1))
        return None
    wait_until(lambda: reached() == {f"b {CLIENT}", f"c {CLIENT}"}, 10, "a gets no flows")


def test_a_drained_endpoint_keeps_its_flows(net, sluice, named):
    sluice.start(config(named))
    held = {}
    while len(held) < len(NAMES):
        sock, name = ask.opened(net.client, (VIP, 80))
        held.setdefault(name, []).append(sock)
    sluice.ctl("endpoint", "main", named[0].text, "drain")
    wait_until(lambda: len(ask.names(net.client, (VIP, 80), 20)) == 2, 5, "a is drained")
    assert all(ask.echoes(sock) for socks in held.values() for sock in socks)
    for socks in held.values():
        for sock in socks:
            sock.close()


def test_a_flow_of_an_endpoint_that_is_gone_is_reset_by_another(net, sluice, named):
    sluice.start(config(named[:1]))
    held, _ = ask.opened(net.client, (VIP, 80))
    sluice.reload(config(named[1:]))
    held.settimeout(5)
    held.sendall(b"still there?")
    with pytest.raises(ConnectionResetError):
        held.recv(64)
    held.close()
    assert ask.name(net.client, (VIP, 80)) in (f"b {CLIENT}", f"c {CLIENT}")


def test_flows_outlive_a_killed_daemon_and_the_next_one_knows_them(net, sluice, make_daemon, named):
    wanted = config(named)
    sluice.start(wanted)
    held = [ask.opened(net.client, (VIP, 80)) for _ in range(10)]
    sluice.kill()
    assert all(ask.echoes(sock) for sock, _ in held)
    assert ask.name(net.client, (VIP, 80)).endswith(CLIENT), "new flows are chosen for too"
    follower = make_daemon("follower").start(wanted)
    assert all(ask.echoes(sock) for sock, _ in held)
    assert rows(follower)[f"{VIP}:80/tcp"]["flows"] == 11
    follower.reload(config(named[:2]))
    assert len(ask.names(net.client, (VIP, 80), 20)) == 2
    for sock, _ in held:
        sock.close()
    sluice.process = None


def test_a_range_keeps_the_packets_port(net, sluice, named_origin):
    host = backend_address(2)
    for port in (8000, 8003):
        named_origin(str(port), (host, port), say_peer)
    sluice.start(config([f"{host}:1"], bind=f"{VIP}:8000-8003"))
    assert [ask.name(net.client, (VIP, port)) for port in (8000, 8003)] == [
        f"8000 {CLIENT}", f"8003 {CLIENT}"]


def test_a_service_of_another_form_beside_it_is_none_of_its(net, sluice, named):
    """nat and dnat to one endpoint's port: each gets its own answers."""
    both = config(named[:1])
    both["listeners"].append({"name": "other", "mode": "dispatch", "bind": f"{VIP}:81",
                              "pool": "main", "dispatch": {"forward": "nat", "source": "10.77.2.1"}})
    sluice.start(both)
    assert ask.name(net.client, (VIP, 80)) == f"a {CLIENT}"
    assert ask.name(net.client, (VIP, 81)) == "a 10.77.2.1"
    sluice.reload({**both, "listeners": both["listeners"][1:]})
    assert ask.name(net.client, (VIP, 81)) == "a 10.77.2.1"
