# SPDX-License-Identifier: Apache-2.0
"""Short questions to whoever answers behind the proxy."""
import collections
import socket
import time

from .origins import read_line


def name(namespace, address, first=b"", source=None, timeout=10):
    """The name that a say_name origin gives; "" if the connection ended without a byte."""
    try:
        with namespace.connect(address, timeout, source) as sock:
            if first:
                sock.sendall(first)
            return read_line(sock)
    except (ConnectionResetError, BrokenPipeError):
        return ""


def names(namespace, address, count, **options):
    return collections.Counter(name(namespace, address, **options) for _ in range(count))


def opened(namespace, address, **options):
    """(socket, name): a connection that stays open."""
    sock = namespace.connect(address, **options)
    return sock, read_line(sock)


def echoes(sock, payload=b"still there?"):
    sock.sendall(payload)
    got = b""
    while len(got) < len(payload):
        chunk = sock.recv(len(payload) - len(got))
        if not chunk:
            return False
        got += chunk
    return got == payload


def ended(sock, timeout=10):
    """How the connection ended, "fin" or "reset", what came before, and after how many seconds."""
    began, parts = time.monotonic(), []
    sock.settimeout(timeout)
    try:
        while chunk := sock.recv(65536):
            parts.append(chunk)
        how = "fin"
    except (ConnectionResetError, BrokenPipeError):
        how = "reset"
    finally:
        sock.close()
    return how, b"".join(parts), time.monotonic() - began


def refusal(namespace, address, **options):
    """ended() of a new connection that gets nothing; the reset may come before connect() returns."""
    began = time.monotonic()
    try:
        sock = namespace.connect(address, **options)
    except ConnectionResetError:
        return "reset", b"", time.monotonic() - began
    return ended(sock)


def is_refused(namespace, address):
    """Nobody listens; a handshake that was under way when the listener closed is reset."""
    try:
        namespace.connect(address, timeout=2).close()
        return False
    except (ConnectionRefusedError, ConnectionResetError):
        return True


def write_and_close(sock, payload):
    with sock:
        sock.sendall(payload)
        sock.shutdown(socket.SHUT_WR)
