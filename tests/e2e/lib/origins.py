# SPDX-License-Identifier: Apache-2.0
"""Backends: small ones in threads of the test, and real ones as processes."""
import socket
import subprocess
import threading

from .process import Process, can_connect
from .traffic import target_text


class Origin:
    """Accepts in a thread and lets `handle(sock, origin)` have each connection in one of its own."""

    def __init__(self, namespace, address, handle, name=None):
        self.address = address
        self.text = target_text(address)
        self.name = name or self.text
        self.accepted = 0
        self.records = []
        self._handle = handle
        self._open = set()
        self._lock = threading.Lock()
        self._listener = namespace.listen(address)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, peer = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.accepted += 1
                self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock, peer), daemon=True).start()

    def _serve(self, sock, peer):
        sock.settimeout(30)
        try:
            self._handle(sock, self)
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()

    def close(self):
        """No more connections, and none left."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        with self._lock:
            for sock in self._open:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


def say_name(sock, origin):
    """Says who it is at once, then echoes until FIN."""
    sock.sendall(origin.name.encode() + b"\n")
    echo(sock, origin)


def echo(sock, _origin=None):
    while True:
        chunk = sock.recv(65536)
        if not chunk:
            return
        sock.sendall(chunk)


def record_all(sock, origin):
    """Keeps everything up to FIN, with the peer's address, and answers "ok"."""
    peer = sock.getpeername()
    parts = []
    while True:
        chunk = sock.recv(65536)
        if not chunk:
            break
        parts.append(chunk)
    origin.records.append((peer, b"".join(parts)))
    sock.sendall(b"ok")


def read_all(sock):
    parts = []
    while True:
        chunk = sock.recv(65536)
        if not chunk:
            return b"".join(parts)
        parts.append(chunk)


def read_line(sock):
    line = b""
    while not line.endswith(b"\n"):
        byte = sock.recv(1)
        if not byte:
            break
        line += byte
    return line.decode().rstrip("\n")


def exchange(sock, payload):
    """Sends, says FIN, reads to the end."""
    with sock:
        sock.sendall(payload)
        sock.shutdown(socket.SHUT_WR)
        return read_all(sock)


# --- Real ones ----------------------------------------------------------------
def nginx(namespace, directory, http, name="nginx", main="", is_single=True):
    """`http`: the inside of the http block. Returns a running process; `is_single`: all of it."""
    home = directory / name
    home.mkdir()
    config = home / "nginx.conf"
    temporary = "".join(f"{kind}_temp_path {home}/{kind};\n"
                        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config.write_text(f"""{main}
daemon off; master_process {'off' if is_single else 'on'}; pid {home}/pid; error_log {home}/error.log warn;
events {{ worker_connections 8192; }}
http {{ access_log off; {temporary} {http} }}
""")
    return Process(["nginx", "-p", home, "-c", config, "-e", home / "error.log"], home, name,
                   namespace)


def haproxy(namespace, directory, text, name="haproxy"):
    config = directory / f"{name}.cfg"
    config.write_text(text)
    return Process(["haproxy", "-db", "-f", config], directory, name, namespace)


def certificate(directory, host):
    """A self-signed certificate; (certificate, key)."""
    cert, key = directory / f"{host}.pem", directory / f"{host}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={host}",
                    "-addext", f"subjectAltName=DNS:{host}", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return cert, key


def s_server(namespace, directory, address, host, *options):
    """openssl s_server -www with a certificate for `host`."""
    cert, key = certificate(directory, host)
    process = Process(["openssl", "s_server", "-accept", target_text(address), "-cert", cert,
                       "-key", key, "-www", "-quiet", *options],
                      directory, f"s_server-{host}", namespace)
    return process.wait_ready(lambda: can_connect(namespace, address))


def s_client(namespace, address, *options):
    """What openssl s_client printed of the handshake."""
    argv = ["openssl", "s_client", "-connect", target_text(address), *options]
    done = subprocess.run(namespace.command(argv), input="", text=True, capture_output=True,
                          timeout=20)
    return done.stdout + done.stderr
