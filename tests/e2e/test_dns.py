# SPDX-License-Identifier: Apache-2.0
"""Endpoints that are names: every address is used, changes are followed, failures survived."""
import time

import pytest

from lib import ask, dns
from lib.configs import FRONT, simple
from lib.netns import backend_address
from lib.process import wait_until

NAME = "api.test"
ENDPOINT = {"address": f"{NAME}:7000", "resolve": "dns", "resolve_hold": "3s"}


@pytest.fixture
def names(net, keep):
    server = keep(dns.Server(net.proxy, {NAME: [backend_address(2), backend_address(3)]}))
    return server.records


@pytest.fixture
def started(tmp_path, sluice, names, named_origin):
    for host in (2, 3, 4):
        named_origin(f"host{host}", (backend_address(host), 7000))
    resolv = tmp_path / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    # The daemon sees a resolv.conf of its own.
    sluice.start(simple(ENDPOINT), prefix=["unshare", "--mount", "--", "sh", "-c",
                                           f"mount --bind {resolv} /etc/resolv.conf && exec \"$@\"",
                                           "sh"])
    return sluice


def addresses(sluice):
    return {endpoint["address"] for endpoint in sluice.pools()["main"]["endpoints"]}


def expected(*hosts):
    return {f"{backend_address(host)}:7000" for host in hosts}


def test_every_address_of_a_name_is_used(net, started):
    wait_until(lambda: addresses(started) == expected(2, 3), 5)
    assert set(ask.names(net.client, FRONT, 20)) == {"host2", "host3"}


def test_a_changed_answer_is_followed_by_its_ttl(net, started, names):
    wait_until(lambda: addresses(started) == expected(2, 3), 5)
    names[NAME] = [backend_address(3), backend_address(4)]
    wait_until(lambda: addresses(started) == expected(3, 4), 10)
    assert set(ask.names(net.client, FRONT, 20)) == {"host3", "host4"}


def test_the_last_good_answer_outlives_failures(net, started, names):
    wait_until(lambda: addresses(started) == expected(2, 3), 5)
    names[NAME] = dns.FAILS
    wait_until(lambda: "cannot resolve" in started.process.stderr(), 10)
    time.sleep(4)  # longer than a name that is gone would be held
    assert addresses(started) == expected(2, 3)
    assert set(ask.names(net.client, FRONT, 20)) == {"host2", "host3"}


def test_a_name_that_is_gone_loses_its_addresses_after_the_hold(net, started, names):
    wait_until(lambda: addresses(started) == expected(2, 3), 5)
    del names[NAME]
    wait_until(lambda: "stay in use for 3000 ms" in started.process.stderr(), 10)
    assert addresses(started) == expected(2, 3)
    wait_until(lambda: addresses(started) == set(), 10)
    names[NAME] = [backend_address(4)]
    wait_until(lambda: addresses(started) == expected(4), 15)
    assert set(ask.names(net.client, FRONT, 4)) == {"host4"}
