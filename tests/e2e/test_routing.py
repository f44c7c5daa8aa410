# SPDX-License-Identifier: Apache-2.0
"""Routing in mode tcp: by SNI and ALPN from the ClientHello, by source, by destination port."""
import pytest

from lib import ask, origins, tls_client
from lib.configs import FRONT, listener, pool
from lib.netns import BACKEND, CLIENT, PROXY, client_address

HOSTS = {"a.example": 7101, "b.example": 7102, "wild.example": 7103, "default.example": 7104}


@pytest.fixture(scope="module")
def tls_origins(net, tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls")
    servers = [origins.s_server(net.backend, directory, (BACKEND, port), host, "-alpn",
                                "h2,http/1.1")
               for host, port in HOSTS.items()]
    yield {tls_client.certificate_der(directory / f"{host}.pem"): host for host in HOSTS}
    for server in servers:
        server.stop()


def tls_pools(*names):
    ports = {host.split(".")[0]: port for host, port in HOSTS.items()}
    return [pool(f"{BACKEND}:{ports[name]}", name=name) for name in names]


@pytest.fixture
def by_sni(sluice, tls_origins):
    routes = [{"match": {"sni": "a.example"}, "pool": "a"},
              {"match": {"sni": ["b.example"]}, "pool": "b"},
              {"match": {"sni": "*.wild.example"}, "pool": "wild"}]
    sluice.start({"listeners": [listener("default", routes=routes)],
                  "pools": tls_pools("a", "b", "wild", "default")})
    return tls_origins


def answered_by(net, known, name, **options):
    with net.client.connect(FRONT) as sock:
        return known[tls_client.handshake(sock, name, **options)[0]]


@pytest.mark.parametrize("name,expected", [
    ("a.example", "a.example"),
    ("A.Example", "a.example"),
    ("b.example", "b.example"),
    ("x.wild.example", "wild.example"),
    ("y.x.wild.example", "wild.example"),
    ("wild.example", "default.example"),
    ("other.example", "default.example"),
    (None, "default.example"),
])
def test_sni_chooses_the_pool(net, by_sni, name, expected):
    assert answered_by(net, by_sni, name) == expected


def test_openssl_s_client_is_routed_by_its_servername(net, by_sni):
    assert "CN = b.example" in origins.s_client(net.client, FRONT, "-servername", "b.example")
    assert "CN = default.example" in origins.s_client(net.client, FRONT, "-noservername")


def test_a_client_hello_one_byte_at_a_time(net, by_sni):
    cut = tls_client.one_byte_at_a_time
    assert answered_by(net, by_sni, "b.example", cut=cut, pause=0.001) == "b.example"


def test_a_client_hello_in_many_records(net, by_sni):
    assert answered_by(net, by_sni, "b.example", cut=tls_client.small_records) == "b.example"


def test_alpn_chooses_the_pool(net, sluice, tls_origins):
    routes = [{"match": {"alpn": "h2"}, "pool": "a"},
              {"match": {"alpn": ["http/1.1"], "sni": "b.example"}, "pool": "b"}]
    sluice.start({"listeners": [listener("default", routes=routes)],
                  "pools": tls_pools("a", "b", "default")})
    assert answered_by(net, tls_origins, "x.example", alpn=["h2", "http/1.1"]) == "a.example"
    assert answered_by(net, tls_origins, "b.example", alpn=["http/1.1"]) == "b.example"
    assert answered_by(net, tls_origins, "x.example", alpn=["http/1.1"]) == "default.example"
    assert answered_by(net, tls_origins, "x.example") == "default.example"


@pytest.fixture
def three(named_origin):
    return [named_origin(name, (BACKEND, 7200 + i)) for i, name in enumerate(("one", "two", "rest"))]


def named_pools(three, *names):
    return [pool(origin, name=origin.name) for origin in three if origin.name in names]


def test_what_is_not_tls_goes_to_the_default_pool(net, sluice, three):
    routes = [{"match": {"sni": "a.example"}, "pool": "one"}]
    sluice.start({"listeners": [listener("rest", routes=routes)], "pools": named_pools(three, "one", "rest")})
    assert ask.name(net.client, FRONT, first=b"GET / HTTP/1.1\r\n\r\n") == "rest"
    assert ask.name(net.client, FRONT, first=b"\x16\x03\x01\x00\x05nope!") == "rest"


def test_a_silent_client_goes_to_the_default_pool_after_the_timeout(net, sluice, three):
    routes = [{"match": {"sni": "a.example"}, "pool": "one"}]
    sluice.start({"listeners": [listener("rest", routes=routes, client_hello_timeout="300ms")],
                  "pools": named_pools(three, "one", "rest")})
    assert ask.name(net.client, FRONT) == "rest"


def test_a_client_hello_beyond_16_kib_is_refused(net, sluice, three):
    routes = [{"match": {"sni": "a.example"}, "pool": "one"}]
    sluice.start({"listeners": [listener("rest", routes=routes)], "pools": named_pools(three, "one", "rest")})
    body = b"\x01" + (20_000).to_bytes(3, "big") + b"\x03\x03" + bytes(16_000)
    records = b"".join(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part
                       for part in (body[i:i + 8000] for i in range(0, len(body), 8000)))
    sock = net.client.connect(FRONT)
    try:
        sock.sendall(records + bytes(8000))
    except OSError:
        pass
    assert ask.ended(sock)[1] == b""
    assert three[2].accepted == 0


def test_without_a_route_the_connection_is_closed(net, sluice, three):
    routes = [{"match": {"source": [f"{client_address(3)}/32"]}, "pool": "one"}]
    config = {"listeners": [listener(routes=routes)], "pools": named_pools(three, "one")}
    del config["listeners"][0]["pool"]
    sluice.start(config)
    assert ask.name(net.client, FRONT, source=client_address(3)) == "one"
    assert ask.name(net.client, FRONT, source=CLIENT) == ""


def test_the_longer_source_prefix_wins(net, sluice, three):
    routes = [{"match": {"source": ["10.77.0.0/16"]}, "pool": "one"},
              {"match": {"source": [f"{client_address(4)}/31"]}, "pool": "two"}]
    sluice.start({"listeners": [listener("rest", routes=routes)], "pools": named_pools(three, "one", "two", "rest")})
    assert ask.name(net.client, FRONT, source=client_address(2)) == "one"
    assert ask.name(net.client, FRONT, source=client_address(4)) == "two"
    assert ask.name(net.client, FRONT, source=client_address(5)) == "two"
    assert ask.name(net.client, FRONT, source=client_address(6)) == "one"


def test_the_destination_port_chooses_the_pool(net, sluice, three):
    routes = [{"match": {"port": [8101]}, "pool": "one"}, {"match": {"port": 8102}, "pool": "two"}]
    sluice.start({"listeners": [listener("rest", bind=["0.0.0.0:8100-8103"], routes=routes)],
                  "pools": named_pools(three, "one", "two", "rest")})
    got = [ask.name(net.client, (PROXY, port)) for port in (8100, 8101, 8102, 8103)]
    assert got == ["rest", "one", "two", "rest"]
