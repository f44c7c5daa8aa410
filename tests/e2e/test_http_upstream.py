# SPDX-License-Identifier: Apache-2.0
"""Mode http on its way to a backend: what a connection to it begins with, what happens if none can
be made."""
import hashlib
import json
import resource
import socket
import struct
import threading
import time

import pytest

from lib import origins
from lib.configs import listener, pool
from lib.netns import BACKEND, PROXY
from lib.process import can_connect, wait_until
from lib.web import Client, Web, answer, body_of, in_chunks, said


def config(*endpoints, http=None, http_options=None, **pool_options):
    return {"listeners": [listener(mode="http", http=http or {})],
            "pools": [pool(*endpoints, http=http_options or {}, **pool_options)]}


@pytest.fixture
def io():
    """The engine has no part in it."""
    return "auto"


@pytest.fixture
def web(net, keep):
    return keep(Web(net.backend, (BACKEND, 7000)))


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_each_clients_connection_begins_with_its_proxy_header(net, sluice, tmp_path, keep, version):
    """haproxy insists on the header, and tells whom it names."""
    receiver = keep(origins.haproxy(net.backend, tmp_path, f"""
defaults
  timeout connect 5s
  timeout client 10s
  timeout server 10s
frontend show
  mode http
  bind {BACKEND}:7001 accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst]"
""", "receiver"))
    receiver.wait_ready(lambda: can_connect(net.backend, (BACKEND, 7001)))
    sluice.start(config(f"{BACKEND}:7001", proxy_protocol=version))
    for _ in range(2):
        with Client(net) as client:
            host, port = client.sock.getsockname()
            for _ in range(2):
                assert client.ask().body.decode().split() == [host, str(port), PROXY]


def test_out_of_descriptors_a_request_waits(net, sluice, web):
    sluice.start(config(web))
    with Client(net) as client:
        wait_until(lambda: sluice.active() == 1, 5, "the client is known")
        limits = resource.prlimit(sluice.process.pid, resource.RLIMIT_NOFILE)
        # Below what is open: no other can be had.
        resource.prlimit(sluice.process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: "no socket to connect with" in sluice.process.stderr(), 10,
                   "it has tried")
        resource.prlimit(sluice.process.pid, resource.RLIMIT_NOFILE, limits)
        assert client.answer().status == 200


