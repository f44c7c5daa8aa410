# SPDX-License-Identifier: Apache-2.0
"""Endpoints that come and go: active checks, ejection of outliers, orders by hand."""
import pytest

from lib import ask, origins
from lib.configs import FRONT, simple
from lib.netns import BACKEND
from lib.process import can_connect, wait_until

GET = b"GET /name HTTP/1.0\r\n\r\n"
FAST = {"interval": "300ms", "timeout": "300ms", "rise": 2, "fall": 2}


@pytest.fixture
def nginx_pair(net, tmp_path, keep):
    """Two nginx servers; the file `up` in its directory makes one healthy."""
    servers = []
    for name, port in (("a", 7301), ("b", 7302)):
        home = tmp_path / f"web-{name}"
        home.mkdir()
        (home / "up").write_text("I am well\n")
        http = f"""server {{ listen {BACKEND}:{port}; root {home};
            location = /healthz {{ try_files /up =503; }}
            location = /name {{ return 200 "{name}"; }} }}"""
        # Workers of root's nginx would be nobody's, who may not read the test's directory.
        keep(origins.nginx(net.backend, tmp_path, http, name, main="user root;"))
        servers.append(home / "up")
    for port in (7301, 7302):
        wait_until(lambda p=port: can_connect(net.backend, (BACKEND, p)), 10)
    return servers


def answers(net, count=10):
    return {origins.exchange(net.client.connect(FRONT), GET)[-1:].decode() for _ in range(count)}


def health(daemon, name):
    return daemon.endpoints("main")[name]["health"]


@pytest.mark.parametrize("http", [{"path": "/healthz", "expect": "200-299"},
                                  {"path": "/healthz", "expect": "200", "body": "I am well"}])
def test_an_http_check_takes_an_endpoint_out_and_back(net, sluice, nginx_pair, http):
    a, b = f"{BACKEND}:7301", f"{BACKEND}:7302"
    sluice.start(simple(a, b, balance="round_robin", health={"http": http, **FAST}))
    wait_until(lambda: health(sluice, a) == health(sluice, b) == "up", 5)
    assert answers(net) == {"a", "b"}
    nginx_pair[0].unlink()
    wait_until(lambda: health(sluice, a) == "down", 5)
    assert answers(net) == {"b"}
    nginx_pair[0].write_text("I am well\n")
    wait_until(lambda: health(sluice, a) == "up", 5)
    assert answers(net) == {"a", "b"}


def test_a_body_that_does_not_match_is_down(net, sluice, nginx_pair):
    a, b = f"{BACKEND}:7301", f"{BACKEND}:7302"
    nginx_pair[1].write_text("I am ill\n")
    check = {"http": {"path": "/healthz", "body": "well"}, **FAST}
    sluice.start(simple(a, b, balance="round_robin", health=check))
    wait_until(lambda: health(sluice, b) == "down", 5)
    assert health(sluice, a) in ("up", "unknown")
    assert answers(net) == {"a"}


def test_a_tcp_check_sees_a_listener_go_and_come(net, sluice, named_origin):
    steady, shaky = named_origin("steady", (BACKEND, 7303)), named_origin("shaky", (BACKEND, 7304))
    sluice.start(simple(steady, shaky, balance="round_robin", health={"tcp": {}, **FAST}))
    wait_until(lambda: health(sluice, shaky.text) == "up", 5)
    shaky.close()
    wait_until(lambda: health(sluice, shaky.text) == "down", 5)
    assert ask.names(net.client, FRONT, 10) == {"steady": 10}
    named_origin("shaky", (BACKEND, 7304))
    wait_until(lambda: health(sluice, shaky.text) == "up", 5)
    assert set(ask.names(net.client, FRONT, 10)) == {"steady", "shaky"}


def test_a_tls_check_wants_a_handshake(net, tmp_path, sluice, named_origin, keep):
    keep(origins.s_server(net.backend, tmp_path, (BACKEND, 7305), "tls.example"))
    plain = named_origin("plain", (BACKEND, 7306), lambda sock, _: sock.sendall(b"not TLS\n"))
    tls = f"{BACKEND}:7305"
    sluice.start(simple(tls, plain, health={"tls": {"sni": "tls.example"}, **FAST}))
    wait_until(lambda: health(sluice, tls) == "up" and health(sluice, plain.text) == "down", 5)


