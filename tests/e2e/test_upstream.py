# SPDX-License-Identifier: Apache-2.0
"""How backends are reached: source addresses, timeouts, retries, queues, weights, tiers, zones."""
import socket
import time

import pytest

from lib import ask, origins
from lib.configs import FRONT, simple
from lib.netns import BACKEND, BACKEND6, CLIENT, CLIENT6, PROXY6, backend_address
from lib.process import wait_until

BLACK_HOLE = backend_address(200)


@pytest.fixture
def black_hole(net):
    """An address that swallows every SYN."""
    net.proxy.run("ip", "neighbour", "replace", BLACK_HOLE, "lladdr", "02:00:00:00:ff:ff", "dev",
                  "p1", "nud", "permanent")
    return f"{BLACK_HOLE}:7000"


@pytest.fixture
def recorder(named_origin):
    return named_origin("recorder", (BACKEND, 7000), origins.record_all)


def test_a_pools_source_address_is_used(net, sluice, recorder):
    net.proxy.run("ip", "address", "replace", "10.77.2.100/24", "dev", "p1")
    sluice.start(simple(recorder, source_address="10.77.2.100"))
    origins.exchange(net.client.connect(FRONT), b"x")
    assert recorder.records[-1][0][0] == "10.77.2.100"


def test_transparent_shows_the_clients_address(net, sluice, recorder, replies_come_back):
    sluice.start(simple(recorder, transparent=True))
    sock = net.client.connect(FRONT)
    assert origins.exchange(sock, b"x") == b"ok"
    assert recorder.records[-1][0][0] == CLIENT


def test_transparent_shows_the_clients_ipv6_address(net, sluice, named_origin, replies_come_back):
    recorder = named_origin("recorder", (BACKEND6, 7000), origins.record_all)
    sluice.start(simple(recorder, transparent=True, listener_options={"bind": ["[::]:8000"]}))
    assert origins.exchange(net.client.connect((PROXY6, 8000), source=CLIENT6), b"x") == b"ok"
    assert recorder.records[-1][0][0] == CLIENT6


def test_the_connect_timeout_ends_a_try(net, sluice, black_hole):
    sluice.start(simple(black_hole, connect_timeout="300ms", connect_retries=0))
    _, data, seconds = ask.refusal(net.client, FRONT)
    assert data == b""
    assert 0.2 < seconds < 3


def test_a_refused_connect_is_tried_elsewhere(net, sluice, named_origin):
    origin = named_origin("alive", (BACKEND, 7001))
    sluice.start(simple(f"{BACKEND}:7998", f"{BACKEND}:7999", origin, connect_retries=2,
                        outlier={"consecutive_failures": 0}))
    assert ask.names(net.client, FRONT, 20) == {"alive": 20}


def test_a_timed_out_connect_is_tried_elsewhere(net, sluice, named_origin, black_hole):
    origin = named_origin("alive", (BACKEND, 7001))
    sluice.start(simple(black_hole, origin, connect_timeout="200ms", connect_retries=1,
                        outlier={"consecutive_failures": 0}))
    assert ask.names(net.client, FRONT, 6) == {"alive": 6}


def test_bytes_sent_before_the_connect_arrive_once(net, sluice, named_origin):
    recorder = named_origin("recorder", (BACKEND, 7001), origins.record_all)
    sluice.start(simple(f"{BACKEND}:7999", recorder, connect_retries=1))
    for i in range(10):
        payload = bytes([i]) * 100_000
        assert origins.exchange(net.client.connect(FRONT), payload) == b"ok"
        assert recorder.records[-1][1] == payload


def test_an_idle_connection_ends(net, sluice, named_origin):
    origin = named_origin("o", (BACKEND, 7000))
    sluice.start(simple(origin, listener_options={"idle_timeout": "500ms"}))
    sock, _ = ask.opened(net.client, FRONT)
    for _ in range(4):
        time.sleep(0.25)  # traffic more often than the timeout keeps it open
        assert ask.echoes(sock)
    _, _, seconds = ask.ended(sock)
    assert 0.3 < seconds < 3


@pytest.fixture
def one_at_a_time(sluice, named_origin):
    origin = named_origin("o", (BACKEND, 7000))

    def start(**options):
        sluice.start(simple({"address": origin.text, "max_connections": 1}, **options))
        return origin
    return start


