# SPDX-License-Identifier: Apache-2.0
"""TCP_REPAIR in tests: to choose and to read sequence numbers, and to vanish without a word."""
import contextlib
import socket

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
OFF, ON, OFF_WITHOUT_PROBE = 0, 1, -1
SEND_QUEUE = 2


def _set(sock, option, value):
    sock.setsockopt(socket.IPPROTO_TCP, option, value)


@contextlib.contextmanager
def _repaired(sock):
    _set(sock, TCP_REPAIR, ON)
    _set(sock, TCP_REPAIR_QUEUE, SEND_QUEUE)
    try:
        yield
    finally:
        _set(sock, TCP_REPAIR, OFF_WITHOUT_PROBE)


def choose_first(sock, number):
    """The initial sequence number of a socket that is yet to connect."""
    with _repaired(sock):
        _set(sock, TCP_QUEUE_SEQ, number - (1 << 32) if number >= 1 << 31 else number)


def next_number(sock):
    """The sequence number of the next byte that the socket sends."""
    with _repaired(sock):
        return sock.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ) & 0xffffffff


def vanish(sock):
    """Closes without FIN or RST, as a host does that loses its power."""
    _set(sock, TCP_REPAIR, ON)
    sock.close()
