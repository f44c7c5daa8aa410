# SPDX-License-Identifier: Apache-2.0
"""Mode http: requests reach the backend and answers the client, whatever their framing."""
import hashlib
import json
import signal
import socket
import ssl
import threading
import time
from email.utils import parsedate_to_datetime

import pytest

from lib.configs import FRONT, listener, pool
from lib.netns import BACKEND, CLIENT, PROXY
from lib.pki import Authority
from lib.process import wait_until
from lib.traffic import target_text
from lib.web import Client, Message, Reader, Web, answer, body_of, field, in_chunks, said


def config(*endpoints, routes=None, http=None, pool_http=None, top=None, pools=(), **options):
    front = listener(mode="http", http=http or {}, **options)
    if routes is not None:
        front["routes"] = routes
    front = {key: value for key, value in front.items() if value is not None}
    main = pool(*endpoints, http=pool_http or {}) if endpoints else None
    return {"listeners": [front], "pools": [*([main] if main else []), *pools], **(top or {})}


@pytest.fixture
def web(net, keep):
    return keep(Web(net.backend, (BACKEND, 7000)))


@pytest.fixture
def front(sluice, web):
    sluice.start(config(web))
    return web


# --- One request ----------------------------------------------------------------
def test_backend_is_asked_what_the_client_asked(net, front):
    with Client(net) as client:
        got = client.ask("/a/b%20c?x=%2F&y", fields=[("Accept", "text/plain"), ("X-Own", "1")])
    assert got.status == 200
    assert said(got)["first"] == "GET /a/b%20c?x=%2F&y HTTP/1.1"
    assert field(got, "host") == "www.example"
    assert field(got, "accept") == "text/plain"
    assert field(got, "x-own") == "1"


def test_backend_learns_of_the_client_and_of_us(net, front):
    with Client(net) as client:
        got = client.ask(fields=[("X-Forwarded-For", "6.6.6.6"), ("Forwarded", "for=6.6.6.6")])
    assert field(got, "x-forwarded-for") == CLIENT
    assert field(got, "x-forwarded-proto") == "http"
    assert field(got, "x-forwarded-host") == "www.example"
    assert field(got, "forwarded") is None
    assert field(got, "via") == "1.1 sluice"
    assert got.get("via") == "1.1 sluice"


def test_fields_of_the_connection_stay_on_it(net, front):
    with Client(net) as client:
        got = client.ask(fields=[("Connection", "keep-alive, X-Hop"), ("X-Hop", "1"),
                                 ("Keep-Alive", "timeout=5"), ("TE", "gzip"),
                                 ("Proxy-Connection", "keep-alive")])
    for name in ("connection", "x-hop", "keep-alive", "te", "proxy-connection"):
        assert field(got, name) is None, name


def test_backends_are_told_of_no_proxy_of_their_own(net, sluice, web):
    """CGI would make HTTP_PROXY of it. Who wants that sets it."""
    set_ = [{"headers": {"request": {"set": [{"name": "Proxy", "value": "ours"}]}}}]
    sluice.start(config(web, pool="main", routes=[
        {"match": {"path": ["/set"]}, "filters": set_, "pool": "main"}]))
    with Client(net) as client:
        for name in ("Proxy", "proxy", "PROXY"):
            assert field(client.ask(fields=[(name, "http://evil.example/")] * 2), "proxy") is None
        assert field(client.ask("/set", fields=[("Proxy", "theirs")]), "proxy") == "ours"
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    b"0\r\nProxy: evil.example\r\nX-Sum: 1\r\n\r\n")
        assert client.answer().status == 200
    assert web.seen[-1].trailers == [("x-sum", "1")]


def test_absolute_form_is_asked_in_origin_form(net, front):
    with Client(net) as client:
        got = client.ask("http://www.example/p?q")
    assert said(got)["first"] == "GET /p?q HTTP/1.1"


def test_target_names_the_host_where_no_field_does(net, front):
    with Client(net) as client:
        got = client.ask("http://www.example:8000/p", version="1.0", host=None)
    assert field(got, "host") == field(got, "x-forwarded-host") == "www.example:8000"


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 16384, 100_000, 5_000_000])
def test_request_bodies_arrive_whole(net, front, size):
    body = body_of(size)
    with Client(net) as client:
        got = client.ask("/", "POST", body=body, fields=[] if body else [("Content-Length", "0")])
        assert said(got)["length"] == size
        assert said(got)["body"] == hashlib.sha256(body).hexdigest()
        client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                    in_chunks(body, 3000))
        got = client.answer()
        assert said(got)["body"] == hashlib.sha256(body).hexdigest()


