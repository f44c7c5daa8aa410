# SPDX-License-Identifier: Apache-2.0
"""Copies of requests for another pool: what it gets, and that nobody else notices."""
import ssl
import time

import pytest

from lib import proxy_header
from lib.configs import listener, pool
from lib.netns import BACKEND, CLIENT, PROXY
from lib.pki import Authority
from lib.process import wait_until
from lib.web import Client, Reader, Web, answer, body_of, in_chunks, said

CHUNKED = b"Host: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def web(net, keep):
    return keep(Web(net.backend, (BACKEND, 7000)))


@pytest.fixture
def shadow(net, keep):
    return keep(Web(net.backend, (BACKEND, 7002)))


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("pki"))
    made.shadow = made.issue("shadow.test")
    return made


def on(path, mirror):
    return {"match": {"path_prefix": [path]}, "pool": "main", "mirror": mirror}


@pytest.fixture
def serve(sluice, web, shadow):
    """Routes in force before the one to the pool; options of the pool that gets the copies."""
    def start(*routes, pools=(), limit=0, **options):
        endpoint = {"address": shadow.text, "max_connections": limit}
        sluice.start({"listeners": [listener(mode="http", routes=list(routes))],
                      "pools": [pool(web), pool(endpoint, name="shadow", **options), *pools],
                      "workers": 1})
    return start


@pytest.fixture
def results(sluice):
    """What became of copies, as counted."""
    return lambda name="shadow": sluice.pools()[name]["mirrors"]


def post(client, path, text, head=CHUNKED):
    client.send(b"POST %s HTTP/1.1\r\n" % path + head + text)
    return client.answer()


# --- What is sent ---------------------------------------------------------------
def test_requests_are_mirrored_and_answered_once(serve, net, shadow, web, results):
    serve(on("/a", "shadow"))
    body = body_of(50_000)
    with Client(net) as client:
        assert client.ask("/a/x?q").status == 200
        assert said(client.ask("/a/up", "POST", body=body))["length"] == len(body)
        assert client.ask("/b").status == 200
    wait_until(lambda: results() == {"answered": 2})
    get, post_ = sorted(shadow.seen, key=lambda m: m.first)
    assert (get.first, get.get("x-forwarded-for")) == ("GET /a/x?q HTTP/1.1", CLIENT)
    assert (post_.first, post_.body) == ("POST /a/up HTTP/1.1", body)
    assert len(web.seen) == 3


def test_mirror_takes_its_share(serve, net, shadow):
    serve(on("/a", {"pool": "shadow", "share": "20%"}), on("/b", {"pool": "shadow", "share": "0%"}),
          on("/c", "shadow"))
    with Client(net) as client:
        for _ in range(200):
            client.ask("/a")
            client.ask("/b")
        client.ask("/c")
    wait_until(lambda: any(m.first.startswith("GET /c") for m in shadow.seen))
    # 40 are expected, with a standard deviation of 6.
    assert 10 < len([m for m in shadow.seen if m.first.startswith("GET /a")]) < 80
    assert not [m for m in shadow.seen if m.first.startswith("GET /b")]


@pytest.mark.parametrize("size", [0, 1, 65536])
def test_body_in_chunks_is_mirrored(serve, net, shadow, results, size):
    serve(on("/a", "shadow"))
    with Client(net) as client:
        assert post(client, b"/a", in_chunks(body_of(size), 777)).status == 200
    wait_until(lambda: results() == {"answered": 1})
    got, = shadow.seen
    assert (got.get("transfer-encoding"), got.body) == ("chunked", body_of(size))


def test_chunks_piece_by_piece_with_extension_and_trailer(serve, net, shadow, web, results):
    serve(on("/a", "shadow"))
    with Client(net) as client:
        client.send(b"POST /a HTTP/1.1\r\n" + CHUNKED)
        for piece in (b"3;x=y\r", b"\nab", b"c\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n", b"\r\n"):
            client.send(piece)
            time.sleep(0.05)
        assert client.answer().status == 200
    wait_until(lambda: results() == {"answered": 1})
    assert [(m.body, m.trailers) for m in web.seen + shadow.seen] == [(b"abcde", [("x-sum", "1")])] * 2


