# SPDX-License-Identifier: Apache-2.0
"""The filter compression, as clients see it."""
import gzip
import threading
import zlib

import pytest

from lib.configs import FRONT, listener, pool
from lib.netns import BACKEND
from lib.process import wait_until
from lib.web import Client, Web, answer, in_chunks

TEXT = b"".join(b"%d bottles of beer on the wall, %x\n" % (i, i * i * 2654435761)
                for i in range(40_000))
URL = f"http://{FRONT[0]}:{FRONT[1]}"


@pytest.fixture
def web(net, keep):
    web = keep(Web(net.backend, (BACKEND, 7000)))
    web.on("/plain", lambda sock, _: answer(sock, TEXT, fields=["Content-Type: text/plain",
                                                                'ETag: "v1"']))
    web.on("/chunked", lambda sock, _: sock.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n" +
        in_chunks(TEXT, 5000)))

    def to_the_end(sock, _):
        sock.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + TEXT)
        return False
    web.on("/close", to_the_end)
    return web


@pytest.fixture
def front(sluice, web):
    sluice.start({"listeners": [listener(mode="http", filters=["compression"])],
                  "pools": [pool(web)]})
    return web


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
@pytest.mark.parametrize("path", ["/plain", "/chunked", "/close"])
def test_curl_gets_back_what_was_sent(net, front, coding, path, tmp_path):
    out, head = tmp_path / "body", tmp_path / "head"
    net.client.run("curl", "-sS", "--max-time", "20", "--compressed", "-H",
                   f"Accept-Encoding: {coding}", "-D", head, "-o", out, "-w", "%{size_download}",
                   URL + path)
    assert out.read_bytes() == TEXT
    assert f"content-encoding: {coding}" in head.read_text().lower()


def test_it_is_smaller_and_says_what_it_is(net, front):
    with Client(net) as client:
        got = client.ask("/plain", fields=[("Accept-Encoding", "gzip")])
        assert got.get("content-encoding") == "gzip" and got.get("vary") == "Accept-Encoding"
        assert got.get("etag") == 'W/"v1"' and got.get("content-length") is None
        assert len(got.body) < len(TEXT) / 2 and gzip.decompress(got.body) == TEXT
        # The connection goes on, plain or not.
        got = client.ask("/plain")
        assert got.body == TEXT and got.get("etag") == '"v1"'
        assert got.get("vary") == "Accept-Encoding"
        got = client.ask("/plain", "HEAD", fields=[("Accept-Encoding", "gzip")])
        assert got.get("content-length") == str(len(TEXT))


def test_what_comes_goes_on_at_once(net, front):
    """A stream of events: each is there before the next is sent."""
    received = threading.Semaphore(0)

    def events(sock, _):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n")
        for i in range(20):
            sock.sendall(b"8\r\nevent%02d\n\r\n" % i)
            assert received.acquire(timeout=15)
        sock.sendall(b"0\r\n\r\n")
        return True
    front.on("/events", events)
    with Client(net) as client:
        client.send(b"GET /events HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
        reader, decoder, text = client.reader, zlib.decompressobj(31), b""
        assert b"200" in reader.line()
        assert ("content-encoding", "gzip") in reader.fields()
        seen = 0
        # The line end behind a chunk may come with the next one.
        while size := int(reader.line() or reader.line(), 16):
            text += decoder.decompress(reader.exactly(size))
            while text.count(b"\n") > seen:
                seen += 1
                received.release()
        assert text == b"".join(b"event%02d\n" % i for i in range(20)) and decoder.eof


def test_what_fills_a_buffer_goes_on_as_soon(net, sluice, web):
    """Nobody knows then whether there is more."""
    size, received = 16384, threading.Semaphore(0)

    def pieces(sock, _):
        sock.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for i in range(3):
            assert received.acquire(timeout=10)
            sock.sendall(TEXT[i * size:(i + 1) * size])
        return False
    web.on("/pieces", pieces)
    sluice.start({"listeners": [listener(mode="http", filters=["compression"])], "pools": [pool(web)],
                  "limits": {"receive_buffer_size": size}})
    with Client(net) as client:
        client.send(b"GET /pieces HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
        assert b"200" in client.reader.line() and client.reader.fields()
        reader, decoder, text = client.reader, zlib.decompressobj(31), b""
        for i in range(3):
            received.release()
            while len(text) < (i + 1) * size:
                length = int(reader.line() or reader.line(), 16)
                text += decoder.decompress(reader.exactly(length))
        assert text == TEXT[:3 * size]


def test_a_client_that_leaves_leaves_nothing(net, sluice, front):
    for _ in range(20):
        with Client(net) as client:
            client.send(b"GET /chunked HTTP/1.1\r\nHost: a\r\nAccept-Encoding: zstd\r\n\r\n")
            assert b"200" in client.reader.line()
    with Client(net) as client:
        assert client.ask("/plain").body == TEXT
    wait_until(lambda: sluice.active() == 0, 15, "all are gone")