def test_chunk_extensions_stay_and_trailers_go_on(net, front):
    """However it is cut."""
    request = (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
               b"5;name=value\r\nhello\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n")
    for cut in range(request.index(b"0\r\nX"), len(request)):
        with Client(net) as client:
            client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.send(request[:cut])
            time.sleep(0.002)
            client.send(request[cut:])
            assert said(client.answer())["length"] == 5
        assert front.seen[-1].trailers == [("x-sum", "1"), ("x-more", "2")]


@pytest.mark.parametrize("asked", [True, False])
def test_answers_trailers_go_to_who_asked_for_them(net, front, asked):
    def serve(sock, _message):
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                     b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")
    front.on("/trailer", serve)
    fields = [("TE", "trailers"), ("Connection", "TE")] if asked else []
    with Client(net) as client:
        for _ in range(2):
            got = client.ask("/trailer", fields=fields)
            assert got.body == b"hello"
            assert got.trailers == ([("x-sum", "1")] if asked else [])


def test_request_cut_at_each_byte_is_read_the_same(net, front):
    request = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    for cut in range(1, len(request)):
        with Client(net) as client:
            client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.send(request[:cut])
            time.sleep(0.002)
            client.send(request[cut:])
            assert said(client.answer())["length"] == 3


def test_expectation_is_the_backends_to_meet(net, front):
    with Client(net) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                    b"Expect: 100-continue\r\n\r\n")
        assert client.answer().status == 100
        client.send(b"body")
        assert said(client.answer())["length"] == 4


# --- Answers --------------------------------------------------------------------
@pytest.mark.parametrize("how", ["", "/chunked", "/close"])
@pytest.mark.parametrize("size", [0, 1, 8000, 70_000, 3_000_000])
def test_answers_arrive_whole(net, front, size, how):
    with Client(net) as client:
        for _ in range(2):
            got = client.ask(f"/size/{size}{how}")
            assert got.body == body_of(size)
            assert got.get("connection") is None


@pytest.mark.parametrize("how", ["", "/chunked", "/close"])
def test_client_of_http_1_0_gets_no_chunks(net, front, how):
    with Client(net) as client:
        got = client.ask(f"/size/5000{how}", version="1.0", host=None)
        assert got.get("transfer-encoding") is None
        assert got.body == body_of(5000)
        assert client.is_closed()


def test_http_1_0_may_ask_to_stay(net, front):
    with Client(net) as client:
        for _ in range(3):
            got = client.ask("/size/10", version="1.0", fields=[("Connection", "keep-alive")])
            assert got.get("connection") == "keep-alive"
            assert got.body == body_of(10)


def test_head_has_the_length_and_no_body(net, front):
    front.on("/h", lambda sock, m: sock.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n"))
    with Client(net) as client:
        got = client.ask("/h", "HEAD")
        assert got.get("content-length") == "12345"
        assert client.ask("/size/3").body == body_of(3)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_status_without_a_body(net, front, status):
    front.on("/n", lambda sock, m: sock.sendall(f"HTTP/1.1 {status}\r\nETag: \"x\"\r\n\r\n".encode()))
    with Client(net) as client:
        got = client.ask("/n")
        assert got.status == int(status[:3])
        assert got.get("transfer-encoding") is None
        assert client.ask("/size/3").body == body_of(3)


def test_interim_answers_come_before_the_final_one(net, front):
    front.on("/early", lambda sock, m: (
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), answer(sock, b"end"))[1])
    with Client(net) as client:
        first = client.ask("/early")
        assert (first.status, first.get("link")) == (103, "</a>")
        assert client.answer().body == b"end"


def test_answer_before_the_body_ends_the_connection(net, front):
    """An error that does not wait for the upload reaches the client; the rest is not another request."""
    def refuse(sock, _origin):
        Reader(sock).line()
        answer(sock, b"no", "403 Forbidden")
        time.sleep(0.3)

    front.origin._handle = refuse
    with Client(net) as client:
        client.send(b"POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbegin")
        got = client.answer()
        assert (got.status, got.body) == (403, b"no")
        assert got.get("connection") == "close"
        assert client.is_closed()