def test_body_that_was_gathered_first_is_mirrored(serve, net, web, shadow, results, sluice):
    front = listener(mode="http", routes=[on("/a", "shadow")])
    sluice.start({"listeners": [front], "workers": 1, "pools": [
        pool(web, http={"buffer_request": "64KiB"}), pool(shadow, name="shadow")]})
    with Client(net) as client:
        assert post(client, b"/a", in_chunks(body_of(9000))).status == 200
    wait_until(lambda: results() == {"answered": 1})
    assert shadow.seen[0].body == body_of(9000)


def test_too_large_bodies_are_not_mirrored(serve, net, shadow, results):
    serve(on("/a", {"pool": "shadow", "max_body": "1KiB"}))
    with Client(net) as client:
        assert said(client.ask("/a/large", "POST", body=body_of(1025)))["length"] == 1025
        assert said(post(client, b"/a/chunked", in_chunks(body_of(1025), 100)))["length"] == 1025
        client.ask("/a/small", "POST", body=body_of(1024))
        assert post(client, b"/a/small", in_chunks(body_of(1024), 100)).status == 200
    wait_until(lambda: results() == {"answered": 2, "too_large": 2})
    assert {m.first for m in shadow.seen} == {"POST /a/small HTTP/1.1"}


def test_request_without_a_host_has_an_empty_one(serve, net, shadow, results):
    serve(on("/a", "shadow"))
    with Client(net) as client:
        assert client.ask("/a", version="1.0", host=None).status == 200
    wait_until(lambda: results() == {"answered": 1})
    assert (shadow.seen[0].first, shadow.seen[0].get("host")) == ("GET /a HTTP/1.1", "")


# --- How it is sent -------------------------------------------------------------
def server_context(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.shadow.cert, authority.shadow.key)
    return context


@pytest.fixture
def secret(net, keep, authority):
    """Speaks TLS behind a PROXY header."""
    return keep(Web(net.backend, (BACKEND, 7003), server_context(authority), has_header=True))


def secret_pool(secret, authority, server_name="shadow.test"):
    return pool(secret, name="secret", proxy_protocol="v1",
                tls={"ca": str(authority.cert), "server_name": server_name})


def test_mirror_is_spoken_to_as_its_pool_says(serve, net, secret, authority, results):
    serve(on("/a", "secret"), on("/b", "shadow"), pools=[secret_pool(secret, authority)])
    body = body_of(60_000)
    ports = []
    for _ in range(3):
        with Client(net) as client:
            ports.append(client.sock.getsockname()[1])
            assert client.ask("/a", "POST", body=body).status == 200
    wait_until(lambda: results("secret") == {"answered": 3})
    assert [m.body for m in secret.seen] == [body] * 3
    assert sorted(secret.headers) == sorted(
        ["PROXY", "TCP4", CLIENT, PROXY, str(port), "8000"] for port in ports)


def test_mirror_is_told_the_tlvs_that_came(net, sluice, web, named_origin, results):
    def keep_request(sock, origin):
        text = b""
        while b"GET " not in text or not text.endswith(b"\r\n\r\n"):
            text += sock.recv(65536)
        origin.records.append(text)

    recorder = named_origin("recorder", (BACKEND, 7004), keep_request)
    tlvs = b"\x02\x00\x04name"
    front = listener(mode="http", routes=[on("/a", "shadow")],
                     proxy_protocol={"accept": [f"{CLIENT}/32"]})
    sluice.start({"listeners": [front], "pools": [
        pool(web), pool(recorder, name="shadow", proxy_protocol="v2")]})
    with Client(net) as client:
        client.send(proxy_header.v2(("192.0.2.7", 1234), ("192.0.2.8", 443), tlvs))
        assert client.ask("/a").status == 200
    wait_until(lambda: results() == {"unanswered": 1})
    header, request = proxy_header.split_v2(recorder.records[0])
    assert (header["source"], header["destination"]) == (("192.0.2.7", 1234), ("192.0.2.8", 443))
    assert header["tlvs"] == tlvs
    assert request.startswith(b"GET /a HTTP/1.1\r\n")


