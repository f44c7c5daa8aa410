# SPDX-License-Identifier: Apache-2.0
"""Floods of SYNs from invented sources at a service of mode dispatch: with SYN cookies its clients do not notice."""
import contextlib

import pytest

from lib import ask, flood, traffic
from lib.configs import pool
from lib.netns import PROXY, PROXY6, PROXY_BACK, PROXY_BACK6, backend_address
from lib.origins import read_line
from lib.paths import ROOT
from lib.process import wait_until

ENGINE = "epoll"  # packets do not see the other

VIP, VIP6 = "10.98.0.1", "fd98::1"
TARGET, TARGET6 = (VIP, 80), (VIP6, 80)
RATE = 20_000  # a second; a loaded machine makes fewer
FLOWS = 4096   # half of them have ports: the flood wants them all within a second
CLIENTS = 40


def service(name, bind, source):
    """With a pool of the same name."""
    return {"name": name, "mode": "dispatch", "bind": bind, "pool": name,
            "dispatch": {"forward": "nat", "source": source}}


def config(origin, origin6=None, hook="tc", **guard):
    """Of IPv4, and with @origin6 of IPv6 beside it."""
    services = [service("v4", f"{VIP}:80", PROXY_BACK)]
    pools = [pool(origin, name="v4", balance="maglev")]
    if origin6:
        services.append(service("v6", f"[{VIP6}]:80", PROXY_BACK6))
        pools.append(pool(origin6, name="v6", balance="maglev"))
    return {"listeners": services, "pools": pools, "acceleration": {"hook": hook},
            "dispatch": {"max_flows": FLOWS},
            "guard": {"mode": "enforce", "syn_cookie_threshold": 100, **guard}}


@pytest.fixture(autouse=True)
def route_to_vip(net):
    net.client.run("ip", "route", "replace", VIP, "via", PROXY)
    net.client.run("ip", "-6", "route", "replace", VIP6, "via", PROXY6)


@pytest.fixture(params=["tc", "xdp"])
def hook(request, net):
    """At XDP as behind a wire: both ends finish their checksums, and take what XDP sends, which a veth does only with a
    program of its own."""
    ends = ((net.client, "c0"), (net.backend, "b0"))
    if request.param == "tc":
        yield "tc"
        return
    for end, device in ends:
        end.run("ethtool", "-K", device, "tx", "off")
        end.run("ip", "link", "set", device, "xdpdrv", "obj", ROOT / "build" / "bpf" / "xdp_ingress.bpf.o",
                "sec", "xdp")
    yield "xdp"
    for end, device in ends:
        end.run("ip", "link", "set", device, "xdpdrv", "off")
        end.run("ethtool", "-K", device, "tx", "on")


def rows(sluice):
    return {row["address"]: row for row in sluice.ctl_json("services")["services"]}


def address_of(target):
    host, port = target
    return f"[{host}]:{port}/tcp" if ":" in host else f"{host}:{port}/tcp"


def row(sluice):
    return rows(sluice)[address_of(TARGET)]


def assert_served(net, target=TARGET):
    sock, name = ask.opened(net.client, target)
    with sock:
        assert name == "o" and ask.echoes(sock, b"x" * 100_000)


@contextlib.contextmanager
def flooded(net, target=TARGET, seconds=30, kind="syn"):
    with flood.way_back(net), flood.running(net, kind, target, seconds, RATE) as child:
        yield child
        assert child.poll() is None, "the flood ended too soon"


def test_clients_are_served_through_a_flood(net, sluice, named_origin, hook):
    sluice.start(config(named_origin("o", (backend_address(2), 7000)),
                        named_origin("o", ("fd77:2::2", 7000)), hook))
    before, _ = ask.opened(net.client, TARGET)
    with flooded(net):
        wait_until(lambda: row(sluice)["cookies"] > 1000, 20, "SYNs are answered with cookies")
        known = row(sluice)["flows"]
        begun = [ask.opened(net.client, TARGET)[0] for _ in range(10)]
        for _ in range(CLIENTS):
            assert_served(net)
        assert_served(net, TARGET6)
        now = row(sluice)
        assert now["flows"] - known == now["cookie_flows"] == CLIENTS + 10
        assert now["drops"]["no_port"] == 0
        assert all(ask.echoes(sock, b"y" * 1000) for sock in [before, *begun])
    assert "sluice_dispatch_syn_cookie_flows_total" in sluice.ctl("metrics")
    for sock in [before, *begun]:
        assert ask.echoes(sock, b"z" * 1000)
        sock.close()


def test_transfers_are_right_through_a_flood(net, sluice, traffic_server, hook):
    sluice.start(config(traffic_server(), hook=hook))
    with flooded(net):
        wait_until(lambda: row(sluice)["cookies"] > 1000, 20, "SYNs are answered with cookies")
        report = traffic.run(net.client, TARGET, connections=30, up=300_000, down=3_000_000)
        traffic.assert_ok(report, 30)
    assert row(sluice)["cookie_flows"] == 30


