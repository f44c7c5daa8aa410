# SPDX-License-Identifier: Apache-2.0
"""Mode dispatch by where clients are: the nearest endpoints, and routes by country, continent and system."""
import contextlib
import socket

import pytest

from lib import ask, mmdb
from lib.configs import pool
from lib.netns import PROXY, PROXY6, PROXY_BACK, PROXY_BACK6, backend_address, client_address
from lib.process import wait_until
from test_dispatch import VIP, VIP6, Namer, direct  # noqa: F401 (a fixture)
from test_nearest import AUCKLAND, BERLIN, BOSTON, NEW_YORK, SITES, SYDNEY

ENGINE = "epoll"  # packets do not see the other

HOOKS = pytest.mark.parametrize("hook", ["tc", "xdp"])

OF_BERLIN, OF_BOSTON, OF_AUCKLAND, UNKNOWN = (client_address(host) for host in (2, 3, 4, 5))
OF_BERLIN6, OF_BOSTON6 = "fd77:1::2", "fd77:1:0:1::2"
NETWORKS = {f"{OF_BERLIN}/32": BERLIN, f"{OF_BOSTON}/32": BOSTON, f"{OF_AUCKLAND}/32": AUCKLAND,
            "fd77:1::/64": BERLIN, "fd77:1:0:1::/64": BOSTON}
NEAREST = {OF_BERLIN: "frankfurt", OF_BOSTON: "new_york", OF_AUCKLAND: "sydney"}


@pytest.fixture(autouse=True)
def route_to_vip(net):
    net.client.run("ip", "route", "replace", VIP, "via", PROXY)
    net.client.run("ip", "-6", "route", "replace", VIP6, "via", PROXY6)


@pytest.fixture
def database(tmp_path):
    return str(mmdb.write(tmp_path / "city.mmdb", NETWORKS))


@pytest.fixture
def named(named_origin):
    """One at each site, at one port of addresses of their own, who say its name."""
    return {name: named_origin(name, (backend_address(2 + i), 7000))
            for i, name in enumerate(SITES)}


def endpoint(address, location, **options):
    return {"address": address, **({"location": location} if location else {}), **options}


def config(database, addresses, bind=f"{VIP}:80", hook="tc", forward="nat", **pool_options):
    """@addresses: of an endpoint at each of the sites, in order."""
    dispatch = {"forward": forward}
    if forward == "nat":
        dispatch["source"] = PROXY_BACK6 if "[" in bind else PROXY_BACK
    endpoints = [endpoint(address, location)
                 for address, location in zip(addresses, SITES.values())]
    return {"geo": {"databases": [database]},
            "listeners": [{"name": "service", "mode": "dispatch", "bind": bind, "pool": "main",
                           "dispatch": dispatch}],
            "pools": [pool(*endpoints, balance="maglev", nearest=True, **pool_options)],
            "acceleration": {"hook": hook}, "dispatch": {"max_flows": 4096}}


def of_named(database, named, **options):
    return config(database, [origin.text for origin in named.values()], **options)


def asked(net, source, count=1):
    return set(ask.names(net.client, (VIP, 80), count, source=source))


def rows(sluice):
    return {row["address"]: row for row in sluice.ctl_json("services")["services"]}


def endpoint_flows(sluice, bind):
    return [row["flows"] for row in rows(sluice)[bind]["endpoints"]]


@HOOKS
@pytest.mark.parametrize("forward", ["nat", "dnat"])
def test_new_flows_go_to_the_nearest_site(net, sluice, named, database, hook, forward):
    sluice.start(of_named(database, named, hook=hook, forward=forward))
    for source, name in NEAREST.items():
        assert asked(net, source, 10) == {name}
    assert asked(net, UNKNOWN, 60) == set(SITES)
    shown = rows(sluice)[f"{VIP}:80/tcp"]["endpoints"]
    assert [row.get("location") for row in shown] == list(SITES.values())
    assert sum(row["flows"] for row in shown) == 90
    assert "50.11 8.68" in sluice.ctl("services")


@pytest.mark.parametrize("balance", ["source", "least_conn"])
def test_every_balance_goes_by_places(net, sluice, named, database, balance):
    wanted = of_named(database, named)
    wanted["pools"][0]["balance"] = balance
    sluice.start(wanted)
    for source, name in NEAREST.items():
        assert asked(net, source, 5) == {name}