def test_mirror_may_see_the_clients_address(serve, net, shadow, results, replies_come_back):
    peers = []
    shadow.on("/a", lambda sock, m: peers.append(sock.getpeername()[0]) or answer(sock))
    serve(on("/a", "shadow"), transparent=True)
    with Client(net) as client:
        assert client.ask("/a").status == 200
    wait_until(lambda: results() == {"answered": 1})
    assert peers == [CLIENT]


def test_wrong_certificate_gets_no_copy(serve, net, secret, authority, results, sluice):
    serve(on("/a", "secret"), on("/b", "shadow"), pools=[secret_pool(secret, authority, "other.test")])
    with Client(net) as client:
        assert client.ask("/a").status == 200
    wait_until(lambda: results("secret") == {"connect_failed": 1})
    assert sluice.pools()["secret"]["tls"]["failed"]["certificate"] == 1
    assert secret.seen == []


def test_copies_go_by_the_mirrors_own_hash_key(net, sluice, web, keep, results):
    shadows = [keep(Web(net.backend, (BACKEND, 7010 + i))) for i in range(4)]
    front = listener(mode="http", routes=[on("/a", "shadow")])
    sluice.start({"listeners": [front], "pools": [
        pool(web), pool(*shadows, name="shadow", balance="maglev", hash_key={"header": "X-User"})]})
    with Client(net) as client:
        for user in range(20):
            for _ in range(2):
                client.ask(f"/a/{user}", fields=[("X-User", str(user))])
    wait_until(lambda: results() == {"answered": 40})
    places = [sorted(m.first for m in shadow.seen) for shadow in shadows]
    assert all(seen[::2] == seen[1::2] for seen in places)
    assert len([seen for seen in places if seen]) > 1


# --- On which connections -------------------------------------------------------
def ask_one_by_one(net, results, path="/a", count=5, **how):
    """Each copy is answered before the next one goes."""
    before = sum(results().values())
    with Client(net) as client:
        for i in range(count):
            assert client.ask(path, **how).status == 200
            wait_until(lambda: sum(results().values()) == before + i + 1)


@pytest.mark.parametrize("how", [{}, {"method": "HEAD"}, {"method": "POST", "body": b"b" * 3000}])
def test_copies_share_a_connection(serve, net, shadow, results, how):
    shadow.on("/a", lambda sock, m: answer(sock, b"" if m.first.startswith("HEAD") else b"x" * 70_000))
    serve(on("/a", "shadow"))
    ask_one_by_one(net, results, **how)
    assert (results(), len(shadow.seen), shadow.accepted) == ({"answered": 5}, 5, 1)
    assert {m.get("connection") for m in shadow.seen} == {None}


def test_copies_share_connections_with_requests(net, sluice, web, results):
    front = listener(mode="http", routes=[on("/a", "main")])
    sluice.start({"listeners": [front], "workers": 1, "pools": [pool(web)]})
    ask_one_by_one(net, lambda: results("main"), count=10)
    assert len(web.seen) == 20
    assert web.accepted == 2  # as many as there are at once


def test_copies_over_tls_share_a_connection(serve, net, keep, authority, results):
    secure = keep(Web(net.backend, (BACKEND, 7005), server_context(authority)))
    serve(on("/a", "secure"), on("/b", "shadow"), pools=[
        pool(secure, name="secure", tls={"ca": str(authority.cert), "server_name": "shadow.test"})])
    ask_one_by_one(net, lambda: results("secure"))
    assert (results("secure"), secure.accepted) == ({"answered": 5}, 1)