def test_connection_whose_body_was_not_taken_is_not_used_again(net, sluice, web):
    """Who comes next would wait behind it."""
    size = 24_000_000
    asked, late, over = (threading.Event() for _ in range(3))

    def serve(sock, _origin):
        reader = Reader(sock)
        if reader.line().startswith(b"GET "):
            return answer(sock, b"next")
        asked.set()
        late.wait(10)
        answer(sock, b"early", "409 Conflict")
        return over.wait(20)

    web.origin._handle = serve
    sluice.start(config(web, top={"limits": {"relay_buffer_size": "32MiB"}}))
    with Client(net) as client:
        client.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode())
        client.send(body_of(size))
        assert asked.wait(5)
        wait_until(lambda: sluice.connections()[0]["bytes_in"] > size, 10, "all of it is here")
        late.set()
        assert client.answer().body == b"early"
        assert client.ask("/").body == b"next"
    over.set()


@pytest.mark.parametrize("ahead", [b"", b"GET /size/300000 HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_client_that_ends_its_upload_gets_the_answer_that_came_before(net, front, ahead):
    """It is asked to end where its body is not wanted (RFC 9112 9.5). Answers ahead of that one arrive, too."""
    refused = threading.Event()

    def refuse(sock, _message):
        sock.sendall(b"HTTP/1.1 413 Too Much\r\nContent-Length: %d\r\n\r\n" % SLOW)
        refused.set()
        sock.sendall(body_of(SLOW))
        return True

    front.on("/no", refuse)
    front._read = lambda _sock, reader: Message(reader.line().decode(), reader.fields())
    with Client(net) as client:
        client.send(ahead + b"POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbegin")
        assert refused.wait(10)
        time.sleep(0.3)
        client.sock.shutdown(socket.SHUT_WR)
        time.sleep(0.3)
        if ahead:
            assert client.answer().body == body_of(300_000)
        got = client.answer()
        assert (got.status, got.body) == (413, body_of(SLOW))
        assert client.is_closed()


def test_backend_that_waits_for_the_rest_of_an_upload_is_not_to_blame(net, sluice, web, tmp_path):
    def begin(sock, _message):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")

    log = tmp_path / "access.log"
    web.on("/half", begin)
    web._read = lambda _sock, reader: Message(reader.line().decode(), reader.fields())
    sluice.start(config(web, http={"body_timeout": "1s"}, top={"access_log": {"path": str(log)}}))
    with Client(net) as client:
        client.send(b"POST /half HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nbegin")
        assert client.reader.line() == b"HTTP/1.1 200 OK"
        client.sock.shutdown(socket.SHUT_WR)
        wait_until(lambda: " end=" in log.read_text(), 10)
    assert " end=client_gone" in log.read_text()


def test_every_answer_has_one_date(net, sluice, web):
    """Ours, and the endpoint's where that has told none."""
    told = "Sun, 06 Nov 1994 08:49:37 GMT"
    web.on("/told", lambda sock, m: answer(sock, b"x", fields=[f"Date: {told}"]))
    sluice.start(config(web, pool="main", routes=[
        {"match": {"path": ["/no"]}, "deny": 403},
        {"match": {"path": ["/own"]}, "respond": {"status": 204}}]))
    with Client(net) as client:
        assert client.ask("/told").get("date") == told
        for path in ("/no", "/own", "/size/3"):
            made = parsedate_to_datetime(client.ask(path).get("date")).timestamp()
            assert abs(made - time.time()) < 5, path


# --- Connections ----------------------------------------------------------------
def test_connections_carry_one_request_after_another(net, front):
    with Client(net) as client:
        for i in range(50):
            assert client.ask(f"/size/{i}").body == body_of(i)
    assert front.accepted == 1


def test_pipelined_requests_are_answered_in_order(net, front):
    with Client(net) as client:
        client.send(b"".join(b"GET /size/%d HTTP/1.1\r\nHost: a\r\n\r\n" % i for i in range(40)))
        for i in range(40):
            assert client.answer().body == body_of(i)


def test_large_head_behind_a_slow_request_is_read_on(net, sluice, web):
    """It is longer than what is read ahead."""
    asked, late = threading.Event(), threading.Event()
    web.on("/slow", lambda sock, m: (asked.set(), late.wait(10), answer(sock, b"late"))[2])
    sluice.start(config(web, http={"request_timeout": "2s"}))
    lines = "".join(f"X-{i}: {'y' * 9000}\r\n" for i in range(6))
    with Client(net) as client:
        client.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        assert asked.wait(5)
        client.send(f"GET /next HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode())
        time.sleep(0.2)
        late.set()
        assert client.answer().body == b"late"
        assert said(client.answer())["first"] == "GET /next HTTP/1.1"


def test_request_behind_a_body_in_one_segment(net, front):
    with Client(net) as client:
        client.send(b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                    b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert said(client.answer())["first"].startswith("POST /1 ")
        assert said(client.answer())["first"].startswith("GET /2 ")


def test_client_that_says_close_is_closed(net, front):
    with Client(net) as client:
        got = client.ask(fields=[("Connection", "close")])
        assert got.get("connection") == "close"
        assert client.is_closed()


def test_client_that_has_said_fin_gets_its_answer(net, front):
    with Client(net) as client:
        client.send(b"GET /size/100 HTTP/1.1\r\nHost: a\r\n\r\n")
        client.sock.shutdown(socket.SHUT_WR)
        assert client.answer().body == body_of(100)
        assert client.is_closed()


SLOW = 20_000_000  # more than the sockets on the way take


@pytest.mark.parametrize("is_behind", [False, True])
def test_end_in_mid_body_does_not_cut_off_an_answer_that_has_begun(net, sluice, web, is_behind):
    """Nor one before it. The client stops sending what an error has made useless."""
    begun, ended = threading.Event(), threading.Event()

    def serve(sock, _origin):
        reader = Reader(sock)
        if reader.line().startswith(b"GET "):
            reader.fields()
            answer(sock, body_of(SLOW))
            reader.line()
        reader.fields()
        sock.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2000\r\n\r\n" + body_of(1000))
        begun.set()
        ended.wait(10)
        sock.sendall(body_of(2000)[1000:])
        reader.to_end()

    web.origin._handle = serve
    sluice.start(config(web, top={"limits": {"relay_buffer_size": "32MiB"}}))
    before = f"GET /size/{SLOW} HTTP/1.1\r\nHost: a\r\n\r\n".encode() if is_behind else b""
    taken = 1000 + (SLOW if is_behind else 0)
    with Client(net) as client:
        client.send(before + b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
        assert begun.wait(10)
        wait_until(lambda: sluice.connections()[0]["bytes_out"] > taken, 10, "it has begun")
        client.sock.shutdown(socket.SHUT_WR)
        time.sleep(0.5)
        ended.set()
        if is_behind:
            assert client.answer().body == body_of(SLOW)
        got = client.answer()
        assert (got.status, got.body) == (403, body_of(2000))
        assert client.is_closed()


@pytest.mark.parametrize("behind", [
    b"GET /next HTTP/1.1\r\nHo", b"G", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"])
@pytest.mark.parametrize("pause", [0, 0.5])
def test_part_of_a_request_and_fin_do_not_cut_off_the_answer_before(net, front, behind, pause):
    """Pausing, the client has its answer queued, and is read again, when the part comes."""
    with Client(net) as client:
        client.send(f"GET /size/{SLOW} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        time.sleep(pause)
        client.send(behind)
        client.sock.shutdown(socket.SHUT_WR)
        time.sleep(1)
        assert client.answer().body == body_of(SLOW)
        assert client.is_closed()


def test_dead_kept_connection_is_replaced_for_a_get(net, front):
    """The backend closes while it idles, or just as the next request is on its way."""
    front.on("/last", lambda sock, m: (answer(sock, b"last"), False)[1])
    with Client(net) as client:
        for _ in range(20):
            assert client.ask("/last").body == b"last"
            assert client.ask("/size/5").body == body_of(5)


def test_post_is_not_sent_twice(net, front):
    front.on("/drop", lambda sock, m: False)
    with Client(net) as client:
        assert client.ask("/size/1").status == 200
        assert client.ask("/drop", "POST", body=b"x").status == 502
    assert sum(m.first.startswith("POST /drop") for m in front.seen) == 1


@pytest.mark.parametrize("chunks", [b"0\r\n\r\n", b"0\r\nX-Sum: 1\r\n\r\n"])
def test_chunks_without_content_are_not_sent_twice(net, sluice, web, chunks):
    """The second time they would be missing, and what comes next be taken for them."""
    web.on("/drop", lambda sock, m: False)
    sluice.start(config(web, pool_http={"response_timeout": "2s", "hedge_delay": "300ms"}))
    with Client(net) as client:
        assert client.ask("/size/1").status == 200
        client.send(b"PUT /drop HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
        assert client.answer().status == 502
        assert client.ask("/size/2").body == body_of(2)
    assert web.accepted == 2
    assert [m.first.split()[1] for m in web.seen] == ["/size/1", "/drop", "/size/2"]


def test_upgrade_becomes_a_tunnel(net, front):
    def switch(sock, message):
        assert message.get("upgrade") == "echo" and message.get("connection").lower() == "upgrade"
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n"
                     b"Connection: Upgrade\r\n\r\nhello")
        while data := sock.recv(65536):
            sock.sendall(data)
        return False

    front.on("/ws", switch)
    with Client(net) as client:
        client.send(b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nahead")
        got = client.answer()
        assert (got.status, got.get("upgrade"), got.get("connection").lower()) == (
            101, "echo", "upgrade")
        assert client.reader.exactly(10) == b"helloahead"
        for size in (1, 1000, 300_000):
            client.send(body_of(size))
            assert client.reader.exactly(size) == body_of(size)
        client.sock.shutdown(socket.SHUT_WR)
        assert client.reader.to_end() == b""


def test_long_offer_of_protocols_goes_on_whole(net, front):
    """In a head that is about as long as a buffer without it."""
    offer = ", ".join(f"protocol-{i}" for i in range(200))
    with Client(net) as client:
        for size in (0, 15_000, 16_000):
            got = client.ask(fields=[("X", "y" * size), ("Connection", "Upgrade"), ("Upgrade", offer)])
            assert got.status == 200 and field(got, "upgrade") == offer


def test_upgrade_to_what_carries_requests_is_not_offered(net, front):
    """In a tunnel they would go past routes and filters."""
    both = [("Connection", "Upgrade, HTTP2-Settings"), ("HTTP2-Settings", "AAMAAABk")]
    with Client(net) as client:
        got = client.ask(fields=[*both, ("Upgrade", "h2c")])
        for name in ("upgrade", "connection", "http2-settings"):
            assert field(got, name) is None, name
        got = client.ask(fields=[*both, ("Upgrade", "h2c, echo"), ("Upgrade", "tcp")])
        assert (field(got, "upgrade"), field(got, "connection")) == ("echo, tcp", "upgrade")
        assert field(got, "http2-settings") is None


@pytest.mark.parametrize("offered", ["h2c", "h2c, echo"])
def test_switch_to_what_was_not_offered_is_502(net, front, offered):
    front.on("/h2c", lambda sock, m: sock.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"))
    with Client(net) as client:
        got = client.ask("/h2c", fields=[("Connection", "Upgrade"), ("Upgrade", offered)])
        assert got.status == 502


# --- How far a request goes -------------------------------------------------------
def test_options_is_answered_at_its_last_hop(net, front):
    with Client(net) as client:
        got = client.ask("/a", "OPTIONS", fields=[("Max-Forwards", "0")])
        assert (got.status, got.body) == (204, b"")
        for said_, passed in (("1", "0"), ("070", "69"), ("many", "many")):
            got = client.ask("/a", "OPTIONS", fields=[("Max-Forwards", said_)])
            assert field(got, "max-forwards") == passed
        got = client.ask("*", "OPTIONS", fields=[("Max-Forwards", "0")])
        assert got.status == 204
        got = client.ask("/a", fields=[("Max-Forwards", "0")])
        assert field(got, "max-forwards") == "0"
    assert len(front.seen) == 4


def test_connect_makes_a_tunnel_where_a_route_names_it(net, sluice, web):
    """An endpoint that says 200 to any method would be asked past all routes."""
    asked = b"GET /secret HTTP/1.1\r\nHost: a\r\n\r\n"
    for target in ("a:80", "named.example:80"):
        web.on(target, lambda sock, m: answer(sock, b"x"))
    sluice.start(config(web, pool="main", routes=[
        {"match": {"path_prefix": ["/secret"]}, "deny": 403},
        {"match": {"method": ["CONNECT"], "host": ["named.example"]}, "pool": "main"}]))
    with Client(net) as client:
        client.send(b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n" + asked)
        got = client.answer()
        assert (got.status, "CONNECT" in got.get("allow")) == (405, False)
        assert client.answer().status == 403
        assert web.seen == []
        client.send(b"CONNECT named.example:80 HTTP/1.1\r\nHost: named.example:80\r\n\r\n")
        assert client.answer(is_bodiless=True).status == 200
        assert client.reader.exactly(1) == b"x"
        client.send(asked)
        assert said(client.answer())["first"] == "GET /secret HTTP/1.1"


def test_trace_is_forwarded_where_a_route_names_it(net, sluice, web):
    sluice.start(config(web, pool="main", routes=[
        {"match": {"method": ["TRACE"], "path": ["/t"]}, "pool": "main"}]))
    with Client(net) as client:
        got = client.ask("/a", "TRACE")
        assert (got.status, "TRACE" in got.get("allow")) == (405, False)
        assert web.seen == []
        assert field(client.ask("/t", "TRACE", fields=[("Max-Forwards", "3")]), "max-forwards") == "2"
        assert client.ask("/t", "TRACE", fields=[("Max-Forwards", "0")]).status == 405
    assert len(web.seen) == 1


def test_request_in_a_loop_ends(net, sluice, web):
    """Each pass has a line in the log; a chain of a few is none."""
    sluice.start(config(web, pool="main", routes=[
        {"match": {"path": ["/loop"]}, "pool": "self"}, {"match": {"path": ["/own"]}, "respond": {}}],
        pools=[pool(target_text(FRONT), name="self", http={"retry": {"on_unavailable": True}})],
        top={"access_log": {"path": "stdout", "format": "json"}}))
    with Client(net) as client:
        assert client.ask("/loop").status == 508
        wait_until(lambda: sluice.process.stdout().count("\n") >= 11, 5, "each pass is in the log")
        lines = [json.loads(line) for line in sluice.process.stdout().splitlines()]
        assert sorted(line["end"] for line in lines) == ["done"] * 10 + ["loop"]
        others = ("Via", "1.0 fred, 1.1 sluice, " + ", ".join(["1.1 Sluice (x)"] * 8))
        assert client.ask("/", fields=[others]).status == 200
        assert client.ask("/", fields=[others, ("Via", "1.1 sluice")]).status == 508
        assert client.ask("/own", fields=[others, ("Via", "1.1 sluice")]).status == 200


# --- Routes ---------------------------------------------------------------------
def test_routes_by_host_path_and_method(net, sluice, keep):
    names = ("plain", "host", "wild", "prefix", "exact", "write")
    webs = {name: keep(Web(net.backend, (BACKEND, 7001 + i))) for i, name in enumerate(names)}
    sluice.start(config(
        routes=[{"match": {"host": ["shop.example"]}, "pool": "host"},
                {"match": {"host": ["*.shop.example"]}, "pool": "wild"},
                {"match": {"path_prefix": ["/api/"]}, "pool": "prefix"},
                {"match": {"path": ["/api/login"]}, "pool": "exact"},
                {"match": {"path_prefix": ["/api"], "method": ["POST"]}, "pool": "write"}],
        pools=[pool(web, name=name) for name, web in webs.items()], pool="plain"))

    def served_by(path="/", host="other.example", method="GET"):
        before = {name: len(web.seen) for name, web in webs.items()}
        with Client(net) as client:
            assert client.ask(path, method, host=host).status == 200
        return [n for n, web in webs.items() if len(web.seen) > before[n]]

    assert served_by() == ["plain"]
    assert served_by(host="SHOP.example:8000") == ["host"]
    assert served_by(host="a.b.shop.example") == ["wild"]
    assert served_by("/api/x?y") == ["prefix"]
    assert served_by("/api") == ["prefix"]
    assert served_by("/apis") == ["plain"]
    assert served_by("/x/../%61pi/y") == ["prefix"]
    assert served_by("/api/login") == ["exact"]
    assert served_by("/api/z", method="POST") == ["write"]
    assert served_by("/api/login", host="shop.example") == ["host"]


# --- What goes wrong ------------------------------------------------------------
def test_no_route_is_404(net, sluice, web):
    sluice.start(config(routes=[{"match": {"host": ["a.example"]}, "pool": "main"}],
                        pools=[pool(web)], pool=None))
    with Client(net) as client:
        got = client.ask(fields=[("Accept", "application/json")])
        assert (got.status, got.get("content-type")) == (404, "application/json")
        assert client.ask(host="a.example").status == 200


def test_dead_endpoint_is_502_and_another_one_is_tried(net, sluice, web):
    sluice.start(config(f"{BACKEND}:7099", web.text, pools=[pool(f"{BACKEND}:7098", name="dead")],
                        routes=[{"match": {"path": ["/dead"]}, "pool": "dead"}]))
    with Client(net) as client:
        assert client.ask("/dead").status == 502
        for _ in range(4):
            assert client.ask("/size/9").body == body_of(9)


def test_slow_backend_is_504(net, sluice, web):
    web.on("/slow", lambda sock, m: time.sleep(3))
    sluice.start(config(web, pool_http={"response_timeout": "300ms"}))
    with Client(net) as client:
        assert client.ask("/slow").status == 504
        assert client.ask("/size/1").status == 200


@pytest.mark.parametrize("request_", [
    b"GET /size/3 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /size/3 HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n" + b"x" * 40000],
    ids=["get", "post"])
@pytest.mark.parametrize("is_served", [True, False])
def test_who_waits_for_an_endpoint_has_the_queues_time(net, sluice, web, request_, is_served):
    """However short a pause in a body may be: nobody is waited for to send one."""
    asked, late = threading.Event(), threading.Event()
    web.on("/slow", lambda sock, m: (asked.set(), late.wait(10), answer(sock, b"late"))[2])
    full = pool({"address": web.text, "max_connections": 1},
                queue={"timeout": "10s" if is_served else "1s"})
    sluice.start(config(http={"body_timeout": "200ms"}, pools=[full],
                        top={"access_log": {"path": "stdout", "format": "json"}}))
    with Client(net) as busy, Client(net) as client:
        busy.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        assert asked.wait(5)
        client.send(request_)
        if is_served:
            time.sleep(0.6)
            late.set()
        assert client.answer().status == (200 if is_served else 503)
        late.set()
        assert busy.answer().body == b"late"
    if not is_served:
        wait_until(lambda: '"queue_timeout"' in sluice.process.stdout(), 5, "it is in the log")


@pytest.mark.parametrize("junk", [b"rubbish\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n",
                                  b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
                                  b"HTTP/1.1 200 OK\nContent-Length: 1\n\nx",
                                  b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", b""])
def test_bad_answer_is_502(net, front, junk):
    front.on("/junk", lambda sock, m: (sock.sendall(junk), False)[1])
    with Client(net) as client:
        assert client.ask("/junk", "POST", body=b"x").status == 502
        assert client.ask("/size/1").status == 200


@pytest.mark.parametrize("chunk", [b"zz\r\n", b"3\r\nabcX", b"2\r\nok\r\n0\r\nContent-Length: 1\r\n\r\n"])
def test_bad_chunk_that_comes_with_the_head_is_502(net, front, chunk):
    front.on("/junk", lambda sock, m: (sock.sendall(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk), False)[1])
    with Client(net) as client:
        for _ in range(3):
            assert client.ask("/junk").status == 502
        assert client.ask("/size/1").status == 200


def test_answer_that_is_cut_short_is_not_taken_for_whole(net, front):
    def cut(sock, _message):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 10)
        return False

    def cut_chunks(sock, _message):
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        return False

    front.on("/cut", cut)
    front.on("/chunks", cut_chunks)
    for path in ("/cut", "/chunks"):
        with Client(net) as client:
            with pytest.raises((EOFError, ConnectionResetError)):
                client.ask(path)


@pytest.mark.parametrize("pause", [0, 0.1])
def test_bytes_behind_an_answer_are_nobodys(net, front, pause):
    def two(sock, _message):
        first = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none"
        second = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
        if pause:
            sock.sendall(first)
            time.sleep(pause)
            sock.sendall(second)
        else:
            sock.sendall(first + second)

    front.on("/two", two)
    for _ in range(5):
        with Client(net) as client:
            assert client.ask("/two").body == b"one"
            time.sleep(2 * pause)
            assert client.ask("/size/3").body == body_of(3)


@pytest.mark.parametrize("request_bytes,status", [
    (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    (b"GET /../../etc HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
])
def test_refused_requests_do_not_reach_the_backend(net, front, request_bytes, status):
    with Client(net) as client:
        client.send(request_bytes + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.answer().status == status
        if status != 400 or b".." not in request_bytes:
            assert client.is_closed()
    assert front.seen == [] or b".." in request_bytes


def test_bad_chunks_are_refused(net, front):
    with Client(net) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    b"5\r\nhelloX\r\n0\r\n\r\n")
        assert client.answer().status == 400
        assert client.is_closed()
    assert front.seen == []


def test_body_above_its_limit_is_413(net, sluice, web):
    sluice.start(config(web, http={"max_body": "1KiB"}))
    with Client(net) as client:
        assert client.ask("/", "POST", body=b"x" * 1024).status == 200
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n")
        assert client.answer().status == 413
    with Client(net) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    b"401\r\n" + b"x" * 1025)
        assert client.answer().status == 413


def test_slow_heads_and_bodies_time_out(net, sluice, web):
    sluice.start(config(web, http={"request_timeout": "300ms", "body_timeout": "300ms",
                                   "keepalive_timeout": "300ms"}))
    with Client(net) as client:
        client.send(b"GET / HTTP/1.1\r\nHo")
        assert client.answer().status == 408
    with Client(net) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        assert client.answer().status == 408
    with Client(net) as client:
        assert client.ask("/size/1").status == 200
        assert client.is_closed()


def test_client_that_goes_ends_the_request(net, front, tmp_path, sluice):
    ended = []
    def wait(sock, _message):
        sock.settimeout(5)
        try:
            ended.append(sock.recv(1))
        except ConnectionResetError:
            ended.append(b"")
        return False

    front.on("/wait", wait)
    with Client(net) as client:
        client.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: front.seen, 5, "the backend was asked")
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wait_until(lambda: ended == [b""], 5, "the backend's connection has ended")


# --- Life -----------------------------------------------------------------------
def test_drain_answers_what_was_asked_and_closes_the_idle(net, front, sluice):
    front.on("/slow", lambda sock, m: (time.sleep(0.5), answer(sock, b"late"))[1])
    with Client(net) as idle, Client(net) as busy:
        assert idle.ask("/size/1").status == 200
        busy.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: len(front.seen) == 2, 5, "the slow one is under way")
        sluice.process.signal(signal.SIGTERM)
        assert idle.is_closed()
        got = busy.answer()
        assert (got.body, got.get("connection")) == (b"late", "close")
        assert busy.is_closed()
    sluice.wait_clean()


def test_reload_fails_no_request(net, front, sluice):
    wanted = config(front)
    with Client(net) as client:
        for i in range(200):
            if i % 10 == 0:
                sluice.reload(wanted)
            assert client.ask(f"/size/{i}").body == body_of(i)


def test_metrics_count_requests(net, sluice, web):
    port = 9901
    sluice.start(config(web, top={"admin": {"socket": str(sluice.socket_path),
                                            "listen": f"{PROXY}:{port}"}}))
    with Client(net) as client:
        client.ask("/size/1")
        client.ask("/size/1")
    with Client(net) as client:
        client.send(b"junk\r\n\r\n")
        client.answer()
    with Client(net, (PROXY, port)) as client:
        page = client.ask("/metrics").body.decode()
    assert 'sluice_http_requests_total{listener="front",status="2xx"} 2' in page
    assert 'sluice_http_requests_total{listener="front",status="4xx"} 1' in page
    assert 'sluice_http_request_ends_total{listener="front",reason="bad_request"} 1' in page
    assert 'sluice_http_request_duration_seconds_count{listener="front"} 3' in page


def test_log_has_a_line_for_each_request(net, sluice, web, tmp_path):
    log = tmp_path / "access.log"
    sluice.start(config(web, top={"access_log": {"path": str(log), "format": "json"}}))
    with Client(net) as client:
        client.ask("/size/7")
        client.ask("/x", "POST", body=b"abc")
    rows = []

    def complete():
        rows[:] = [json.loads(line) for line in log.read_text().splitlines()]
        return len(rows) == 2

    wait_until(complete, 5, "two lines in the log")
    assert [(r["method"], r["target"], r["status"], r["end"]) for r in rows] == [
        ("GET", "/size/7", 200, "done"), ("POST", "/x", 200, "done")]
    assert rows[0]["host"] == "www.example" and rows[0]["client"].startswith(CLIENT + ":")


# --- TLS on both sides ------------------------------------------------------------
def test_http_over_tls_to_a_backend_with_tls(net, sluice, web, tmp_path):
    authority = Authority(tmp_path)
    tls = {"certificates": [authority.issue("www.example").row()]}
    sluice.start({
        "listeners": [listener("secure", mode="http", tls=tls),
                      listener("main", name="hop", bind=[f"{PROXY}:8443"], tls=tls)],
        "pools": [pool(f"{PROXY}:8443", name="secure",
                       tls={"ca": str(authority.cert), "server_name": "www.example"}),
                  pool(web)]})
    context = ssl.create_default_context(cafile=str(authority.cert))
    with Client(net) as client:
        client.sock = context.wrap_socket(client.sock, server_hostname="www.example")
        client.reader = Reader(client.sock)
        for size in (0, 1, 70_000, 2_000_000):
            assert client.ask(f"/size/{size}").body == body_of(size)
            assert client.ask(f"/size/{size}/chunked").body == body_of(size)
        got = client.ask("/", "POST", body=body_of(300_000))
        assert said(got)["length"] == 300_000
        assert field(got, "x-forwarded-proto") == "https"
    assert web.accepted == 1