@HOOKS
@pytest.mark.parametrize("forward", ["nat", "dnat"])
def test_datagrams_go_to_the_nearest_site_over_either_family(net, sluice, keep, database, hook, forward):
    net.client.run("ip", "-6", "address", "replace", f"{OF_BOSTON6}/64", "dev", "c0", "nodad")
    net.proxy.run("ip", "-6", "route", "replace", "fd77:1:0:1::/64", "via", "fd77:1::2")
    for vip, hosts, sources in (
            (VIP, [backend_address(2 + i) for i in range(4)], [OF_BERLIN, OF_BOSTON]),
            (f"[{VIP6}]", [f"fd77:2::{2 + i}" for i in range(4)], [OF_BERLIN6, OF_BOSTON6])):
        servers = [keep(Namer(net.backend, (host, 5300), name))
                   for name, host in zip(SITES, hosts)]
        texts = [f"[{host}]:5300" if ":" in host else f"{host}:5300" for host in hosts]
        wanted = config(database, texts, bind=f"{vip}:53/udp", hook=hook, forward=forward)
        if vip == VIP:
            sluice.start(wanted)
        else:
            sluice.reload(wanted)
        for source, name in zip(sources, ("frankfurt", "new_york")):
            assert {datagram(net, vip.strip("[]"), source) for _ in range(5)} == {name}
        for server in servers:
            server.close()


def datagram(net, vip, source):
    with net.client.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET,
                           socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.bind((source, 0))
        sock.connect((vip, 53))
        sock.send(b"who?")
        return sock.recv(64).decode()


@HOOKS
@pytest.mark.parametrize("forward", ["ipip", "gue", "l2"])
def test_tunnels_and_l2_lead_to_the_nearest_site(net, sluice, direct, database, hook, forward):
    addresses = [f"{backend_address(2 + i)}:80" for i in range(4)]
    sluice.start(config(database, addresses, hook=hook, forward=forward))
    for source in (OF_BERLIN, OF_BERLIN, OF_BOSTON, OF_AUCKLAND):
        assert asked(net, source) == {"v"}
    assert endpoint_flows(sluice, f"{VIP}:80/tcp") == [2, 1, 1, 0]


def test_a_site_that_dies_is_left_for_the_next_nearest(net, sluice, named, named_origin, database):
    sluice.start(of_named(database, named, health={"tcp": {}, "interval": "200ms",
                                                   "timeout": "200ms", "rise": 1, "fall": 1}))
    held, name = ask.opened(net.client, (VIP, 80), source=OF_BOSTON)
    assert name == "new_york" and asked(net, OF_BERLIN, 5) == {"frankfurt"}
    named["frankfurt"].close()
    wait_until(lambda: tried(net, OF_BERLIN) == {"new_york"}, 10, "New York is the next")
    assert asked(net, OF_AUCKLAND, 5) == {"sydney"} and ask.echoes(held)
    named_origin("frankfurt", named["frankfurt"].address)
    wait_until(lambda: tried(net, OF_BERLIN) == {"frankfurt"}, 10, "Frankfurt is back")
    held.close()


def tried(net, source):
    with contextlib.suppress(ConnectionRefusedError):
        return asked(net, source, 5)
    return None


def test_orders_by_hand_lead_through_all_sites_in_turn(net, sluice, named, database):
    sluice.start(of_named(database, named))
    order = list(SITES)  # of Berlin, and without a location last
    for name, follower in zip(order, order[1:]):
        assert asked(net, OF_BERLIN, 3) == {name}
        sluice.ctl("endpoint", "main", named[name].text, "drain")
        wait_until(lambda follower=follower: asked(net, OF_BERLIN, 5) == {follower}, 5, follower)
    sluice.ctl("endpoint", "main", named["frankfurt"].text, "ready")
    wait_until(lambda: asked(net, OF_BERLIN, 5) == {"frankfurt"}, 5, "frankfurt")


def test_tiers_go_before_distance_and_zones_behind_it(net, sluice, named, database):
    wanted = of_named(database, named)
    first, second, third, fourth = wanted["pools"][0]["endpoints"]
    first["backup"] = True
    third["location"] = fourth["location"] = NEW_YORK
    third["zone"], second["zone"], wanted["zone"] = "ours", "theirs", "ours"
    sluice.start(wanted)
    assert asked(net, OF_BERLIN, 10) == {"sydney"}
    for index in (1, 2, 3):
        sluice.ctl("endpoint", "main", wanted["pools"][0]["endpoints"][index]["address"], "maint")
    wait_until(lambda: tried(net, OF_BERLIN) == {"frankfurt"}, 5, "the backup serves")


def test_a_changed_database_moves_new_flows_alone(net, sluice, named, database):
    sluice.start(of_named(database, named))
    held, name = ask.opened(net.client, (VIP, 80), source=OF_BERLIN)
    assert name == "frankfurt"
    mmdb.write(database, {f"{OF_BERLIN}/32": AUCKLAND})
    wait_until(lambda: asked(net, OF_BERLIN, 5) == {"sydney"}, 15, "the new file is in force")
    assert ask.echoes(held)
    held.close()


