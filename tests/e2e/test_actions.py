# SPDX-License-Identifier: Apache-2.0
"""What routes do: pools by weight, redirects, answers of our own, refusals."""
import json

import pytest

from lib import curl
from lib.configs import listener, pool
from lib.netns import BACKEND, client_address
from lib.web import Client, Web, field, said


@pytest.fixture
def web(net, keep):
    return keep(Web(net.backend, (BACKEND, 7000)))


@pytest.fixture
def serve(net, sluice, web):
    """Routes in force before the one to the pool: serve({...}, …); asks with curl."""
    def start(*routes, pools=(), **options):
        front = listener(mode="http", routes=list(routes), **options)
        sluice.start({"listeners": [front], "pools": [pool(web), *pools]})
        return lambda path="/", *argv: curl.ask(net.client, path, *argv)
    return start


def on(path, **action):
    return {"match": {"path_prefix": [path]}, **action}


# --- Rewrites -------------------------------------------------------------------
@pytest.mark.parametrize("rewrite, asked, sent", [
    ({"prefix": "/"}, "/a/x%20y?q=%2F", "GET /x%20y?q=%2F HTTP/1.1"),
    ({"prefix": "/new"}, "/a?q", "GET /new?q HTTP/1.1"),
    ({"path": "/index"}, "/a/b", "GET /index HTTP/1.1"),
    ({"regex": "^/a/([0-9]+)/(.*)$", "to": "/item/$2/$1"}, "/a/42/%C3%A4", "GET /item/%C3%A4/42 HTTP/1.1"),
    ({"regex": "^/b$", "to": "/c"}, "/a/%41", "GET /a/%41 HTTP/1.1"),
])
def test_path_is_rewritten(serve, rewrite, asked, sent):
    assert said(serve(on("/a", rewrite=rewrite, pool="main"))(asked))["first"] == sent


@pytest.mark.parametrize("asked", ["//a//x", "/to/http://a//b", "/x//"])
def test_slashes_go_on_as_they_came(serve, asked):
    assert said(serve(on("/", pool="main"))(asked))["first"] == f"GET {asked} HTTP/1.1"


def test_rewrite_makes_no_dot_segments(serve, web):
    ask = serve(on("/a", rewrite={"regex": "^/a/x(.*)$", "to": "/y/$1"}, pool="main"))
    assert ask("/a/x../z").status == 400
    assert web.accepted == 0


def test_host_is_set(serve):
    got = serve(on("/a", rewrite={"host": "inside"}, pool="main"))("/a", "-H", "Host: outside")
    assert (field(got, "host"), field(got, "x-forwarded-host")) == ("inside", "outside")


def test_rewritten_path_is_redirected_to(serve):
    ask = serve(on("/old", rewrite={"prefix": "/new"}, redirect={"status": 308}))
    assert ask("/old/x?y").get("location") == "http://10.77.1.1:8000/new/x?y"


# --- Redirects ------------------------------------------------------------------
@pytest.mark.parametrize("redirect, asked, location", [
    ({"scheme": "https"}, "/a/%41?x=1", "https://www.example/a/%41?x=1"),
    ({"scheme": "https", "port": 8443}, "/a", "https://www.example:8443/a"),
    ({"host": "new.example", "keep_query": False}, "/a?x", "http://new.example/a"),
    ({"path": "/b"}, "/a?x", "http://www.example:8080/b?x"),
    ({"host": "new.example", "path": "/", "scheme": "https"}, "/a/b", "https://new.example/"),
])
def test_redirect_names_the_other_place(serve, redirect, asked, location):
    ask = serve(on("/a", redirect=redirect))
    got = ask(asked, "-H", "Host: www.example:8080")
    assert (got.status, got.get("location"), got.body) == (302, location, b"")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_has_its_status(serve, status):
    assert serve(on("/a", redirect={"status": status, "scheme": "https"}))("/a").status == status


def test_redirect_of_a_request_without_host_is_refused(net, serve):
    serve(on("/a", redirect={"path": "/b"}))
    with Client(net) as client:
        assert client.ask("/a", version="1.0", host=None).status == 400


def test_who_only_redirects_needs_no_pool(net, sluice):
    front = listener(mode="http", routes=[on("/", redirect={"scheme": "https"})])
    del front["pool"]
    sluice.start({"listeners": [front]})
    got = curl.ask(net.client, "/a", "-H", "Host: a")
    assert (got.status, got.get("location")) == (302, "https://a/a")


