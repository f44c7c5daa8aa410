# SPDX-License-Identifier: Apache-2.0
"""Pools that go by places: the nearest endpoints of a client, and whom it falls back to."""
import pytest

from lib import ask, mmdb, origins, proxy_header
from lib.configs import FRONT, listener, pool, simple
from lib.netns import BACKEND, CLIENT, PROXY, client_address
from lib.process import wait_until
from lib.web import Client, Web, answer

FRANKFURT = {"latitude": 50.11, "longitude": 8.68}
NEW_YORK = {"latitude": 40.71, "longitude": -74.01}
SYDNEY = {"latitude": -33.87, "longitude": 151.21}
SITES = {"frankfurt": FRANKFURT, "new_york": NEW_YORK, "sydney": SYDNEY, "somewhere": None}

BERLIN = mmdb.city("DE", "EU", 52.52, 13.4)
BOSTON = mmdb.city("US", "NA", 42.36, -71.06)
AUCKLAND = mmdb.city("NZ", "OC", -36.85, 174.76)
NETWORKS = {"192.0.2.0/25": BERLIN, "192.0.2.128/25": BOSTON, "2001:db8::/32": AUCKLAND,
            "203.0.113.0/24": mmdb.country("FR", "EU"),
            f"{CLIENT}/32": BERLIN, f"{client_address(3)}/32": AUCKLAND}
UNKNOWN = ("203.0.113.7", "198.51.100.7")


@pytest.fixture
def database(tmp_path):
    return str(mmdb.write(tmp_path / "city.mmdb", NETWORKS))


def endpoint(origin, location, **options):
    return {"address": origin.text, **({"location": location} if location else {}), **options}


def config(endpoints, database, listener_options=None, **options):
    return simple(*endpoints, nearest=True, top={"geo": {"databases": [database]}},
                  listener_options=listener_options, **options)


# --- Mode http ------------------------------------------------------------------
@pytest.fixture
def webs(net, keep):
    """A web server at each site, which answers with its name."""
    made = {}
    for index, name in enumerate(SITES):
        made[name] = keep(Web(net.backend, (BACKEND, 7000 + index)))
        made[name].on("/", lambda sock, _message, name=name: answer(sock, name.encode()) or True)
    return made


@pytest.fixture
def of_webs(webs, database):
    endpoints = [endpoint(web, SITES[name]) for name, web in webs.items()]
    return config(endpoints, database, {"mode": "http", "forwarding": {"trust": [f"{CLIENT}/32"]}})


def served(client, *addresses):
    """Who serves requests of these clients that come on one connection."""
    return [client.ask(fields=[("X-Forwarded-For", address)]).body.decode()
            for address in addresses]


def ask_once(net, address):
    with Client(net) as client:
        return served(client, address)[0]


def test_each_request_goes_to_the_site_nearest_to_its_client(net, sluice, of_webs):
    sluice.start(of_webs)
    with Client(net) as client:
        assert served(client, "192.0.2.7", "192.0.2.200", "2001:db8::7", "::ffff:192.0.2.200",
                      "192.0.2.7") == ["frankfurt", "new_york", "sydney", "new_york", "frankfurt"]


def test_metrics_tell_of_places(net, sluice, of_webs, webs):
    def picks(place, nearness):
        sample = f'sluice_pool_place_picks_total{{pool="main",place="{place}",' \
                 f'nearness="{nearness}"}} '
        return [int(line[len(sample):]) for line in sluice.ctl("metrics").splitlines()
                if line.startswith(sample)]

    sluice.start(of_webs)
    with Client(net) as client:
        served(client, "192.0.2.7", "192.0.2.7", "192.0.2.200", UNKNOWN[0])
        sluice.ctl("endpoint", "main", webs["frankfurt"].text, "maint")
        served(client, "192.0.2.7")
    places = [f"{place['latitude']:.10g},{place['longitude']:.10g}"
              for place in SITES.values() if place]
    assert picks(places[0], "nearest") == [2] and picks(places[0], "further") == [0]
    assert picks(places[1], "nearest") == [1] and picks(places[1], "further") == [1]
    assert sum(sum(picks(place, "unknown")) for place in [*places, "none"]) == 1
    sluice.ctl("reload")
    assert picks(places[0], "nearest") == [2]


def test_requests_of_clients_that_nobody_knows_go_everywhere(net, sluice, of_webs):
    sluice.start(of_webs)
    with Client(net) as client:
        for address in UNKNOWN:
            assert set(served(client, *[address] * 24)) == set(SITES)


def test_requests_fall_back_by_distance_and_come_back(net, sluice, of_webs, webs):
    sluice.start(of_webs)
    for name, follower in zip(list(SITES), list(SITES)[1:]):
        assert ask_once(net, "192.0.2.7") == name
        sluice.ctl("endpoint", "main", webs[name].text, "maint")
        assert ask_once(net, "192.0.2.7") == follower
    sluice.ctl("endpoint", "main", webs["frankfurt"].text, "ready")
    assert ask_once(net, "192.0.2.7") == ask_once(net, "2001:db8::7") == "frankfurt"


def test_a_site_that_cannot_be_reached_is_left_for_the_next(net, sluice, of_webs, webs):
    of_webs["pools"][0]["outlier"] = {"consecutive_failures": 0}
    sluice.start(of_webs)
    webs["frankfurt"].close()
    for _ in range(4):
        assert ask_once(net, "192.0.2.7") == "new_york"


def test_a_changed_database_moves_clients(net, sluice, of_webs, database):
    sluice.start(of_webs)
    assert ask_once(net, "192.0.2.7") == "frankfurt"
    mmdb.write(database, {"192.0.2.0/24": AUCKLAND})
    wait_until(lambda: ask_once(net, "192.0.2.7") == "sydney", 15, "the new file is in force")