def test_a_check_sends_a_proxy_header_when_the_pool_does(net, tmp_path, sluice, keep):
    config = f"""
defaults
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend f
  mode http
  bind {BACKEND}:7307 accept-proxy
  http-request return status 200
"""
    keep(origins.haproxy(net.backend, tmp_path, config)).wait_ready(
        lambda: can_connect(net.backend, (BACKEND, 7307)))
    name = f"{BACKEND}:7307"
    sluice.start(simple(name, proxy_protocol="v2", health={"http": {"path": "/"}, **FAST}))
    wait_until(lambda: health(sluice, name) == "up", 5)


def test_a_check_may_use_another_port(net, sluice, named_origin):
    origin = named_origin("o", (BACKEND, 7308))
    sluice.start(simple(origin, health={"tcp": {}, "port": 7399, **FAST}))
    wait_until(lambda: health(sluice, origin.text) == "down", 5)
    assert ask.name(net.client, FRONT) == ""
    named_origin("check", (BACKEND, 7399))
    wait_until(lambda: health(sluice, origin.text) == "up", 5)
    assert ask.name(net.client, FRONT) == "o"


def test_an_endpoint_that_fails_is_ejected_and_comes_back(net, sluice, named_origin):
    steady, gone = named_origin("steady", (BACKEND, 7309)), f"{BACKEND}:7310"
    outlier = {"consecutive_failures": 2, "base_ejection": "1s", "max_ejected": "50%"}
    sluice.start(simple(steady, gone, balance="round_robin", outlier=outlier, connect_retries=1,
                        top={"workers": 1}))
    assert ask.names(net.client, FRONT, 8) == {"steady": 8}
    wait_until(lambda: sluice.endpoints("main")[gone]["ejected_seconds"], 5)
    named_origin("back", (BACKEND, 7310))
    wait_until(lambda: not sluice.endpoints("main")[gone]["ejected_seconds"], 10)
    assert set(ask.names(net.client, FRONT, 10)) == {"steady", "back"}


def test_not_more_than_the_share_is_ejected(net, sluice, named_origin):
    gone = [f"{BACKEND}:{port}" for port in (7311, 7312, 7313, 7314)]
    outlier = {"consecutive_failures": 1, "base_ejection": "60s", "max_ejected": "50%"}
    sluice.start(simple(*gone, balance="round_robin", outlier=outlier, connect_retries=0))
    for _ in range(20):
        assert ask.name(net.client, FRONT) == ""
    ejected = [e for e in sluice.endpoints("main").values() if e["ejected_seconds"]]
    assert len(ejected) == 2


@pytest.fixture
def two(named_origin):
    return [named_origin("a", (BACKEND, 7001)), named_origin("b", (BACKEND, 7002))]


@pytest.mark.parametrize("order", ["drain", "maint"])
def test_a_drained_endpoint_keeps_its_connections_and_gets_no_more(net, sluice, two, order):
    sluice.start(simple(*two, balance="round_robin", top={"workers": 1}))
    held = [ask.opened(net.client, FRONT) for _ in range(2)]
    assert {name for _, name in held} == {"a", "b"}
    sluice.ctl("endpoint", "main", two[0].text, order)
    assert ask.names(net.client, FRONT, 10) == {"b": 10}
    assert all(ask.echoes(sock) for sock, _ in held)
    assert sluice.endpoints("main")[two[0].text]["admin"] == order
    sluice.ctl("endpoint", "main", two[0].text, "ready")
    assert set(ask.names(net.client, FRONT, 10)) == {"a", "b"}
    for sock, _ in held:
        sock.close()


def test_a_weight_given_by_hand_counts_at_once(net, sluice, two):
    sluice.start(simple(*two, balance="round_robin", top={"workers": 1}))
    sluice.ctl("endpoint", "main", two[0].text, "weight", 4)
    assert ask.names(net.client, FRONT, 20) == {"a": 16, "b": 4}


def test_orders_given_by_hand_survive_a_reload(net, sluice, two):
    config = simple(*two, balance="round_robin")
    sluice.start(config)
    sluice.ctl("endpoint", "main", two[0].text, "drain")
    sluice.reload(config)
    assert ask.names(net.client, FRONT, 10) == {"b": 10}


@pytest.mark.parametrize("words", [("endpoint", "nowhere", "1.2.3.4:5", "drain"),
                                   ("endpoint", "main", "1.2.3.4:5", "drain"),
                                   ("endpoint", "main", f"{BACKEND}:7001", "dance"),
                                   ("endpoint", "main", f"{BACKEND}:7001", "weight", 257)])
def test_an_order_that_makes_no_sense_fails(net, sluice, two, words):
    sluice.start(simple(*two))
    done = sluice.ctl(*words, check=False)
    assert done.returncode != 0
    assert done.stderr.strip()
