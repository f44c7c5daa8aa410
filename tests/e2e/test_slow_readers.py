# SPDX-License-Identifier: Apache-2.0
"""Who reads slowly gets all of it, as long as it reads: timeouts are for those who take nothing."""
import contextlib
import socket
import threading
import time

import pytest

from lib.configs import FRONT, listener, pool
from lib.netns import BACKEND
from lib.origins import Origin
from lib.process import wait_until
from lib.web import Client, answer, body_of

# More than the sockets of both ends hold.
SIZE = 12_000_000
BODY = body_of(SIZE)
# Between sips, well below a timeout.
PAUSE = 0.3
PATIENCE = "1s"


def sips(sock, size, seconds=3):
    """What came before its socket was narrow; a little at a time for so long, far less than would
    give the sender's socket room; then the rest of it. Returns what came."""
    taken = bytearray()
    until = time.monotonic() + seconds
    while len(taken) < size:
        is_sipping = len(taken) > 500_000 and time.monotonic() < until
        if is_sipping:
            time.sleep(PAUSE)
        piece = sock.recv(20_000 if is_sipping else 100_000)
        if not piece:
            break
        taken += piece
    return bytes(taken)


def narrow(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    return sock


# --- Mode tcp --------------------------------------------------------------------
@pytest.fixture
def pourer(net, keep):
    """Sends all of it to whoever comes, and says no more."""
    def pour(sock, _origin):
        with contextlib.suppress(OSError):
            sock.sendall(BODY)
            sock.recv(1)

    return keep(Origin(net.backend, (BACKEND, 7000), pour))


def start_tcp(sluice, origin, tmp_path):
    log = tmp_path / "access.log"
    sluice.start({"listeners": [listener(idle_timeout=PATIENCE)], "pools": [pool(origin)],
                  "access_log": {"path": str(log)}})
    return log


def test_bytes_that_a_slow_reader_takes_keep_a_connection(net, sluice, pourer, tmp_path):
    start_tcp(sluice, pourer, tmp_path)
    with narrow(net.client.connect(FRONT, timeout=30)) as sock:
        assert sips(sock, SIZE) == BODY


def test_a_reader_that_takes_nothing_is_idle(net, sluice, pourer, tmp_path):
    log = start_tcp(sluice, pourer, tmp_path)
    began = time.monotonic()
    with narrow(net.client.connect(FRONT, timeout=30)):
        wait_until(lambda: log.exists() and "end=idle_timeout" in log.read_text(), 20)
    # Once more where bytes wait, for want of an earlier look.
    assert 0.9 < time.monotonic() - began < 6


# --- Mode http -------------------------------------------------------------------
@pytest.fixture
def web(net, keep):
    def serve(sock, _origin):
        with contextlib.suppress(OSError):
            while sock.recv(100_000):
                answer(sock, BODY)

    return keep(Origin(net.backend, (BACKEND, 7001), serve))


def start_http(sluice, origin, tmp_path, **http):
    log = tmp_path / "access.log"
    sluice.start({"listeners": [listener(mode="http", http={
        "body_timeout": PATIENCE, "keepalive_timeout": PATIENCE, **http})],
        "pools": [pool(origin)], "limits": {"relay_buffer_size": "1MiB"},
        "access_log": {"path": str(log)}})
    return log


def asked(net):
    client = Client(net, timeout=30)
    narrow(client.sock)
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    return client


def read_slowly(client, size):
    said = sips(client.sock, size)
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    return body + client.reader.exactly(SIZE - len(body))


def test_an_answer_that_is_read_slowly_is_whole(net, sluice, web, tmp_path):
    start_http(sluice, web, tmp_path)
    with asked(net) as client:
        assert read_slowly(client, SIZE) == BODY
        assert client.ask("/").status == 200


def test_a_slow_backend_gets_all_of_a_request(net, sluice, keep, tmp_path):
    def take(sock, _origin):
        narrow(sock)
        taken = sips(sock, SIZE)
        while not taken.endswith(BODY[-1000:]):
            taken += sock.recv(1 << 20)
        answer(sock, b"%d" % len(taken.partition(b"\r\n\r\n")[2]))

    start_http(sluice, keep(Origin(net.backend, (BACKEND, 7002), take)), tmp_path)
    with Client(net, timeout=30) as client:
        assert client.ask("/", "POST", body=BODY).body == b"%d" % SIZE


def test_a_request_on_its_way_in_the_kernel_is_no_late_answer(net, sluice, keep):
    """The daemon is rid of it long before the backend has it."""
    size = 200_000

    def take(sock, _origin):
        narrow(sock)
        taken = bytearray()
        while not taken.endswith(BODY[size - 1000:size]):
            if len(taken) < size - 60_000:  # more than its socket holds is on its way up to here
                time.sleep(PAUSE)
            taken += sock.recv(15_000)
        answer(sock, b"%d" % len(taken.partition(b"\r\n\r\n")[2]))

    sluice.start({"listeners": [listener(mode="http")],
                  "pools": [pool(keep(Origin(net.backend, (BACKEND, 7003), take)),
                                 http={"response_timeout": "2s"})]})
    with Client(net, timeout=30) as client:
        assert client.ask("/", "POST", body=BODY[:size]).body == b"%d" % size


def test_who_takes_nothing_of_an_answer_is_let_go(net, sluice, web, tmp_path):
    log = start_http(sluice, web, tmp_path)
    began = time.monotonic()
    with asked(net):
        wait_until(lambda: log.exists() and "end=client_stalled" in log.read_text(), 20)
    assert 0.9 < time.monotonic() - began < 6