def test_mirror_of_a_single_clients_connections_shares_none(serve, net, keep, results):
    told = keep(Web(net.backend, (BACKEND, 7006), has_header=True))
    serve(on("/a", "told"), on("/b", "shadow"), pools=[pool(told, name="told", proxy_protocol="v1")])
    ask_one_by_one(net, lambda: results("told"))
    assert (results("told"), told.accepted) == ({"answered": 5}, 5)
    assert {m.get("connection") for m in told.seen} == {"close"}


@pytest.mark.parametrize("said_back", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok, and more",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"220 smtp.test ESMTP\r\n",
], ids=["close", "more", "another", "chunk", "old", "other"])
def test_connection_of_a_doubtful_answer_is_not_used_again(serve, net, shadow, results, said_back):
    shadow.on("/a", lambda sock, m: sock.sendall(said_back))
    serve(on("/a", "shadow"))
    ask_one_by_one(net, results)
    assert (results(), shadow.accepted) == ({"answered": 5}, 5)


def test_connection_of_an_answer_cut_short_is_not_used_again(serve, net, shadow, results):
    """Halves that come later are nobody's answer."""
    def half(sock, _):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        time.sleep(1)
        sock.sendall(b"x" * 96)

    shadow.on("/a", half)
    serve(on("/a", "shadow"), http={"response_timeout": "200ms"})
    ask_one_by_one(net, results, count=3)
    assert (results(), shadow.accepted) == ({"timeout": 3}, 3)


@pytest.mark.parametrize("said_back,connections", [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 1),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", 3),
])
def test_answer_before_the_whole_copy_cuts_nothing(net, sluice, web, named_origin, results,
                                                   said_back, connections):
    """The endpoint reads on behind its answer, and reads all."""
    bodies, size = [], 8_000_000

    def answer_first(sock, _):
        reader = Reader(sock)
        while True:
            try:
                reader.line()
                fields = dict(reader.fields())
                sock.sendall(said_back)
                time.sleep(0.3)
                bodies.append(len(reader.exactly(int(fields["content-length"]))))
            except (EOFError, ConnectionResetError):
                return
            if b"close" in said_back:
                return

    early = named_origin("early", (BACKEND, 7004), answer_first)
    front = listener(mode="http", routes=[on("/a", {"pool": "shadow", "max_body": "10MiB"})])
    sluice.start({"listeners": [front], "workers": 1,
                  "pools": [pool(web), pool(early, name="shadow")]})
    ask_one_by_one(net, results, count=3, method="POST", body=body_of(size))
    wait_until(lambda: len(bodies) == 3)
    assert (results(), bodies, early.accepted) == ({"answered": 3}, [size] * 3, connections)


def test_interim_answers_and_chunks_end_where_they_end(serve, net, shadow, results):
    def in_pieces(sock, _):
        for piece in (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 2", b"00 OK\r\nTransfer-",
                      b"Encoding: chunked\r\n\r\n3\r", b"\nabc\r\n0\r\nX-Sum: 1\r\n", b"\r\n"):
            sock.sendall(piece)
            time.sleep(0.02)

    shadow.on("/a", in_pieces)
    serve(on("/a", "shadow"))
    ask_one_by_one(net, results)
    assert (results(), shadow.accepted) == ({"answered": 5}, 1)


def test_idle_connections_of_mirrors_are_bounded(serve, net, shadow, results):
    serve(on("/a", "shadow"), http={"idle_connections": 0})
    ask_one_by_one(net, results)
    assert (results(), shadow.accepted) == ({"answered": 5}, 5)


# --- Nobody waits ---------------------------------------------------------------
def test_mirror_that_is_dead_or_silent_slows_nobody(serve, net, shadow, results):
    shadow.on("/silent", lambda sock, m: time.sleep(20))
    serve(on("/silent", "shadow"), on("/dead", "dead"),
          pools=[pool(f"{BACKEND}:7098", name="dead")])
    with Client(net) as client:
        begun = time.monotonic()
        for _ in range(300):
            assert client.ask("/silent").status == 200
            assert client.ask("/dead").status == 200
        assert time.monotonic() - begun < 15
    # 256 are under way, and nobody else has room.
    wait_until(lambda: sum(results("dead").values()) == 300)
    assert results("dead").keys() == {"connect_failed", "limit"}
    assert 44 <= results()["limit"] < 60


