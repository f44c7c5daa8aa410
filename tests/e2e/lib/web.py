# SPDX-License-Identifier: Apache-2.0
"""HTTP/1 by hand: an origin that does what its path says, and a client that sees every byte."""
import hashlib
import json
import socket
import threading
import time

from .configs import FRONT
from .origins import Origin, read_line

PATTERN = bytes(range(256)) * 4096


def body_of(size):
    return (PATTERN * (size // len(PATTERN) + 1))[:size]


class Reader:
    """Lines and counted bytes of a socket."""

    def __init__(self, sock):
        self.sock, self.rest = sock, b""

    def more(self):
        part = self.sock.recv(65536)
        self.rest += part
        return bool(part)

    def line(self):
        while b"\r\n" not in self.rest:
            if not self.more():
                raise EOFError(self.rest)
        line, self.rest = self.rest.split(b"\r\n", 1)
        return line

    def exactly(self, count):
        parts, have = [self.rest], len(self.rest)
        while have < count:
            part = self.sock.recv(min(1 << 20, count - have))
            if not part:
                raise EOFError(f"{have} of {count} bytes")
            parts.append(part)
            have += len(part)
        whole = b"".join(parts)
        self.rest = whole[count:]
        return whole[:count]

    def to_end(self):
        while self.more():
            pass
        whole, self.rest = self.rest, b""
        return whole

    def fields(self):
        fields = []
        while line := self.line():
            name, value = line.split(b":", 1)
            fields.append((name.decode().lower(), value.strip().decode("latin-1")))
        return fields

    def chunks(self):
        parts = []
        while size := int(self.line().split(b";")[0], 16):
            parts.append(self.exactly(size))
            assert self.line() == b""
        trailers = self.fields()
        return b"".join(parts), trailers


class Message:
    def __init__(self, first, fields):
        self.first, self.fields, self.body, self.trailers = first, fields, b"", []

    def all(self, name):
        return [value for key, value in self.fields if key == name]

    def get(self, name):
        values = self.all(name)
        assert len(values) <= 1, f"{name} is there {len(values)} times"
        return values[0] if values else None

    @property
    def status(self):
        return int(self.first.split()[1])


def read_message(reader, is_bodiless=False):
    message = Message(reader.line().decode(), reader.fields())
    if is_bodiless or (message.first.startswith("HTTP/") and
                       (message.status < 200 or message.status in (204, 304))):
        return message
    if message.get("transfer-encoding") == "chunked":
        message.body, message.trailers = reader.chunks()
    elif message.get("content-length") is not None:
        message.body = reader.exactly(int(message.get("content-length")))
    elif message.first.startswith("HTTP/"):
        message.body = reader.to_end()
    return message


class Client:
    """One connection to the proxy."""

    def __init__(self, net, address=FRONT, timeout=15):
        self.sock = net.client.connect(address, timeout)
        self.reader = Reader(self.sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def answer(self, is_bodiless=False):
        return read_message(self.reader, is_bodiless)

    def ask(self, path="/", method="GET", fields=(), body=b"", host="www.example", version="1.1"):
        lines = [f"{method} {path} HTTP/{version}", *([f"Host: {host}"] if host else []),
                 *(f"{name}: {value}" for name, value in fields)]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return self.answer(method == "HEAD")

    def is_closed(self):
        """Waits for the proxy's FIN or RST; False if it says anything else."""
        try:
            return self.reader.rest == b"" and self.sock.recv(1) == b""
        except ConnectionResetError:
            return True


# --- The origin ---------------------------------------------------------------
def answer(sock, body=b"", status="200 OK", fields=()):
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    sock.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)


def in_chunks(body, size=1000):
    chunks = [body[i:i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"


class Web:
    """Serves by path; keeps what it was asked in `seen`, and how many connections it had."""

    def __init__(self, namespace, address, context=None, has_header=False):
        """`context`: of TLS, if it speaks that. `has_header`: PROXY v1 goes first."""
        self.seen, self.lock = [], threading.Lock()
        self.headers = []
        self.context, self.has_header = context, has_header
        self.handlers = {}
        self.origin = Origin(namespace, address, self._serve)
        self.text = self.origin.text

    @property
    def accepted(self):
        return self.origin.accepted

    def close(self):
        self.origin.close()

    def on(self, path, handler):
        """handler(sock, message) → False to end the connection."""
        self.handlers[path] = handler

    def _opened(self, sock):
        if self.has_header:
            self.headers.append(read_line(sock).split())
        return self.context.wrap_socket(sock, server_side=True) if self.context else sock

    def _serve(self, sock, _origin):
        sock = self._opened(sock)
        reader = Reader(sock)
        while True:
            try:
                message = self._read(sock, reader)
            except (EOFError, ConnectionResetError):
                return
            path = message.first.split()[1].split("?")[0]
            with self.lock:
                self.seen.append(message)
            if (self.handlers.get(path, self._default)(sock, message) is False
                    or message.get("connection") == "close"):
                return

    def _read(self, sock, reader):
        message = Message(reader.line().decode("latin-1"), reader.fields())
        if message.get("expect"):
            sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if message.get("transfer-encoding") == "chunked":
            message.body, message.trailers = reader.chunks()
        elif message.get("content-length") is not None:
            message.body = reader.exactly(int(message.get("content-length")))
        return message

    def _default(self, sock, message):
        """What was asked, as JSON; "/size/N[/chunked|/close]" is a body of N bytes."""
        parts = message.first.split()[1].split("/")
        if parts[1] == "size":
            return self._sized(sock, message, int(parts[2]), parts[3] if len(parts) > 3 else "")
        said = {"first": message.first, "fields": message.fields,
                "body": hashlib.sha256(message.body).hexdigest(), "length": len(message.body)}
        body = json.dumps(said).encode()
        answer(sock, b"" if message.first.startswith("HEAD ") else body)
        return True

    def _sized(self, sock, _message, size, how):
        body = body_of(size)
        if how == "chunked":
            sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
                         in_chunks(body, 7001))
        elif how == "close":
            sock.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + body)
            sock.shutdown(socket.SHUT_WR)
            time.sleep(0.05)
            return False
        else:
            answer(sock, body)
        return True


def said(message):
    return json.loads(message.body)


def field(message, name):
    """A field of what the origin says it was asked."""
    values = [value for key, value in said(message)["fields"] if key == name]
    assert len(values) <= 1, f"{name} is there {len(values)} times"
    return values[0] if values else None