def test_a_queued_connection_gets_its_turn(net, sluice, one_at_a_time):
    origin = one_at_a_time(queue={"timeout": "10s"})
    first, _ = ask.opened(net.client, FRONT)
    second = net.client.connect(FRONT)
    wait_until(lambda: sluice.pools()["main"]["waiting"] == 1, 5)
    assert origin.accepted == 1
    first.close()
    assert origins.read_line(second) == "o"
    second.close()


def test_the_queue_timeout_ends_the_wait(net, one_at_a_time):
    one_at_a_time(queue={"timeout": "400ms"})
    first, _ = ask.opened(net.client, FRONT)
    _, data, seconds = ask.refusal(net.client, FRONT)
    assert data == b""
    assert 0.3 < seconds < 3
    assert ask.echoes(first)
    first.close()


def test_a_full_queue_refuses_at_once(net, sluice, one_at_a_time):
    one_at_a_time(queue={"size": 1, "timeout": "20s"})
    first, _ = ask.opened(net.client, FRONT)
    second = net.client.connect(FRONT)
    wait_until(lambda: sluice.pools()["main"]["waiting"] == 1, 5)
    _, data, seconds = ask.refusal(net.client, FRONT)
    assert data == b"" and seconds < 3
    first.close()
    assert origins.read_line(second) == "o"
    second.close()


def test_whoever_waits_may_leave(net, sluice, one_at_a_time):
    one_at_a_time(queue={"timeout": "20s"})
    first, _ = ask.opened(net.client, FRONT)
    second = net.client.connect(FRONT)
    wait_until(lambda: sluice.pools()["main"]["waiting"] == 1, 5)
    second.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    second.close()
    wait_until(lambda: sluice.pools()["main"]["waiting"] == 0, 5)
    assert ask.echoes(first)
    first.close()


@pytest.fixture
def two(named_origin):
    return [named_origin("a", (BACKEND, 7001)), named_origin("b", (BACKEND, 7002))]


def test_round_robin_follows_weights(net, sluice, two):
    a, b = ({"address": two[0].text, "weight": 3}, {"address": two[1].text, "weight": 1})
    sluice.start(simple(a, b, balance="round_robin", top={"workers": 1}))
    assert ask.names(net.client, FRONT, 40) == {"a": 30, "b": 10}


def test_weight_zero_takes_nothing(net, sluice, two):
    a, b = ({"address": two[0].text, "weight": 0}, {"address": two[1].text})
    sluice.start(simple(a, b))
    assert ask.names(net.client, FRONT, 10) == {"b": 10}


@pytest.mark.parametrize("balance", ["source", "maglev"])
def test_a_source_stays_on_its_endpoint(net, sluice, two, balance):
    sluice.start(simple(*two, balance=balance))
    for host in range(2, 10):
        assert len(ask.names(net.client, FRONT, 5, source=f"10.77.1.{host}")) == 1


@pytest.mark.parametrize("balance", ["random", "p2c", "least_conn", "round_robin"])
def test_every_endpoint_is_used(net, sluice, two, balance):
    sluice.start(simple(*two, balance=balance))
    assert set(ask.names(net.client, FRONT, 40)) == {"a", "b"}


def test_least_conn_prefers_the_idle_endpoint(net, sluice, two):
    sluice.start(simple(*two, balance="least_conn", top={"workers": 1}))
    held = [ask.opened(net.client, FRONT) for _ in range(10)]
    names = [name for _, name in held]
    assert names.count("a") == names.count("b") == 5
    for sock, _ in held:
        sock.close()


def test_a_backup_is_used_only_when_the_first_tier_is_gone(net, sluice, two):
    first, backup = {"address": two[0].text}, {"address": two[1].text, "tier": 1}
    sluice.start(simple(first, backup))
    assert ask.names(net.client, FRONT, 10) == {"a": 10}
    sluice.ctl("endpoint", "main", two[0].text, "maint")
    assert ask.names(net.client, FRONT, 10) == {"b": 10}
    sluice.ctl("endpoint", "main", two[0].text, "ready")
    assert ask.names(net.client, FRONT, 10) == {"a": 10}


def test_our_zone_is_preferred(net, sluice, two):
    near, far = ({"address": two[0].text, "zone": "near"}, {"address": two[1].text, "zone": "far"})
    sluice.start(simple(near, far, top={"zone": "far"}))
    assert ask.names(net.client, FRONT, 10) == {"b": 10}
    sluice.ctl("endpoint", "main", two[1].text, "drain")
    assert ask.names(net.client, FRONT, 10) == {"a": 10}