def test_mirror_that_takes_no_bytes_holds_bounded_memory(serve, net, shadow, results, sluice):
    """Each copy has 1 MiB, which neither the endpoint nor its socket takes."""
    shadow._opened = lambda sock: time.sleep(20) or sock
    serve(on("/a", {"pool": "shadow", "max_body": "8MiB"}))
    body = body_of(8 << 20)
    with Client(net, timeout=60) as client:
        for _ in range(8):
            assert said(client.ask("/a", "POST", body=body))["length"] == len(body)
    wait_until(lambda: results().get("limit") == 5)


def test_late_answer_is_not_waited_for(serve, net, shadow, results, keep):
    shadow.on("/a", lambda sock, m: time.sleep(20))
    serve(on("/a", "shadow"), http={"response_timeout": "200ms"})
    with Client(net) as client:
        assert client.ask("/a").status == 200
    wait_until(lambda: results() == {"timeout": 1})


def test_mirror_that_only_closes_has_not_answered(serve, net, shadow, results):
    shadow.on("/a", lambda sock, m: False)
    serve(on("/a", "shadow"))
    with Client(net) as client:
        assert client.ask("/a").status == 200
    wait_until(lambda: results() == {"unanswered": 1})


def test_copies_do_not_wait_for_a_turn(serve, net, shadow, results):
    shadow.on("/a", lambda sock, m: time.sleep(20))
    serve(on("/a", "shadow"), limit=1)
    with Client(net) as client:
        for _ in range(5):
            assert client.ask("/a").status == 200
    assert results() == {"busy": 4}


def test_copies_count_at_the_breaker(serve, net, shadow, results, sluice):
    shadow.on("/a", lambda sock, m: time.sleep(20))
    serve(on("/a", "shadow"), breaker={"max_requests": 2})
    with Client(net) as client:
        for _ in range(5):
            assert client.ask("/a").status == 200
    assert results() == {"circuit_open": 3}
    gauge = sluice.pools()["shadow"]["breaker"]["requests"]
    assert (gauge["now"], gauge["refused"]) == (2, 3)


def test_body_that_never_comes_leaves_no_mirror(serve, net, shadow, sluice, results):
    serve(on("/a", "shadow"))
    for head in (b"Host: a\r\nContent-Length: 100\r\n\r\n", CHUNKED + b"64\r\n") * 5:
        with Client(net) as client:
            client.send(b"POST /a HTTP/1.1\r\n" + head + b"begin")
            wait_until(lambda: sluice.active() == 1)
            time.sleep(0.02)
    wait_until(lambda: sluice.active() == 0)
    assert results() == {"incomplete": 10}
    assert shadow.accepted == 0


def test_copies_under_way_end_with_the_daemon(serve, net, shadow, sluice):
    shadow.on("/a", lambda sock, m: time.sleep(20))
    serve(on("/a", "shadow"))
    with Client(net) as client:
        assert client.ask("/a").status == 200
    wait_until(lambda: shadow.seen)
    begun = time.monotonic()
    sluice.stop()
    assert time.monotonic() - begun < 8


# --- What is told -----------------------------------------------------------------
def test_results_are_shown(serve, net, sluice, results):
    serve(on("/a", {"pool": "shadow", "max_body": "1KiB"}))
    with Client(net) as client:
        client.ask("/a")
        client.ask("/a", "POST", body=body_of(2000))
        client.ask("/b")
    wait_until(lambda: results() == {"answered": 1, "too_large": 1})
    lines = sluice.ctl("pools").splitlines()
    assert lines[-1].split() == ["shadow", "2", "1", "1", "too_large"]
    metrics = sluice.ctl("metrics")
    assert 'sluice_mirror_requests_total{pool="shadow",result="answered"} 1' in metrics
    assert 'sluice_mirror_requests_total{pool="shadow",result="too_large"} 1' in metrics
    assert 'sluice_mirror_requests_total{pool="main"' not in metrics