def test_want_of_descriptors_is_not_told_as_want_of_memory(net, sluice, web, tmp_path):
    (tmp_path / "www").mkdir()
    (tmp_path / "www/a").write_text("a")
    log = tmp_path / "access.log"
    wanted = config(web, queue={"timeout": "200ms"})
    wanted["listeners"][0]["routes"] = [
        {"match": {"path": ["/a"]}, "files": {"root": str(tmp_path / "www")}}, {"match": {"path_prefix": ["/"]}, "pool": "main"}]
    del wanted["listeners"][0]["pool"]
    sluice.start({**wanted, "access_log": {"path": str(log), "format": "json"}})
    with Client(net) as client:
        wait_until(lambda: sluice.active() == 1, 5, "the client is known")
        limits = resource.prlimit(sluice.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(sluice.process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        assert [client.ask(path).status for path in ("/", "/a")] == [503, 503]
        resource.prlimit(sluice.process.pid, resource.RLIMIT_NOFILE, limits)
        assert [client.ask(path).status for path in ("/", "/a")] == [200, 200]
    wait_until(lambda: len(log.read_text().splitlines()) == 4, 5, "four lines in the log")
    assert [json.loads(line)["end"] for line in log.read_text().splitlines()] == [
        "no_descriptors", "no_descriptors", "done", "done"]


@pytest.mark.parametrize("count", [5, 6, 7, 8])
def test_start_without_descriptors_says_so(sluice, web, count):
    sluice.launch(config(web), prefix=["prlimit", f"--nofile={count}:{count}", "--"])
    assert sluice.process.wait(20) != 0
    text = sluice.process.stderr()
    sluice.process = None
    assert "Too many open files" in text
    assert "memory" not in text


# --- Another try -----------------------------------------------------------------
@pytest.fixture
def two(net, keep):
    return [keep(Web(net.backend, (BACKEND, 7000 + i))) for i in range(2)]


def statuses(net, count, method="GET", path="/"):
    with Client(net) as client:
        return [client.ask(path, method, fields=[("Content-Length", "0")]).status
                for _ in range(count)]


def unavailable(sock, _message):
    answer(sock, status="503 Service Unavailable")


def of_pool(sluice):
    return sluice.pools()["main"]


def test_an_unavailable_endpoints_answer_is_asked_of_another(net, sluice, two):
    two[0].on("/", unavailable)
    sluice.start(config(*two, http_options={"retry": {"on_unavailable": True}}))
    assert statuses(net, 8) == [200] * 8
    assert of_pool(sluice)["resent"] == len(two[0].seen) > 0


def test_what_may_not_be_done_twice_is_sent_once(net, sluice, two):
    two[0].on("/", unavailable)
    sluice.start(config(*two, http_options={"retry": {"on_unavailable": True}}))
    assert sorted(set(statuses(net, 8, "POST"))) == [200, 503]
    assert len(two[0].seen) + len(two[1].seen) == 8


def test_retries_stay_within_their_budget(net, sluice, two):
    """Where everybody fails, load grows by the budget alone: ten, and a fifth of the requests."""
    for web in two:
        web.on("/", unavailable)
    sluice.start(config(*two, http_options={"retry": {"on_unavailable": True, "budget": "20%"}})
                 | {"workers": 1})
    assert statuses(net, 50) == [503] * 50
    pool = of_pool(sluice)
    assert 10 < pool["resent"] <= 20
    assert pool["over_budget"] > 0
    assert len(two[0].seen) + len(two[1].seen) == 50 + pool["resent"]


def test_a_late_answer_is_asked_of_another(net, sluice, two, stall):
    two[0].on("/", stall)
    sluice.start(config(*two, http_options={"retry": {"on_timeout": True},
                                            "response_timeout": "200ms"}))
    assert statuses(net, 4) == [200] * 4
    assert of_pool(sluice)["resent"] == len(two[0].seen) > 0


def test_all_tries_together_have_a_limit(net, sluice, two, stall):
    for web in two:
        web.on("/", stall)
    sluice.start(config(*two, http_options={"total_timeout": "300ms"}))
    began = time.monotonic()
    assert statuses(net, 1) == [504]
    assert time.monotonic() - began < 10


@pytest.fixture
def stall(keep):
    """A handler that never answers, up to the test's end."""
    over = threading.Event()

    class Stall:
        def __call__(self, _sock, _message):
            over.wait(60)
            return False

        def close(self):
            over.set()

    return keep(Stall())


def reset(sock):
    """Leaves with an RST: a FIN would only say that nothing more is asked."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


# --- Limits ----------------------------------------------------------------------
def gauge(sluice, name):
    return of_pool(sluice)["breaker"][name]


def test_an_open_breaker_turns_requests_away_at_once(net, sluice, web, stall):
    web.on("/slow", stall)
    sluice.start(config(web, breaker={"max_requests": 1}))
    with Client(net) as busy:
        busy.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: gauge(sluice, "requests")["now"] == 1, 10, "it is counted")
        assert gauge(sluice, "requests")["state"] == "open"
        assert statuses(net, 1) == [503]
        assert gauge(sluice, "requests")["refused"] == 1
        assert len(web.seen) == 1
        reset(busy.sock)
    wait_until(lambda: gauge(sluice, "requests")["state"] == "closed", 10, "it has left")
    assert statuses(net, 1) == [200]


def test_no_more_than_so_many_requests_wait(net, sluice, web, stall):
    web.on("/slow", stall)
    sluice.start(config({"address": web.text, "max_connections": 1}, breaker={"max_pending": 1}))
    with Client(net) as busy, Client(net) as waiting:
        busy.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: web.seen, 10, "it is under way")
        waiting.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: gauge(sluice, "pending")["now"] == 1, 10, "the second one waits")
        assert statuses(net, 1) == [503]
        reset(busy.sock)
        assert waiting.answer().status == 200
    assert gauge(sluice, "pending") == {"now": 0, "limit": 1, "state": "closed", "refused": 1}


@pytest.mark.parametrize("how", ["5xx", "late"])
def test_errors_in_a_row_eject_an_endpoint(net, sluice, two, stall, how):
    two[0].on("/", stall if how == "late" else
              lambda sock, _: answer(sock, status="500 Internal Server Error"))
    sluice.start(config(*two, http_options={"response_timeout": "200ms" if how == "late" else "60s"},
                        outlier={"consecutive_errors": 2, "base_ejection": "1m"}))
    seen = statuses(net, 12)
    assert seen.count(200) == 10
    assert [e["ejected"] for e in sluice.endpoints("main").values()] == [True, False]


# --- Bodies that are read first --------------------------------------------------
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize("framing, body", [
    pytest.param(b"Content-Length: 50000\r\n\r\n", body_of(50_000), id="length"),
    pytest.param(b"Transfer-Encoding: chunked\r\n\r\n", in_chunks(body_of(50_000), 777), id="chunked"),
])
def test_a_buffered_body_is_whole_before_anybody_is_asked(net, sluice, web, framing, body):
    sluice.start(config(web, http_options={"buffer_request": "100KiB"}))
    with Client(net) as client:
        for cut in (0, 1, len(body) // 2, len(body) - 1):
            asked = len(web.seen)
            client.send(POST + framing + body[:cut])
            wait_until(lambda: any(c["bytes_in"] for c in sluice.connections()), 10, "it is under way")
            assert len(web.seen) == asked
            client.send(body[cut:])
            got = said(client.answer())
            assert got["length"] == 50_000
            assert got["body"] == hashlib.sha256(body_of(50_000)).hexdigest()
    assert web.accepted == 1


def test_a_longer_body_is_passed_on_from_its_limit(net, sluice, web):
    sluice.start(config(web, http_options={"buffer_request": "20KiB"}))
    with Client(net) as client:
        got = client.ask("/", "POST", body=body_of(3_000_000))
        assert said(got)["body"] == hashlib.sha256(body_of(3_000_000)).hexdigest()


def test_who_waits_for_100_gets_it_from_us(net, sluice, web):
    sluice.start(config(web, http_options={"buffer_request": "20KiB"}))
    with Client(net) as client:
        client.send(POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert client.answer().status == 100
        assert not web.seen
        client.send(b"hello")
        assert said(client.answer())["length"] == 5
    assert web.seen[0].get("expect") is None


@pytest.mark.parametrize("end", ["bad", "fin"])
def test_a_buffered_body_that_does_not_end_well_reaches_nobody(net, sluice, web, end):
    sluice.start(config(web, http_options={"buffer_request": "20KiB"}))
    with Client(net) as client:
        client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        if end == "bad":
            client.send(b"zz\r\n")
            assert client.answer().status == 400
        else:
            client.sock.shutdown(socket.SHUT_WR)
            assert client.is_closed()
    assert web.accepted == 0


# --- Backends that lie -----------------------------------------------------------
def raw(data, how="fin"):
    """Answers with just these bytes and ends its connection."""
    def serve(sock, _message):
        sock.sendall(data)
        if how == "reset":
            reset(sock)
        elif how == "stay":
            return True
        return False
    return serve


def ask_raw(net, path="/lie"):
    """Whatever comes, and whether it ended well."""
    with Client(net) as client:
        client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        try:
            return client.answer(), True
        except (EOFError, ConnectionResetError):
            return None, False


@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
def test_a_cut_answer_is_never_taken_for_whole(net, sluice, web, framing, how):
    chunk = b"64\r\n" if "chunked" in framing else b""
    web.on("/lie", raw(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode() + chunk + b"x" * 50, how))
    sluice.start(config(web))
    assert ask_raw(net) == (None, False)
    assert statuses(net, 2) == [200, 200]


@pytest.mark.parametrize("more", [b"y" * 10, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"])
def test_what_comes_after_an_answer_reaches_nobody(net, sluice, web, more):
    web.on("/lie", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole" + more, "stay"))
    sluice.start(config(web) | {"workers": 1})
    for _ in range(5):
        got, is_whole = ask_raw(net)
        assert is_whole and got.body == b"whole"
        with Client(net) as client:
            assert said(client.ask("/other"))["first"] == "GET /other HTTP/1.1"


@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-"])
def test_a_backend_that_ends_before_its_answer_is_a_bad_gateway(net, sluice, web, begun, how):
    web.on("/lie", raw(begun, how))
    sluice.start(config(web))
    got, _ = ask_raw(net)
    assert got.status == 502