def test_a_reload_moves_a_site(net, sluice, named, database):
    wanted = of_named(database, named)
    sluice.start(wanted)
    assert asked(net, OF_BOSTON, 5) == {"new_york"}
    endpoints = wanted["pools"][0]["endpoints"]
    endpoints[1]["location"], endpoints[2]["location"] = SYDNEY, NEW_YORK
    sluice.reload(wanted)
    assert asked(net, OF_BOSTON, 5) == {"sydney"}
    wanted["pools"][0]["nearest"] = False
    sluice.reload(wanted)
    assert asked(net, OF_BOSTON, 60) == set(SITES)


def test_a_killed_daemon_leaves_places_in_force(net, sluice, make_daemon, named, database):
    wanted = of_named(database, named)
    sluice.start(wanted)
    sluice.kill()
    for source, name in NEAREST.items():
        assert asked(net, source, 5) == {name}
    make_daemon("follower").start(wanted)
    for source, name in NEAREST.items():
        assert asked(net, source, 5) == {name}
    sluice.process = None


# --- Routes ---------------------------------------------------------------------
def by_routes(database, named, routes, **options):
    wanted = of_named(database, named, **options)
    wanted["listeners"][0].update(pool="rest", routes=routes)
    wanted["pools"] = [pool(named[name], name=pool_name, balance="maglev")
                       for pool_name, name in (("eu", "frankfurt"), ("us", "new_york"),
                                               ("as64500", "sydney"), ("rest", "somewhere"))]
    return wanted


@HOOKS
def test_routes_go_by_country_continent_and_system(net, sluice, named, database, tmp_path, hook):
    systems = str(mmdb.write(tmp_path / "asn.mmdb", {
        f"{OF_AUCKLAND}/32": mmdb.system(64500, "One"),
        f"{OF_BERLIN}/32": mmdb.system(64501, "Other")}))
    wanted = by_routes(database, named, [
        {"match": {"continent": ["EU"]}, "pool": "eu"},
        {"match": {"country": ["US", "CA"]}, "pool": "us"},
        {"match": {"asn": [64500]}, "pool": "as64500"}], hook=hook)
    wanted["geo"]["databases"].append(systems)
    sluice.start(wanted)
    assert asked(net, OF_BERLIN, 5) == {"frankfurt"}
    assert asked(net, OF_BOSTON, 5) == {"new_york"}
    assert asked(net, OF_AUCKLAND, 5) == {"sydney"}
    assert asked(net, UNKNOWN, 5) == {"somewhere"}
    assert endpoint_flows(sluice, f"{VIP}:80/tcp") == [5, 5, 5, 5]
    wanted["listeners"][0]["routes"] = [{"match": {"continent": ["EU"], "country": ["US"]}, "pool": "us"}]
    wanted["pools"] = [row for row in wanted["pools"] if row["name"] in ("us", "rest")]
    sluice.reload(wanted)
    for source in (OF_BERLIN, OF_BOSTON, UNKNOWN):
        assert asked(net, source, 5) == {"somewhere"}


def test_a_route_may_lead_to_a_pool_that_goes_by_places(net, sluice, named, database):
    wanted = by_routes(database, named, [{"match": {"continent": ["EU", "NA"]}, "pool": "sites"}])
    wanted["pools"] = [
        wanted["pools"][3],
        {"name": "sites", "balance": "maglev", "nearest": True, "endpoints": [
            endpoint(named[name].text, SITES[name]) for name in ("frankfurt", "new_york", "sydney")]}]
    sluice.start(wanted)
    assert asked(net, OF_BERLIN, 5) == {"frankfurt"}
    assert asked(net, OF_BOSTON, 5) == {"new_york"}
    assert asked(net, OF_AUCKLAND, 5) == asked(net, UNKNOWN, 5) == {"somewhere"}


def test_a_route_whose_pool_has_nobody_drops_as_a_listener_does(net, sluice, named, database):
    wanted = by_routes(database, named, [{"match": {"continent": ["EU"]}, "pool": "eu"}])
    wanted["pools"] = [row for row in wanted["pools"] if row["name"] in ("eu", "rest")]
    sluice.start(wanted)
    sluice.ctl("endpoint", "eu", named["frankfurt"].text, "maint")

    def dropped():
        with contextlib.suppress(OSError):
            net.client.connect((VIP, 80), timeout=0.3, source=OF_BERLIN).close()
        return rows(sluice)[f"{VIP}:80/tcp"]["drops"]["no_endpoint"]
    wait_until(lambda: dropped() > 0, 10, "a SYN is dropped")
    assert asked(net, OF_BOSTON, 5) == {"somewhere"}


def test_a_database_without_what_routes_ask_for_is_refused(net, sluice, named, database):
    wanted = by_routes(database, named, [{"match": {"asn": [64500]}, "pool": "as64500"}])
    wanted["pools"] = [row for row in wanted["pools"] if row["name"] in ("as64500", "rest")]
    sluice.write(wanted)
    done = sluice.check()
    assert done.returncode != 0 and "asks for what none of geo.databases has" in done.stderr
