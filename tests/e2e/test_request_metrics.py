# SPDX-License-Identifier: Apache-2.0
"""Requests are counted and timed by listener, pool, and route where it has a name."""
import re

import pytest

from lib import curl
from lib.configs import listener, pool
from lib.netns import BACKEND
from lib.web import Web


@pytest.fixture
def config(net, keep):
    web = keep(Web(net.backend, (BACKEND, 7000)))
    routes = [{"name": "api", "match": {"path_prefix": ["/size"]}, "pool": "main"},
              {"name": "gone", "match": {"path": ["/gone"]}, "respond": {"status": 410}},
              {"match": {"path": ["/unnamed"]}, "pool": "main"}]
    return {"listeners": [listener(mode="http", routes=routes, pool="main")], "pools": [pool(web)]}


def counts(sluice, family):
    """By the labels but listener, in the order of the page; what is 0 left out."""
    found = re.findall(rf'^sluice_{family}{{(.*)}} (\d+)$', sluice.ctl("metrics"), re.M)
    return {labels.replace('listener="front",', ""): int(value) for labels, value in found if int(value)}


def test_each_has_its_own_counts_over_a_reload(net, sluice, config):
    sluice.start(config)
    for path in ["/size/1"] * 3 + ["/gone"] * 2 + ["/unnamed", "/other"]:
        curl.ask(net.client, path)
    expected = {'route="api",status="2xx"': 3, 'route="gone",status="4xx"': 2}
    assert counts(sluice, "route_requests_total") == expected
    assert counts(sluice, "route_request_duration_seconds_count") == {'route="api"': 3, 'route="gone"': 2}
    assert counts(sluice, "pool_requests_total") == {'pool="main",status="2xx"': 5}
    assert counts(sluice, "pool_request_duration_seconds_count") == {'pool="main"': 5}
    sluice.reload(config)
    assert counts(sluice, "route_requests_total") == expected
    curl.ask(net.client, "/gone")
    assert counts(sluice, "route_requests_total")['route="gone",status="4xx"'] == 3


def test_names_of_routes_are_unique(sluice, config):
    routes = config["listeners"][0]["routes"]
    routes[1]["name"] = "api"
    sluice.write(config)
    done = sluice.check()
    assert done.returncode == 2 and 'name: "api" is taken by the route in line' in done.stderr
