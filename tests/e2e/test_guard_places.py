# SPDX-License-Identifier: Apache-2.0
"""guard.geo: whom the edge refuses by where they are, with databases that the test makes."""
import pytest

from lib import mmdb
from lib.configs import PORT
from lib.guard import NO_PRIVILEGES, config, reasons, served
from lib.netns import BACKEND, CLIENT, CLIENT6, PROXY6, client_address
from lib.process import wait_until

ENGINE = "io_uring"  # packets do not see the other

KOREA, GERMANY = mmdb.country("KP", "AS"), mmdb.country("DE", "EU")
KOREAN, GERMAN, UNKNOWN = client_address(3), client_address(4), client_address(8)
COUNTRIES = {"10.77.1.0/30": KOREA, "10.77.1.4/30": GERMANY, "fd77:1::/64": KOREA}


@pytest.fixture
def databases(tmp_path):
    return [str(mmdb.write(tmp_path / "country.mmdb", COUNTRIES)),
            str(mmdb.write(tmp_path / "asn.mmdb", {"10.77.1.3/32": mmdb.system(64500, "Embassy")}))]


class Edge:
    """A daemon with a guard at one of its places."""

    def __init__(self, sluice, origin, databases, place):
        self.sluice, self.origin, self.databases, self.place = sluice, origin, databases, place

    def config(self, geo, **guard):
        hook = "auto" if self.place == "connections" else self.place
        return config(self.origin, hook=hook, geo=geo, top={"geo": {"databases": self.databases}}, **guard)

    def start(self, geo, **guard):
        self.sluice.start(self.config(geo, **guard),
                          prefix=NO_PRIVILEGES if self.place == "connections" else ())
        place = "connections" if self.place == "connections" else "packets"
        assert self.status()["place"] == place, self.sluice.process.stderr()

    def reload(self, geo, **guard):
        return self.sluice.reload(self.config(geo, **guard))

    def status(self):
        return self.sluice.ctl_json("guard")

    def wait_networks(self, count):
        wait_until(lambda: self.status()["networks_of_places"] == count, 15,
                   f"{count} networks of places are in force")


@pytest.fixture(params=["tc", "connections"])
def edge(request, sluice, named_origin, databases):
    return Edge(sluice, named_origin("o", (BACKEND, 7000)), databases, request.param)


def test_who_is_in_a_blocked_country_is_refused_from_the_first_packet(edge, net):
    edge.start({"block": {"country": ["KP"]}})
    assert not served(net, CLIENT, timeout=1)
    assert not served(net, CLIENT6, (PROXY6, PORT), timeout=1)
    assert served(net, GERMAN) and served(net, UNKNOWN)
    assert reasons(edge.sluice)["geo"][0] >= 2 and reasons(edge.sluice)["blocked"][0] == 0
    assert edge.status()["networks_of_places"] == 2


def test_lists_win_over_places_and_allowed_places_over_blocked_ones(edge, net, tmp_path):
    block, allow = tmp_path / "block.txt", tmp_path / "allow.txt"
    block.write_text(f"{GERMAN}\n")
    allow.write_text(f"{CLIENT}\n")
    edge.start({"block": {"continent": ["AS", "EU"]}, "allow": {"asn": [64500], "country": ["DE"]}},
               block=[str(block)], allow=[str(allow)])
    assert served(net, CLIENT), "on the allow list"
    assert served(net, KOREAN), "of the allowed system"
    assert served(net, client_address(5)), "of the allowed country"
    assert not served(net, GERMAN, timeout=1), "on the block list, though the country is allowed"
    assert not served(net, CLIENT6, (PROXY6, PORT), timeout=1)
    edge.sluice.ctl("guard", "allow", CLIENT6)
    assert served(net, CLIENT6, (PROXY6, PORT))


def test_a_reload_changes_the_places_and_takes_them_back(edge, net):
    edge.start({"block": {"country": "KP"}})
    assert not served(net, CLIENT, timeout=1) and served(net, GERMAN)
    edge.reload({"block": {"country": ["DE"]}})
    edge.wait_networks(1)
    assert served(net, CLIENT) and not served(net, GERMAN, timeout=1)
    assert "not in force yet" not in edge.reload({})
    assert edge.status()["networks_of_places"] == 0
    assert served(net, CLIENT) and served(net, GERMAN)


