# SPDX-License-Identifier: Apache-2.0
"""Mode dispatch with balance: least_conn: new flows go where fewer are that have not ended."""
import collections
import contextlib
import time

import pytest

from lib import ask
from lib.configs import pool
from lib.netns import PROXY, PROXY_BACK, backend_address

ENGINE = "epoll"  # packets do not see the other

VIP = "10.99.0.1"
NAMES = ("a", "b")


@pytest.fixture(autouse=True)
def route_to_vip(net):
    net.client.run("ip", "route", "replace", VIP, "via", PROXY)


def config(endpoints, dispatch):
    return {"listeners": [{"name": "service", "mode": "dispatch", "bind": f"{VIP}:80",
                           "pool": "main", "dispatch": dispatch}],
            "pools": [pool(*endpoints, balance="least_conn")],
            "acceleration": {"hook": "tc"}, "dispatch": {"max_flows": 4096}}


def test_flows_that_last_and_flows_that_end_even_out(net, sluice, named_origin):
    """What was held at one endpoint is made up for by the other, whose flows have ended."""
    origins = [named_origin(name, (backend_address(2 + i), 7000)) for i, name in enumerate(NAMES)]
    sluice.start(config(origins, {"forward": "nat", "source": PROXY_BACK}))
    held = collections.defaultdict(list)
    with contextlib.ExitStack() as stack:
        for _ in range(120):
            sock, name = ask.opened(net.client, (VIP, 80))
            held[name].append(stack.enter_context(sock))
        assert abs(len(held["a"]) - 60) <= 10
        for sock in held.pop("a"):
            sock.close()
        lasting = len(held["b"])
        time.sleep(2.5)  # the daemon finds out once a second
        for _ in range(80):
            sock, name = ask.opened(net.client, (VIP, 80))
            held[name].append(stack.enter_context(sock))
        # By the ring alone they would be at 40 and 100.
        assert len(held["a"]) >= 52 and len(held["b"]) - lasting <= 28


@pytest.mark.parametrize("dispatch", [{"forward": "dnat"}, {"forward": "l2"}], ids=["dnat", "l2"])
def test_every_form_takes_it(sluice, named_origin, dispatch):
    sluice.start(config([named_origin("a", (backend_address(2), 7000))], dispatch))
    assert sluice.ctl_json("services")["services"][0]["forward"] == dispatch["forward"]
