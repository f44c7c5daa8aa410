# SPDX-License-Identifier: Apache-2.0
"""Requests of all kinds at once, every byte of them compared; and what may happen in their midst."""
import hashlib
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.configs import listener, pool
from lib.netns import BACKEND
from lib.process import wait_until
from lib.web import Client, Web, body_of, in_chunks, said

CLIENTS = 8


@pytest.fixture
def web(net, keep):
    return keep(Web(net.backend, (BACKEND, 7000)))


def config(web):
    return {"listeners": [listener(mode="http")], "pools": [pool(web)]}


def size_of(rng, largest):
    """As many small ones as large ones, and the borders of buffers."""
    if rng.random() < 0.2:
        return rng.choice([0, 1, 4095, 4096, 4097, 16383, 16384, 16385])
    return int(2 ** rng.uniform(0, largest))


# --- Kinds of requests: (client, rng, size) → whether the connection may go on ----------------
def download(client, rng, size):
    how = rng.choice(["", "/chunked", "/close"])
    got = client.ask(f"/size/{size}{how}")
    assert got.status == 200
    assert hashlib.sha256(got.body).digest() == hashlib.sha256(body_of(size)).digest()
    return True


def upload(client, rng, size):
    body = body_of(size)
    if rng.random() < 0.5:
        got = client.ask("/", "POST", fields=[] if body else [("Content-Length", "0")], body=body)
    else:
        client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + in_chunks(body, rng.choice([100, 5000, 100_000])))
        got = client.answer()
    assert said(got)["length"] == size
    assert said(got)["body"] == hashlib.sha256(body).hexdigest()
    return True


def last_of_its_connection(client, _rng, size):
    got = client.ask(f"/size/{size}", fields=[("Connection", "close")])
    assert got.body == body_of(size)
    assert client.is_closed()
    return False


def abandoned_download(client, _rng, size):
    client.send(f"GET /size/{size + 100_000} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    client.sock.recv(1000)
    return False


def abandoned_upload(client, _rng, size):
    body = body_of(size + 1)
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (2 * len(body)) + body)
    return False


KINDS = [download] * 4 + [upload] * 4 + [last_of_its_connection, abandoned_download,
                                         abandoned_upload]


def run_client(net, seed, count, largest):
    rng, client = random.Random(seed), None
    try:
        for _ in range(count):
            client = client or Client(net, timeout=60)
            kind, size = rng.choice(KINDS), size_of(rng, largest)
            try:
                may_go_on = kind(client, rng, size)
            except Exception as error:
                raise AssertionError(f"seed {seed}: {kind.__name__} of {size}: {error!r}") from error
            if not may_go_on:
                client.sock.close()
                client = None
    finally:
        if client:
            client.sock.close()


def run_clients(net, count, largest):
    with ThreadPoolExecutor(CLIENTS) as clients:
        for done in [clients.submit(run_client, net, seed, count // CLIENTS, largest)
                     for seed in range(CLIENTS)]:
            done.result()


def test_mixed_requests_arrive_whole(net, sluice, web, scale):
    """E2E_SCALE=5 makes it 10,000, of up to 64 MiB."""
    sluice.start(config(web))
    run_clients(net, int(2000 * scale), 26 if scale >= 5 else 20)
    wait_until(lambda: sluice.active() == 0, 20, "nothing is left")
    assert sluice.endpoints("main")[web.text]["active"] == 0


def test_reloads_fail_none_of_them(net, sluice, web, scale):
    sluice.start(config(web))
    over = threading.Event()

    def reload_again_and_again():
        while not over.wait(0.05):
            sluice.reload(config(web))

    reloader = threading.Thread(target=reload_again_and_again)
    reloader.start()
    try:
        run_clients(net, int(800 * scale), 18)
    finally:
        over.set()
        reloader.join()
    wait_until(lambda: sluice.active() == 0, 20, "nothing is left")


def test_killed_in_mid_answer_nobody_takes_it_for_whole(net, sluice, web):
    sluice.start(config(web))
    with Client(net) as client:
        client.send(b"GET /size/50000000 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.reader.exactly(100_000)
        sluice.process.signal(signal.SIGKILL)
        with pytest.raises((EOFError, ConnectionResetError)):
            client.reader.exactly(100_000_000)
    sluice.process.wait()
    sluice.start()
    with Client(net) as client:
        assert client.ask().status == 200