def test_places_that_a_reload_brings_are_in_force_soon(edge, net):
    edge.start({})
    assert served(net, CLIENT)
    told = edge.reload({"block": {"asn": ["AS64500"]}})
    # Few networks may be gathered as fast as workers take the configuration.
    assert "not in force yet: guard.geo" in told or edge.status()["networks_of_places"] == 1
    edge.wait_networks(1)
    assert edge.sluice.ctl_json("status")["config"]["pending"] == ""
    assert served(net, CLIENT) and not served(net, KOREAN, timeout=1)


def test_a_file_that_changes_takes_its_networks_along(edge, net):
    edge.start({"block": {"country": "KP"}})
    assert not served(net, CLIENT, timeout=1)
    mmdb.write(edge.databases[0], {"10.77.1.4/32": KOREA})
    edge.wait_networks(1)
    assert served(net, CLIENT) and not served(net, GERMAN, timeout=1)
    mmdb.write(edge.databases[0], {"10.77.1.4/32": {"continent": {"code": "AS"}}})
    refused = "guard.geo.block asks for what none of geo.databases has: countries"
    wait_until(lambda: refused in edge.sluice.process.stderr(), 15, "the file is refused")
    assert edge.status()["networks_of_places"] == 1
    assert not served(net, GERMAN, timeout=1)


def test_monitor_counts_places_and_lets_pass(edge, net):
    edge.start({"block": {"country": "KP"}}, mode="monitor")
    assert served(net, CLIENT)
    dropped, would_drop = reasons(edge.sluice)["geo"]
    assert dropped == 0 and would_drop > 0
    edge.sluice.ctl("guard", "mode", "enforce")
    assert not served(net, CLIENT, timeout=1)
    assert "geo" in edge.sluice.ctl("guard")


def write_damaged(path):
    """What is asked of addresses is whole; a walk finds a way that leads nowhere."""
    raw = bytearray(mmdb.database({"10.77.1.4/32": KOREA}))
    raw[3:6] = b"\xff\xff\xff"
    with open(path, "wb") as file:
        file.write(raw)


def test_places_that_cannot_be_gathered_leave_those_before_in_force(edge, net):
    edge.start({"block": {"country": "KP"}})
    write_damaged(edge.databases[0])
    edge.reload({"block": {"country": "DE"}})
    wait_until(lambda: edge.status()["places_problem"], 15, "the problem is told")
    assert "guard.geo: one of geo.databases is damaged" in edge.sluice.ctl("guard")
    assert edge.status()["networks_of_places"] == 2
    assert not served(net, CLIENT, timeout=1) and served(net, GERMAN)
    mmdb.write(edge.databases[0], COUNTRIES)
    edge.wait_networks(1)
    assert edge.status()["places_problem"] == ""
    assert served(net, CLIENT) and not served(net, GERMAN, timeout=1)


def test_nobody_starts_with_places_that_cannot_be_gathered(edge):
    write_damaged(edge.databases[0])
    edge.sluice.write(edge.config({"block": {"country": "KP"}}))
    done = edge.sluice.check()
    assert done.returncode != 0 and "guard.geo: one of geo.databases is damaged" in done.stderr
    edge.sluice.launch()
    assert edge.sluice.process.wait(10) != 0
    assert "guard.geo: one of geo.databases is damaged" in edge.sluice.process.stderr()
    edge.sluice.process = None


def test_what_the_databases_do_not_tell_is_refused_with_its_place(edge, databases):
    del databases[1]
    edge.sluice.write(edge.config({"block": {"country": "KP"}, "allow": {"asn": 64500}}))
    done = edge.sluice.check()
    assert done.returncode != 0
    lines = edge.sluice.config_path.read_text().splitlines()
    line = next(i for i, text in enumerate(lines, 1) if '"allow"' in text)
    assert (f"{edge.sluice.config_path}:{line}:{lines[line - 1].index('{') + 1}: guard.geo.allow asks for "
            "what none of geo.databases has: autonomous systems") in done.stderr