@contextlib.contextmanager
def first_syns_lost(net):
    """At the endpoint, of each source port. Yields how many were, to be called."""
    net.backend.run("nft", "-f", "-", input="""
        table inet lost {
            set seen { type inet_service; flags dynamic; size 65535; }
            chain input {
                type filter hook input priority -300;
                tcp dport 7000 tcp flags & (syn | ack) == syn tcp sport != @seen \\
                    add @seen { tcp sport } counter drop
            }
        }""")

    def count():
        rules = net.backend.run("nft", "list", "chain", "inet", "lost", "input").stdout
        return int(rules.split("packets ")[1].split()[0])
    try:
        yield count
    finally:
        net.backend.run("nft", "delete", "table", "inet", "lost")


@pytest.mark.parametrize("target", [TARGET, TARGET6], ids=["v4", "v6"])
def test_a_lost_syn_to_the_endpoint_is_sent_again(net, sluice, named_origin, hook, target):
    """Clients that wait for the server to speak first say nothing that would make the packet programs do it."""
    sluice.start(config(named_origin("o", (backend_address(2), 7000)),
                        named_origin("o", ("fd77:2::2", 7000)), hook, syn_cookie_threshold=1))

    def count_cookies():
        ask.opened(net.client, target)[0].close()
        return rows(sluice)[address_of(target)]["cookies"]
    wait_until(count_cookies, 20, "SYNs are answered with cookies")
    with first_syns_lost(net) as count_lost, contextlib.ExitStack() as stack:
        begun = rows(sluice)[address_of(target)]["cookie_flows"]
        waiting = [stack.enter_context(net.client.connect(target)) for _ in range(20)]
        for sock in waiting:
            assert read_line(sock) == "o" and ask.echoes(sock, b"x" * 100_000)
        assert rows(sluice)[address_of(target)]["cookie_flows"] - begun == 20 == count_lost()


def test_without_cookies_the_flood_takes_all_ports(net, sluice, named_origin):
    """What the others would be like without."""
    sluice.start(config(named_origin("o", (backend_address(2), 7000)), syn_cookies="off"))
    held, _ = ask.opened(net.client, TARGET)
    with flooded(net):
        wait_until(lambda: row(sluice)["drops"]["no_port"] > 1000, 20, "there are no ports")
        for _ in range(3):
            with pytest.raises(OSError):
                net.client.connect(TARGET, timeout=1).close()
        assert row(sluice)["cookies"] == 0 and row(sluice)["flows"] >= FLOWS // 2
        assert ask.echoes(held), "who has a port has it still"
    held.close()


def test_a_killed_daemon_is_not_missed_in_a_flood(net, sluice, make_daemon, named_origin):
    wanted = config(named_origin("o", (backend_address(2), 7000)))
    sluice.start(wanted)
    before, _ = ask.opened(net.client, TARGET)
    with flooded(net):
        wait_until(lambda: row(sluice)["cookies"] > 1000, 20, "SYNs are answered with cookies")
        begun, _ = ask.opened(net.client, TARGET)
        sluice.kill()
        for _ in range(10):
            assert_served(net)
        assert ask.echoes(before) and ask.echoes(begun)
        follower = make_daemon("follower").start(wanted)
        wait_until(lambda: row(follower)["cookies"] > 2000, 20, "the next one sees cookies sent")
        for _ in range(10):
            assert_served(net)
        assert row(follower)["drops"]["no_port"] == 0
        assert ask.echoes(before) and ask.echoes(begun)
    sluice.process = None
    for sock in (before, begun):
        sock.close()


def test_a_refusing_endpoint_is_heard_of_in_a_flood(net, sluice):
    sluice.start(config(traffic.target_text((backend_address(2), 7999))))
    with flooded(net):
        wait_until(lambda: row(sluice)["cookies"] > 1000, 20, "SYNs are answered with cookies")
        how, got, _ = ask.refusal(net.client, TARGET)
        assert (how, got) == ("reset", b"")


def test_the_daemon_is_told_of_no_more_lost_flows_than_it_answers(net, sluice, named_origin):
    sluice.start(config(named_origin("o", (backend_address(2), 7000)), syn_cookies="off"))

    def untold():
        return sluice.ctl_json("status")["acceleration"]["untold"]["dispatch_lost"]

    with flooded(net, kind="ack"):
        wait_until(lambda: untold() > 1000, 20, "it is not told of them all")
        assert row(sluice)["drops"]["no_flow"] > 1000
        assert_served(net)
    assert "events untold" in sluice.ctl("status")
    assert 'sluice_packet_events_untold_total{event="dispatch_lost"} ' in sluice.ctl("metrics")


def test_monitored_floods_pass(net, sluice, named_origin):
    sluice.start(config(named_origin("o", (backend_address(2), 7000)), mode="monitor"))
    with flooded(net):
        wait_until(lambda: sluice.ctl_json("guard")["cookies_unmade"]["packets"] > 1000, 20)
        assert row(sluice)["cookies"] == 0
        sluice.ctl("guard", "mode", "enforce")
        wait_until(lambda: row(sluice)["cookies"] > 1000, 20, "by hand, they are sent")