def test_a_reload_moves_a_site(net, sluice, of_webs):
    sluice.start(of_webs)
    assert ask_once(net, "192.0.2.200") == "new_york"
    endpoints = of_webs["pools"][0]["endpoints"]
    endpoints[1]["location"], endpoints[2]["location"] = SYDNEY, NEW_YORK
    sluice.reload(of_webs)
    assert ask_once(net, "192.0.2.200") == "sydney"
    of_webs["pools"][0]["nearest"] = False
    sluice.reload(of_webs)
    with Client(net) as client:
        assert set(served(client, *["192.0.2.200"] * 24)) == set(SITES)


def test_sluicectl_shows_where_endpoints_and_clients_are(net, sluice, of_webs):
    sluice.start(of_webs)
    shown = [row.get("location") for row in sluice.ctl_json("pools")["pools"][0]["endpoints"]]
    assert shown == list(SITES.values())
    known, unknown = sluice.ctl_json("geo", "192.0.2.200", "203.0.113.7")["addresses"]
    assert known["location"] == {"latitude": 42.36, "longitude": -71.06}
    assert "location" not in unknown
    assert "42.36 -71.06" in sluice.ctl("geo", "192.0.2.200")


def test_databases_without_coordinates_are_refused(net, sluice, of_webs, tmp_path):
    path = str(mmdb.write(tmp_path / "country.mmdb", {"192.0.2.0/24": mmdb.country("DE", "EU")}))
    sluice.start(of_webs)
    of_webs["geo"]["databases"] = [path]
    sluice.write(of_webs)
    done = sluice.ctl("reload", check=False)
    assert done.returncode != 0
    assert "pool main: nearest asks for what none of geo.databases has: coordinates" in done.stderr
    assert ask_once(net, "192.0.2.7") == "frankfurt"


# --- Mode tcp -------------------------------------------------------------------
@pytest.fixture
def of_names(named_origin, database):
    """An origin at each site, which says its name; two in Frankfurt."""
    made = [named_origin(name, (BACKEND, 7000 + index)) for index, name in enumerate(SITES)]
    made.append(named_origin("frankfurt", (BACKEND, 7010)))
    endpoints = [endpoint(origin, SITES[origin.name]) for origin in made]
    return made, config(endpoints, database)


def test_connections_go_to_the_site_nearest_to_their_address(net, sluice, of_names):
    sluice.start(of_names[1])
    assert ask.names(net.client, FRONT, 6) == {"frankfurt": 6}
    assert ask.names(net.client, FRONT, 6, source=client_address(3)) == {"sydney": 6}
    assert set(ask.names(net.client, FRONT, 24, source=client_address(4))) == set(SITES)


def behind_proxy(net, address):
    destination = "2001:db8::1" if ":" in address else PROXY
    return ask.name(net.client, FRONT, proxy_header.v2((address, 1234), (destination, 8000)))


def test_connections_go_by_the_client_in_a_proxy_header(net, sluice, of_names):
    made, described = of_names
    described["listeners"] = [listener(proxy_protocol={"accept": [f"{CLIENT}/32"]})]
    sluice.start(described)
    assert behind_proxy(net, "192.0.2.7") == "frankfurt"
    assert behind_proxy(net, "192.0.2.200") == "new_york"
    assert behind_proxy(net, "2001:db8::7") == "sydney"
    assert {behind_proxy(net, UNKNOWN[1]) for _ in range(24)} == set(SITES)
    sluice.ctl("endpoint", "main", made[0].text, "maint")
    assert {behind_proxy(net, "192.0.2.7") for _ in range(4)} == {"frankfurt"}
    sluice.ctl("endpoint", "main", made[-1].text, "maint")
    assert behind_proxy(net, "192.0.2.7") == "new_york"


def test_a_full_site_passes_clients_on(net, sluice, named_origin, database):
    heavy, light, far = (named_origin(name, (BACKEND, 7000 + index))
                         for index, name in enumerate(("heavy", "light", "far")))
    sluice.start(config([endpoint(heavy, FRANKFURT, weight=3, max_connections=6),
                         endpoint(light, FRANKFURT, max_connections=2), endpoint(far, SYDNEY)],
                        database, {"bind": ["0.0.0.0:8000"]}) | {"workers": 1})
    held = [ask.opened(net.client, FRONT) for _ in range(11)]
    names = [name for _, name in held]
    assert names[:8].count("heavy") == 6 and names[8:] == ["far"] * 3
    held[names.index("light")][0].close()
    wait_until(lambda: ask.name(net.client, FRONT) == "light", 5, "there is room again")
    for sock, _ in held:
        sock.close()


def test_pools_of_one_listener_go_by_places_or_not(net, sluice, named_origin, database):
    near, far, any_one = (named_origin(name, (BACKEND, 7000 + index))
                          for index, name in enumerate(("near", "far", "any")))
    routes = [{"match": {"source": f"{CLIENT}/32"}, "pool": "sites"}]
    sluice.start({"geo": {"databases": [database]},
                  "listeners": [listener(pool="plain", routes=routes)],
                  "pools": [pool(endpoint(far, SYDNEY), endpoint(near, FRANKFURT), name="sites",
                                 nearest=True, balance="maglev"),
                            pool(endpoint(any_one, SYDNEY), name="plain")]})
    assert ask.names(net.client, FRONT, 6) == {"near": 6}
    assert ask.names(net.client, FRONT, 6, source=client_address(3)) == {"any": 6}
    assert origins.exchange(net.client.connect(FRONT), b"x").endswith(b"x")
