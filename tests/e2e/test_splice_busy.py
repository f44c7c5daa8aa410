# SPDX-License-Identifier: Apache-2.0
"""Connections that are never quiet are handed over all the same, in the middle of what they do."""
import hashlib
import random
import threading
import time

import pytest

from lib import origins
from lib.configs import FRONT
from lib.lines import BadLine
from lib.netns import BACKEND
from lib.splice import MEBIBYTE, exchange, rungs, spliced, together, wait_joined, wait_over

ORIGIN = (BACKEND, 7000)
SPLICED = ("splice-tc", "-")


@pytest.fixture
def echo(named_origin):
    return named_origin("o", ORIGIN, origins.echo)


@pytest.fixture
def lossy_line(net, tmp_path, keep):
    def make():
        return keep(BadLine(net.client, "c0", tmp_path, lose=300).start())
    return make


def digest_of_all(sock, _origin):
    """Takes everything up to the FIN and says what it was."""
    digest = hashlib.sha256()
    for chunk in iter(lambda: sock.recv(1 << 18), b""):
        digest.update(chunk)
    sock.sendall(digest.digest())


def answer_at_once(sock, stop, failures, size=100):
    """The next request with every answer; each differs from all others."""
    number = 0
    while not stop.is_set():
        request = number.to_bytes(8, "big") * (size // 8)
        sock.sendall(request)
        answer = b""
        while len(answer) < len(request):
            answer += sock.recv(65536)
        if answer != request:
            failures.append(number)
            return
        number += 1


def test_a_tight_loop_of_requests_is_spliced_while_it_runs(net, sluice, echo):
    sluice.start(spliced(echo))
    stop, failures = threading.Event(), []
    socks = [net.client.connect(FRONT) for _ in range(8)]
    threads = [threading.Thread(target=answer_at_once, args=(sock, stop, failures))
               for sock in socks]
    for thread in threads:
        thread.start()
    try:
        wait_joined(sluice, len(socks), timeout=10)
        time.sleep(0.5)
    finally:
        stop.set()
    for thread in threads:
        thread.join(10)
    assert not failures
    for sock in socks:
        sock.close()
    wait_over(sluice)


def send_until_spliced(sock, sluice, more=8 * MEBIBYTE, limit_s=20):
    """A transfer without a pause, that goes on for a while behind the switch. Its digest."""
    block, digest, left, sent = random.randbytes(MEBIBYTE), hashlib.sha256(), more, 0
    began = time.monotonic()
    while left > 0:
        piece = block[random.randrange(1000):]
        sock.sendall(piece)
        digest.update(piece)
        sent += len(piece)
        if rungs(sluice) == [SPLICED]:
            left -= len(piece)
        assert time.monotonic() - began < limit_s, f"not spliced after {sent} bytes"
    return digest.digest()


@pytest.mark.parametrize("line", ["good", "lossy"])
def test_a_transfer_is_spliced_in_the_middle(net, sluice, named_origin, lossy_line, line):
    sluice.start(spliced(named_origin("o", ORIGIN, digest_of_all)))
    if line == "lossy":
        lossy_line()
    for _ in range(3):
        with net.client.connect(FRONT, timeout=60) as sock:
            digest = send_until_spliced(sock, sluice)
            sock.shutdown(1)
            assert sock.recv(100, 256) == digest
        wait_over(sluice)


def exchange_until(net, stop, size):
    with net.client.connect(FRONT, timeout=60) as sock:
        while not stop.is_set():
            if not exchange(sock, size):
                return False
    return True


@pytest.mark.parametrize("line", ["good", "lossy"])
def test_both_directions_may_be_busy(net, sluice, echo, lossy_line, line):
    sluice.start(spliced(echo))
    if line == "lossy":
        lossy_line()
    size = (8 if line == "good" else 1) * MEBIBYTE
    stop, failures = threading.Event(), []
    talk = threading.Thread(target=lambda: failures.extend(
        together(4, lambda _: exchange_until(net, stop, size), timeout=120)))
    talk.start()
    try:
        wait_joined(sluice, 4, timeout=90)  # one try in seven holds, and after a second there is one a second
        time.sleep(0.5)
    finally:
        stop.set()
        talk.join(120)
    assert not failures
    wait_over(sluice)
