# SPDX-License-Identifier: Apache-2.0
"""Long files by kernel TLS: whole under every cipher, and right when keys change in the middle."""
import errno
import os
import socket
import struct
import subprocess
import time

import pytest

from lib import openssl
from lib.configs import FRONT, listener, pool
from lib.netns import BACKEND
from lib.openssl import NOT_REQUESTED, REQUESTED, TLS_1_2, TLS_1_3
from lib.pki import Authority
from lib.process import wait_until
from lib.web import Reader, body_of

SMALL, LARGE = b"hello, file\n", body_of(5_000_011)
TCP_ULP = 31


def kernel_has_tls():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as sock:
            try:
                sock.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
            except OSError as error:
                assert error.errno == errno.ENOENT, error
                return False
            return True


pytestmark = pytest.mark.skipif(not kernel_has_tls(), reason="this kernel has no TLS")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


def tells_what_is_cached(directory):
    """Without that sendfile(2) is not used: a worker would wait for the disk."""
    path = directory / "probe"
    path.write_bytes(b"x")
    with open(path, "rb") as file:
        try:
            os.preadv(file.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT)
        except OSError as error:
            assert error.errno in (errno.EOPNOTSUPP, errno.EAGAIN), error
            return error.errno == errno.EAGAIN
    return True


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A directory for files; on a file system of its own where the one at hand does not do."""
    directory = tmp_path_factory.mktemp("www")
    if tells_what_is_cached(directory):
        yield directory
        return
    image = tmp_path_factory.mktemp("image") / "ext4"
    with open(image, "wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, directory], check=True)
    assert tells_what_is_cached(directory)
    yield directory
    subprocess.run(["umount", directory], check=True)


@pytest.fixture
def serve(sluice, authority, root):
    (root / "small").write_bytes(SMALL)
    (root / "large").write_bytes(LARGE)

    def start(**tls):
        row = authority.issue("files.test").row()
        route = {"match": {"path_prefix": ["/"]}, "files": {"root": str(root)}}
        front = listener(mode="http", routes=[route], tls={"certificates": [row], **tls})
        sluice.start({"listeners": [front], "pools": [pool(f"{BACKEND}:7099")]})
    return start


@pytest.fixture
def connect(net):
    opened = []

    def open_one(version=TLS_1_3, cipher=None, receive_buffer=None):
        sock = net.client.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.connect(FRONT)
        opened.append(openssl.Client(sock, version, cipher))
        return opened[-1]
    yield open_one
    for client in opened:
        client.close()


def ask(client, path, *fields):
    head = "".join(f"{line}\r\n" for line in (f"GET /{path} HTTP/1.1", "Host: files.test", *fields))
    client.sendall(f"{head}\r\n".encode())


def head_of(reader):
    assert b" 20" in reader.line()
    return dict(reader.fields())


def body(reader):
    return reader.exactly(int(head_of(reader)["content-length"]))


def in_kernel(sluice):
    return sluice.listeners()["front"]["tls"]["kernel"]


def can_update(sluice):
    """Whether the kernel can change keys (Linux 6.14)."""
    return "wants new keys" not in sluice.ctl("doctor", check=False, timeout=180).stdout


# --- Whole, and the connection goes on -----------------------------------------
@pytest.mark.parametrize("version, cipher", [
    (TLS_1_2, "ECDHE-ECDSA-AES128-GCM-SHA256"), (TLS_1_2, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    (TLS_1_2, "ECDHE-ECDSA-CHACHA20-POLY1305"), (TLS_1_3, "TLS_AES_128_GCM_SHA256"),
    (TLS_1_3, "TLS_AES_256_GCM_SHA384"), (TLS_1_3, "TLS_CHACHA20_POLY1305_SHA256")])
def test_files_are_whole_and_the_connection_goes_on(sluice, serve, connect, version, cipher):
    serve()
    client = connect(version, cipher)
    reader = Reader(client)
    ask(client, "small")
    assert body(reader) == SMALL
    assert in_kernel(sluice) == 0
    for path, whole in [("large", LARGE), ("small", SMALL), ("large", LARGE)]:
        ask(client, path)
        assert body(reader) == whole
    assert in_kernel(sluice) == 1
    row = sluice.connections()[0]
    assert row["tls_kernel"] and row["tls_version"] == {TLS_1_2: "TLSv1.2", TLS_1_3: "TLSv1.3"}[version]
    assert 'sluice_listener_tls_kernel_total{listener="front"} 1' in sluice.ctl("metrics")
    ask(client, "large", "Connection: close")
    assert body(reader) == LARGE
    assert reader.to_end() == b"" and client.has_said_goodbye


def test_requests_that_come_ahead_are_answered_in_turn(sluice, serve, connect):
    serve()
    client = connect()
    for path in ("large", "small", "large", "small"):
        ask(client, path)
    reader = Reader(client)
    for whole in (LARGE, SMALL, LARGE, SMALL):
        assert body(reader) == whole
    assert in_kernel(sluice) == 1


def test_a_range_of_a_file(sluice, serve, connect):
    serve()
    client = connect()
    ask(client, "large", "Range: bytes=1000001-4000000")
    assert body(Reader(client)) == LARGE[1000001:4000001]
    assert in_kernel(sluice) == 1


def test_turned_off_it_stays_with_openssl(sluice, serve, connect):
    serve(ktls="off")
    client = connect()
    ask(client, "large")
    assert body(Reader(client)) == LARGE
    assert in_kernel(sluice) == 0 and not sluice.connections()[0]["tls_kernel"]


# --- Keys that change -------------------------------------------------------------
def test_keys_of_the_client_change_in_the_middle_of_a_file(sluice, serve, connect):
    serve()
    client = connect()
    reader = Reader(client)
    ask(client, "large")
    assert head_of(reader)
    assert reader.exactly(1_000_000) == LARGE[:1_000_000]
    client.update_key(NOT_REQUESTED)
    assert reader.exactly(len(LARGE) - 1_000_000) == LARGE[1_000_000:]
    ask(client, "small")
    assert body(reader) == SMALL
    assert in_kernel(sluice) == 1 and client.key_updates == 0


def test_new_keys_are_asked_for_in_the_middle_of_a_file(sluice, serve, connect):
    """Ours change before our next byte, or we say nothing more behind this answer."""
    serve()
    is_able = can_update(sluice)
    client = connect()
    reader = Reader(client)
    ask(client, "large")
    assert head_of(reader)
    assert reader.exactly(1_000_000) == LARGE[:1_000_000]
    client.update_key(REQUESTED)
    assert reader.exactly(len(LARGE) - 1_000_000) == LARGE[1_000_000:]
    assert in_kernel(sluice) == 1
    if is_able:
        for _ in range(3):
            client.update_key(REQUESTED)
            ask(client, "large")
            assert body(reader) == LARGE
        assert client.key_updates == 4
    else:
        assert reader.to_end() == b"" and client.has_said_goodbye
        assert client.key_updates == 0


def test_new_keys_are_asked_for_before_the_kernel_has_it(sluice, serve, connect):
    serve()
    client = connect()
    reader = Reader(client)
    for _ in range(2):
        client.update_key(REQUESTED)
        ask(client, "small")
        assert body(reader) == SMALL
    ask(client, "large")
    assert body(reader) == LARGE
    assert in_kernel(sluice) == 1 and client.key_updates == 2


# --- Ends ---------------------------------------------------------------------------
@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
@pytest.mark.parametrize("size", range(300_000, 3_000_000, 450_000))
def test_nothing_is_lost_at_the_end_before_a_slow_reader(serve, connect, version, size):
    """What waits in the kernel's TLS for room does not stop a FIN: so that has to wait itself."""
    serve()
    client = connect(version, receive_buffer=8192)
    reader = Reader(client)
    ask(client, "large", f"Range: bytes=0-{size - 1}", "Connection: close")
    time.sleep(0.5)
    assert body(reader) == LARGE[:size]
    assert reader.to_end() == b"" and client.has_said_goodbye


@pytest.mark.parametrize("size", [300_000, 1_500_000, 5_000_000])
def test_a_client_that_has_said_goodbye_gets_its_answer(serve, connect, size):
    serve()
    client = connect(receive_buffer=8192)
    reader = Reader(client)
    ask(client, "large", f"Range: bytes=0-{size - 1}")
    client.say_goodbye()
    time.sleep(0.5)
    assert body(reader) == LARGE[:size]
    assert reader.to_end() == b"" and client.has_said_goodbye


def test_clients_that_go_in_the_middle_leave_nothing_behind(sluice, serve, connect):
    serve()
    for _ in range(5):
        client = connect()
        ask(client, "large")
        assert Reader(client).exactly(500_000)
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    wait_until(lambda: sluice.active() == 0, 20, "their connections are closed")
    client = connect()
    ask(client, "large")
    assert body(Reader(client)) == LARGE
