# SPDX-License-Identifier: Apache-2.0
"""Static files: what is served of a directory, and that nothing else is."""
import contextlib
import gzip
import hashlib
import os
import socket
import subprocess
import time

import pytest

from lib import curl, openssl, traffic
from lib.configs import FRONT, listener, pool
from lib.netns import BACKEND
from lib.paths import TOOLS
from lib.pki import Authority
from lib.process import wait_until
from lib.web import Client, Reader, body_of

SMALL, LARGE = b"hello, file\n", body_of(3_000_000)


@pytest.fixture
def site(tmp_path):
    root = tmp_path / "www"
    (root / "dir" / "sub").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "a.txt").write_bytes(SMALL)
    (root / "large.bin").write_bytes(LARGE)
    (root / "zero").write_bytes(b"")
    (root / "dir" / "index.html").write_bytes(b"<p>index</p>")
    (root / "100% ä.txt").write_bytes(b"percent")
    (root / ".secret").write_bytes(b"secret")
    (root / ".well-known").mkdir()
    (root / ".well-known" / "x").write_bytes(b"known")
    (tmp_path / "outside.txt").write_bytes(b"outside")
    os.mkfifo(root / "fifo")
    os.symlink("a.txt", root / "link")
    os.symlink("../outside.txt", root / "out")
    os.symlink("/etc/passwd", root / "absolute")
    os.symlink("..", root / "dir" / "up")
    return root


@pytest.fixture
def serve(net, sluice, site):
    def start(match=None, rewrite=None, scheme="http", listener_options=None, **files):
        route = {"match": match or {"path_prefix": ["/"]}, "files": {"root": str(site), **files}}
        if rewrite:
            route["rewrite"] = rewrite
        front = listener(mode="http", routes=[route], **(listener_options or {}))
        sluice.start({"listeners": [front], "pools": [pool(f"{BACKEND}:7099")]})
        return lambda path, *argv: curl.ask(net.client, path, *argv, scheme=scheme)
    return start


# --- What is there --------------------------------------------------------------
def test_files_arrive_whole(serve):
    ask = serve()
    got = ask("/a.txt")
    assert (got.status, got.body) == (200, SMALL)
    assert got.get("content-type") == "text/plain; charset=utf-8"
    assert got.get("content-length") == str(len(SMALL))
    assert ask("/large.bin").body == LARGE
    assert (ask("/zero").status, ask("/zero").body) == (200, b"")
    assert ask("/100%25%20%C3%A4.txt").body == b"percent"
    assert ask("/.well-known/x").body == b"known"
    assert ask("/dir/../a.txt").body == SMALL


def test_connection_carries_file_after_file(net, serve):
    serve()
    with Client(net) as client:
        for _ in range(3):
            assert client.ask("/large.bin").body == LARGE
            assert client.ask("/a.txt").body == SMALL
            assert client.ask("/nothing").status == 404
            head = client.ask("/large.bin", "HEAD")
            assert head.get("content-length") == str(len(LARGE))


