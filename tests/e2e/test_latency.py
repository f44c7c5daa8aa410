# SPDX-License-Identifier: Apache-2.0
"""The relay adds no wait of its own, whichever side speaks first and however it writes."""
import statistics
import time

from lib.configs import FRONT, simple
from lib.netns import BACKEND
from lib.origins import Origin

ROUNDS = 21
# Linux delays an ACK by 40 ms at least; a relay without waits takes well under 1 ms.
MUCH = 0.030


def median_time(net, exchange):
    times = []
    for _ in range(ROUNDS):
        began = time.monotonic()
        with net.client.connect(FRONT) as sock:
            exchange(sock)
        times.append(time.monotonic() - began)
    return statistics.median(times)


def read_exactly(sock, count):
    seen = b""
    while len(seen) < count:
        part = sock.recv(count - len(seen))
        assert part, f"ended after {len(seen)} of {count} bytes"
        seen += part
    return seen


def test_backend_that_speaks_first_is_heard_at_once(net, sluice, keep):
    origin = keep(Origin(net.backend, (BACKEND, 7000), lambda sock, _: sock.sendall(b"hello")))
    sluice.start(simple(origin))
    assert median_time(net, lambda sock: read_exactly(sock, 5)) < MUCH


def test_backend_that_answers_in_two_writes_does_not_wait_for_an_ack(net, sluice, keep):
    """Without TCP_NODELAY the second write leaves when the first is acknowledged."""

    def answer(sock, _):
        sock.recv(100)
        sock.send(b"head")
        sock.send(b"body")
        sock.recv(100)

    origin = keep(Origin(net.backend, (BACKEND, 7000), answer))
    sluice.start(simple(origin))

    def exchange(sock):
        sock.sendall(b"ask")
        assert read_exactly(sock, 8) == b"headbody"

    assert median_time(net, exchange) < MUCH
