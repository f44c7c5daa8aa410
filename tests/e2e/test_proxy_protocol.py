# SPDX-License-Identifier: Apache-2.0
"""PROXY protocol in and out, with haproxy as sender and as receiver."""
import socket

import pytest

from lib import ask, origins, proxy_header
from lib.configs import FRONT, listener, pool, simple
from lib.netns import BACKEND, BACKEND6, CLIENT, PROXY, PROXY6, client_address
from lib.process import can_connect

DEFAULTS = """
defaults
  timeout connect 5s
  timeout client 10s
  timeout server 10s
"""
SHOW = '  http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port]"'
GET = b"GET / HTTP/1.0\r\n\r\n"


@pytest.fixture
def recorder(named_origin):
    return named_origin("recorder", (BACKEND, 7000), origins.record_all)


@pytest.fixture
def haproxy_receiver(net, tmp_path, keep):
    """An HTTP origin that wants a PROXY header and answers with the addresses in it."""
    binds = f"  bind {BACKEND}:7001 accept-proxy\n  bind [{BACKEND6}]:7001 v6only accept-proxy\n"
    config = f"{DEFAULTS}\nfrontend show\n  mode http\n{binds}{SHOW}\n"
    process = keep(origins.haproxy(net.backend, tmp_path, config, "receiver"))
    process.wait_ready(lambda: can_connect(net.backend, (BACKEND, 7001)))
    return f"{BACKEND}:7001"


def through_haproxy_sender(net, tmp_path, keep, word):
    """A haproxy in the client's namespace that sends its PROXY header to the front."""
    config = f"{DEFAULTS}\nlisten send\n  mode tcp\n  bind {CLIENT}:9000\n" \
             f"  server s {PROXY}:8000 {word}\n"
    keep(origins.haproxy(net.client, tmp_path, config, "sender")).wait_ready(
        lambda: can_connect(net.client, (CLIENT, 9000)))
    return (CLIENT, 9000)


def http_words(sock):
    return origins.exchange(sock, GET).decode().split("\r\n\r\n")[1].split()


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_haproxy_reads_our_header(net, sluice, haproxy_receiver, version):
    sluice.start(simple(haproxy_receiver, proxy_protocol=version))
    sock = net.client.connect(FRONT)
    host, port = sock.getsockname()
    assert http_words(sock) == [host, str(port), PROXY, "8000"]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_haproxy_reads_our_header_with_ipv6(net, sluice, haproxy_receiver, version):
    sluice.start(simple(haproxy_receiver, proxy_protocol=version,
                        listener_options={"bind": ["[::]:8000"]}))
    sock = net.client.connect((PROXY6, 8000))
    host, port = sock.getsockname()[:2]
    assert http_words(sock) == [host, str(port), PROXY6, "8000"]


@pytest.mark.parametrize("word", ["send-proxy", "send-proxy-v2"])
def test_haproxys_header_is_read_and_passed_on(net, sluice, tmp_path, keep, haproxy_receiver, word):
    """The client's address survives two proxies."""
    accept = {"proxy_protocol": {"accept": ["10.77.1.0/24"]}}
    sluice.start(simple(haproxy_receiver, proxy_protocol="v2", listener_options=accept))
    entry = through_haproxy_sender(net, tmp_path, keep, word)
    sock = net.client.connect(entry, source=client_address(7))
    _, port = sock.getsockname()
    assert http_words(sock) == [client_address(7), str(port), CLIENT, "9000"]


@pytest.mark.parametrize("write", [proxy_header.v1, proxy_header.v2])
def test_a_header_is_taken_off_before_the_payload(net, sluice, recorder, write):
    accept = {"proxy_protocol": {"accept": ["10.77.1.0/24"]}}
    sluice.start(simple(recorder, listener_options=accept))
    header = write(("192.0.2.7", 1234), ("192.0.2.8", 443))
    assert origins.exchange(net.client.connect(FRONT), header + b"payload") == b"ok"
    assert recorder.records[-1][1] == b"payload"


