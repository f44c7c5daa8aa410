# SPDX-License-Identifier: Apache-2.0
"""Mode http between programs that people have: curl in front of it, nginx and Python's http.server behind it."""
import hashlib
import os

import pytest

from lib import curl, origins
from lib.configs import FRONT, listener, pool
from lib.netns import BACKEND, PROXY
from lib.process import Process

AT = (BACKEND, 7000)
LARGE = os.urandom(1 << 20) * 20
TEXT = b"line\n" * 5000


def nginx(net, directory):
    return origins.nginx(net.backend, directory, f"""
        client_max_body_size 0; etag on;
        server {{ listen {BACKEND}:7000; root {directory}/www; chunked_transfer_encoding on;
                  location /up {{ dav_methods PUT DELETE; }}
                  location /gzip {{ alias {directory}/www; gzip on; gzip_types *; gzip_proxied any; }} }}""",
                         main="user root;")


def http_server(version):
    def start(net, directory):
        return Process(["/usr/bin/python3", "-m", "http.server", "--protocol", version, "--bind", BACKEND,
                        "--directory", directory / "www", AT[1]], directory, "http.server", net.backend)
    return start


SERVERS = {"nginx": nginx, "http.server-1.0": http_server("HTTP/1.0"),
           "http.server-1.1": http_server("HTTP/1.1")}


@pytest.fixture
def site(tmp_path):
    root = tmp_path / "www"
    (root / "up").mkdir(parents=True)
    (root / "large").write_bytes(LARGE)
    (root / "text.txt").write_bytes(TEXT)
    (root / "empty").write_bytes(b"")
    return root


@pytest.fixture
def serve(net, sluice, site, tmp_path, keep):
    def start(name):
        keep(SERVERS[name](net, tmp_path)).wait_ready(lambda: origins.can_connect(net.backend, AT))
        sluice.start({"listeners": [listener(mode="http")], "pools": [pool(f"{BACKEND}:7000")]})
        return lambda path, *argv: curl.ask(net.client, path, *argv)
    return start


def sum_of(data):
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("server", SERVERS)
def test_what_curl_asks_for_comes_as_it_is(serve, server):
    ask = serve(server)
    got = ask("/large")
    assert (got.status, sum_of(got.body)) == (200, sum_of(LARGE))
    assert ask("/empty").body == b""
    got = ask("/large", "--head")
    assert (got.status, got.get("content-length"), got.body) == (200, str(len(LARGE)), b"")
    assert ask("/none").status == 404
    since = ask("/text.txt").get("last-modified")
    got = ask("/text.txt", "-H", f"If-Modified-Since: {since}")
    assert (got.status, got.body) == (304, b"")
    got = ask("/text.txt", "--http1.0")
    assert (got.status, got.body) == (200, TEXT)


@pytest.mark.parametrize("server", SERVERS)
def test_one_connection_of_curl_carries_many_requests(net, sluice, serve, server):
    serve(server)
    urls = [f"http://{PROXY}:{FRONT[1]}/{name}" for name in ["text.txt", "empty", "none", "large"] * 5]
    done = net.client.run("curl", "--silent", "--max-time", "60",
                          "--write-out", "%{stderr}%{http_code} %{num_connects}\\n",
                          *(word for url in urls for word in ("--output", "/dev/null", url)))
    answers = [line.split() for line in done.stderr.splitlines()]
    assert [code for code, _ in answers] == ["200", "200", "404", "200"] * 5
    assert sum(int(connects) for _, connects in answers) == 1
    assert sluice.listeners()["front"]["accepted"] == 1


@pytest.mark.parametrize("how", [(), ("-H", "Transfer-Encoding: chunked"), ("-H", "Expect:")])
def test_uploads_reach_nginx(serve, site, how):
    ask = serve("nginx")
    got = ask("/up/file", "--upload-file", site / "large", *how)
    assert got.status in (100, 201)
    assert sum_of((site / "up" / "file").read_bytes()) == sum_of(LARGE)
    assert ask("/up/file", "--request", "DELETE").status == 204
    assert ask("/up/file").status == 404


def test_ranges_and_conditions_are_nginxs(serve):
    ask = serve("nginx")
    got = ask("/large", "--range", "1000000-1000099")
    assert (got.status, got.body) == (206, LARGE[1_000_000:1_000_100])
    tag = ask("/text.txt").get("etag")
    assert ask("/text.txt", "-H", f"If-None-Match: {tag}").status == 304
    assert ask("/text.txt", "-H", 'If-Match: "other"').status == 412


def test_what_nginx_compresses_stays_so(net, serve):
    serve("nginx")
    done = net.client.run("curl", "--silent", "--fail", "--compressed", f"http://{PROXY}:{FRONT[1]}/gzip/text.txt")
    assert done.stdout.encode() == TEXT


@pytest.mark.parametrize("server", ["http.server-1.0", "http.server-1.1"])
def test_an_upload_that_http_server_has_no_method_for_is_told_so(serve, site, server):
    ask = serve(server)
    for _ in range(5):
        assert ask("/up/file", "--upload-file", site / "text.txt", "-H", "Expect:").status == 501
    assert ask("/text.txt").body == TEXT