def test_client_that_reads_slowly_gets_all_of_it(net, serve):
    serve()
    with Client(net) as client:
        client.send(b"GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
        time.sleep(0.3)
        for _ in range(2):
            assert client.answer().body == LARGE


def test_client_that_leaves_in_the_middle_leaves_nothing_behind(net, serve, sluice):
    serve()
    for _ in range(20):
        with Client(net) as client:
            client.send(b"GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n")
            client.sock.recv(1000)
    wait_until(lambda: sluice.active() == 0)


@pytest.mark.parametrize("size", [40_000, 32 << 20])
def test_ranges_of_long_files_arrive_exactly(serve, site, size):
    content = body_of(size)
    (site / "long").write_bytes(content)
    ask = serve()
    for first, last in ((0, size - 1), (1, size - 2), (size // 3, size - 1), (size - 30_000, size - 1)):
        got = ask("/long", "-H", f"Range: bytes={first}-{last}")
        assert (got.status, len(got.body)) == (206, last + 1 - first)
        assert got.body == content[first:last + 1]


def test_file_that_is_cut_meanwhile_ends_the_connection(net, serve, site):
    """Its length was told already: fewer bytes must not look like all of them."""
    size = 64 << 20
    (site / "long").write_bytes(body_of(size))
    serve()
    with Client(net) as client:
        client.send(b"GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
        client.sock.recv(1000)
        os.truncate(site / "long", 1 << 20)
        seen = 1000
        with contextlib.suppress(ConnectionResetError):
            while part := client.sock.recv(1 << 20):
                seen += len(part)
        assert seen < size


def test_files_over_tls(serve, tmp_path):
    authority = Authority(tmp_path)
    ask = serve(scheme="https", listener_options={
        "tls": {"certificates": [authority.issue("www.example").row()]}})
    assert ask("/large.bin", "--insecure").body == LARGE
    assert ask("/a.txt", "--insecure").body == SMALL


def test_prefix_may_be_cut_off(serve):
    ask = serve(match={"path_prefix": ["/static"]}, rewrite={"prefix": "/"})
    assert ask("/static/a.txt").body == SMALL
    assert ask("/static/dir").get("location") == "./dir/"


# --- Directories ----------------------------------------------------------------
def test_directories_have_an_index_and_are_not_listed(serve):
    ask = serve()
    assert ask("/dir/").body == b"<p>index</p>"
    assert ask("/empty/").status == 404
    got = ask("/dir?a=b")
    assert (got.status, got.get("location")) == (301, "./dir/?a=b")
    assert ask("//dir").get("location") == "./dir/"


def test_index_names_are_tried_in_order(serve, site):
    ask = serve(index=["first", "a.txt", "link"])
    assert ask("/").body == SMALL


# --- What is not to be had ------------------------------------------------------
@pytest.mark.parametrize("path, status", [
    ("/nothing", 404), ("/a.txt/", 404), ("/a.txt/x", 404), ("/.secret", 404), ("/dir/.hidden", 404),
    ("/out", 404), ("/absolute", 404), ("/dir/up/../../outside.txt", 404), ("/../outside.txt", 400),
    ("/%2e%2e/outside.txt", 400), ("/..%2foutside.txt", 400), ("/dir/up/up/outside.txt", 404),
    ("/fifo", 404), ("/a.txt%00", 400), ("/dir%5c..%5c..%5coutside.txt", 400),
    ("/a%2Etxt", 200), ("/link", 200), ("/dir/up/a.txt", 200), ("/" + "x" * 300, 404),
])
def test_nothing_outside_is_served(serve, path, status):
    assert serve()(path).status == status


def test_links_may_be_off(serve):
    ask = serve(symlinks="off")
    assert (ask("/link").status, ask("/dir/up/a.txt").status, ask("/a.txt").status) == (404, 404, 200)


def test_methods_other_than_get_and_head_are_refused(serve):
    got = serve()("/a.txt", "--request", "DELETE")
    assert (got.status, got.get("allow")) == (405, "GET, HEAD")


def test_root_that_is_not_there_is_told_with_its_place(make_daemon):
    sluice = make_daemon()
    front = listener(mode="http", routes=[{"match": {"path": ["/"]}, "files": {"root": "/nowhere/at/all"}}])
    sluice.launch({"listeners": [front], "pools": [pool(f"{BACKEND}:7099")]})
    assert sluice.process.wait(20) != 0
    text = sluice.process.stderr()
    sluice.process = None
    assert 'root: cannot open directory "/nowhere/at/all": No such file or directory' in text


# --- Conditions, ranges ---------------------------------------------------------
def test_conditions_are_judged(serve, site):
    ask = serve(cache_control="max-age=60")
    first = ask("/a.txt")
    etag, date = first.get("etag"), first.get("last-modified")
    got = ask("/a.txt", "-H", f"If-None-Match: {etag}")
    assert (got.status, got.body, got.get("etag"), got.get("cache-control")) == (304, b"", etag, "max-age=60")
    assert got.get("content-length") is None
    assert ask("/a.txt", "-H", f"If-Modified-Since: {date}").status == 304
    assert ask("/a.txt", "-H", 'If-Match: "other"').status == 412
    os.utime(site / "a.txt", (1, 1))
    # Each worker notices by itself.
    wait_until(lambda: ask("/a.txt", "-H", f"If-None-Match: {etag}").status == 200)


def test_ranges(serve):
    ask = serve()
    got = ask("/large.bin", "-H", "Range: bytes=1000000-1999999")
    assert (got.status, got.get("content-range")) == (206, "bytes 1000000-1999999/3000000")
    assert got.body == LARGE[1_000_000:2_000_000]
    assert ask("/a.txt", "-H", "Range: bytes=-5").body == SMALL[-5:]
    got = ask("/a.txt", "-H", "Range: bytes=100-")
    assert (got.status, got.get("content-range")) == (416, f"bytes */{len(SMALL)}")
    assert ask("/a.txt", "-H", "Range: bytes=0-1,3-4").status == 200
    assert ask("/a.txt", "-H", "Range: bytes=0-1", "-H", 'If-Range: "x"').status == 200


# --- Precompressed --------------------------------------------------------------
def test_precompressed_file_is_sent_where_it_is_wanted(serve, site):
    packed = gzip.compress(SMALL)
    (site / "a.txt.gz").write_bytes(packed)
    (site / "a.txt.br").write_bytes(b"brotli")
    ask = serve()
    got = ask("/a.txt", "-H", "Accept-Encoding: gzip")
    assert (got.get("content-encoding"), got.body) == ("gzip", packed)
    assert (got.get("content-type"), got.get("vary")) == ("text/plain; charset=utf-8", "accept-encoding")
    assert ask("/a.txt", "-H", "Accept-Encoding: gzip, br").get("content-encoding") == "br"
    assert ask("/a.txt", "-H", "Accept-Encoding: gzip;q=0.9, br;q=0.5").get("content-encoding") == "gzip"
    assert ask("/a.txt", "-H", "Accept-Encoding: zstd").body == SMALL
    plain = ask("/a.txt")
    assert (plain.body, plain.get("vary")) == (SMALL, "accept-encoding")
    assert plain.get("etag") != got.get("etag")


# --- What changes ---------------------------------------------------------------
def test_file_that_is_replaced_is_noticed(serve, site):
    ask = serve()
    assert ask("/a.txt").body == SMALL
    (site / "new").write_bytes(b"new")
    os.rename(site / "new", site / "a.txt")
    wait_until(lambda: ask("/a.txt").body == b"new")


def test_file_that_appears_is_noticed(serve, site):
    ask = serve()
    assert ask("/later").status == 404
    (site / "later").write_bytes(b"here")
    wait_until(lambda: ask("/later").status == 200)


def test_more_files_than_are_kept_open(serve, site):
    for i in range(1500):
        (site / f"f{i}").write_text(str(i))
    ask = serve()
    got = ask("/f[0-1499]", "--fail", "--output", "/dev/null")
    assert got.first == ""


@pytest.mark.parametrize("version", [openssl.TLS_1_2, openssl.TLS_1_3])
@pytest.mark.parametrize("size", [300_000, 3_000_000])
def test_a_client_that_sends_no_more_gets_the_answers_end(net, serve, tmp_path, version, size):
    """Slow to read, so that the end of the answer is queued when the exchange is over."""
    row = Authority(tmp_path).issue("files.test").row()
    serve(listener_options={"tls": {"certificates": [row]}})
    sock = net.client.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    sock.connect(FRONT)
    with openssl.Client(sock, version) as client:
        head = f"GET /large.bin HTTP/1.1\r\nHost: f\r\nRange: bytes=0-{size - 1}\r\n\r\n"
        client.sendall(head.encode())
        client.say_goodbye()
        time.sleep(0.5)
        reader = Reader(client)
        assert b" 206 " in reader.line()
        assert reader.fields()
        assert reader.exactly(size) == LARGE[:size]
        assert reader.to_end() == b"" and client.has_said_goodbye


def test_disk_that_stalls_is_not_its_clients_fault(net, sluice, site, tmp_path):
    """The bytes before it have all been taken; a client that does not take them is another matter."""
    traffic.build()
    stalled, log = tmp_path / "stalled", tmp_path / "access.log"
    route = {"match": {"path_prefix": ["/"]}, "files": {"root": str(site)}}
    sluice.start({"listeners": [listener(mode="http", routes=[route], http={"body_timeout": "1s"})],
                  "pools": [pool(f"{BACKEND}:7099")], "access_log": {"path": str(log)}},
                 prefix=("env", f"LD_PRELOAD={TOOLS / 'stalled.so'}", f"STALLED_FILE={stalled}"),
                 env={"ASAN_OPTIONS": "exitcode=99:verify_asan_link_order=0"})
    with Client(net) as client:
        assert client.ask("/large.bin").body == LARGE
        stalled.touch()
        client.send(b"GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: " end=file_stalled" in log.read_text(), 20)
        stalled.unlink()
    with Client(net) as client:
        stalled.touch()
        assert client.ask("/a.txt").status == 504  # it is not even found
        wait_until(lambda: log.read_text().count(" end=file_stalled") == 2, 20)
        stalled.unlink()
    wait_until(lambda: sluice.active() == 0, 20, "its connection is closed")


def test_disk_that_fails_is_an_error_of_ours(net, sluice, site, tmp_path):
    """It says nothing of whether there is such a file."""
    traffic.build()
    failing, log = tmp_path / "failing", tmp_path / "access.log"
    route = {"match": {"path_prefix": ["/"]}, "files": {"root": str(site)}}
    sluice.start({"listeners": [listener(mode="http", routes=[route])],
                  "pools": [pool(f"{BACKEND}:7099")], "access_log": {"path": str(log)}},
                 prefix=("env", f"LD_PRELOAD={TOOLS / 'stalled.so'}", f"FAILING_FILE={failing}"),
                 env={"ASAN_OPTIONS": "exitcode=99:verify_asan_link_order=0"})
    failing.touch()
    with Client(net) as client:
        got = client.ask("/a.txt", fields=[("Accept", "application/json")])
        assert (got.status, got.get("content-type")) == (500, "application/json")
        assert client.ask("/" + 300 * "a").status == 500
        failing.unlink()
        assert client.ask("/" + 301 * "a").status == 404
        wait_until(lambda: client.ask("/a.txt").status == 200, 10, "what was seen is not believed for long")
    assert "Input/output error" in log.read_text() and " end=file_failed" in log.read_text()