# --- Answers of our own ---------------------------------------------------------
def test_fixed_answer(serve, web):
    ask = serve(on("/a", respond={"status": 418, "type": "text/html", "body": "<b>ä</b>"}),
                on("/empty", respond={"status": 204}))
    got = ask("/a")
    assert (got.status, got.get("content-type"), got.body) == (418, "text/html", "<b>ä</b>".encode())
    assert (ask("/empty").status, ask("/empty").get("content-length")) == (204, None)
    assert web.accepted == 0


def test_fixed_answer_to_head_has_its_length_alone(serve):
    got = serve(on("/a", respond={"body": "hello"}))("/a", "--head")
    assert (got.status, got.get("content-length"), got.body) == (200, "5", b"")


def test_connection_goes_on_behind_answers_of_our_own(net, serve):
    serve(on("/a", respond={"body": "hello"}), on("/r", redirect={"path": "/a"}), on("/d", deny=403))
    with Client(net) as client:
        for _ in range(3):
            assert client.ask("/a").body == b"hello"
            assert client.ask("/r").status == 302
            assert client.ask("/d").status == 403
            assert client.ask("/size/3").status == 200


def test_upload_that_nobody_wants_ends_the_connection(net, serve):
    serve(on("/a", respond={"body": "hello"}))
    with Client(net) as client:
        client.send(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        got = client.answer()
        assert (got.status, got.get("connection")) == (200, "close")


# --- Refusals -------------------------------------------------------------------
def test_denied_with_a_page(serve):
    got = serve(on("/a", deny=403))("/a", "-H", "Accept: application/json")
    assert (got.status, got.get("content-type")) == (403, "application/json")


def test_denied_without_an_answer(net, serve, sluice):
    serve(on("/a", deny="close"))
    with Client(net) as client:
        client.send(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        with pytest.raises((ConnectionResetError, EOFError)):
            client.answer()


def test_denied_with_any_status(serve):
    got = serve(on("/a", deny=451))("/a")
    assert (got.status, got.body) == (451, b"451 Unavailable For Legal Reasons\n")


# --- Error pages ----------------------------------------------------------------
def test_error_pages_come_from_files(serve, tmp_path):
    (tmp_path / "4xx.html").write_text("<p>4xx</p>")
    (tmp_path / "404.json").write_text('{"own": 404}')
    ask = serve(on("/a", deny=403), on("/b", deny=404), on("/c", deny=500),
                error_pages=[{"status": "400-499", "file": str(tmp_path / "4xx.html")},
                             {"status": 404, "file": "404.json"}])
    got = ask("/a")
    assert (got.status, got.get("content-type"), got.body) == (403, "text/html; charset=utf-8", b"<p>4xx</p>")
    got = ask("/b", "-H", "Accept: text/plain")
    assert (got.status, got.get("content-type"), got.body) == (404, "application/json", b'{"own": 404}')
    assert ask("/c").body.startswith(b"500 ")


def test_error_page_tells_the_request(net, sluice, web):
    front = listener(mode="http", forwarding={"request_id": "X-Request-Id"},
                     routes=[on("/a", deny=403)])
    sluice.start({"listeners": [front], "pools": [pool(web)]})
    got = curl.ask(net.client, "/a", "-H", "Accept: application/json")
    assert len(json.loads(got.body)["request_id"]) == 32


# --- Pools by weight ------------------------------------------------------------
def test_requests_are_split_by_weight(serve, net, keep):
    other = keep(Web(net.backend, (BACKEND, 7001)))
    ask = serve(on("/a", split=[{"pool": "main", "weight": 3}, {"pool": "other"},
                                {"pool": "none", "weight": 0}]),
                pools=[pool(other, name="other"), pool(f"{BACKEND}:7099", name="none")])
    with Client(net) as client:
        for _ in range(400):
            assert client.ask("/a/x").status == 200
    # 100 are expected there, with a standard deviation of 9.
    assert 40 < len(other.seen) < 160
    assert ask("/a/x").status == 200


def test_client_stays_with_its_pool(serve, net, keep):
    other = keep(Web(net.backend, (BACKEND, 7001)))
    ask = serve(on("/a", split=[{"pool": "main"}, {"pool": "other"}], split_by="client"),
                pools=[pool(other, name="other")])
    where = set()
    for host in range(2, 10):
        other.seen.clear()
        for _ in range(6):
            assert ask("/a", "--interface", client_address(host)).status == 200
        assert len(other.seen) in (0, 6)
        where.add(len(other.seen))
    assert where == {0, 6}