def test_a_header_byte_by_byte(net, sluice, recorder):
    accept = {"proxy_protocol": {"accept": ["10.77.1.0/24"]}}
    sluice.start(simple(recorder, listener_options=accept))
    sock = net.client.connect(FRONT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in proxy_header.v1(("192.0.2.7", 1234), ("192.0.2.8", 443)) + b"pay":
        sock.sendall(bytes([byte]))
    assert origins.exchange(sock, b"load") == b"ok"
    assert recorder.records[-1][1] == b"payload"


def test_tlvs_come_through_from_v2_to_v2(net, sluice, recorder):
    tlvs = b"\x05\x00\x04abcd" + b"\x02\x00\x09a.example"
    accept = {"proxy_protocol": {"accept": ["10.77.1.0/24"]}}
    sluice.start(simple(recorder, proxy_protocol="v2", listener_options=accept))
    header = proxy_header.v2(("192.0.2.7", 1234), ("192.0.2.8", 443), tlvs)
    origins.exchange(net.client.connect(FRONT), header + b"payload")
    got, rest = proxy_header.split_v2(recorder.records[-1][1])
    assert rest == b"payload"
    assert (got["source"], got["destination"]) == (("192.0.2.7", 1234), ("192.0.2.8", 443))
    assert tlvs in got["tlvs"]


def test_a_local_header_keeps_the_real_addresses(net, sluice, recorder):
    accept = {"proxy_protocol": {"accept": ["10.77.1.0/24"]}}
    sluice.start(simple(recorder, proxy_protocol="v1", listener_options=accept))
    sock = net.client.connect(FRONT)
    host, port = sock.getsockname()
    origins.exchange(sock, proxy_header.v2_local() + b"payload")
    words, rest = proxy_header.split_v1(recorder.records[-1][1])
    assert words == ["PROXY", "TCP4", host, PROXY, str(port), "8000"]
    assert rest == b"payload"


def test_an_untrusted_source_cannot_lie(net, sluice, recorder):
    """Its header is payload like any other."""
    accept = {"proxy_protocol": {"accept": [f"{client_address(3)}/32"]}}
    sluice.start(simple(recorder, proxy_protocol="v1", listener_options=accept))
    sock = net.client.connect(FRONT, source=CLIENT)
    port = sock.getsockname()[1]
    lie = proxy_header.v1(("192.0.2.7", 1234), ("192.0.2.8", 443))
    origins.exchange(sock, lie + b"payload")
    words, rest = proxy_header.split_v1(recorder.records[-1][1])
    assert words == ["PROXY", "TCP4", CLIENT, PROXY, str(port), "8000"]
    assert rest == lie + b"payload"


@pytest.mark.parametrize("bad", [b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 1.2.3.4 nonsense\r\n",
                                 proxy_header.SIGNATURE + b"\x31\x11\x00\x00"],
                         ids=["http", "v1", "v2"])
def test_a_trusted_source_without_a_right_header_is_refused(net, sluice, recorder, bad):
    accept = {"proxy_protocol": {"accept": ["10.77.1.0/24"]}}
    sluice.start(simple(recorder, listener_options=accept))
    sock = net.client.connect(FRONT)
    sock.sendall(bad)
    assert ask.ended(sock)[1] == b""
    assert recorder.records == []


def test_a_header_that_does_not_come_times_out(net, sluice, recorder):
    accept = {"proxy_protocol": {"accept": ["10.77.1.0/24"], "timeout": "300ms"}}
    sluice.start(simple(recorder, listener_options=accept))
    _, data, seconds = ask.refusal(net.client, FRONT)
    assert data == b""
    assert 0.2 < seconds < 3


def test_routes_see_the_address_in_the_header(net, sluice, named_origin):
    near, far = named_origin("near", (BACKEND, 7002)), named_origin("far", (BACKEND, 7003))
    routes = [{"match": {"source": ["192.0.2.0/24"]}, "pool": "far"}]
    sluice.start({
        "listeners": [listener("near", routes=routes,
                               proxy_protocol={"accept": ["10.77.1.0/24"]})],
        "pools": [pool(near, name="near"), pool(far, name="far")]})
    header = proxy_header.v1(("192.0.2.7", 1234), ("192.0.2.8", 443))
    assert ask.name(net.client, FRONT, first=header) == "far"
    header = proxy_header.v1(("198.51.100.7", 1234), ("192.0.2.8", 443))
    assert ask.name(net.client, FRONT, first=header) == "near"
